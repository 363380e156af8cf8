//! What is drawn: the last answer of the daemon, and how fast it counts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::lines::text;
use crate::cli::look::{FAINT, NAME, NEWS, WRONG, padded, paint, width};
use crate::cli::{outbox, status};
use crate::doctor;

/// How long rates are remembered.
const MINUTE: Duration = Duration::from_secs(60);

/// What the daemon said at one time.
pub struct Reading {
    pub at: Instant,
    pub status: Value,
    /// The answer to `outbox.list`; null where there was none.
    pub sends: Value,
}

impl Reading {
    /// Messages that were judged since the daemon was started.
    fn judged(&self) -> u64 {
        let verdicts = self.status["imsgd"]["verdicts"].as_object();
        verdicts.into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
    }
}

pub struct History {
    last: Reading,
    /// Counts of the last minute, the oldest first.
    counts: VecDeque<(Instant, u64)>,
    /// Why there is no newer answer.
    problem: Option<String>,
}

impl History {
    pub fn new(first: Reading) -> History {
        let counts = VecDeque::from([(first.at, first.judged())]);
        History { last: first, counts, problem: None }
    }

    pub fn add(&mut self, reading: anyhow::Result<Reading>) {
        let reading = match reading {
            Ok(reading) => reading,
            Err(error) => {
                self.problem = Some(error.to_string());
                return;
            }
        };
        self.problem = None;
        // Another daemon counts from nothing.
        if reading.status["imsgd"]["pid"] != self.last.status["imsgd"]["pid"] {
            self.counts.clear();
        }
        self.counts.push_back((reading.at, reading.judged()));
        while self.counts.front().is_some_and(|(at, _)| reading.at.duration_since(*at) > MINUTE) {
            self.counts.pop_front();
        }
        self.last = reading;
    }

    /// Messages within the last second and the last minute, as far as it was watched.
    fn rates(&self) -> Option<(u64, u64)> {
        let (_, first) = self.counts.front()?;
        let (_, last) = self.counts.back()?;
        let (_, before) = self.counts.get(self.counts.len().checked_sub(2)?)?;
        Some((last.saturating_sub(*before), last.saturating_sub(*first)))
    }

    pub fn frame(&self) -> String {
        let own = &self.last.status["imsgd"];
        let version = text(&self.last.status, "version");
        let title = format!("imsgd top  version {version}, process {}", own["pid"]);
        let mut out = format!("{}  {}\n", paint(NAME, title), paint(FAINT, "q quits"));
        if let Some(problem) = &self.problem {
            out.push_str(&format!("{}\n", paint(WRONG, format!("no answer: {problem}"))));
        }
        let mut line = |name: &str, text: &str| out.push_str(&format!("{}{text}\n", padded(name, 13)));
        let rates =
            self.rates().map(|(second, minute)| format!(", {second} in the last second, {minute} in the last minute"));
        line("messages", &format!("{} judged{}", self.last.judged(), rates.unwrap_or_default()));
        line("verdicts", &status::judged(own));
        line("held", &own["held"].to_string());
        let lag = doctor::readings(&own["lag"]);
        for (number, kind) in lag.split(", ").enumerate() {
            line(if number == 0 { "lag" } else { "" }, kind);
        }
        let is_late = own["lag"]["late"] != "nobody";
        let behind = own["lag"]["rows_behind"].as_u64().map_or("?".to_owned(), |rows| rows.to_string());
        let late =
            format!("{behind} rows to judge{}", if is_late { ": imsgd is late, see `imsgd doctor`" } else { "" });
        line("", &if is_late { paint(NEWS, late) } else { late });
        line("subscribers", &subscribers(own));
        for (number, consumer) in own["consumers"].as_array().into_iter().flatten().enumerate() {
            line(if number == 0 { "consumers" } else { "" }, &of_consumer(consumer));
        }
        line("outbox", &outbox_line(&self.last.sends));
        if let Some(paused) = outbox::paused(&own["sending_paused"]) {
            line("", &paint(NEWS, paused));
        }
        out.push_str(&plugins(own));
        out
    }
}

fn subscribers(own: &Value) -> String {
    let subscribers = own["subscribers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let each: Vec<String> =
        subscribers.iter().map(|subscriber| format!("{}/{}", subscriber["waiting"], subscriber["buffer"])).collect();
    match each.is_empty() {
        true => "none".to_owned(),
        false => format!("{}; waiting for each, of its queue: {}", each.len(), each.join(" ")),
    }
}

fn of_consumer(consumer: &Value) -> String {
    let connected = if consumer["connected"] == true { "connected" } else { "away" };
    format!("{}  {connected}, {} rows behind", text(consumer, "name"), consumer["behind_rows"])
}

fn outbox_line(answer: &Value) -> String {
    let Some(sends) = answer["sends"].as_array() else { return "not known".to_owned() };
    let of = |state: &str| sends.iter().filter(|send| text(send, "state") == state).count();
    let under_way = of("queued") + of("handed");
    let (seen, failed, unconfirmed) = (of("seen"), of("failed"), of("unconfirmed"));
    format!(
        "of the last {}: {seen} seen, {failed} failed, {unconfirmed} unconfirmed, {under_way} under way",
        sends.len()
    )
}

/// In columns, the numbers to the right.
fn plugins(own: &Value) -> String {
    let plugins = own["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
    let columns = plugins.iter().map(|plugin| width(text(plugin, "name"))).max().unwrap_or(0).max(7);
    let head = format!(
        "{}  {:7}  {:>8}  {:>6}  {:>6}  {:>8}  {:>8}",
        padded("plugins", columns),
        "state",
        "calls",
        "failed",
        "held",
        "p50 µs",
        "p99 µs"
    );
    let mut out = format!("{}\n", paint(FAINT, head));
    for plugin in plugins {
        let number = |key: &str| plugin[key].as_u64().map_or("-".to_owned(), |number| number.to_string());
        let row = format!(
            "{}  {:7}  {:>8}  {:>6}  {:>6}  {:>8}  {:>8}",
            padded(text(plugin, "name"), columns),
            text(plugin, "state"),
            number("calls"),
            number("failures"),
            number("held"),
            number("p50_us"),
            number("p99_us")
        );
        let is_well = plugin["state"] == "ready" && plugin["failures"] == 0;
        out.push_str(&if is_well { row } else { paint(NEWS, row) });
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reading(at: Instant, pid: u32, judged: u64) -> anyhow::Result<Reading> {
        let status = json!({"imsgd": {"pid": pid, "verdicts": {"delivered": judged}}});
        Ok(Reading { at, status, sends: Value::Null })
    }

    #[test]
    fn rates_are_of_the_last_second_and_the_last_minute() {
        let began = Instant::now();
        let mut history = History::new(reading(began, 1, 5).unwrap());
        assert_eq!(history.rates(), None);
        for second in 1..=90 {
            history.add(reading(began + Duration::from_secs(second), 1, 5 + second * 2));
        }
        assert_eq!(history.rates(), Some((2, 120)));
        history.add(Err(anyhow::anyhow!("gone")));
        assert!(history.frame().contains("no answer: gone"));
        history.add(reading(began + Duration::from_secs(92), 2, 7));
        assert_eq!(history.rates(), None);
        assert!(!history.frame().contains("no answer"));
    }
}
