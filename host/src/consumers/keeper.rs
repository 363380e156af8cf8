//! The thread that keeps the places of consumers: acknowledgements at once, what was written to a client in a moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Identity, Kept, Lease, Opened, Parting, Places, Refusal, Report, record};
use crate::place::Place;
use crate::state::StateDb;

/// Moves that nobody waits for are kept at most this often. Whoever was served while imsgd was killed hears again of what
/// came since.
const EVERY: Duration = Duration::from_millis(50);

pub(super) enum Command {
    Open {
        identity: Identity,
        start: Place,
        commands: Sender<Command>,
        reply: oneshot::Sender<Result<Opened, Refusal>>,
    },
    Acked(Arc<Kept>, oneshot::Sender<Result<(), Refusal>>),
    Moved(Arc<Kept>),
    Left(Arc<Kept>, Parting),
    List(oneshot::Sender<Result<Vec<Report>, Refusal>>),
    Remove(String, oneshot::Sender<Result<(), Refusal>>),
    Stop,
}

pub(super) struct Keeper {
    state: StateDb,
    /// Named ones that are read as, and since when.
    leases: HashMap<String, (Arc<Kept>, Timestamp)>,
    moved: Vec<Arc<Kept>>,
    /// When what moved is to be kept.
    due: Option<Instant>,
    last_kept: Option<Instant>,
}

impl Keeper {
    pub fn new(state: StateDb) -> Result<Keeper, Refusal> {
        record::all_left(state.connection())?;
        Ok(Keeper { state, leases: HashMap::new(), moved: Vec::new(), due: None, last_kept: None })
    }

