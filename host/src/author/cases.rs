//! Case files of `imsgd plugin test`: what a policy is asked, and what it should answer. Read whole and checked whole
//! before anything runs; what is wrong is named with its line.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use toml::value::Datetime;
use toml::{Spanned, Table, Value};

use crate::address::Normalizer;
use crate::config::nearest;
use crate::policy::{Inbound, Interface};

pub mod answer;
mod inbound;
pub mod run;
pub mod stored;
pub mod update;

use inbound::MessageTable;

/// The time of a case that names none.
const NOW: Timestamp = Timestamp::constant(1_772_366_400, 0);

/// Where numbers without a country code are, if `defaults.region` does not say.
const REGION: &str = "US";

/// A case file that was read.
pub struct Cases {
    pub cases: Vec<Case>,
    pub normalizer: Arc<Normalizer>,
}

/// One table `[[case]]`: what is asked of one instance, one after the other.
pub struct Case {
    pub name: String,
    /// Of the file, from 1.
    pub line: usize,
    /// What `configure` gets, as JSON.
    pub config: String,
    pub state: BTreeMap<String, Vec<u8>>,
    pub steps: Vec<Step>,
    /// All of the store when every step was asked, where it is to be compared.
    pub state_after: Option<Table>,
    /// The steps are tables of their own.
    pub has_steps: bool,
}

/// One question and what should be answered.
pub struct Step {
    pub line: usize,
    pub question: Question,
    pub interface: Option<Interface>,
    pub now: Timestamp,
    /// None where nobody has said yet what it should be.
    pub answer: Option<Value>,
    /// All of the store after this step, where it is to be compared. What a case without steps says is of the case.
    pub state_after: Option<Table>,
}

/// What a policy can be asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// Nothing but to take its configuration.
    Configure,
    Message(Arc<Inbound>),
    Draft {
        text: String,
        is_group: bool,
        recipient: Option<String>,
    },
    Approve(String),
    Deny(String),
    Unpair(String),
    Pending,
    Paired,
}

impl Question {
    /// The interfaces that can be asked this.
    pub fn interfaces(&self) -> &'static [Interface] {
        match self {
            Question::Configure => &[],
            Question::Message(inbound) if inbound.as_group => &[Interface::Group, Interface::Filter],
            Question::Message(_) => &[Interface::Allowlist, Interface::Pairing, Interface::Filter],
            Question::Draft { .. } => &[Interface::Chunking],
            _ => &[Interface::Pairing],
        }
    }
}

/// What is wrong with a case file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Wrong {
    /// From 1.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: Defaults,
    #[serde(default)]
    case: Vec<Spanned<CaseTable>>,
}

/// What each case has that does not say otherwise. Of `message`, each key by itself.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Defaults {
    interface: Option<Spanned<String>>,
    config: Option<Table>,
    state: Option<Table>,
    now: Option<Spanned<Datetime>>,
    /// ISO 3166 code of the region in which a number without a country code is read.
    region: Option<Spanned<String>>,
    message: Option<MessageTable>,
}

/// A case, or a step of one: what only a case may have is refused in a step.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CaseTable {
    name: Option<String>,
    interface: Option<Spanned<String>>,
    config: Option<Table>,
    state: Option<Table>,
    now: Option<Spanned<Datetime>>,
    message: Option<Spanned<MessageTable>>,
    draft: Option<DraftTable>,
    approve: Option<String>,
    deny: Option<String>,
    unpair: Option<String>,
    list: Option<Spanned<String>>,
    answer: Option<Spanned<Value>>,
    state_after: Option<Table>,
    step: Option<Vec<Spanned<CaseTable>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DraftTable {
    text: String,
    #[serde(default)]
    group: bool,
    recipient: Option<String>,
}

