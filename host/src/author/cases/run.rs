//! Asks a real instance what a case asks, and compares.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::{Table, Value};

use super::{Case, Cases, Question, Step, Wrong, answer, stored};
use crate::address::Normalizer;
use crate::plugin::{Compiled, Log, LogLine, Plugin, PluginEngine, Setup, Stage};
use crate::policy::{Failure, Interface, Policy};

/// What came of a case.
pub struct Outcome {
    /// One for each step that was asked.
    pub given: Vec<Given>,
    pub log: Vec<LogLine>,
    pub mismatches: Vec<Mismatch>,
}

/// What one step gave.
pub struct Given {
    pub answer: Value,
    /// All of the store afterwards.
    pub state: Table,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// From 0; none for what is of the whole case.
    pub step: Option<usize>,
    pub what: What,
    /// None where nobody has said yet.
    pub expected: Option<Value>,
    pub given: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Answer,
    StateAfter,
}

impl What {
    /// The key in the file.
    pub fn name(self) -> &'static str {
        match self {
            What::Answer => "answer",
            What::StateAfter => "state_after",
        }
    }
}

/// Whether this component can be asked what the cases ask.
pub fn check(cases: &Cases, compiled: &Compiled) -> Result<(), Wrong> {
    for step in cases.cases.iter().flat_map(|case| &case.steps) {
        interface(step, compiled).map_err(|what| Wrong { line: step.line, what })?;
    }
    Ok(())
}

/// Who is asked; nobody where a case is only about the configuration.
fn interface(step: &Step, compiled: &Compiled) -> Result<Option<Interface>, String> {
    let able = step.question.interfaces();
    if able.is_empty() {
        return Ok(None);
    }
    let names = |interfaces: &[Interface]| interfaces.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
    let offered: Vec<Interface> = able.iter().copied().filter(|interface| compiled.offers(*interface)).collect();
    match (step.interface, offered.as_slice()) {
        (Some(named), _) if compiled.offers(named) && (able.contains(&named) || is_message(step, named)) => {
            Ok(Some(named))
        }
        // A default is meant for those that it fits.
        (_, [one]) => Ok(Some(*one)),
        (_, []) => {
            let offers = names(&compiled.interfaces());
            Err(format!("this is asked of {}, and the component offers {offers}", names(able)))
        }
        (Some(named), _) => Err(format!("`{}` cannot be asked this: {} can", named.name(), names(&offered))),
        (None, _) => Err(format!("the component offers {}: say which with `interface`", names(&offered))),
    }
}

/// A direct message may be judged as one of a group, where the configuration lists its chat under groups.
fn is_message(step: &Step, named: Interface) -> bool {
    matches!(step.question, Question::Message(_)) && named != Interface::Chunking
}

/// Runs one case on an instance of its own.
pub fn run(engine: &PluginEngine, compiled: &Compiled, case: &Case, normalizer: &Arc<Normalizer>) -> Outcome {
    let setup = Setup {
        name: "tested".to_owned(),
        config: case.config.clone(),
        state: case.state.clone(),
        normalizer: normalizer.clone(),
    };
    let stage = case.steps.first().map(|step| Stage::at(step.now));
    let mut state = case.state.clone();
    let mut given = Vec::new();
    let log = Log::new(&setup.name);
    match Plugin::start_with(engine, compiled.clone(), setup, log.clone(), stage) {
        Ok(mut plugin) => {
            for step in &case.steps {
                plugin.set_time(step.now);
                let answer = ask(&mut plugin, step).unwrap_or_else(answer::failure);
                keep(&mut state, &mut plugin);
                given.push(Given { answer, state: stored::to_table(&state) });
            }
        }
        Err(failure) => {
            given.push(Given { answer: answer::no_start(failure), state: stored::to_table(&state) });
        }
    }
    let mismatches = compare(case, &given);
    Outcome { given, log: log.last(usize::MAX), mismatches }
}

fn keep(state: &mut BTreeMap<String, Vec<u8>>, plugin: &mut Plugin) {
    for (key, value) in plugin.take_writes() {
        match value {
            Some(value) => state.insert(key, value),
            None => state.remove(&key),
        };
    }
}

fn ask(plugin: &mut Plugin, step: &Step) -> Result<Value, Failure> {
    let interface = interface(step, plugin.compiled()).map_err(Failure)?;
    Ok(match &step.question {
        Question::Configure => answer::word("configured"),
        Question::Message(inbound) => match interface {
            Some(Interface::Allowlist) => answer::admission(plugin.admit(inbound)?),
            Some(Interface::Pairing) => answer::introduction(plugin.screen(inbound)?),
            Some(Interface::Group) => answer::decision(plugin.decide(inbound)?),
            _ => answer::verdict(plugin.filter(inbound)?),
        },
        Question::Draft { text, is_group, recipient } => {
            answer::pieces(plugin.split(text, *is_group, recipient.as_deref())?)
        }
        Question::Approve(code) => answer::settled("approved", plugin.pairing_approve(code)?),
        Question::Deny(code) => answer::settled("denied", plugin.pairing_deny(code)?),
        Question::Unpair(address) => {
            answer::word(if plugin.pairing_unpair(address)? { "unpaired" } else { "not_paired" })
        }
        Question::Pending => answer::requests(plugin.pairing_pending()?),
        Question::Paired => answer::addresses(plugin.pairing_paired()?),
    })
}

fn compare(case: &Case, given: &[Given]) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    for (number, (step, given)) in case.steps.iter().zip(given).enumerate() {
        let place = case.has_steps.then_some(number);
        if !step.answer.as_ref().is_some_and(|expected| answer::fits(expected, &given.answer)) {
            let (expected, given) = (step.answer.clone(), given.answer.clone());
            mismatches.push(Mismatch { step: place, what: What::Answer, expected, given });
        }
        mismatches.extend(state_differs(place, step.state_after.as_ref(), given));
    }
    mismatches.extend(given.last().and_then(|last| state_differs(None, case.state_after.as_ref(), last)));
    mismatches
}

fn state_differs(step: Option<usize>, expected: Option<&Table>, given: &Given) -> Option<Mismatch> {
    let expected = expected.filter(|expected| **expected != given.state)?;
    let (expected, given) = (Some(Value::Table(expected.clone())), Value::Table(given.state.clone()));
    Some(Mismatch { step, what: What::StateAfter, expected, given })
}