    pub fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let next = match self.due {
                Some(due) => commands.recv_timeout(due.saturating_duration_since(Instant::now())),
                None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(command) => self.carry_out(command, commands),
                Err(RecvTimeoutError::Timeout) => self.keep_moved(),
            }
        }
        self.keep_moved();
    }

    fn carry_out(&mut self, command: Command, commands: &Receiver<Command>) {
        // Whoever asked may be gone by now.
        match command {
            Command::Open { identity, start, commands, reply } => {
                let _ = reply.send(self.open(identity, start, commands));
            }
            Command::Acked(kept, reply) => self.keep_acked((kept, reply), commands),
            Command::Moved(kept) => self.note(kept),
            Command::Left(kept, parting) => self.left(&kept, parting),
            Command::List(reply) => drop(reply.send(self.list())),
            Command::Remove(name, reply) => drop(reply.send(self.remove(&name))),
            Command::Stop => {}
        }
    }

    fn open(&mut self, identity: Identity, start: Place, commands: Sender<Command>) -> Result<Opened, Refusal> {
        match identity {
            Identity::Named { name, acks } => self.open_named(name, acks, start, commands),
            Identity::Nameless { request, within } => {
                let connection = self.state.connection();
                let (id, place, lost) = match record::find_nameless(connection, &request, within)? {
                    Some(known) => {
                        record::take_up(connection, known.id, false)?;
                        record::move_to(connection, known.id, &known.place)?;
                        (known.id, known.place, known.lost)
                    }
                    None => (record::insert_nameless(connection, &request, &start)?, start, None),
                };
                Ok(Opened { lease: lease(id, None, false, &place, commands), place, lost })
            }
        }
    }

    fn open_named(
        &mut self,
        name: String,
        acks: bool,
        start: Place,
        commands: Sender<Command>,
    ) -> Result<Opened, Refusal> {
        if let Some((_, since)) = self.leases.get(&name) {
            return Err(Refusal::InUse { name, since: *since });
        }
        let connection = self.state.connection();
        let (id, place, lost) = match record::by_name(connection, &name)? {
            Some(known) => {
                record::take_up(connection, known.id, acks)?;
                (known.id, known.place, known.lost)
            }
            None => (record::insert_named(connection, &name, acks, &start)?, start, None),
        };
        let lease = lease(id, Some(name.clone()), acks, &place, commands);
        self.leases.insert(name, (lease.kept.clone(), Timestamp::now()));
        Ok(Opened { lease, place, lost })
    }

    /// One transaction for all acknowledgements that wait.
    fn keep_acked(&mut self, first: Acked, commands: &Receiver<Command>) {
        let mut acked = vec![first];
        let mut next = None;
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Acked(kept, reply) => acked.push((kept, reply)),
                other => {
                    next = Some(other);
                    break;
                }
            }
        }
        let kept = self.keep(acked.iter().map(|(kept, _)| kept));
        let problem = kept.err().map(|error| error.to_string());
        for (_, reply) in acked {
            let _ = reply.send(problem.clone().map_or(Ok(()), |problem| Err(Refusal::State(problem))));
        }
        if let Some(next) = next {
            self.carry_out(next, commands);
        }
    }

    fn note(&mut self, kept: Arc<Kept>) {
        self.moved.push(kept);
        let now = Instant::now();
        self.due.get_or_insert_with(|| self.last_kept.map_or(now, |last| last + EVERY));
    }

    fn keep_moved(&mut self) {
        self.due = None;
        self.last_kept = Some(Instant::now());
        let moved = std::mem::take(&mut self.moved);
        if let Err(error) = self.keep(moved.iter()) {
            tracing::error!(%error, "the places of consumers could not be kept; they may hear of messages again");
        }
    }

    fn keep<'a>(&mut self, moved: impl Iterator<Item = &'a Arc<Kept>>) -> Result<(), Refusal> {
        let transaction = self.state.transaction()?;
        for kept in moved {
            let place = {
                let mut places = kept.places.lock();
                places.is_dirty = false;
                places.kept.clone()
            };
            record::move_to(&transaction, kept.id, &place)?;
        }
        Ok(transaction.commit()?)
    }

    fn left(&mut self, kept: &Arc<Kept>, parting: Parting) {
        if let Some(name) = &kept.name {
            self.leases.remove(name);
        }
        let is_over = kept.name.is_none() && kept.places.lock().is_over;
        let left = if is_over {
            record::remove(self.state.connection(), kept.id).map(drop).map_err(Refusal::from)
        } else {
            self.keep(std::iter::once(kept)).and_then(|()| match parting {
                Parting::Theirs => Ok(record::left(self.state.connection(), kept.id)?),
                // The next daemon finds it as one that was read as until now.
                Parting::Ours => Ok(()),
            })
        };
        if let Err(error) = left {
            tracing::error!(%error, "the place of a consumer could not be kept; it may hear of messages again");
        }
    }

    fn list(&self) -> Result<Vec<Report>, Refusal> {
        let known = record::all(self.state.connection())?;
        let report = |record: record::Record| {
            let name = record.name?;
            let lease = self.leases.get(&name).map(|(kept, _)| kept);
            Some(Report {
                acks: record.acks,
                place: lease.map_or(record.place, |kept| kept.place()),
                is_connected: lease.is_some(),
                is_settled: lease.is_some_and(|kept| kept.is_settled()),
                created_at: record.created_at,
                moved_at: record.moved_at,
                name,
            })
        };
        Ok(known.into_iter().filter_map(report).collect())
    }

    fn remove(&mut self, name: &str) -> Result<(), Refusal> {
        if let Some((_, since)) = self.leases.get(name) {
            return Err(Refusal::InUse { name: name.to_owned(), since: *since });
        }
        let Some(known) = record::by_name(self.state.connection(), name)? else {
            return Err(Refusal::Unknown(name.to_owned()));
        };
        record::remove(self.state.connection(), known.id)?;
        Ok(())
    }
}

type Acked = (Arc<Kept>, oneshot::Sender<Result<(), Refusal>>);

fn lease(id: i64, name: Option<String>, acks: bool, place: &Place, commands: Sender<Command>) -> Lease {
    let places = Places { sent: place.clone(), kept: place.clone(), is_dirty: false, is_over: false };
    Lease {
        kept: Arc::new(Kept { id, name, acks, places: Mutex::new(places), commands }),
        drained: None,
        parting: Parting::Theirs,
    }
}
