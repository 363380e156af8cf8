//! Connections for requests that read: a few, each used by one request at a time, on threads of their own.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::chatdb::{self, Cache, ChatDb, wait_for_close};
use crate::contacts::Contacts;
use crate::rpc::error::RpcError;
use crate::state::StateDb;

/// Requests that read at the same time, of all clients together.
const READERS: usize = 8;

const DATABASE_UNAVAILABLE: i64 = -32002;

/// How long a request waits for connections to files that were replaced. The tail lets go of its own within a second.
const LET_GO: Duration = Duration::from_secs(2);

/// How soon it looks again where it is told nothing.
const LOOK: Duration = Duration::from_millis(100);

/// One connection to chat.db, and one to state.db for those who ask for the journal.
pub struct Reader {
    pub chatdb: ChatDb,
    state: OnceCell<StateDb>,
    state_path: PathBuf,
}

impl Reader {
    pub fn state(&self) -> Result<&StateDb, RpcError> {
        if self.state.get().is_none() {
            let _ = self.state.set(StateDb::open(&self.state_path)?);
        }
        self.state.get().ok_or_else(|| RpcError::internal("state.db is not open"))
    }
}

/// Opens connections when they are first needed, and again when another file has the database's name.
pub struct Readers {
    chatdb: PathBuf,
    state: PathBuf,
    cache: Cache,
    idle: Mutex<Vec<Reader>>,
    permits: Semaphore,
    contacts: Arc<Contacts>,
}

impl Readers {
    pub fn new(chatdb: &Path, state: &Path, cache: Cache, contacts: Arc<Contacts>) -> Readers {
        let (chatdb, state) = (chatdb.to_owned(), state.to_owned());
        Readers { chatdb, state, cache, idle: Mutex::default(), permits: Semaphore::new(READERS), contacts }
    }

    /// Who the people in chat.db are.
    pub fn contacts(&self) -> &Arc<Contacts> {
        &self.contacts
    }

    pub fn chatdb_path(&self) -> &Path {
        &self.chatdb
    }

    pub fn state_path(&self) -> &Path {
        &self.state
    }

    /// Runs `read` with a connection, away from the threads that serve others.
    pub async fn with<R, E>(
        self: &Arc<Self>,
        read: impl FnOnce(&Reader) -> Result<R, E> + Send + 'static,
    ) -> Result<R, RpcError>
    where
        R: Send + 'static,
        E: Into<RpcError> + Send + 'static,
    {
        let _permit = self.permits.acquire().await.map_err(|_| RpcError::busy("server is shutting down"))?;
        let readers = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let reader = readers.take()?;
            let result: Result<R, RpcError> = read(&reader).map_err(Into::into);
            // Pages that could not be read would stay in its cache.
            if result.as_ref().err().is_none_or(|error| error.code != DATABASE_UNAVAILABLE) {
                readers.idle.lock().push(reader);
            }
            result
        });
        task.await.map_err(RpcError::internal)?
    }

    /// Closes what waits here and is of files that were replaced: none can be opened anew before.
    pub fn let_go(&self) {
        self.idle.lock().retain(|reader| reader.chatdb.is_current());
    }

    /// Runs `read` with a connection to state.db alone, which needs no chat.db.
    pub async fn with_state<R: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&StateDb) -> R + Send + 'static,
    ) -> Result<R, RpcError> {
        let _permit = self.permits.acquire().await.map_err(|_| RpcError::busy("server is shutting down"))?;
        let path = self.state.clone();
        let task = tokio::task::spawn_blocking(move || Ok(read(&StateDb::open(&path)?)));
        task.await.map_err(RpcError::internal)?
    }

    fn take(&self) -> Result<Reader, RpcError> {
        let idle = self.idle.lock().pop();
        match idle.filter(|reader| reader.chatdb.is_current()) {
            Some(reader) => Ok(reader),
            None => {
                // The others are of the same file.
                self.let_go();
                Ok(Reader { chatdb: self.open()?, state: OnceCell::new(), state_path: self.state.clone() })
            }
        }
    }

    /// Waits a little for those that have files open which were replaced.
    fn open(&self) -> Result<ChatDb, chatdb::Error> {
        let until = Instant::now() + LET_GO;
        loop {
            match ChatDb::open_with(&self.chatdb, self.cache) {
                Err(error) if error.is_superseded() && Instant::now() < until => {
                    // Whoever closed one before this began to wait is found by the next look.
                    wait_for_close(LOOK);
                    self.let_go();
                }
                opened => return opened,
            }
        }
    }
}
