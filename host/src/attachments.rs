//! The files of messages: which of them may be read, reading them so that nobody gets another, and converting them
//! into forms that models take.
//!
//! A path in chat.db is only a hint. A file is read where it lies in one of `messages.attachment_roots` once all its
//! symlinks are resolved, and only up to `messages.media_max_mb`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::config::{Config, expand};
use crate::message::Attachment;
use crate::process::Limit;
use convert::{Converter, Job, find_program};
use kind::{Kind, Program};

mod cache;
mod convert;
mod kind;
mod roots;
#[cfg(test)]
mod tests;

pub use roots::{Opened, Refusal, Roots};

/// macOS has it, always here.
const SIPS: &str = "/usr/bin/sips";

/// The files that one configuration lets be read. It may be replaced while we run.
pub struct Files {
    config: Arc<ArcSwap<Config>>,
    /// Where converted files are.
    folder: PathBuf,
    converter: Arc<Converter>,
}

/// A converted file, in the folder of those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    pub path: PathBuf,
    pub mime_type: &'static str,
    pub uti: &'static str,
    /// The ending of its name, without a dot.
    pub ending: &'static str,
}

/// Why there is no converted file.
#[derive(Debug)]
pub enum Unconverted {
    /// It is of no form that is converted.
    NoNeed,
    Refused(Refusal),
    /// The original is larger than what is read: this many bytes.
    TooLarge(u64),
    /// No program that converts this form is installed.
    NoProgram,
    /// The program failed or took too long, moments ago or now.
    Failed,
}

/// For each message, for each of its attachments, the converted file where there is one.
pub type Conversions = Vec<Vec<Option<Converted>>>;

/// What a look at one file told.
enum Found {
    Converted(Converted),
    Job(Arc<Job>),
}

impl Files {
    pub fn new(config: Arc<ArcSwap<Config>>) -> Files {
        let folder = config.load().converted_dir();
        Files::with(config, folder, convert::LIMIT)
    }

    fn with(config: Arc<ArcSwap<Config>>, folder: PathBuf, limit: Limit) -> Files {
        Files { config, folder, converter: Arc::new(Converter::new(limit)) }
    }

    /// Opens the file of an attachment, as `attachment.filename` has it. Blocks.
    pub fn open(&self, filename: &str) -> Result<Opened, Refusal> {
        self.config.load().attachment_roots().open(&path_of(filename))
    }

    /// Opens what an attachment was converted into. Blocks.
    pub fn open_converted(&self, converted: &Converted) -> Result<Opened, Refusal> {
        Roots::folders([self.folder.clone()]).open(&converted.path)
    }

    /// The largest file that is read, in bytes.
    pub fn most_bytes(&self) -> u64 {
        self.config.load().media_max_bytes()
    }

    /// Whether one of these is of a form that is converted.
    pub fn may_convert(attachments: &[Attachment]) -> bool {
        attachments.iter().any(|attachment| Kind::of(attachment).is_some())
    }

    /// Converts what can be of the attachments of some messages, all of it within the time for one. What takes longer
    /// is there the next time.
    pub async fn converted(&self, messages: &[&[Attachment]]) -> Conversions {
        let mut conversions: Conversions = messages.iter().map(|attachments| vec![None; attachments.len()]).collect();
        let places = messages.iter().enumerate().flat_map(|(at, attachments)| {
            attachments.iter().enumerate().map(move |(part, attachment)| ((at, part), attachment))
        });
        let (places, wanted): (Vec<_>, Vec<Attachment>) =
            places.filter(|(_, file)| Kind::of(file).is_some()).map(|(place, file)| (place, file.clone())).unzip();
        if wanted.is_empty() {
            return conversions;
        }
        let mut jobs = JoinSet::new();
        for ((at, part), found) in places.into_iter().zip(self.look(wanted).await) {
            match found {
                Ok(Found::Converted(converted)) => conversions[at][part] = Some(converted),
                Ok(Found::Job(job)) => {
                    let converter = self.converter.clone();
                    jobs.spawn(async move { (at, part, job.kind, converter.obtain(job).await) });
                }
                Err(_) => {}
            }
        }
        let deadline = Instant::now() + self.converter.patience();
        while let Ok(Some(done)) = timeout_at(deadline, jobs.join_next()).await {
            if let Ok((at, part, kind, Some(path))) = done {
                conversions[at][part] = Some(Converted::new(kind, path));
            }
        }
        conversions
    }

