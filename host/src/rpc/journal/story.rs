//! What became of a message, in sentences.

use super::Found;
use crate::journal::{self, Entry};
use crate::message::{Message, RowId};
use crate::policy::OWNER;
use crate::rpc::wire;

/// Why the journal says what it says of a message, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Judged,
    /// Neither the database nor the journal know it.
    Unknown,
    Own,
    Reaction,
    BeforeImsgd,
    Forgotten,
    NotYet,
}

impl State {
    pub const ALL: [&str; 7] = ["judged", "unknown", "own", "reaction", "before_imsgd", "forgotten", "not_yet"];

    pub fn name(self) -> &'static str {
        State::ALL[self as usize]
    }
}

/// Where the stream is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The newest row that was judged; none before imsgd has found its place.
    pub head: Option<RowId>,
    /// The newest row of the database.
    pub newest: RowId,
}

pub fn state(found: &Found, progress: Progress) -> State {
    let message = match (&found.message, &found.entry) {
        (_, Some(_)) => return State::Judged,
        (None, None) => return State::Unknown,
        (Some(message), None) => message,
    };
    match progress.head {
        _ if message.is_from_me => State::Own,
        _ if !message.is_judged() => State::Reaction,
        Some(head) if message.id <= head && found.is_pruned => State::Forgotten,
        Some(head) if message.id <= head => State::BeforeImsgd,
        _ => State::NotYet,
    }
}

pub fn story(found: &Found, state: State, progress: Progress) -> Vec<String> {
    let alone = |text: &str| vec![text.to_owned()];
    match (state, &found.message, &found.entry) {
        (_, message, Some(entry)) => judged(message.as_ref(), entry),
        (State::Own, ..) => alone(
            "You wrote this yourself. Own messages are not judged; every subscriber that asks for its chat gets them.",
        ),
        (State::Reaction, ..) => {
            alone("This is a reaction. Reactions are not judged; subscribers get them with include_reactions.")
        }
        (State::BeforeImsgd, ..) => alone(
            "It was in the database before imsgd began to judge. Subscribers were not told; history shows it, and \
             replays judge it anew.",
        ),
        (State::Forgotten, ..) => alone(
            "It was judged, or was there before imsgd began, and the journal has forgotten it: journal.keep_days and \
             journal.max_mb say how much is kept. Nobody is told of it again; history shows it, and replays judge it anew.",
        ),
        (State::NotYet, Some(message), _) => not_yet(message, found.is_complete, progress),
        _ => alone("There is no such message in the Messages database or in the journal."),
    }
}

fn not_yet(message: &Message, is_complete: bool, progress: Progress) -> Vec<String> {
    let Some(head) = progress.head else {
        return vec![
            "It has not been judged yet: imsgd has not found its place in the database. The log says why.".to_owned(),
        ];
    };
    let why = if !is_complete && message.chat.is_none() {
        "Messages has not put it into a chat yet. imsgd waits two seconds for that, then goes on without it".to_owned()
    } else if !is_complete {
        "Messages has not written its content yet. imsgd waits two seconds for that".to_owned()
    } else {
        let behind = progress.newest.0 - head.0;
        format!(
            "imsgd has come to row {head}, {behind} before the newest. If that stays so, `imsgd doctor` tells who is late"
        )
    };
    vec![format!("It has not been judged yet: {why}.")]
}

fn judged(message: Option<&Message>, entry: &Entry) -> Vec<String> {
    let mut story = Vec::new();
    if message.is_none() {
        story.push("It is not in the Messages database any more.".to_owned());
    }
    story.push(arrived(entry));
    story.push(verdict(entry));
    if !entry.labels.is_empty() {
        story.push(format!("Labels: {}.", entry.labels.join(", ")));
    }
    if !entry.stages.is_empty() {
        let stages: Vec<String> = stages(entry).map(|(policy, us)| format!("{policy} {}", duration(us))).collect();
        story.push(format!(
            "It waited {} for its turn. Judging took {}: {}.",
            duration(entry.waited_us),
            duration(entry.judged_us),
            stages.join(", ")
        ));
    } else if entry.judged_us > 0 {
        story.push(format!("Judging took {}.", duration(entry.judged_us)));
    }
    story
}

/// Which policies were asked, and how many microseconds each took.
pub fn stages(entry: &Entry) -> impl Iterator<Item = (&str, i64)> {
    let parts = entry.stages.split(' ').filter_map(|stage| stage.split_once('='));
    parts.filter_map(|(policy, us)| Some((policy, us.parse().ok()?)))
}

fn duration(us: i64) -> String {
    match us {
        ..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        1_000_000..120_000_000 => format!("{:.1} s", us as f64 / 1e6),
        120_000_000..7_200_000_000 => format!("{} minutes", us / 60_000_000),
        _ => format!("{} hours", us / 3_600_000_000),
    }
}

fn arrived(entry: &Entry) -> String {
    let (sent, seen) = (wire::date(entry.sent_at), wire::date(entry.seen_at));
    let how = match entry.arrival.name() {
        "backfill" => {
            "an old message that a sync or a restore wrote; only subscribers with include_backfill hear of it"
        }
        "catch-up" => "written while imsgd was not watching, or late",
        _ => "live",
    };
    format!("Sent at {sent}, seen at {seen}: {how}.")
}

fn verdict(entry: &Entry) -> String {
    let by = match &entry.decided_by {
        Some((name, version)) if version.is_empty() => format!("the policy {name}"),
        Some((name, version)) => format!("the policy {name} ({version})"),
        None => "no policy".to_owned(),
    };
    let is_by_owner = entry.decided_by.as_ref().is_some_and(|(name, _)| name == OWNER);
    let reason = entry.reason.as_deref().unwrap_or("no reason given");
    let release = || match entry.message {
        RowId(0) => format!("imsgd held release {}", entry.guid),
        row => format!("imsgd held release {row}"),
    };
    match entry.verdict.as_str() {
        "delivered" => {
            let route = entry.route.as_deref().unwrap_or_default();
            let by = if is_by_owner { "let in this once by the owner".to_owned() } else { format!("admitted by {by}") };
            format!("Delivered to route {route}, {by}.")
        }
        "observed" => match entry.carried_by {
            Some(carrier) => format!("Heard and not delivered, by {by}. It went out as context of message {carrier}."),
            None => format!(
                "Kept as context for the next delivered message of its chat, by {by}. There has been none that carried it."
            ),
        },
        "held" if entry.failed => {
            let log =
                entry.decided_by.as_ref().map(|(name, _)| format!(" `imsgd plugin log {name}` has what it wrote."));
            format!(
                "Held, because {by} failed: {reason}.{} The message is judged again when that policy is replaced, or \
                 with `{}`.",
                log.unwrap_or_default(),
                release()
            )
        }
        "held" => format!(
            "Held by {by}: its sender waits to be let in. `imsgd pairing list` shows the codes; `{}` lets this one through.",
            release()
        ),
        "rejected" if entry.decided_by.is_none() => {
            "Rejected: no policy had an opinion on its sender, so it stays out.".to_owned()
        }
        "rejected" => format!("Rejected by {by}: {reason}."),
        "dropped" if is_by_owner => "Held, and then dropped by the owner.".to_owned(),
        "dropped" => format!("Admitted, but dropped by {by}: {reason}."),
        journal::FOLDED | journal::ECHO => format!("Not a message of its own: {reason}."),
        journal::UNJOINED => "Messages never put it into a chat, so it was not delivered.".to_owned(),
        other => format!("{other} by {by}: {reason}."),
    }
}
