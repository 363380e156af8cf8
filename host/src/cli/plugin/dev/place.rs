//! The place of a component in a plugins folder, for a while: what was there before comes back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a component is put.
pub(super) struct Place {
    file: PathBuf,
    /// What was there before, under a name that no imsgd loads. Where we are killed, it is still there the next time.
    before: PathBuf,
    is_ours: bool,
}

impl Place {
    pub fn new(folder: &Path, name: &str) -> Place {
        let file = folder.join(format!("{name}.wasm"));
        let before = folder.join(format!(".{name}.wasm.before-dev"));
        Place { file, before, is_ours: false }
    }

    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Replaces what is there by a copy of `component`, in one step.
    pub fn put(&mut self, component: &Path) -> io::Result<()> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        if !self.is_ours && self.file.exists() && !self.before.exists() {
            self.replace(&self.file, &self.before)?;
        }
        self.is_ours = true;
        self.replace(component, &self.file)
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        let beside = self.before.with_extension("partial");
        let copied = fs::copy(from, &beside).and_then(|_| fs::rename(&beside, to));
        if copied.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&beside);
        }
        copied
    }

    /// Puts back what was there. False where there was nothing.
    pub fn give_back(&mut self) -> io::Result<bool> {
        if self.before.exists() {
            fs::rename(&self.before, &self.file)?;
            return Ok(true);
        }
        if std::mem::take(&mut self.is_ours) && self.file.exists() {
            fs::remove_file(&self.file)?;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_comes_back_even_after_one_that_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, new) = (folder.path().join("plugins/hush.wasm"), folder.path().join("new"));
        let read = || fs::read_to_string(&file).ok();
        let plugins = file.parent().unwrap();
        fs::write(&new, "new").unwrap();
        let mut place = Place::new(plugins, "hush");
        assert!(!place.give_back().unwrap());
        place.put(&new).unwrap();
        assert_eq!(read().as_deref(), Some("new"));
        assert!(!place.give_back().unwrap());
        assert_eq!(read(), None);
        fs::write(&file, "old").unwrap();
        Place::new(plugins, "hush").put(&new).unwrap();
        assert_eq!(read().as_deref(), Some("new"));
        let mut again = Place::new(plugins, "hush");
        again.put(&new).unwrap();
        again.put(&new).unwrap();
        assert!(again.give_back().unwrap());
        assert_eq!(read().as_deref(), Some("old"));
        assert_eq!(fs::read_dir(plugins).unwrap().count(), 1);
    }
}
