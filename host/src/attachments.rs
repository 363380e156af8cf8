//! The files of messages: which of them may be read, and reading them so that nobody gets another.
//!
//! A path in chat.db is only a hint. A file is read where it lies in one of `messages.attachment_roots` once all its
//! symlinks are resolved, and only up to `messages.media_max_mb`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::{Config, expand};

mod roots;

pub use roots::{Opened, Refusal, Roots};

/// The files that one configuration lets be read. It may be replaced while we run.
pub struct Files {
    config: Arc<ArcSwap<Config>>,
}

impl Files {
    pub fn new(config: Arc<ArcSwap<Config>>) -> Files {
        Files { config }
    }

    /// Opens the file of an attachment, as `attachment.filename` has it. Blocks.
    pub fn open(&self, filename: &str) -> Result<Opened, Refusal> {
        self.config.load().attachment_roots().open(&path_of(filename))
    }

    /// The largest file that is read, in bytes.
    pub fn most_bytes(&self) -> u64 {
        self.config.load().media_max_bytes()
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