impl Cases {
    pub fn parse(text: &str) -> Result<Cases, Wrong> {
        let file: File = toml::from_str(text).map_err(|error| wrong_key_or_value(text, &error))?;
        let reader = Reader { text, defaults: &file.defaults };
        let region = file.defaults.region.as_ref();
        let name = region.map_or(REGION, |region| region.get_ref());
        let Some(normalizer) = Normalizer::new(name) else {
            let at = region.map_or(0, |region| region.span().start);
            return Err(reader.wrong(at, format!("`{name}` is no region: an ISO 3166 code such as US")));
        };
        let mut cases: Vec<Case> = Vec::new();
        for table in &file.case {
            let case = reader.case(table, &normalizer)?;
            if cases.iter().any(|other| other.name == case.name) {
                return Err(reader.wrong(table.span().start, format!("there is another case named \"{}\"", case.name)));
            }
            cases.push(case);
        }
        if cases.is_empty() {
            return Err(Wrong { line: 1, what: "no cases: each one is a table `[[case]]`".to_owned() });
        }
        Ok(Cases { cases, normalizer: Arc::new(normalizer) })
    }
}

/// Serde's words, with the nearest key that is known.
fn wrong_key_or_value(text: &str, error: &toml::de::Error) -> Wrong {
    let line = line_at(text, error.span().map_or(0, |span| span.start));
    let said = error.message().trim();
    let Some(rest) = said.strip_prefix("unknown field ") else {
        return Wrong { line, what: said.replace('\n', ", ") };
    };
    let mut names = rest.split('`').skip(1).step_by(2);
    let unknown = names.next().unwrap_or_default();
    let known: Vec<&str> = names.collect();
    let what = match nearest(unknown, known.iter().copied()) {
        Some(nearest) => format!("unknown key `{unknown}`; did you mean `{nearest}`?"),
        None => format!("unknown key `{unknown}`; known here: {}", known.join(", ")),
    };
    Wrong { line, what }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Turns tables into cases.
struct Reader<'a> {
    text: &'a str,
    defaults: &'a Defaults,
}

