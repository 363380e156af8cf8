//! `imsgd doctor`: what works, what does not, and what to do about it. Ends with 1 where something does not.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::look::{self, NAME, WRONG, paint};
use super::{Global, Where, client, print, status};
use crate::chatdb::ChatDb;
use crate::cli::lines::text;

/// Check what imsgd needs, and who is late where messages are
#[derive(Args)]
pub struct Doctor {
    #[command(flatten)]
    at: Where,
}

struct Check {
    name: &'static str,
    is_ok: bool,
    detail: String,
}

impl Check {
    fn new(name: &'static str, found: Result<String, String>) -> Check {
        let is_ok = found.is_ok();
        Check { name, is_ok, detail: found.unwrap_or_else(|problem| problem) }
    }
}

impl Doctor {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let checks = self.checks(global);
        let is_well = checks.iter().all(|check| check.is_ok);
        if global.json {
            let checks: Vec<Value> = checks
                .iter()
                .map(|check| json!({"name": check.name, "ok": check.is_ok, "detail": check.detail}))
                .collect();
            print(&format!("{}\n", json!({"ok": is_well, "checks": checks})));
        } else {
            let _ = look::show(&checks.iter().map(line).collect::<String>());
        }
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn checks(&self, global: &Global) -> Vec<Check> {
        let config = match global.load(&self.at) {
            Ok(config) => config,
            Err(error) => return vec![Check::new("configuration", Err(error.to_string()))],
        };
        let path = config.messages.db.display();
        let mut checks = vec![Check::new("configuration", Ok(config.path.display().to_string()))];
        let asked = client::connect(&config).map(status::ask);
        let answer = match asked {
            Some(Ok(answer)) => answer,
            unanswered => {
                // Whose permission counts is the daemon's, but there is none to ask.
                let opened = ChatDb::open(&config.messages.db);
                let readable =
                    opened.map(|_| format!("{path} is readable")).map_err(|error| format!("{path}: {error}"));
                checks.push(Check::new("database", readable));
                let problem = match unanswered {
                    Some(Err(error)) => format!("runs, but gave no status: {error}"),
                    _ => "not running; start it with `imsgd serve`".to_owned(),
                };
                checks.push(Check::new("daemon", Err(problem)));
                return checks;
            }
        };
        let own = &answer["imsgd"];
        let database = match answer["database"]["ready"] == true {
            true => Ok(format!("{path} is readable for the daemon")),
            false => Err(format!("{path}: {}", text(&answer["database"], "error"))),
        };
        checks.push(Check::new("database", database));
        checks.push(Check::new("daemon", Ok(format!("process {} answers", own["pid"]))));
        let lag = status::lag_line(&own["lag"]);
        let told = format!("{lag}. {}", text(&own["lag"], "sentence"));
        checks.push(Check::new("lag", if own["lag"]["late"] == "nobody" { Ok(told) } else { Err(told) }));
        checks
    }
}

fn line(check: &Check) -> String {
    let mark = if check.is_ok { paint(NAME, "ok  ") } else { paint(WRONG, "FAIL") };
    format!("{mark}  {:13}  {}\n", check.name, look::harmless_text(&check.detail))
}
