//! `imsgd plugin test`: asks a policy what a case file says, and compares the answers.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value as Json, json};
use toml::Value;

use super::super::look::{self, FAINT, NAME, WRONG, paint};
use super::super::{Global, print, say};
use crate::author::{self, cases};
use crate::config::file::File;
use crate::plugin::{self, Compiled, LogLine, PluginEngine};
use crate::roster;
use cases::run::{self, Mismatch, Outcome, What};
use cases::{Case, Cases, answer, stored, update};

/// Ask a policy what a case file says, and compare the answers
#[derive(Args)]
pub struct Test {
    /// The component, or the folder of its crate
    #[arg(default_value = ".")]
    file: PathBuf,
    /// The case file, if not cases.toml beside the component
    cases: Option<PathBuf>,
    /// Run only the cases whose names have these words
    #[arg(long, value_name = "WORDS")]
    filter: Option<String>,
    /// Write the answers that were given into the case file
    #[arg(long)]
    update: bool,
}

/// A case that was run.
struct Ran<'a> {
    number: usize,
    case: &'a Case,
    outcome: Outcome,
}

impl Ran<'_> {
    fn is_ok(&self) -> bool {
        self.outcome.mismatches.is_empty()
    }
}

impl Test {
    /// All cases of a file.
    pub fn of(component: PathBuf, cases: PathBuf) -> Test {
        Test { file: component, cases: Some(cases), filter: None, update: false }
    }

    pub fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let began = Instant::now();
        let component = component(&self.file)?;
        let path = self.cases.clone().unwrap_or_else(|| component.with_file_name("cases.toml"));
        let file = read_cases(&path)?;
        let wrong = |wrong: cases::Wrong| anyhow::anyhow!("{}:{}: {}", path.display(), wrong.line, wrong.what);
        let cases = Cases::parse(file.text()).map_err(wrong)?;
        let (engine, compiled) = load(&component)?;
        run::check(&cases, &compiled).map_err(wrong)?;
        if !global.json {
            look::show(&heading(&component, &compiled, &path))?;
        }
        let mut ran = Vec::new();
        for (number, case) in self.wanted(&cases) {
            let outcome = run::run(&engine, &compiled, case, &cases.normalizer);
            let one = Ran { number, case, outcome };
            if global.json {
                print(&format!("{}\n", as_json(&one)));
            } else {
                look::show(&format!("case {} ... {}\n", case.name, word(&one)))?;
            }
            ran.push(one);
        }
        let written = if self.update { write(&path, &file, &ran)? } else { 0 };
        let failed = ran.iter().filter(|one| !self.is_settled(one)).count();
        let passed = ran.len() - failed;
        let left_out = cases.cases.len() - ran.len();
        if global.json {
            let sum = json!({"passed": passed, "failed": failed, "left_out": left_out, "updated": written});
            print(&format!("{sum}\n"));
        } else {
            look::show(&self.failures(&ran, &path))?;
            let result = if failed == 0 { paint(NAME, "ok") } else { paint(WRONG, "FAILED") };
            let updated = if self.update { format!("; {written} updated") } else { String::new() };
            let took = began.elapsed().as_secs_f64();
            look::show(&format!(
                "\ntest result: {result}. {passed} passed; {failed} failed; {left_out} left out{updated}; in {took:.2} s\n"
            ))?;
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn wanted<'a>(&self, cases: &'a Cases) -> impl Iterator<Item = (usize, &'a Case)> {
        let words = self.filter.as_deref().unwrap_or_default().to_lowercase();
        cases.cases.iter().enumerate().filter(move |(_, case)| case.name.to_lowercase().contains(&words))
    }

    /// It was right, or what was wrong is right in the file now.
    fn is_settled(&self, ran: &Ran<'_>) -> bool {
        ran.is_ok() || self.update && ran.outcome.mismatches.iter().all(update::is_wanted)
    }

