//! The Unix socket: a door for its owner only, which notices when its path was taken away and puts it back (D12).

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::is_set;
use super::peer::{self, Refused};
use crate::rpc::Service;
use crate::rpc::error::RpcError;
use crate::rpc::scope::{Access, Who};

/// How often it is looked whether the path is still ours, where no file event tells sooner.
const LOOK: Duration = Duration::from_secs(1);

/// Commands of the owner at the same time.
const OWNERS: usize = 32;

/// How long somebody who is turned away may take to go.
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(1);

/// The system's room for a socket's path, without its final zero: 104 bytes on macOS, 108 on Linux.
const PATH_BYTES: usize = 103;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the socket path {path} is longer than {PATH_BYTES} bytes; set a shorter one with --socket")]
    TooLong { path: PathBuf },
    #[error("another program already answers on {path}; stop it, or choose another path with --socket")]
    InUse { path: PathBuf },
    #[error("{path} is there and is not a socket; it was left alone. Remove it, or choose another path with --socket")]
    NotASocket { path: PathBuf },
    #[error("could not listen on {path}: {source}")]
    Bind { path: PathBuf, source: io::Error },
}

/// A listening socket and the file that it made.
pub struct Door {
    listener: UnixListener,
    who: Who,
    path: PathBuf,
    /// Device and inode of the file while it is ours.
    file: (u64, u64),
}

impl Door {
    /// Listens on `path`. A file that nobody answers on is left from before, and is replaced.
    pub fn open(path: &Path, who: Who) -> Result<Door, Error> {
        if path.as_os_str().len() > PATH_BYTES {
            return Err(Error::TooLong { path: path.to_owned() });
        }
        let bind_error = |source| Error::Bind { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(bind_error)?;
        }
        clear_stale(path)?;
        Door::bind(path, who).map_err(bind_error)
    }

    /// Binds beside the path and renames, so that nobody meets a socket that others may use.
    fn bind(path: &Path, who: Who) -> io::Result<Door> {
        let mut beside = path.as_os_str().to_owned();
        beside.push("~");
        let beside = PathBuf::from(beside);
        let bind_at = if beside.as_os_str().len() > PATH_BYTES { path } else { &beside };
        let _ = std::fs::remove_file(bind_at);
        let listener = UnixListener::bind(bind_at)?;
        std::fs::set_permissions(bind_at, std::fs::Permissions::from_mode(0o600))?;
        if bind_at != path {
            std::fs::rename(bind_at, path)?;
        }
        let metadata = std::fs::symlink_metadata(path)?;
        Ok(Door { listener, who, path: path.to_owned(), file: (metadata.dev(), metadata.ino()) })
    }

