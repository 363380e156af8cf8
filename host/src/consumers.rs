//! Consumers: those who read the stream, and whose place in it is kept while they are away (D6).
//!
//! A named one moves its place itself, by acknowledging, or has it moved by what was written to it. One that gave no
//! name and knows no cursors is known again by what it asks for, for a while.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::oneshot;

mod keeper;
pub mod record;

use crate::place::Place;
use crate::state::{self, StateDb};
use keeper::{Command, Keeper};

/// Names that are kept at the same time. Each costs one row of state.db and makes nothing slower; more of them are
/// names that a client makes up anew each time.
pub const NAMES: usize = 64;

/// Nameless ones that are kept at the same time; beyond, the one that left first is forgotten.
pub const NAMELESS: usize = 256;

/// Bytes of a name.
pub const NAME_BYTES: usize = 128;

/// Who wants its place kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// By this name; moved by acknowledgements or by writing.
    Named { name: String, acks: bool },
    /// By what it asks for, if it comes back within this time.
    Nameless { request: String, within: Duration },
}

/// A consumer that is being read by.
pub struct Kept {
    id: i64,
    pub name: Option<String>,
    pub acks: bool,
    places: Mutex<Places>,
    commands: Sender<Command>,
}

struct Places {
    /// Up to here it was handed messages.
    sent: Place,
    /// From here it would go on.
    kept: Place,
    is_dirty: bool,
    /// It said goodbye.
    is_over: bool,
}

/// A consumer, and where it goes on.
pub struct Opened {
    pub lease: Lease,
    pub place: Place,
    /// Why that is not where it was, in a sentence.
    pub lost: Option<String>,
}

/// The right to read as a consumer; given back when this is dropped.
pub struct Lease {
    pub kept: Arc<Kept>,
    /// How far there was nothing for it, where it got all that there was.
    pub drained: Option<Place>,
    pub parting: Parting,
}

/// Who ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// The client, or its connection.
    Theirs,
    /// imsgd, which is stopping.
    Ours,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.kept.leave(self.drained.take(), self.parting);
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("another connection has consumer {name:?} since {since}; it is free when that connection ends")]
    InUse { name: String, since: Timestamp },
    #[error("{NAMES} consumers are kept already; remove one that is not needed any more with `imsgd consumers remove`")]
    TooMany,
    #[error("there is no consumer {0:?}; `imsgd consumers list` shows those that there are")]
    Unknown(String),
    #[error("the places of consumers cannot be kept: {0}")]
    State(String),
}

impl From<state::Error> for Refusal {
    fn from(error: state::Error) -> Refusal {
        Refusal::State(error.to_string())
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Refusal {
        state::notice(&error);
        Refusal::State(error.to_string())
    }
}

/// What is known of a named consumer.
pub struct Report {
    pub name: String,
    pub acks: bool,
    pub place: Place,
    /// Is anybody reading?
    pub is_connected: bool,
    /// Has everything that it was handed been acknowledged, or written to it?
    pub is_settled: bool,
    pub created_at: Timestamp,
    pub moved_at: Timestamp,
}

/// All consumers. What is kept of them is written by one thread, which starts when the first of them comes.
pub struct Consumers {
    open: Box<dyn Fn() -> Result<StateDb, state::Error> + Send + Sync>,
    running: Mutex<Option<(Sender<Command>, JoinHandle<()>)>>,
}

impl Consumers {
    /// `open` makes a connection to state.db.
    pub fn new(open: impl Fn() -> Result<StateDb, state::Error> + Send + Sync + 'static) -> Consumers {
        Consumers { open: Box::new(open), running: Mutex::default() }
    }

    /// Takes the lease of a consumer. One that is new begins at `start`.
    pub async fn open(&self, identity: Identity, start: Place) -> Result<Opened, Refusal> {
        self.ask(|commands, reply| Command::Open { identity, start, commands, reply }).await?
    }