impl Reader<'_> {
    fn wrong(&self, at: usize, what: impl Into<String>) -> Wrong {
        Wrong { line: line_at(self.text, at), what: what.into() }
    }

    fn case(&self, spanned: &Spanned<CaseTable>, normalizer: &Normalizer) -> Result<Case, Wrong> {
        let (table, at) = (spanned.get_ref(), spanned.span().start);
        let Some(name) = table.name.clone().filter(|name| !name.trim().is_empty()) else {
            return Err(self.wrong(at, "a case needs a `name`"));
        };
        let now = self.now(table.now.as_ref().or(self.defaults.now.as_ref()))?.unwrap_or(NOW);
        let steps = match &table.step {
            None => vec![self.step(spanned, table, now, normalizer)?],
            Some(steps) => {
                if table.question_keys().next().is_some() || table.answer.is_some() {
                    return Err(self.wrong(at, "a case with steps asks and answers in its steps"));
                }
                let read = |step: &Spanned<CaseTable>| {
                    self.only_of_a_step(step)?;
                    self.step(step, table, now, normalizer)
                };
                steps.iter().map(read).collect::<Result<_, _>>()?
            }
        };
        let config = table.config.as_ref().or(self.defaults.config.as_ref());
        let state = table.state.as_ref().or(self.defaults.state.as_ref());
        let state = state.map(stored::to_bytes).transpose().map_err(|what| self.wrong(at, what))?;
        Ok(Case {
            name,
            line: line_at(self.text, at),
            config: config.and_then(|config| serde_json::to_string(config).ok()).unwrap_or_else(|| "{}".to_owned()),
            state: state.unwrap_or_default(),
            steps,
            state_after: table.state_after.clone(),
            has_steps: table.step.is_some(),
        })
    }

    fn only_of_a_step(&self, step: &Spanned<CaseTable>) -> Result<(), Wrong> {
        let table = step.get_ref();
        let of_a_case =
            [("config", table.config.is_some()), ("state", table.state.is_some()), ("step", table.step.is_some())];
        match of_a_case.into_iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => {
                Err(self.wrong(step.span().start, format!("`{key}` is of the whole case, not of a step")))
            }
            None => Ok(()),
        }
    }

    fn step(
        &self,
        spanned: &Spanned<CaseTable>,
        case: &CaseTable,
        of_case: Timestamp,
        normalizer: &Normalizer,
    ) -> Result<Step, Wrong> {
        let (table, at) = (spanned.get_ref(), spanned.span().start);
        let now = self.now(table.now.as_ref())?.unwrap_or(of_case);
        let keys: Vec<&str> = table.question_keys().collect();
        if keys.len() > 1 {
            return Err(self.wrong(at, format!("asks two things at once: {}", keys.join(", "))));
        }
        let question = self.question(table, now, normalizer)?;
        if matches!(question, Question::Configure) && case.step.is_some() {
            return Err(self.wrong(at, "a step asks something: message, draft, approve, deny, unpair or list"));
        }
        let answer = table
            .answer
            .as_ref()
            .map(|answer| answer::checked(answer.get_ref()).map_err(|what| self.wrong(answer.span().start, what)));
        Ok(Step {
            line: line_at(self.text, at),
            question,
            interface: self.interface(table, case)?,
            now,
            answer: answer.transpose()?,
            state_after: table.state_after.clone().filter(|_| case.step.is_some()),
        })
    }

    fn question(&self, table: &CaseTable, now: Timestamp, normalizer: &Normalizer) -> Result<Question, Wrong> {
        if let Some(message) = &table.message {
            let written = message.get_ref().clone().over(self.defaults.message.as_ref());
            let inbound = written.inbound(now, normalizer).map_err(|what| self.wrong(message.span().start, what))?;
            return Ok(Question::Message(Arc::new(inbound)));
        }
        if let Some(DraftTable { text, group, recipient }) = &table.draft {
            return Ok(Question::Draft { text: text.clone(), is_group: *group, recipient: recipient.clone() });
        }
        if let Some(list) = &table.list {
            return match list.get_ref().as_str() {
                "pending" => Ok(Question::Pending),
                "paired" => Ok(Question::Paired),
                other => Err(self.wrong(list.span().start, format!("`{other}` is no list: `pending` or `paired`"))),
            };
        }
        let of_pairing = [
            table.approve.clone().map(Question::Approve),
            table.deny.clone().map(Question::Deny),
            table.unpair.clone().map(Question::Unpair),
        ];
        Ok(of_pairing.into_iter().flatten().next().unwrap_or(Question::Configure))
    }

    fn interface(&self, table: &CaseTable, case: &CaseTable) -> Result<Option<Interface>, Wrong> {
        let named = table.interface.as_ref().or(case.interface.as_ref()).or(self.defaults.interface.as_ref());
        let Some(named) = named else { return Ok(None) };
        let Some(interface) = Interface::from_name(named.get_ref()) else {
            let known: Vec<&str> = Interface::ALL.into_iter().map(Interface::name).collect();
            let what = format!("`{}` is no interface: {}", named.get_ref(), known.join(", "));
            return Err(self.wrong(named.span().start, what));
        };
        Ok(Some(interface))
    }

    fn now(&self, written: Option<&Spanned<Datetime>>) -> Result<Option<Timestamp>, Wrong> {
        let moment = |written: &Spanned<Datetime>| {
            inbound::timestamp(written.get_ref()).map_err(|what| self.wrong(written.span().start, what))
        };
        written.map(moment).transpose()
    }
}

impl CaseTable {
    fn question_keys(&self) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("message", self.message.is_some()),
            ("draft", self.draft.is_some()),
            ("approve", self.approve.is_some()),
            ("deny", self.deny.is_some()),
            ("unpair", self.unpair.is_some()),
            ("list", self.list.is_some()),
        ];
        keys.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests;