    /// Converts one attachment, or tells why not.
    pub async fn converted_one(&self, attachment: &Attachment) -> Result<Converted, Unconverted> {
        let found = self.look(vec![attachment.clone()]).await.pop();
        match found.unwrap_or(Err(Unconverted::Failed))? {
            Found::Converted(converted) => Ok(converted),
            Found::Job(job) => {
                let kind = job.kind;
                let path = tokio::time::timeout(self.converter.patience(), self.converter.obtain(job)).await;
                let path = path.ok().flatten().ok_or(Unconverted::Failed)?;
                Ok(Converted::new(kind, path))
            }
        }
    }

    /// Ends every conversion, and waits until no child is left.
    pub async fn stop(&self) {
        self.converter.stop().await;
    }

    /// What is there already, and what would have to be done for the rest.
    async fn look(&self, attachments: Vec<Attachment>) -> Vec<Result<Found, Unconverted>> {
        let (config, folder) = (self.config.load_full(), self.folder.clone());
        let converter = self.converter.clone();
        let look = move || {
            let look = Look {
                roots: Arc::new(config.attachment_roots()),
                folder,
                most_bytes: config.media_max_bytes(),
                ffmpeg: &config.messages.ffmpeg,
            };
            attachments.iter().map(|attachment| look.at(attachment, &converter)).collect()
        };
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }
}

struct Look<'a> {
    roots: Arc<Roots>,
    folder: PathBuf,
    most_bytes: u64,
    ffmpeg: &'a Path,
}

impl Look<'_> {
    fn at(&self, attachment: &Attachment, converter: &Converter) -> Result<Found, Unconverted> {
        let kind = Kind::of(attachment).ok_or(Unconverted::NoNeed)?;
        let path = path_of(&attachment.filename);
        let opened = self.roots.open(&path).map_err(Unconverted::Refused)?;
        let name = cache::name(&opened, kind.converted().0);
        if let Some(path) = cache::find(&self.folder, &name) {
            return Ok(Found::Converted(Converted::new(kind, path)));
        }
        if opened.bytes > self.most_bytes {
            return Err(Unconverted::TooLarge(opened.bytes));
        }
        if converter.has_failed(&name) {
            return Err(Unconverted::Failed);
        }
        let programs: Vec<(Program, PathBuf)> = kind.programs().iter().filter_map(|one| self.find(*one)).collect();
        if programs.is_empty() {
            return Err(Unconverted::NoProgram);
        }
        let (guid, roots, folder) = (attachment.guid.clone(), self.roots.clone(), self.folder.clone());
        Ok(Found::Job(Arc::new(Job { guid, kind, path, roots, folder, name, programs })))
    }

    fn find(&self, program: Program) -> Option<(Program, PathBuf)> {
        let name = match program {
            Program::Ffmpeg => expand(self.ffmpeg),
            Program::Sips => SIPS.into(),
        };
        find_program(&name).map(|path| (program, path))
    }
}

impl Converted {
    fn new(kind: Kind, path: PathBuf) -> Converted {
        let (ending, mime_type, uti) = kind.converted();
        Converted { path, mime_type, uti, ending }
    }
}

/// `attachment.filename` as a path: it may begin with the home folder's short form.
pub fn path_of(filename: &str) -> PathBuf {
    expand(Path::new(filename))
}

/// Whether there is no file to read: there is no path, nothing there, or a folder.
pub fn is_missing(path: &Path) -> bool {
    !path.is_absolute() || !path.is_file()
}
