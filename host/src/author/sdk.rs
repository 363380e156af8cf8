//! The SDK that this program was built with, which `imsgd plugin new` writes into a crate: there is no registry to name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Where it is in a policy's crate.
pub const FOLDER: &str = "vendor/imsgd-plugin";

macro_rules! files {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../plugins/sdk/", $path)))),+]
    };
}

/// Every file of `plugins/sdk`, by its path.
pub const FILES: &[(&str, &str)] = files![
    "Cargo.toml",
    "README.md",
    "src/address.rs",
    "src/bindings.rs",
    "src/code.rs",
    "src/config.rs",
    "src/export.rs",
    "src/host.rs",
    "src/lib.rs",
    "src/period.rs",
    "src/policy.rs",
    "src/route.rs",
    "src/store.rs",
    "src/testing.rs",
    "src/text.rs",
    "wit/policy.wit",
];

const LICENSE: (&str, &str) = ("LICENSE-MIT", include_str!("../../../LICENSE-MIT"));

/// Writes the SDK into `folder`, which must not be there.
pub fn write(folder: &Path) -> Result<()> {
    for (name, content) in FILES.iter().chain([&LICENSE]) {
        let path = folder.join(name);
        let parent = path.parent().context("a file of the SDK has no folder")?;
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Puts this program's SDK in the place of the one that the crate in `dir` has. Returns where; none where it was the
/// same already.
pub fn update(dir: &Path) -> Result<Option<PathBuf>> {
    let folder = dir.join(FOLDER);
    ensure!(
        folder.join("Cargo.toml").is_file(),
        "{} is not there: {} has no SDK of its own to be replaced",
        folder.display(),
        dir.display()
    );
    if is_ours(&folder) {
        return Ok(None);
    }
    let beside = dir.join(format!("vendor/.imsgd-plugin.{}.partial", std::process::id()));
    let replaced = dir.join(format!("vendor/.imsgd-plugin.{}.old", std::process::id()));
    let written = write(&beside).and_then(|()| {
        fs::rename(&folder, &replaced)?;
        Ok(fs::rename(&beside, &folder)?)
    });
    if let Err(error) = written {
        // The first error is the one to tell.
        let _ = fs::rename(&replaced, &folder);
        let _ = fs::remove_dir_all(&beside);
        return Err(error.context(format!("replace {}", folder.display())));
    }
    fs::remove_dir_all(&replaced).with_context(|| format!("remove {}", replaced.display()))?;
    Ok(Some(folder))
}

/// What to say of a crate whose SDK is not this program's.
pub(super) fn note(dir: &Path) -> Option<String> {
    let folder = dir.join(FOLDER);
    let differs = folder.join("Cargo.toml").is_file() && !is_ours(&folder);
    differs.then(|| {
        format!("{} is not the SDK of this imsgd: `imsgd plugin sdk {}` replaces it", folder.display(), dir.display())
    })
}

fn is_ours(folder: &Path) -> bool {
    FILES.iter().all(|(name, content)| fs::read(folder.join(name)).is_ok_and(|there| there == content.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_has_every_file_of_the_sdk() {
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/sdk");
        let mut there = BTreeSet::new();
        let mut unread = vec![sdk.clone()];
        while let Some(folder) = unread.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => unread.push(path),
                    false => drop(there.insert(path.strip_prefix(&sdk).unwrap().to_str().unwrap().to_owned())),
                }
            }
        }
        assert_eq!(FILES.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>(), there);
    }

    #[test]
    fn another_sdk_is_told_of_and_replaced_whole() {
        let crate_folder = tempfile::tempdir().unwrap();
        let dir = crate_folder.path();
        assert_eq!(note(dir), None, "a crate with an SDK elsewhere");
        assert!(update(dir).is_err());
        write(&dir.join(FOLDER)).unwrap();
        assert_eq!((note(dir), update(dir).unwrap()), (None, None));
        fs::write(dir.join(FOLDER).join("src/lib.rs"), "older").unwrap();
        fs::write(dir.join(FOLDER).join("src/gone.rs"), "no more").unwrap();
        assert!(note(dir).is_some_and(|note| note.contains("imsgd plugin sdk")));
        assert_eq!(update(dir).unwrap(), Some(dir.join(FOLDER)));
        assert_eq!(note(dir), None);
        assert!(!dir.join(FOLDER).join("src/gone.rs").exists());
        assert_eq!(fs::read_dir(dir.join("vendor")).unwrap().count(), 1);
    }
}
