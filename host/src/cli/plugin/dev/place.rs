//! The place of a component in a plugins folder, for a while: what was there before comes back, unless the owner put
//! something newer there meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};

use crate::plugin;

/// Where a component is put. One process at a time has a place.
pub(super) struct Place {
    file: PathBuf,
    /// What was there before, under a name that no imsgd loads; not there where nothing was.
    before: PathBuf,
    /// Locked. Says, even after we were killed, what was put: the hash of the last component but one, and of the last.
    record: File,
    record_path: PathBuf,
    /// The last of the two.
    put: Option<String>,
}

/// What became of what was put.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Nothing had been put.
    Untouched,
    /// What was there before is there again.
    Restored,
    /// Nothing was there before, and nothing is.
    TakenOut,
    /// Somebody else changed what is there, so that it stays. What was there before lies in `kept`.
    Left { kept: Option<PathBuf> },
}

impl Settled {
    /// Of what one that was killed had put.
    pub fn after_a_kill(&self) -> Option<String> {
        let left = "a `plugin dev` that was killed had left its component there;";
        match self {
            Settled::Untouched => None,
            Settled::Restored => Some(format!("{left} what was there before is there again")),
            Settled::TakenOut => Some(format!("{left} taken out again")),
            Settled::Left { kept } => {
                Some(format!("was changed since a `plugin dev` was killed, and stays{}", lies_in(kept)))
            }
        }
    }

    pub fn at_the_end(&self) -> Option<String> {
        match self {
            Settled::Untouched => None,
            Settled::Restored => Some("what was there before is there again".to_owned()),
            Settled::TakenOut => Some("taken out again".to_owned()),
            Settled::Left { kept } => Some(format!("was changed by somebody else, and stays{}", lies_in(kept))),
        }
    }
}

fn lies_in(kept: &Option<PathBuf>) -> String {
    kept.as_ref().map(|kept| format!("; what was there before lies in {}", kept.display())).unwrap_or_default()
}