    fn is_ours(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.file)
    }

    /// Takes the path back where it was unlinked; where another program has put its own file there, says so and waits.
    fn rebind_if_lost(&mut self) {
        if self.is_ours() {
            return;
        }
        match Door::open(&self.path, self.who) {
            Ok(door) => {
                tracing::warn!(path = %self.path.display(), "the socket path was taken away; bound it again");
                *self = door;
            }
            Err(error) => tracing::debug!("the socket path is lost: {error}"),
        }
    }

    /// Serves clients until `stop`, then lets those that are there finish.
    pub async fn serve(mut self, service: Arc<Service>, mut stop: watch::Receiver<bool>) {
        let connections = match self.who {
            Who::Owner => OWNERS,
            Who::Client | Who::Stdio => service.config.load().server.max_connections,
        };
        super::descriptors::make_room(connections);
        let places = Arc::new(Semaphore::new(connections));
        let mut clients = JoinSet::new();
        let mut lost = match self.who {
            // In a folder of ours, in which state.db is written to all the time.
            Who::Owner => PathEvents { changes: None },
            Who::Client | Who::Stdio => PathEvents::watch(&self.path),
        };
        let clients_stop = stop.clone();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => admit(stream, self.who, &service, &places, &clients_stop, &mut clients),
                    Err(error) => {
                        // Out of file descriptors, most likely: others have to end first.
                        tracing::warn!(%error, "a client could not be accepted");
                        tokio::time::sleep(LOOK).await;
                    }
                },
                () = lost.changed() => self.rebind_if_lost(),
                () = tokio::time::sleep(LOOK) => self.rebind_if_lost(),
                Some(_) = clients.join_next(), if !clients.is_empty() => {}
                () = is_set(&mut stop) => break,
            }
        }
        // Nobody new is let in, and the path is gone before a client that does not read can delay that.
        drop(self);
        while clients.join_next().await.is_some() {}
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Only our own: another daemon may have the path by now.
        if self.is_ours() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn admit(
    stream: UnixStream,
    who: Who,
    service: &Arc<Service>,
    places: &Arc<Semaphore>,
    stop: &watch::Receiver<bool>,
    clients: &mut JoinSet<()>,
) {
    let own_uid = rustix::process::geteuid().as_raw();
    let pid = match stream.peer_cred() {
        Ok(peer) if peer.uid() == own_uid => peer.pid(),
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), "turned away a client of another user");
            return;
        }
        Err(error) => {
            tracing::warn!(%error, "turned away a client whose user is not known");
            return;
        }
    };
    let Ok(place) = places.clone().try_acquire_owned() else {
        tracing::warn!("turned away a client: there are as many as server.max_connections allows");
        return;
    };
    let (service, stop) = (service.clone(), stop.clone());
    clients.spawn(async move {
        let config = service.config.load_full();
        match peer::admitted(pid, who, &config.server.peers).await {
            Ok(peer) => {
                let (input, output) = stream.into_split();
                super::serve(service, Access::of_peer(who, peer, &config.server.peers), input, output, stop).await;
            }
            Err(refused) => turn_away(stream, &refused).await,
        }
        drop(place);
    });
}

/// Says why, and closes the connection.
async fn turn_away(mut stream: UnixStream, refused: &Refused) {
    tracing::warn!("turned away a client: {refused}");
    let error = RpcError::not_permitted(refused.to_string()).to_json();
    let line = format!("{}\n", json!({"jsonrpc": "2.0", "id": null, "error": error}));
    let told = async {
        stream.write_all(line.as_bytes()).await?;
        stream.shutdown().await?;
        // To close while there is something to read would be taken for a broken connection, and not read to its end.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout(TURNED_AWAY_WITHIN, told).await;
}

fn clear_stale(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::FileTypeExt;
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(Error::NotASocket { path: path.to_owned() });
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(Error::InUse { path: path.to_owned() });
    }
    std::fs::remove_file(path).map_err(|source| Error::Bind { path: path.to_owned(), source })
}

/// Events in the folder of the socket.
struct PathEvents {
    changes: Option<(notify::RecommendedWatcher, Arc<tokio::sync::Notify>)>,
}

impl PathEvents {
    fn watch(path: &Path) -> PathEvents {
        use notify::Watcher;
        let woken = Arc::new(tokio::sync::Notify::new());
        let wake = woken.clone();
        let name = path.file_name().map(std::ffi::OsStr::to_owned);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // On macOS only the folder is named.
            let is_about_us = event.is_ok_and(|event| {
                !matches!(event.kind, notify::EventKind::Access(_))
                    && (cfg!(target_os = "macos") || event.paths.iter().any(|path| path.file_name() == name.as_deref()))
            });
            if is_about_us {
                wake.notify_one();
            }
        });
        let folder = path.parent().unwrap_or(Path::new("."));
        let watching = watcher.and_then(|mut watcher| {
            watcher.watch(folder, notify::RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        PathEvents { changes: watching.ok().map(|watcher| (watcher, woken)) }
    }

    async fn changed(&mut self) {
        match &self.changes {
            Some((_, woken)) => woken.notified().await,
            None => std::future::pending().await,
        }
    }
}