    pub async fn list(&self) -> Result<Vec<Report>, Refusal> {
        self.ask(|_, reply| Command::List(reply)).await?
    }

    /// Forgets a consumer that nobody reads as.
    pub async fn remove(&self, name: String) -> Result<(), Refusal> {
        self.ask(|_, reply| Command::Remove(name, reply)).await?
    }

    /// Waits until what was told of is kept. Nobody may have a consumer open any more.
    pub fn stop(&self) {
        let running = self.running.lock().take();
        if let Some((commands, thread)) = running {
            let _ = commands.send(Command::Stop);
            let _ = thread.join();
        }
    }

    async fn ask<R>(&self, command: impl FnOnce(Sender<Command>, oneshot::Sender<R>) -> Command) -> Result<R, Refusal> {
        let commands = self.commands()?;
        let (reply, answer) = oneshot::channel();
        let gone = || Refusal::State("imsgd is stopping".to_owned());
        commands.clone().send(command(commands, reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    fn commands(&self) -> Result<Sender<Command>, Refusal> {
        let mut running = self.running.lock();
        if let Some((commands, _)) = &*running {
            return Ok(commands.clone());
        }
        let (commands, asked) = channel();
        let keeper = Keeper::new((self.open)()?)?;
        let thread = std::thread::Builder::new().name("consumers".to_owned()).spawn(move || keeper.run(&asked));
        let thread = thread.map_err(|error| Refusal::State(error.to_string()))?;
        *running = Some((commands.clone(), thread));
        Ok(commands)
    }
}

impl Kept {
    /// Notes that everything up to `place` is on its way.
    pub fn sent(&self, place: &Place) {
        self.places.lock().sent.clone_from(place);
    }

    /// Notes that everything up to `place` was written to the client.
    pub fn written(self: &Arc<Self>, place: &Place) {
        if !self.acks {
            self.move_to(place);
        }
    }

    /// Has nothing been handed out that was not acknowledged, or written?
    pub fn is_settled(&self) -> bool {
        let places = self.places.lock();
        places.kept.reaches(&places.sent)
    }

    /// What the client has is acknowledged up to `place`; false where it was never handed that. Kept when this is
    /// answered.
    pub async fn ack(self: &Arc<Self>, place: Place) -> Result<bool, Refusal> {
        {
            let mut places = self.places.lock();
            if !places.sent.reaches(&place) {
                return Ok(false);
            }
            if place.reaches(&places.kept) {
                places.kept = place;
            }
        }
        let gone = || Refusal::State("imsgd is stopping".to_owned());
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Acked(self.clone(), reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map(|()| true)
    }

    /// Rows have other numbers: it goes on at `kept`, and was handed everything up to `sent`.
    pub fn renumber(self: &Arc<Self>, kept: Place, sent: Place) {
        let mut places = self.places.lock();
        *places = Places { sent, kept, is_dirty: true, is_over: places.is_over };
        drop(places);
        let _ = self.commands.send(Command::Moved(self.clone()));
    }

    /// Where it would go on.
    pub fn place(&self) -> Place {
        self.places.lock().kept.clone()
    }

    /// It ends by its own wish: one without a name is not waited for.
    pub fn end(&self) {
        self.places.lock().is_over = true;
    }

    fn leave(self: &Arc<Self>, drained: Option<Place>, parting: Parting) {
        if let Some(place) = drained.filter(|_| self.is_settled()) {
            let mut places = self.places.lock();
            if place.reaches(&places.kept) {
                places.kept = place;
            }
        }
        let _ = self.commands.send(Command::Left(self.clone(), parting));
    }

    fn move_to(self: &Arc<Self>, place: &Place) {
        let mut places = self.places.lock();
        if !place.reaches(&places.kept) {
            return;
        }
        places.kept.clone_from(place);
        // Whoever keeps it takes what it finds then.
        if !std::mem::replace(&mut places.is_dirty, true) {
            let _ = self.commands.send(Command::Moved(self.clone()));
        }
    }
}
