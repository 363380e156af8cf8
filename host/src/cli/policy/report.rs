//! What a replay found, for people: bars, tables and examples.

use serde_json::Value;

use crate::cli::lines::{local_time, text};
use crate::cli::look::{FAINT, NAME, NEWS, Reader, WRONG, padded, paint, width};

const VERDICTS: [&str; 6] = ["delivered", "observed", "held", "failed", "rejected", "dropped"];

/// Keys of `changes`, and what they are called.
const CHANGES: [(&str, &str); 9] = [
    ("admitted", "admitted"),
    ("observed", "only observed"),
    ("held", "held for approval"),
    ("failed", "held by a failure"),
    ("rejected", "rejected"),
    ("dropped", "dropped"),
    ("routed", "to another route"),
    ("labelled", "with other labels"),
    ("reason", "for another reason"),
];

/// Columns of the longest bar.
const BAR: u64 = 40;

pub fn text_of(report: &Value, reader: Reader) -> String {
    let mut out = heading(report);
    if report["judged"] == 0 {
        return out;
    }
    out.push_str(&verdicts(report));
    if report["different"] != 0 {
        out.push_str(&changes(report));
        out.push_str(&table("By sender", &report["senders"], &report["senders_different"], sender, reader));
        out.push_str(&table("By chat", &report["chats"], &report["chats_different"], chat, reader));
        out.push_str(&examples(report));
    }
    out.push_str(&policies(report));
    out
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_default()
}

fn heading(report: &Value) -> String {
    let judged = number(report, "judged");
    if judged == 0 {
        return "no message to judge\n".to_owned();
    }
    let (first, last) = (local_time(text(report, "first_at")), local_time(text(report, "last_at")));
    let different = match number(report, "different") {
        0 => paint(NAME, "the candidate decides the same"),
        different => paint(NAME, format!("{different} of them otherwise")),
    };
    format!("{judged} messages from {first} to {last}: {different}\n")
}

fn verdicts(report: &Value) -> String {
    let sides = [("now", FAINT), ("candidate", NAME)];
    let of = |verdict: &str, at: usize| number(&report[["present", "candidate"][at]]["verdicts"], verdict);
    let met: Vec<&str> = VERDICTS.into_iter().filter(|verdict| of(verdict, 0) + of(verdict, 1) > 0).collect();
    let most = met.iter().flat_map(|verdict| [of(verdict, 0), of(verdict, 1)]).max().unwrap_or(0);
    let digits = most.to_string().len();
    let mut out = "\n".to_owned();
    for verdict in met {
        for (at, (side, style)) in sides.into_iter().enumerate() {
            let name = if at == 0 { verdict } else { "" };
            let count = of(verdict, at);
            let line = format!("{name:9}  {side:9} {count:digits$}{}", painted_bar(style, count, most));
            out.push_str(&format!("{line}\n"));
        }
    }
    out
}

fn changes(report: &Value) -> String {
    let all = &report["changes"];
    let met: Vec<_> = CHANGES.into_iter().filter(|(key, _)| number(all, key) > 0).collect();
    let most = met.iter().map(|(key, _)| number(all, key)).max().unwrap_or(0);
    let digits = most.to_string().len();
    let mut out = "\nThe candidate would have\n".to_owned();
    for (key, what) in met {
        let count = number(all, key);
        let style = if key == "failed" { WRONG } else { NEWS };
        out.push_str(&format!("  {what:18} {count:digits$}{}\n", painted_bar(style, count, most)));
    }
    out
}

fn painted_bar(style: anstyle::Style, count: u64, most: u64) -> String {
    match bar(count, most) {
        bar if bar.is_empty() => bar,
        bar => format!(" {}", paint(style, bar)),
    }
}

