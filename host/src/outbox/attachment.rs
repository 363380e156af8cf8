//! Files to send: copied to where Messages may read them, and never followed through a symlink.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::rpc::error::RpcError;

/// Copies `file` into a folder of its own below `staging`, under its own name.
pub fn stage(file: &Path, staging: &Path) -> Result<PathBuf, RpcError> {
    let file = expand(file);
    let refused = |why: String| RpcError::not_started(&why);
    let missing = |_| refused(format!("Attachment not found at {}", file.display()));
    let absolute = std::path::absolute(&file).map_err(missing)?;
    if let Some(link) = symlink_in(&absolute) {
        return Err(refused(format!("{} is a symbolic link; name the file itself", link.display())));
    }
    let metadata = fs::symlink_metadata(&absolute).map_err(missing)?;
    if !metadata.is_file() {
        return Err(refused(format!("{} is not a regular file", absolute.display())));
    }
    let name = absolute.file_name().ok_or_else(|| refused(format!("{} has no file name", absolute.display())))?;
    let folder = staging.join(uuid::Uuid::new_v4().to_string().to_uppercase());
    let staged = folder.join(name);
    let copy = || {
        fs::create_dir_all(&folder)?;
        fs::copy(&absolute, &staged)
    };
    copy().map_err(|error| refused(format!("could not copy the attachment to {}: {error}", folder.display())))?;
    Ok(staged)
}

fn expand(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// Folders that macOS itself has as links into /private.
const SYSTEM_LINKS: [&str; 3] = ["/tmp", "/var", "/etc"];

/// The first part of `path` that is a symbolic link.
fn symlink_in(path: &Path) -> Option<PathBuf> {
    let mut walked = PathBuf::new();
    for component in path.components() {
        walked.push(component);
        if component == Component::ParentDir {
            return Some(walked);
        }
        let is_system = SYSTEM_LINKS.iter().any(|link| walked == Path::new(link));
        if !is_system && fs::symlink_metadata(&walked).is_ok_and(|metadata| metadata.is_symlink()) {
            return Some(walked);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_copied_under_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a b.txt");
        fs::write(&file, "x").unwrap();
        let staged = stage(&file, &folder.path().join("staging")).unwrap();
        assert_eq!(staged.file_name().unwrap(), "a b.txt");
        assert_eq!(fs::read(staged).unwrap(), b"x");
    }

    #[test]
    fn links_folders_and_missing_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let linked_folder = folder.path().join("folder");
        std::os::unix::fs::symlink(folder.path(), &linked_folder).unwrap();
        let staging = folder.path().join("staging");
        for path in [link, linked_folder.join("file"), folder.path().to_owned(), folder.path().join("none")] {
            let error = stage(&path, &staging).unwrap_err();
            assert_eq!(error.data["disposition"], "not_started", "{}", path.display());
        }
        assert!(!staging.exists());
    }
}
