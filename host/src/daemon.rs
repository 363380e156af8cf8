//! The composition root: builds every part, runs them, and brings them to an end.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, test_kill_process};
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use crate::address::Normalizer;
use crate::attachments::Files;
use crate::chain::Chain;
use crate::chatdb::Cache;
use crate::config::{Config, Overrides};
use crate::consumers::Consumers;
use crate::contacts::{self, Contacts};
use crate::journal;
use crate::judge::{self, Judge, Settings};
use crate::outbox::switch::Switch;
use crate::outbox::unseen::Unseen;
use crate::outbox::{self, Outbox};
use crate::plugin::{Logs, PluginEngine};
use crate::readers::Readers;
use crate::reload::{self, Reloader};
use crate::roster::Roster;
use crate::rpc::Service;
use crate::state::{self, StateDb};
use crate::subscription::Hub;
use crate::tail::{LANDMARKS, Outlets, Tail};
use crate::transport::ALL_SUBSCRIPTIONS;

/// Pages of rows that wait between the tail and the judge.
const ROW_PAGES: usize = 4;

/// Requests that wait for the judge.
const JUDGE_REQUESTS: usize = 64;

/// How long what is in hand may take after we were asked to stop.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What a process does for as long as it has the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Follows the database, judges, and answers strangers.
    Serve,
    /// Follows the database and judges. Nobody asked it to write to strangers: their answers wait for a daemon.
    Watch,
    /// Does what it is asked and ends. It follows nothing, and lets nobody else in.
    Errand,
}

/// The one daemon of a state folder: holds a lock for as long as it lives, and tells others where it listens.
pub struct Instance {
    file: File,
    role: Role,
}

/// Who holds the lock.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub version: String,
    /// Where it listens, once it does.
    pub socket: Option<PathBuf>,
    /// Ends soon, by itself.
    #[serde(default)]
    pub errand: bool,
}

impl Instance {
    /// Takes the lock, or tells who has it.
    pub fn claim(state_dir: &Path, role: Role) -> anyhow::Result<Result<Instance, Holder>> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(state_dir)
            .with_context(|| format!("could not create the state folder {}", state_dir.display()))?;
        let path = state_dir.join("daemon.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("could not open {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let mut instance = Instance { file, role };
                instance.announce(None)?;
                Ok(Ok(instance))
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(Err(holder(&path))),
            Err(error) => Err(error).with_context(|| format!("could not lock {}", path.display())),
        }
    }

    /// Writes down where we listen.
    pub fn announce(&mut self, socket: Option<PathBuf>) -> anyhow::Result<()> {
        let holder = Holder {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            socket,
            errand: self.role == Role::Errand,
        };
        let text = serde_json::to_string(&holder)?;
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())?;
        Ok(())
    }
}

/// Who holds the lock, if it is held.
pub fn running(lock: &Path) -> Option<Holder> {
    let holder = holder(lock);
    let pid = i32::try_from(holder.pid).ok().and_then(Pid::from_raw)?;
    // First without the lock, which would keep out a daemon that starts just now.
    test_kill_process(pid).ok()?;
    let file = File::open(lock).ok()?;
    let is_held = flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK);
    is_held.then_some(holder)
}

