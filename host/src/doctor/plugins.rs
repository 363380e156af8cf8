//! Policies, and the messages that they hold.

use std::time::Duration;

use serde_json::Value;

use super::{Finding, Seen, text};
use crate::plugin::limits::CALL_CPU;

pub fn findings(seen: &Seen) -> Vec<Finding> {
    let Some(own) = seen.own() else {
        return vec![Finding::unknown("plugins", "no daemon answers"), Finding::unknown("held", "no daemon answers")];
    };
    let plugins = own["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut findings: Vec<Finding> = plugins.iter().filter_map(|told| plugin(seen, told)).collect();
    if plugins.is_empty() {
        findings.push(
            Finding::warning("plugins", "No policy is in force yet, or the chain does not answer.")
                .seen("the daemon names none")
                .next(format!("{}; if it stays so, read the daemon's log", seen.command("plugin list"))),
        );
    } else if findings.is_empty() {
        let names: Vec<&str> = plugins.iter().map(|plugin| text(plugin, "name")).collect();
        findings.push(Finding::ok("plugins", format!("{} in force", plugins.len())).seen(names.join(", ")));
    }
    findings.push(held(seen, own));
    findings
}

/// The worst that can be said of one.
fn plugin(seen: &Seen, plugin: &Value) -> Option<Finding> {
    let name = text(plugin, "name");
    let counts = format!("{} calls, {} failed, {} held", plugin["calls"], plugin["failures"], plugin["held"]);
    let log = seen.command(&format!("plugin log {name}"));
    let mended = format!("mend it, then `{}`", seen.command("plugin reload"));
    if let Some(problem) = plugin["broken"].as_str() {
        let found = Finding::error("plugins", format!("{name} is broken: what it would judge is held."));
        return Some(found.seen(problem).seen(counts).next(format!("{log}; {mended}")));
    }
    if let Some(reason) = plugin["refused"].as_str() {
        let what = match text(plugin, "state") {
            "refused" => format!("{name} was refused and judges nothing."),
            _ => format!("{name}: its newest file was refused; the one before is in force."),
        };
        let next = format!("{}; {mended}", seen.command(&format!("plugin check {}", text(plugin, "source"))));
        return Some(Finding::warning("plugins", what).seen(reason).next(next));
    }
    if plugin["failures"].as_u64().unwrap_or(0) > 0 {
        let found = Finding::warning("plugins", format!("{name} failed on messages, which are held."));
        return Some(found.seen(text(plugin, "last_failure")).seen(counts).next(log));
    }
    let slowest = Duration::from_micros(plugin["p99_us"].as_u64().unwrap_or(0));
    if slowest > CALL_CPU / 2 {
        let found =
            Finding::warning("plugins", format!("{name} is slow: it is near its limit, at which it is cut off."));
        let times = format!(
            "p50 {} µs, p99 {} µs; the limit is {} ms",
            plugin["p50_us"],
            plugin["p99_us"],
            CALL_CPU.as_millis()
        );
        return Some(found.seen(times).next(format!("{}; {log}", seen.command("policy replay --last 1000"))));
    }
    None
}

fn held(seen: &Seen, own: &Value) -> Finding {
    let total = own["held"].as_i64().unwrap_or(0);
    let listed = seen.held.as_ref().and_then(|held| held["held"].as_array());
    let failed = listed.into_iter().flatten().filter(|held| text(held, "cause") == "policy_failed").count();
    if total == 0 {
        return Finding::ok("held", "nothing is held");
    }
    if failed > 0 {
        return Finding::warning("held", "Messages are held because a policy failed on them.")
            .seen(format!("{total} held, {failed} of the first hundred for that reason"))
            .next(format!(
                "{}; they are judged again when the policy is replaced, or by `{}`",
                seen.command("held list"),
                seen.command("held release")
            ));
    }
    Finding::note("held", format!("{total} messages of strangers wait to be let in."))
        .seen(format!("{total} held"))
        .next(format!("{}; {}", seen.command("pairing list"), seen.command("held list")))
}
