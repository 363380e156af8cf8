//! Converting: child processes, few at a time, that nobody waits for but those who asked.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::kind::{Kind, Program};
use super::{Opened, Roots, cache};
use crate::process::{self, Limit, Talk};
use crate::transport::is_set;

/// Conversions at the same time, of all clients together.
const CONVERSIONS: u32 = 2;

/// How long one may take, and what its program gets then to end by itself.
pub const LIMIT: Limit = Limit { time: Duration::from_secs(60), grace: Some(Duration::from_millis(500)) };

/// What failed is not tried again for so long, so that one bad file does not keep the converter busy for ever.
const FAILED_FOR: Duration = Duration::from_secs(600);

/// Failures that are remembered.
const FAILURES: usize = 1024;

/// What of a file is looked at to tell its form.
const HEAD: usize = 64 << 10;

/// One file to convert.
#[derive(Debug)]
pub struct Job {
    /// For the log.
    pub guid: String,
    pub kind: Kind,
    pub path: PathBuf,
    pub roots: Arc<Roots>,
    /// Where it goes, and under which name.
    pub folder: PathBuf,
    pub name: String,
    pub programs: Vec<(Program, PathBuf)>,
}

/// Starts conversions, and knows which are under way.
pub struct Converter {
    limit: Limit,
    turns: Arc<Semaphore>,
    running: Mutex<HashMap<String, watch::Receiver<()>>>,
    failed: Mutex<HashMap<String, Instant>>,
    stop: watch::Sender<bool>,
}

impl Converter {
    pub fn new(limit: Limit) -> Converter {
        Converter {
            limit,
            turns: Arc::new(Semaphore::new(CONVERSIONS as usize)),
            running: Mutex::default(),
            failed: Mutex::default(),
            stop: watch::channel(false).0,
        }
    }

    /// The longest that anybody should wait.
    pub fn patience(&self) -> Duration {
        self.limit.time
    }

    pub fn has_failed(&self, name: &str) -> bool {
        self.failed.lock().get(name).is_some_and(|at| at.elapsed() < FAILED_FOR)
    }

    /// Converts, or waits for somebody who does already. What was begun is brought to its end also when nobody waits
    /// for it any more. `None` where it failed.
    pub async fn obtain(self: &Arc<Self>, job: Arc<Job>) -> Option<PathBuf> {
        loop {
            let under_way = self.running.lock().get(&job.name).cloned();
            if let Some(end) = under_way {
                ended(end).await;
                return cache::find(&job.folder, &job.name);
            }
            let turn = self.turns.clone().acquire_owned().await.ok()?;
            // Somebody may have done it while we waited.
            if let Some(path) = cache::find(&job.folder, &job.name) {
                return Some(path);
            }
            if self.has_failed(&job.name) {
                return None;
            }
            if let Some(end) = self.begin(&job, turn) {
                ended(end).await;
                return cache::find(&job.folder, &job.name);
            }
        }
    }

    /// `None` where another one has begun with it in the meantime.
    fn begin(self: &Arc<Self>, job: &Arc<Job>, turn: OwnedSemaphorePermit) -> Option<watch::Receiver<()>> {
        let mut running = self.running.lock();
        if running.contains_key(&job.name) {
            return None;
        }
        let (end, ended) = watch::channel(());
        running.insert(job.name.clone(), ended.clone());
        drop(running);
        let (converter, job) = (self.clone(), job.clone());
        tokio::spawn(async move {
            converter.carry_out(&job).await;
            converter.running.lock().remove(&job.name);
            drop((end, turn));
        });
        Some(ended)
    }

    async fn carry_out(&self, job: &Arc<Job>) {
        let mut stop = self.stop.subscribe();
        let made = tokio::select! {
            biased;
            () = is_set(&mut stop) => return,
            made = self.make(job) => made,
        };
        if let Err(why) = made {
            tracing::warn!(attachment = job.guid, form = ?job.kind, "could not be converted: {why}");
            let mut failed = self.failed.lock();
            if failed.len() >= FAILURES {
                failed.retain(|_, at| at.elapsed() < FAILED_FOR);
            }
            if failed.len() >= FAILURES {
                failed.clear();
            }
            failed.insert(job.name.clone(), Instant::now());
        }
    }