impl Place {
    /// For `file`. A process that was killed may have left something there: tells what has become of it.
    pub fn take(file: &Path) -> anyhow::Result<(Place, Settled)> {
        let name = file.file_name().with_context(|| format!("{} is no file", file.display()))?.to_string_lossy();
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))?;
        let record_path = folder.join(format!(".{name}.dev"));
        let record = lock(&record_path, file)?;
        let before = folder.join(format!(".{name}.before-dev"));
        let mut place = Place { file: file.to_owned(), before, record, record_path, put: None };
        let settled = place.give_back();
        let settled = settled.with_context(|| format!("could not settle what lies in {}", file.display()))?;
        Ok((place, settled))
    }

    pub fn path(&self) -> &Path {
        &self.file
    }

    /// Replaces what is there by a copy of `component`, in one step. Where that is no longer what was put last, it is
    /// what comes back; gives where that which would have come back lies now.
    pub fn put(&mut self, component: &Path) -> io::Result<Option<PathBuf>> {
        let partial = self.before.with_extension("partial");
        let put = self.put_through(component, &partial);
        if put.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&partial);
        }
        put
    }

    fn put_through(&mut self, component: &Path, partial: &Path) -> io::Result<Option<PathBuf>> {
        fs::copy(component, partial)?;
        let hash = plugin::version_of(&fs::read(partial)?);
        let is_ours = self.is_ours()?;
        let kept = if is_ours { None } else { self.set_aside()? };
        if !is_ours && is_there(&self.file) {
            self.save()?;
        }
        // Written before it is true: then what is there is known for ours, wherever we are killed.
        let last = self.put.take().unwrap_or_else(|| "-".repeat(hash.len()));
        self.record.write_all_at(format!("{last}\n{hash}\n").as_bytes(), 0)?;
        self.put = Some(hash);
        fs::rename(partial, &self.file)?;
        Ok(kept)
    }

    /// Puts back what was there before, if what is there is what was put.
    pub fn give_back(&mut self) -> io::Result<Settled> {
        let is_put = self.record.metadata()?.len() > 0;
        let settled = if is_put && self.is_ours()? {
            if is_there(&self.before) {
                fs::rename(&self.before, &self.file)?;
                // A rename between two names of one file does nothing.
                remove(&self.before)?;
                Settled::Restored
            } else {
                fs::remove_file(&self.file)?;
                Settled::TakenOut
            }
        } else {
            match self.set_aside()? {
                None if !is_put => Settled::Untouched,
                kept => Settled::Left { kept },
            }
        };
        self.record.set_len(0)?;
        self.put = None;
        Ok(settled)
    }

    /// Is there what was put last, or what the last attempt was to replace?
    fn is_ours(&self) -> io::Result<bool> {
        let mut record = vec![0; usize::try_from(self.record.metadata()?.len()).unwrap_or_default()];
        self.record.read_exact_at(&mut record, 0)?;
        let is_file = fs::symlink_metadata(&self.file).is_ok_and(|there| there.is_file());
        if record.is_empty() || !is_file {
            return Ok(false);
        }
        let hash = plugin::version_of(&fs::read(&self.file)?);
        Ok(String::from_utf8_lossy(&record).lines().any(|put| put == hash))
    }

    /// Makes what is there what comes back; it stays there meanwhile, so that no imsgd misses it.
    fn save(&self) -> io::Result<()> {
        if fs::symlink_metadata(&self.file)?.is_symlink() {
            return symlink(fs::read_link(&self.file)?, &self.before);
        }
        // Not every file system has links.
        fs::hard_link(&self.file, &self.before).or_else(|_| fs::copy(&self.file, &self.before).map(drop))
    }

    /// What would have come back gets a name of its own, unless it is what is there.
    fn set_aside(&self) -> io::Result<Option<PathBuf>> {
        if !is_there(&self.before) {
            return Ok(None);
        }
        if is_same(&self.before, &self.file) {
            return remove(&self.before).map(|()| None);
        }
        let name = |number: u32| self.file.with_added_extension(format!("kept-{number}"));
        let mut number = 1;
        while is_there(&name(number)) {
            number += 1;
        }
        fs::rename(&self.before, name(number))?;
        Ok(Some(name(number)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Where what was put could not be given back, the next one reads what that was.
        if self.record.metadata().is_ok_and(|record| record.len() == 0) {
            let _ = fs::remove_file(&self.record_path);
        }
    }
}

fn lock(path: &Path, of: &Path) -> anyhow::Result<File> {
    loop {
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path);
        let file = opened.with_context(|| format!("could not open {}", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                bail!("another `imsgd plugin dev` has {} in hand: end that one first", of.display())
            }
            Err(error) => return Err(error).with_context(|| format!("could not lock {}", path.display())),
        }
        // One that ended meanwhile has removed its file, and the lock is on what has no name.
        let (locked, named) = (file.metadata()?, fs::metadata(path));
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (locked.dev(), locked.ino())) {
            return Ok(file);
        }
    }
}

