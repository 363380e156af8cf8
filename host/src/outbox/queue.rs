//! What waits for its turn: in the order in which it came, but nobody waits for another chat that is held back.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::oneshot;

use super::Task;
use super::pace::{Limits, Pace};
use crate::rpc::error::RpcError;

/// One thing that Messages is to do.
pub struct Entry {
    /// Its record.
    pub id: i64,
    pub task: Task,
    /// What the pace is counted by.
    pub chat: String,
    /// Who asked. Several where a request was repeated under its key before it was answered; nobody for an answer to a
    /// stranger.
    pub replies: Vec<oneshot::Sender<Result<Value, RpcError>>>,
    /// It stays in state.db until it is sent.
    pub is_answer: bool,
}

impl Entry {
    pub fn answer(self, result: &Result<Value, RpcError>) {
        for reply in self.replies {
            // Who asked may be gone by now; what was done stands all the same.
            let _ = reply.send(result.clone());
        }
    }
}

/// What comes next.
pub enum Next {
    Go(Box<Entry>),
    /// Nothing before this time.
    Wait(Timestamp),
    Nothing,
}

#[derive(Default)]
pub struct Queue {
    entries: VecDeque<Entry>,
}

impl Queue {
    pub fn push(&mut self, entry: Entry) {
        self.entries.push_back(entry);
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The last answer to a stranger that is here.
    pub fn last_answer(&self) -> Option<i64> {
        self.entries.iter().rev().find(|entry| entry.is_answer).map(|entry| entry.id)
    }

    pub fn of_key(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.task.key() == Some(key))
    }

    /// The first whose chat may be written to. Within a chat the order stays, as all of it waits for the same.
    pub fn next(&mut self, pace: &mut Pace, limits: Limits, now: Timestamp) -> Next {
        let mut soonest: Option<Timestamp> = None;
        for index in 0..self.entries.len() {
            match pace.wait(&self.entries[index].chat, limits, now) {
                None => return self.entries.remove(index).map_or(Next::Nothing, |entry| Next::Go(Box::new(entry))),
                Some(at) => soonest = Some(soonest.map_or(at, |soonest| soonest.min(at))),
            }
        }
        soonest.map_or(Next::Nothing, Next::Wait)
    }

    /// Takes out all that clients wait for, and lets go of answers to strangers.
    pub fn clear(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries).into_iter().filter(|entry| !entry.is_answer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ChatId, TapbackKind};
    use crate::outbox::react::React;

    fn entry(id: i64, chat: &str) -> Entry {
        let task = Task::React(React { chat: ChatId(1), kind: TapbackKind::Like });
        Entry { id, task, chat: chat.to_owned(), replies: Vec::new(), is_answer: false }
    }

    #[test]
    fn a_busy_chat_holds_up_no_other_and_keeps_its_order() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let limits = Limits { chat: 1, all: 0 };
        let mut pace = Pace::new(vec![(now, "busy".into())]);
        let mut queue = Queue::default();
        for (id, chat) in [(1, "busy"), (2, "busy"), (3, "quiet")] {
            queue.push(entry(id, chat));
        }
        let mut next = |now| match queue.next(&mut pace, limits, now) {
            Next::Go(entry) => entry.id,
            Next::Wait(at) => -at.duration_since(now).as_secs(),
            Next::Nothing => 0,
        };
        assert_eq!([next(now), next(now)], [3, -60]);
        let later = now + super::super::pace::WINDOW;
        assert_eq!([next(later), next(later), next(later)], [1, 2, 0]);
    }
}