/// Who wrote the lock file last: a running daemon only while the lock is held.
pub fn holder(lock: &Path) -> Holder {
    let mut text = String::new();
    let read = File::open(lock).and_then(|mut file| file.read_to_string(&mut text));
    read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// All parts, running.
pub struct Daemon {
    pub service: Arc<Service>,
    stop: watch::Sender<bool>,
    outbox: JoinHandle<()>,
    judge: JoinHandle<()>,
    /// Of a tail that there is not: where no row can come any more, the judge ends.
    _outlets: Option<Outlets>,
}

impl Daemon {
    /// Starts every part. Nothing here waits for chat.db or for plugins: what does not need them is answered at once.
    pub fn start(config: Config, overrides: Overrides, role: Role) -> anyhow::Result<Daemon> {
        // Found by its database, it stays the same one whenever the configuration is read again.
        let overrides = Overrides { account: config.account.clone(), ..overrides };
        let state_dir = config.state_dir();
        let state_path = state_dir.join("state.db");
        let (state, (place, passed, lost, switch, unseen)) = state::open(&state_path, |state| {
            let connection = state.connection();
            let (switch, unseen) = (Switch::load(&state_path, connection)?, Unseen::load(connection)?);
            Ok((state.tail()?, journal::newest(connection, LANDMARKS)?, state::lost(state)?, switch, unseen))
        })?;
        let (switch, unseen) = (Arc::new(switch), Arc::new(unseen));
        let chatdb = config.messages.db.clone();
        let engine =
            PluginEngine::new().map_err(|error| anyhow::anyhow!("the plugin engine did not start: {error}"))?;
        let settings = first_settings(&config)?;
        let names = contacts::Settings::of(&config).context("messages.region is not the code of a region")?;
        let contacts = Arc::new(Contacts::start(names).context("the thread that reads contacts did not start")?);
        let config = Arc::new(ArcSwap::from_pointee(config));
        let (stop, stopping) = watch::channel(false);
        let hub = Arc::new(Hub::default());
        let logs = Arc::new(Logs::default());
        let stats = Arc::new(judge::Stats::default());
        let wake = Arc::new(Notify::new());
        let (requests, asked) = mpsc::channel(JUDGE_REQUESTS);
        let (rows, arrived) = mpsc::channel(ROW_PAGES);
        let (jobs, job_queue) = mpsc::channel(outbox::QUEUE);

        let judge = Judge::new(judge::Parts {
            chain: Chain::with_logs(engine.clone(), logs.clone()),
            state,
            hub: hub.clone(),
            settings,
            chatdb_path: chatdb.clone(),
            outbox_wake: wake.clone(),
            stats: stats.clone(),
            unseen: unseen.clone(),
        });
        // Of its own: the one of the clients may end first, and timers with it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let judge = spawn("judge", move || judge.run(&runtime, asked, arrived))?;
        let reloader = Reloader::start(reload::Parts {
            config: config.clone(),
            overrides,
            roster: Roster::new(engine),
            judge: requests.clone(),
            contacts: contacts.clone(),
        })?;
        let readers = Arc::new(Readers::new(&chatdb, &state_path, Cache::Large, contacts));
        let outlets = Outlets {
            judge: rows,
            requests: requests.clone(),
            hub: hub.clone(),
            readers: readers.clone(),
            unseen: unseen.clone(),
        };
        let unused = match role {
            Role::Errand => Some(outlets),
            Role::Serve | Role::Watch => {
                let tail = Tail::new(&chatdb, place, passed, outlets);
                spawn("tail", move || tail.run())?;
                None
            }
        };
        let outbox = Outbox::new(outbox::Parts {
            state: StateDb::open(&state_path)?,
            chatdb: chatdb.clone(),
            judge: requests.clone(),
            hub: hub.clone(),
            config: config.clone(),
            switch: switch.clone(),
            unseen,
            wake,
            answers_strangers: role == Role::Serve,
            stop: stopping,
        });
        let outbox = spawn_outbox(outbox, job_queue)?;
        let files = Arc::new(Files::new(config.clone()));
        let consumers = Arc::new(Consumers::new(move || StateDb::open(&state_path)));
        let subscriptions = Arc::new(Semaphore::new(ALL_SUBSCRIPTIONS));
        let service = Service {
            config,
            readers,
            files,
            hub,
            consumers,
            judge: requests,
            outbox: jobs,
            switch,
            logs,
            reloader,
            replays: Arc::default(),
            stats,
            subscriptions,
            lost,
        };
        Ok(Daemon { service: Arc::new(service), stop, outbox, judge, _outlets: unused })
    }

    /// Becomes true when everything should come to an end.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Tells every part to come to an end, and waits: the send in hand is finished and written down. Serving has to
    /// end for that too, which is the caller's. False where it took longer than it may.
    pub async fn stop(self, serving: impl Future<Output = ()>) -> bool {
        let _ = self.stop.send(true);
        let Daemon { service, outbox, judge, .. } = self;
        service.hub.stop();
        service.replays.close();
        let all = async {
            // Who is served may wait for a conversion.
            tokio::join!(serving, service.files.stop());
            let consumers = service.consumers.clone();
            drop(service);
            let _ = tokio::task::spawn_blocking(move || {
                consumers.stop();
                let _ = outbox.join();
                drop(judge);
            })
            .await;
        };
        tokio::time::timeout(STOP_WITHIN, all).await.is_ok()
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).with_context(|| format!("the {name} did not start"))
}

/// The outbox waits for child processes and for SQLite in turn, so it has a thread of its own for both.
fn spawn_outbox(outbox: Outbox, jobs: mpsc::Receiver<outbox::Job>) -> anyhow::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    spawn("outbox", move || runtime.block_on(outbox.run(jobs)))
}

/// Until the first set of plugins is in force nothing is judged, so these only have to be valid.
fn first_settings(config: &Config) -> anyhow::Result<Settings> {
    let normalizer = Normalizer::new(&config.messages.region).context("messages.region is not the code of a region")?;
    Ok(Settings {
        history_limit: 0,
        route_by_peer: false,
        group_chats: Vec::new(),
        release_held: true,
        journal: config.journal.bounds(),
        normalizer: Arc::new(normalizer),
    })
}