/// Also a link that leads nowhere.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Two links to one place, or two files with one content.
fn is_same(one: &Path, other: &Path) -> bool {
    let content = |path: &Path| {
        if let Ok(target) = fs::read_link(path) {
            return Ok((Some(target), Vec::new()));
        }
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        io::Result::Ok((None, bytes))
    };
    matches!((content(one), content(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugins folder in which somebody develops `hush`, and components to put.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Folder {
            let folder = Folder(tempfile::tempdir().unwrap());
            for name in ["new", "newer"] {
                fs::write(folder.component(name), name).unwrap();
            }
            folder
        }

        fn component(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn file(&self) -> PathBuf {
            self.0.path().join("plugins/hush.wasm")
        }

        fn take(&self) -> (Place, Settled) {
            Place::take(&self.file()).unwrap()
        }

        /// Puts it, and is killed.
        fn killed_after(&self, component: &str) {
            let (mut place, settled) = self.take();
            assert_eq!(settled, Settled::Untouched);
            place.put(&self.component(component)).unwrap();
        }

        fn write(&self, content: &str) {
            fs::create_dir_all(self.file().parent().unwrap()).unwrap();
            fs::write(self.file(), content).unwrap();
        }

        fn read(&self) -> Option<String> {
            fs::read_to_string(self.file()).ok()
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.file().parent().unwrap()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort_unstable();
            names
        }

        fn kept(&self) -> Settled {
            Settled::Left { kept: Some(self.file().with_file_name("hush.wasm.kept-1")) }
        }
    }

    #[test]
    fn what_was_there_comes_back() {
        let folder = Folder::new();
        let (mut place, settled) = folder.take();
        assert_eq!((settled, place.give_back().unwrap()), (Settled::Untouched, Settled::Untouched));
        place.put(&folder.component("new")).unwrap();
        assert_eq!(folder.read().as_deref(), Some("new"));
        assert_eq!(place.give_back().unwrap(), Settled::TakenOut);
        folder.write("old");
        assert_eq!(place.put(&folder.component("new")).unwrap(), None);
        assert_eq!(place.put(&folder.component("newer")).unwrap(), None);
        assert_eq!(folder.read().as_deref(), Some("newer"));
        assert_eq!(place.give_back().unwrap(), Settled::Restored);
        drop(place);
        assert_eq!((folder.read().as_deref(), folder.names()), (Some("old"), vec!["hush.wasm".to_owned()]));
    }

    #[test]
    fn a_second_one_is_refused() {
        let folder = Folder::new();
        let (place, _) = folder.take();
        let refused = Place::take(&folder.file()).err().unwrap().to_string();
        assert!(refused.contains("another `imsgd plugin dev` has") && refused.contains("hush.wasm"), "{refused}");
        drop(place);
        folder.take();
        assert!(folder.names().is_empty());
    }

    #[test]
    fn after_a_kill_what_was_there_comes_back_with_the_next_one() {
        let folder = Folder::new();
        folder.killed_after("new");
        assert_eq!(folder.take().1, Settled::TakenOut);
        assert!(folder.names().is_empty());
        folder.write("old");
        folder.killed_after("new");
        assert_eq!((folder.take().1, folder.read().as_deref()), (Settled::Restored, Some("old")));
        // Killed between the two steps of the first `put`.
        fs::hard_link(folder.file(), folder.file().with_file_name(".hush.wasm.before-dev")).unwrap();
        assert_eq!((folder.take().1, folder.read().as_deref()), (Settled::Untouched, Some("old")));
        assert_eq!(folder.names(), ["hush.wasm"]);
    }

    #[test]
    fn what_the_owner_copied_there_after_a_kill_stays() {
        let folder = Folder::new();
        folder.write("old");
        folder.killed_after("new");
        folder.write("by the owner");
        let (mut place, settled) = folder.take();
        assert_eq!((settled, folder.read().as_deref()), (folder.kept(), Some("by the owner")));
        place.put(&folder.component("new")).unwrap();
        assert_eq!((place.give_back().unwrap(), folder.read().as_deref()), (Settled::Restored, Some("by the owner")));
        drop(place);
        assert_eq!(folder.names(), ["hush.wasm", "hush.wasm.kept-1"]);
        assert_eq!(fs::read_to_string(folder.file().with_file_name("hush.wasm.kept-1")).unwrap(), "old");
    }

    #[test]
    fn what_the_owner_copies_there_meanwhile_stays() {
        let folder = Folder::new();
        let (mut place, _) = folder.take();
        place.put(&folder.component("new")).unwrap();
        folder.write("by the owner");
        assert_eq!(place.give_back().unwrap(), Settled::Left { kept: None });
        assert_eq!(folder.read().as_deref(), Some("by the owner"));
        place.put(&folder.component("new")).unwrap();
        folder.write("by the owner again");
        let kept = place.put(&folder.component("newer")).unwrap().unwrap();
        assert_eq!(fs::read_to_string(kept).unwrap(), "by the owner");
        assert_eq!(place.give_back().unwrap(), Settled::Restored);
        assert_eq!(folder.read().as_deref(), Some("by the owner again"));
    }

    #[test]
    fn a_link_comes_back_as_one() {
        let folder = Folder::new();
        folder.write("");
        fs::remove_file(folder.file()).unwrap();
        symlink("../target", folder.file()).unwrap();
        for target in [None, Some("old")] {
            if let Some(content) = target {
                fs::write(folder.component("target"), content).unwrap();
            }
            let (mut place, _) = folder.take();
            place.put(&folder.component("new")).unwrap();
            assert_eq!(place.give_back().unwrap(), Settled::Restored);
            assert_eq!(fs::read_link(folder.file()).unwrap(), Path::new("../target"));
            assert_eq!(folder.read().as_deref(), target);
        }
    }
}
