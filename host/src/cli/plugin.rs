//! `imsgd plugin`: what is in force, and making and reloading policies.

mod build;
mod check;
mod dev;
mod log;
mod new;
mod sdk;
mod test;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Global, Where, client, look, print};
use crate::cli::lines::{local_time, text};

#[derive(Args)]
pub struct Plugin {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the plugins in the order in which they are asked
    List {
        #[command(flatten)]
        at: Where,
    },
    /// Show what a plugin wrote, how it failed, and why it was refused
    Log(log::Log),
    /// Read the configuration and all plugins anew, now
    Reload {
        #[command(flatten)]
        at: Where,
    },
    /// Begin a policy: a crate that works, with a test and cases
    New(new::New),
    /// Build the policy crate in a folder into a component, and check it
    Build(build::Build),
    /// Tell what a component is, what it may do, and whether imsgd would load it
    Check(check::Check),
    /// Give a policy's crate the SDK of this imsgd
    Sdk(sdk::Sdk),
    Test(test::Test),
    Dev(dev::Dev),
}

impl Plugin {
    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::List { at } => list(global, &at),
            Action::Log(log) => log.run(global),
            Action::Reload { at } => reload(global, &at),
            Action::New(new) => new.run(global),
            Action::Build(build) => build.run(global),
            Action::Check(check) => check.run(global),
            Action::Sdk(sdk) => sdk.run(global),
            Action::Test(test) => test.run(global),
            Action::Dev(dev) => dev.run(global),
        }
    }
}

fn list(global: &Global, at: &Where) -> anyhow::Result<ExitCode> {
    client::show(global, at, "plugins.list", &json!({}), |answer| Ok(table(answer)))
}

fn reload(global: &Global, at: &Where) -> anyhow::Result<ExitCode> {
    let answer = client::call(&global.load(at)?, "plugins.reload", &json!({}))?;
    if global.json {
        print(&format!("{answer}\n"));
    } else {
        print(&summary(&answer));
    }
    Ok(if answer["ok"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(answer: &Value) -> String {
    let names = |key: &str| {
        let names: Vec<_> = answer[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        names.join(", ")
    };
    let mut out = String::new();
    for (key, word) in [("changed", "in force"), ("removed", "removed")] {
        if !names(key).is_empty() {
            out.push_str(&format!("{word}: {}\n", names(key)));
        }
    }
    for refused in answer["refused"].as_array().into_iter().flatten() {
        out.push_str(&format!("refused: {}: {}\n", text(refused, "name"), text(refused, "reason")));
    }
    if out.is_empty() {
        out.push_str("nothing has changed\n");
    }
    out
}

/// The plugins as aligned columns, with what is wrong and the last lines of its log below each.
pub fn table(answer: &Value) -> String {
    let plugins = answer["plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<[String; COLUMNS]> = plugins.iter().map(cells).collect();
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|column| rows.iter().map(|row| look::width(&row[column])).max().unwrap_or(0));
    let mut out = String::new();
    for (row, plugin) in rows.iter().zip(plugins) {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| look::padded(cell, width)).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
        for key in ["broken", "refused", "last_failure"] {
            if !text(plugin, key).is_empty() {
                out.push_str(&format!("  {}: {}\n", key.replace('_', " "), text(plugin, key)));
            }
        }
        let lines = plugin["log"].as_array().map(Vec::as_slice).unwrap_or_default();
        // What imsgd noted there is above.
        let lines: Vec<&Value> = lines.iter().filter(|line| line["by"] == "plugin").collect();
        for line in lines.iter().skip(lines.len().saturating_sub(LINES)) {
            out.push_str(&format!("  {}", log::shown(line)));
        }
    }
    out
}

const COLUMNS: usize = 8;

/// Lines of its log below each plugin; `imsgd plugin log` has more.
const LINES: usize = 3;

fn cells(plugin: &Value) -> [String; COLUMNS] {
    let interfaces: Vec<_> = plugin["interfaces"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let since = plugin["loaded_at"].as_str().map(|at| format!("since {}", local_time(at)));
    let times = match (plugin["p50_us"].as_u64(), plugin["p99_us"].as_u64()) {
        (Some(half), Some(most)) => format!("p50 {half} µs, p99 {most} µs"),
        _ => String::new(),
    };
    let memory = plugin["memory_bytes"].as_u64().map(|bytes| format!("{} KiB", bytes.div_ceil(1024)));
    [
        text(plugin, "name").to_owned(),
        text(plugin, "state").to_owned(),
        interfaces.join(" "),
        text(plugin, "version").to_owned(),
        since.unwrap_or_default(),
        format!("{} calls, {} failed, {} held", plugin["calls"], plugin["failures"], plugin["held"]),
        times,
        memory.unwrap_or_default(),
    ]
}
