//! How the simulated `osascript` is told to misbehave: a JSON file that a test may rewrite between two sends.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::{Map, Value};

/// What one call does. Where times run out, the next ones are ordinary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behavior {
    pub mode: Mode,
    /// How long the call takes; in `write-late` and `late-join`, how long after it the row appears or joins.
    pub delay: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Send, and write what was sent.
    #[default]
    Ok,
    /// Report an error from before the first `send` began; write nothing.
    FailBefore,
    /// Report an error from after it began; of text and file, the text is written.
    FailAfter,
    /// End with a message on stderr and a status that is not 0.
    Exit,
    /// Never answer, with a child process that must be ended too.
    Hang,
    /// Report success; write nothing.
    AcceptWithoutWriting,
    /// Report success; the rows appear later, written by another process.
    WriteLate,
    /// Report success; write an empty row that belongs to no chat, as macOS 26 sometimes does.
    Ghost,
    /// Report success; write into another chat.
    WrongChat,
    /// Report success; the rows are there at once, and join their chat later.
    LateJoin,
    /// Report success; the rows look like the other's, and are marked as ours after the delay.
    Flip,
    /// Report success; of a message to ourselves, write what comes back before what was sent.
    TwinFirst,
    /// Report success; of a message to ourselves, write what comes back after the delay.
    TwinLate,
    /// Report success; of a reaction, write another kind.
    WrongKind,
    /// Know neither the chat nor the recipient. A recovery target is used.
    NotFound,
}

impl Mode {
    /// Whether a `send` began, for all that the caller can know.
    pub fn begins_to_send(self) -> bool {
        self != Mode::FailBefore
    }

    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Reads what the next call does, and counts `times` down in the file.
pub fn next(file: Option<&Path>) -> Result<Behavior> {
    let Some(file) = file.filter(|file| file.exists()) else { return Ok(Behavior::default()) };
    take(file).with_context(|| format!("could not use {}", file.display()))
}

fn take(file: &Path) -> Result<Behavior> {
    let mut object: Map<String, Value> = serde_json::from_slice(&std::fs::read(file)?)?;
    let behavior = parse(&object)?;
    let Some(times) = object.get("times") else { return Ok(behavior) };
    let times = times.as_u64().context("times must be a whole number")?;
    if times == 0 {
        return Ok(Behavior::default());
    }
    object.insert("times".to_owned(), Value::from(times - 1));
    // Renamed into place, since a test may read it meanwhile.
    let next = file.with_extension("next");
    std::fs::write(&next, Value::Object(object).to_string())?;
    std::fs::rename(&next, file)?;
    Ok(behavior)
}

fn parse(object: &Map<String, Value>) -> Result<Behavior> {
    let mut behavior = Behavior::default();
    for (key, value) in object {
        match key.as_str() {
            "mode" => behavior.mode = mode(value)?,
            "delay_ms" => {
                let milliseconds = value.as_u64().context("delay_ms must be a whole number")?;
                behavior.delay = Duration::from_millis(milliseconds);
            }
            "times" => {}
            other => bail!("unknown key {other:?}; there are mode, delay_ms and times"),
        }
    }
    Ok(behavior)
}

fn mode(value: &Value) -> Result<Mode> {
    let name = value.as_str().context("mode must be a string")?;
    let known = || Mode::value_variants().iter().map(|mode| mode.name()).collect::<Vec<_>>().join(", ");
    Mode::from_str(name, false).map_err(|_| anyhow::anyhow!("unknown mode {name:?}; there are {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modes(json: &str, calls: usize) -> Vec<Mode> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("behavior.json");
        std::fs::write(&file, json).unwrap();
        (0..calls).map(|_| next(Some(&file)).unwrap().mode).collect()
    }

    #[test]
    fn without_a_file_everything_is_ordinary() {
        assert_eq!(next(None).unwrap(), Behavior::default());
        assert_eq!(next(Some(Path::new("/nowhere/behavior.json"))).unwrap(), Behavior::default());
    }

    #[test]
    fn a_behavior_without_times_lasts() {
        assert_eq!(modes(r#"{"mode": "ghost"}"#, 3), [Mode::Ghost; 3]);
    }

    #[test]
    fn times_run_out() {
        assert_eq!(modes(r#"{"mode": "fail-before", "times": 2}"#, 3), [Mode::FailBefore, Mode::FailBefore, Mode::Ok]);
    }

    #[test]
    fn a_misspelt_mode_is_an_error_that_names_the_known_ones() {
        let error = mode(&Value::from("fail_before")).unwrap_err().to_string();
        assert!(error.contains("fail-before") && error.contains("accept-without-writing"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let object = serde_json::from_str(r#"{"delay": 5}"#).unwrap();
        assert!(parse(&object).unwrap_err().to_string().contains("delay_ms"));
    }
}