    async fn make(&self, job: &Arc<Job>) -> Result<(), String> {
        let staged = job.clone();
        let Staged { input, head } = blocking(move || stage(&staged)).await?;
        let output = Hidden::named(&job.folder, job.kind.converted().0);
        let mut why = "there is no program that can do it".to_owned();
        for (program, path) in &job.programs {
            let Some(arguments) = job.kind.arguments(*program, &head, &input.0, &output.0) else { continue };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match process::run(path, arguments, Talk::Silent, self.limit).await {
                Ok(ended) if ended.status.success() && is_filled(&output.0) => {
                    let job = job.clone();
                    return blocking(move || keep(&output, &job)).await;
                }
                Ok(ended) if ended.status.success() => why = format!("{name} wrote nothing"),
                Ok(ended) => why = format!("{name} ended with {}", ended.status),
                Err(error @ process::Error::TimedOut(_)) => return Err(format!("{name} {error}")),
                Err(error) => why = format!("{name} {error}"),
            }
        }
        Err(why)
    }

    /// Ends what is under way, and waits until none of it is left.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let _ = self.turns.acquire_many(CONVERSIONS).await;
    }
}

/// Until the sender goes away.
async fn ended(mut end: watch::Receiver<()>) {
    while end.changed().await.is_ok() {}
}

async fn blocking<R: Send + 'static>(work: impl FnOnce() -> Result<R, String> + Send + 'static) -> Result<R, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}

/// A copy for the program: it opens what it is given by name, and must not be led to another file meanwhile.
struct Staged {
    input: Hidden,
    head: Vec<u8>,
}

fn stage(job: &Job) -> Result<Staged, String> {
    let mut opened = job.roots.open(&job.path).map_err(|refusal| format!("{refusal:?}"))?;
    if cache::name(&opened, job.kind.converted().0) != job.name {
        return Err("it has changed".to_owned());
    }
    let head = head_of(&opened).map_err(|error| format!("it could not be read: {error}"))?;
    if !job.kind.is_content(&head) {
        return Err("it is not what it claims to be".to_owned());
    }
    let input = Hidden::named(&job.folder, job.kind.ending());
    let mut copy = || {
        cache::make(&job.folder)?;
        let mut to = File::options().write(true).create_new(true).mode(0o600).open(&input.0)?;
        io::copy(&mut opened.file, &mut to)
    };
    copy().map_err(|error| format!("it could not be copied to {}: {error}", job.folder.display()))?;
    Ok(Staged { input, head })
}

fn head_of(opened: &Opened) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let length = opened.file.read_at(&mut head, 0)?;
    head.truncate(length);
    Ok(head)
}

fn is_filled(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
}

/// Gives the output its name, and makes room for it.
fn keep(output: &Hidden, job: &Job) -> Result<(), String> {
    let kept = fs::set_permissions(&output.0, fs::Permissions::from_mode(0o600))
        .and_then(|()| fs::rename(&output.0, job.folder.join(&job.name)));
    kept.map_err(|error| format!("it could not be kept in {}: {error}", job.folder.display()))?;
    if let Err(error) = cache::prune(&job.folder, cache::MOST_BYTES, cache::UNUSED_FOR) {
        tracing::warn!(folder = %job.folder.display(), %error, "what was converted long ago could not be removed");
    }
    Ok(())
}

/// A file that nobody looks at, and that is gone when this is.
struct Hidden(PathBuf);

impl Hidden {
    fn named(folder: &Path, ending: &str) -> Hidden {
        Hidden(folder.join(format!(".{}.{ending}", uuid::Uuid::new_v4().simple())))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Where package managers put programs. Of a service, PATH has none of these.
const USUAL_FOLDERS: [&str; 3] = ["/opt/homebrew/bin", "/usr/local/bin", "/opt/local/bin"];

/// The program of this name or path that can be started. A bare name is looked for in PATH and in the usual folders.
pub fn find_program(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return Some(name.to_owned()).filter(|path| is_program(path));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(USUAL_FOLDERS.iter().map(PathBuf::from));
    // What a relative folder means depends on where we happen to be.
    folders.filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    let is_executable = |metadata: fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
    path.file_name().is_some_and(|name| name != OsStr::new("")) && fs::metadata(path).is_ok_and(is_executable)
}