    fn failures(&self, ran: &[Ran<'_>], path: &Path) -> String {
        let mut out = String::new();
        for one in ran.iter().filter(|one| !self.is_settled(one)) {
            out.push_str(&failure(one, path, !self.update));
        }
        match out.is_empty() {
            true => out,
            false => format!("\nfailures:\n{out}"),
        }
    }
}

/// The file itself, or what `plugin build` writes beside a crate's manifest.
fn component(file: &Path) -> anyhow::Result<PathBuf> {
    if !file.is_dir() {
        return Ok(file.to_owned());
    }
    let component = author::component_of(file)?;
    if !component.exists() {
        let built = component.display();
        bail!("{built} is not there: build it with `imsgd plugin build {}`", file.display());
    }
    Ok(component)
}

fn read_cases(path: &Path) -> anyhow::Result<File> {
    let file = File::read(path)?;
    if !file.is_there() {
        bail!("{} is not there: name the case file behind the component", path.display());
    }
    Ok(file)
}

fn load(component: &Path) -> anyhow::Result<(PluginEngine, Compiled)> {
    let bytes = roster::read_file(component).with_context(|| format!("could not read {}", component.display()))?;
    if is_stale(component, &bytes) {
        say(&format!("{} is older than its source: `imsgd plugin build` makes it anew", component.display()));
    }
    let engine = PluginEngine::new().map_err(|error| anyhow::anyhow!("the plugin engine did not start: {error}"))?;
    let compiled =
        plugin::compile(&engine, &bytes).map_err(|refusal| anyhow::anyhow!("{}: {refusal}", component.display()))?;
    Ok((engine, compiled))
}

/// It lies beside its crate, which says something else by now.
fn is_stale(component: &Path, bytes: &[u8]) -> bool {
    let folder = component.parent().filter(|folder| folder.join("Cargo.toml").is_file());
    let made_of = folder.and_then(|folder| author::source_hash(folder).ok());
    matches!((made_of, author::embedded_hash(bytes)), (Some(now), Some(then)) if now != then)
}

/// Writes what was given where something else was expected. Returns how many answers and states that were.
fn write(path: &Path, file: &File, ran: &[Ran<'_>]) -> anyhow::Result<usize> {
    let changes: Vec<(usize, &Mismatch)> = (ran.iter())
        .flat_map(|one| one.outcome.mismatches.iter().map(|mismatch| (one.number, mismatch)))
        .filter(|(_, mismatch)| update::is_wanted(mismatch))
        .collect();
    if changes.is_empty() {
        return Ok(0);
    }
    let count = changes.len();
    let updated = update::updated(file.text(), changes);
    file.replace(&updated.with_context(|| format!("could not update {}", path.display()))?)?;
    Ok(count)
}

fn heading(component: &Path, compiled: &Compiled, path: &Path) -> String {
    let interfaces: Vec<&str> = compiled.interfaces().into_iter().map(|interface| interface.name()).collect();
    let what = format!("{} ({}, {})", component.display(), interfaces.join(" "), compiled.version);
    format!("testing {what} with {}\n\n", path.display())
}

fn word(ran: &Ran<'_>) -> String {
    if ran.is_ok() { paint(NAME, "ok") } else { paint(WRONG, "FAILED") }
}

/// What was expected and what came, and what the policy logged.
fn failure(ran: &Ran<'_>, path: &Path, may_update: bool) -> String {
    let mut out = format!("\n---- {} ({}:{})\n", ran.case.name, path.display(), ran.case.line);
    for mismatch in &ran.outcome.mismatches {
        let step = match mismatch.step {
            Some(number) => {
                let line = ran.case.steps.get(number).map_or(ran.case.line, |step| step.line);
                format!(" of step {}, line {line}", number + 1)
            }
            None => String::new(),
        };
        out.push_str(&format!("  {}{step}\n", mismatch.what.name()));
        match &mismatch.expected {
            Some(expected) => {
                let kept = Some(expected).filter(|_| mismatch.what == What::Answer);
                out.push_str(&difference(expected, &answer::narrowed(&mismatch.given, kept)));
            }
            None => {
                let hint = if may_update { "; `--update` writes it down" } else { "" };
                out.push_str(&format!("    the case does not say what it should be{hint}\n"));
                out.push_str(&paint(NAME, format!("    + {}\n", stored::spelled_on_a_line(&mismatch.given))));
            }
        }
    }
    for line in &ran.outcome.log {
        out.push_str(&paint(FAINT, log_line(line)));
    }
    out
}

/// Of tables, the keys that differ.
fn difference(expected: &Value, given: &Value) -> String {
    let mut out = String::new();
    let mut line = |sign: char, text: String| {
        let style = if sign == '-' { WRONG } else { NAME };
        out.push_str(&paint(style, format!("    {sign} {text}")));
        out.push('\n');
    };
    let entries = |value: &Value| value.as_table().cloned().filter(|table| table.len() > 1).unwrap_or_default();
    let (old, new) = (entries(expected), entries(given));
    if old.is_empty() && new.is_empty() {
        line('-', stored::spelled_on_a_line(expected));
        line('+', stored::spelled_on_a_line(given));
        return out;
    }
    let (old, new) = (expected.as_table().cloned().unwrap_or(old), given.as_table().cloned().unwrap_or(new));
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let entry = |key: &String, value: &Value| {
        stored::entries_on_a_line(&toml::Table::from_iter([(key.clone(), value.clone())]))
    };
    for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
        for (sign, side) in [('-', &old), ('+', &new)] {
            if let Some(value) = side.get(key) {
                line(sign, entry(key, value));
            }
        }
    }
    out
}

fn log_line(line: &LogLine) -> String {
    let text = look::harmless_text(&line.text).replace('\n', "\n          ");
    format!("  log {:<5} {text}\n", line.level)
}

fn as_json(ran: &Ran<'_>) -> Json {
    let mismatches: Vec<Json> = (ran.outcome.mismatches.iter())
        .map(|mismatch| {
            json!({
                "step": mismatch.step.map(|number| number + 1),
                "what": mismatch.what.name(),
                "expected": mismatch.expected.as_ref().map(stored::to_json),
                "given": stored::to_json(&mismatch.given),
            })
        })
        .collect();
    let log: Vec<Json> = ran.outcome.log.iter().map(|line| json!({"level": line.level, "text": line.text})).collect();
    json!({"case": ran.case.name, "line": ran.case.line, "ok": ran.is_ok(), "mismatches": mismatches, "log": log})
}