/// Blocks, the last one in eighths: what is there at all is to be seen.
fn bar(count: u64, most: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if count == 0 {
        return String::new();
    }
    let eighths = (u128::from(count) * u128::from(BAR * 8) / u128::from(most.max(1))).max(1) as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn sender(row: &Value) -> String {
    match text(row, "sender_name") {
        "" => text(row, "sender").to_owned(),
        name => format!("{name} ({})", text(row, "sender")),
    }
}

fn chat(row: &Value) -> String {
    format!("[{}] {}", row["chat_id"], text(row, "chat_name"))
}

fn table(title: &str, rows: &Value, in_all: &Value, who: fn(&Value) -> String, reader: Reader) -> String {
    let rows: Vec<(String, &Value)> = rows.as_array().into_iter().flatten().map(|row| (who(row), row)).collect();
    let columns = match reader {
        Reader::People => rows.iter().map(|(who, _)| width(who)).max().unwrap_or(0).min(48),
        Reader::Programs => 0,
    };
    let in_all = in_all.as_u64().unwrap_or_default();
    let shown = match rows.len() as u64 {
        shown if shown < in_all => format!(" ({shown} of {in_all})"),
        _ => String::new(),
    };
    let mut out = format!("\n{title}{shown}\n");
    for (who, row) in rows {
        let changes = CHANGES.into_iter().filter_map(|(key, what)| match number(&row["changes"], key) {
            0 => None,
            count => Some(format!("{count} {what}")),
        });
        let changes: Vec<String> = changes.collect();
        out.push_str(&format!("  {} {}\n", paint(NAME, padded(&who, columns)), changes.join(", ")));
    }
    out
}

fn examples(report: &Value) -> String {
    let examples = report["examples"].as_array().cloned().unwrap_or_default();
    let mut out = String::new();
    for (at, example) in examples.iter().enumerate() {
        if at == 0 {
            out.push_str("\nExamples\n");
        }
        let said: Vec<&str> = text(example, "text").split_whitespace().collect();
        let place = paint(FAINT, format!("chat {} row {}", example["chat_id"], example["id"]));
        let when = paint(FAINT, local_time(text(example, "created_at")));
        out.push_str(&format!("  {when} {} {place}: {}\n", paint(NAME, sender(example)), said.join(" ")));
        let (now, then) = (outcome(&example["present"]), outcome(&example["candidate"]));
        out.push_str(&format!("    {now} → {}\n", paint(NEWS, then)));
    }
    out
}

/// `delivered to main with a, b (allowlist)`
fn outcome(verdict: &Value) -> String {
    let mut out = text(verdict, "verdict").to_owned();
    if !text(verdict, "route").is_empty() {
        out.push_str(&format!(" to {}", text(verdict, "route")));
    }
    let labels: Vec<&str> = verdict["labels"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !labels.is_empty() {
        out.push_str(&format!(" with {}", labels.join(", ")));
    }
    if !text(verdict, "reason").is_empty() {
        out.push_str(&format!(": {}", text(verdict, "reason")));
    }
    match text(&verdict["decided_by"], "name") {
        "" => out,
        name => format!("{out} ({name})"),
    }
}

fn policies(report: &Value) -> String {
    let of = |key: &str| report[key]["policies"].as_array().cloned().unwrap_or_default();
    let sides = [("now", of("present")), ("candidate", of("candidate"))];
    let name_columns = sides.iter().flat_map(|(_, all)| all).map(|policy| text(policy, "name").len()).max();
    let name_columns = name_columns.unwrap_or(0).max("Policy".len());
    let mut out = format!(
        "\n{:11}{:name_columns$} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9}\n",
        "Side", "Policy", "calls", "failed", "mean µs", "p50 µs", "p99 µs", "total ms"
    );
    for (side, policies) in sides {
        for policy in policies {
            out.push_str(&format!(
                "{side:11}{:name_columns$} {:>9} {:>7} {:>9} {:>9} {:>9} {:>9}{}\n",
                text(&policy, "name"),
                policy["calls"].to_string(),
                policy["failures"].to_string(),
                policy["mean_us"].to_string(),
                policy["p50_us"].to_string(),
                policy["p99_us"].to_string(),
                policy["total_ms"].to_string(),
                if policy["shared"] == true { "  asked once for both" } else { "" },
            ));
            if !text(&policy, "last_failure").is_empty() {
                out.push_str(&paint(WRONG, format!("{:11}{}\n", "", text(&policy, "last_failure"))));
            }
        }
    }
    let seconds = number(report, "took_ms") as f64 / 1000.0;
    out.push_str(&format!("\n{seconds:.1} s, {} messages a second\n", report["messages_per_second"]));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_nothing() {
        assert_eq!((bar(0, 10), bar(10, 10)), (String::new(), "█".repeat(40)));
        assert_eq!(bar(1, 1_000_000), "▏");
        assert_eq!(bar(1, 80), "▌");
        assert_eq!(bar(u64::MAX, u64::MAX).chars().count(), 40);
    }
}
