//! For authors of policies: makes crates of policies, and components of the crates, and tells what is in a component.
//! What `imsgd plugin new`, `build` and `check` do, without their words.
//!
//! A component carries the hash of its source in a custom section. With that, a test can say that a
//! committed component is stale without compiling anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use wit_component::ComponentEncoder;

mod build;
pub mod cases;
mod inspect;
mod scaffold;
pub mod sdk;
mod toolchain;

pub use inspect::{Import, Inspection, Outcome, inspect};
pub use scaffold::{NewPolicy, check_name, create};

/// The custom section that holds [`source_hash`] in hex.
const SOURCE_SECTION: &str = "imsgd:source";

/// Hears what is going on, a line at a time.
pub type Talk<'a> = &'a mut dyn FnMut(&str);

/// Answers whether something may be installed.
pub type Consent<'a> = &'a mut dyn FnMut(&str) -> bool;

/// A component that was built and written.
#[derive(Debug)]
pub struct Built {
    pub path: PathBuf,
    pub inspection: Inspection,
}

/// Compiles the crate in `dir`, checks the component, and replaces `out` by it in one step, so that a daemon which
/// watches it never reads half of one. What no daemon would load is not written. `talk` hears what is going on; cargo
/// writes to stderr by itself. Nothing is installed.
pub fn build(dir: &Path, out: &Path, talk: Talk) -> Result<Built> {
    build_with(dir, out, talk, &mut |_| false)
}

/// As [`build`], where `consent` is asked whether rustup may add what is missing.
pub fn build_with(dir: &Path, out: &Path, talk: Talk, consent: Consent) -> Result<Built> {
    if let Some(note) = sdk::note(dir) {
        talk(&note);
    }
    let module = build::compile(dir, talk, consent)?;
    let module = fs::read(&module).with_context(|| format!("read {}", module.display()))?;
    let mut component = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .context("make a component of the module")?;
    // After the build, which may have written Cargo.lock.
    let source = source_hash(dir)?;
    append_custom_section(&mut component, SOURCE_SECTION, source.as_bytes());
    let inspection = inspect(&component)?;
    match &inspection.outcome {
        Outcome::Refused { reason } if inspection.interfaces.is_empty() => {
            bail!("the component {reason}\nIs `imsgd_plugin::export_policy!` missing in its src/lib.rs?")
        }
        Outcome::Refused { reason } => bail!("imsgd would refuse the component: it {reason}"),
        Outcome::Fails { reason } => {
            bail!(
                "the policy does not start: {reason}\nA `configure` that returns an error says what is wrong; one that panics says it to nobody but you."
            )
        }
        Outcome::Starts { .. } | Outcome::WantsConfig { .. } => {}
    }
    write_atomically(out, &component).with_context(|| format!("write {}", out.display()))?;
    Ok(Built { path: out.into(), inspection })
}

/// Cargo as [`build`] runs it for the crate in `dir`, for whoever wants the module and no component.
pub fn cargo(dir: &Path, talk: Talk) -> Result<Command> {
    Ok(toolchain::Toolchain::find(dir, talk, &mut |_| false)?.cargo(dir))
}

/// Where the component of the crate in `dir` is written and looked for: beside its manifest, with the name of the
/// package, whatever the folder is called.
pub fn component_of(dir: &Path) -> Result<PathBuf> {
    let dir = dir.canonicalize().with_context(|| format!("find {}", dir.display()))?;
    check_crate(&dir)?;
    let manifest = manifest(&dir)?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    let name = name.with_context(|| format!("{} has no package.name", dir.join("Cargo.toml").display()))?;
    ensure!(Path::new(name).file_name() == Some(name.as_ref()), "{name:?} cannot be the name of a package");
    Ok(dir.join(format!("{name}.wasm")))
}

fn check_crate(dir: &Path) -> Result<()> {
    ensure!(
        dir.join("Cargo.toml").is_file(),
        "{} is no crate: it has no Cargo.toml. `imsgd plugin new NAME --kind filter` makes one",
        dir.display()
    );
    Ok(())
}

/// SHA-256, in hex, over what shapes the component of the crate in `dir`: its manifest and `src`, those of
/// its path dependencies, the workspace's manifest and lock file, and what a manifest adds as
/// `package.metadata.imsgd.sources`. The same on every machine.
pub fn source_hash(dir: &Path) -> Result<String> {
    let dir = dir.canonicalize().with_context(|| format!("find {}", dir.display()))?;
    let root = workspace_root(&dir)?;
    let mut files = BTreeMap::new();
    for file in sources(&dir, &root)? {
        let content = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        files.insert(relative(&file, &root), content);
    }
    let mut hash = Sha256::new();
    for (name, content) in files {
        // Lengths keep one file's end from passing for the next one's beginning.
        for part in [name.as_bytes(), &content] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The source hash that [`build`] left in a component; none in one that was built by other means.
pub fn embedded_hash(component: &[u8]) -> Option<String> {
    // Eight bytes of magic and version, then sections: an id, a length, the content.
    let mut rest = component.get(8..)?;
    while let Some((id, after)) = rest.split_first() {
        let (content, after) = length_prefixed(after)?;
        if *id == 0 {
            let (name, payload) = length_prefixed(content)?;
            if name == SOURCE_SECTION.as_bytes() {
                return String::from_utf8(payload.into()).ok();
            }
        }
        rest = after;
    }
    None
}

fn append_custom_section(component: &mut Vec<u8>, name: &str, payload: &[u8]) {
    let mut content = leb128(name.len());
    content.extend(name.as_bytes());
    content.extend(payload);
    component.push(0);
    component.extend(leb128(content.len()));
    component.extend(content);
}

fn leb128(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Splits off as many bytes as the LEB128 number at the front says. None where they are not there.
fn length_prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return bytes[index + 1..].split_at_checked(length);
        }
    }
    None
}

/// By a rename inside the folder; the name in between begins with a dot and has another extension.
fn write_atomically(out: &Path, content: &[u8]) -> Result<()> {
    let name = out.file_name().context("not a file name")?.to_string_lossy();
    let folder = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let partial = folder.join(format!(".{name}.{}.partial", std::process::id()));
    let written = fs::write(&partial, content).and_then(|()| fs::rename(&partial, out));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&partial);
    }
    Ok(written?)
}

/// Every file that [`source_hash`] covers.
fn sources(dir: &Path, root: &Path) -> Result<BTreeSet<PathBuf>> {
    let workspace = manifest(root)?;
    let mut files = BTreeSet::from([root.join("Cargo.toml")]);
    files.extend(Some(root.join("Cargo.lock")).filter(|lock| lock.exists()));
    let mut packages = BTreeSet::new();
    let mut unread = vec![dir.to_owned()];
    while let Some(package) = unread.pop() {
        if !packages.insert(package.clone()) {
            continue;
        }
        let manifest = manifest(&package)?;
        files.insert(package.join("Cargo.toml"));
        files.extend(Some(package.join("build.rs")).filter(|script| script.exists()));
        collect(&package.join("src"), &mut files)?;
        for extra in metadata_sources(&manifest) {
            collect(&canonical(&package, extra)?, &mut files)?;
        }
        for path in path_dependencies(&manifest, &package, &workspace, root) {
            unread.push(canonical(&path.0, &path.1)?);
        }
    }
    Ok(files)
}

/// The folders of a package's path dependencies, each as a base and a path from there.
fn path_dependencies(
    manifest: &toml::Table,
    package: &Path,
    workspace: &toml::Table,
    root: &Path,
) -> Vec<(PathBuf, String)> {
    let shared = workspace.get("workspace").and_then(|table| table.get("dependencies"));
    let mut paths = Vec::new();
    for kind in ["dependencies", "build-dependencies"] {
        let Some(dependencies) = manifest.get(kind).and_then(toml::Value::as_table) else {
            continue;
        };
        for (name, dependency) in dependencies {
            let inherited = dependency.get("workspace").and_then(toml::Value::as_bool) == Some(true);
            let (base, dependency) = match inherited {
                true => (root, shared.and_then(|shared| shared.get(name))),
                false => (package, Some(dependency)),
            };
            let path = dependency.and_then(|dependency| dependency.get("path"));
            if let Some(path) = path.and_then(toml::Value::as_str) {
                paths.push((base.to_owned(), path.to_owned()));
            }
        }
    }
    paths
}

fn metadata_sources(manifest: &toml::Table) -> impl Iterator<Item = &str> {
    let sources =
        (manifest.get("package")).and_then(|package| package.get("metadata")?.get("imsgd")?.get("sources")?.as_array());
    sources.into_iter().flatten().filter_map(toml::Value::as_str)
}

/// The nearest folder, from the crate's upwards, whose manifest has a `[workspace]`; else the crate's own.
fn workspace_root(dir: &Path) -> Result<PathBuf> {
    manifest(dir)?;
    for folder in dir.ancestors() {
        if folder.join("Cargo.toml").exists() && manifest(folder)?.contains_key("workspace") {
            return Ok(folder.to_owned());
        }
    }
    Ok(dir.to_owned())
}

fn manifest(folder: &Path) -> Result<toml::Table> {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    text.parse().with_context(|| format!("read {}", path.display()))
}

fn canonical(base: &Path, path: &str) -> Result<PathBuf> {
    let path = base.join(path);
    path.canonicalize().with_context(|| format!("find {}", path.display()))
}

fn collect(path: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.insert(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("read {}", path.display()))? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

/// `path` as seen from `base`, with `/` between its parts. Both are absolute.
fn relative(path: &Path, base: &Path) -> String {
    let common = path.components().zip(base.components()).take_while(|(a, b)| a == b).count();
    let up = base.components().skip(common).map(|_| Component::ParentDir);
    let parts = up.chain(path.components().skip(common));
    parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is gone after the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let path = std::env::temp_dir().join(format!("imsgd-author-{}-{name}", std::process::id()));
            let folder = Self(path);
            for (file, content) in files {
                folder.write(file, content);
            }
            folder
        }

        fn write(&self, file: &str, content: &str) {
            let path = self.0.join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("create folder");
            fs::write(path, content).expect("write file");
        }

        fn hash(&self, package: &str) -> String {
            source_hash(&self.0.join(package)).expect("hash")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn workspace(name: &str) -> Folder {
        Folder::new(
            name,
            &[
                ("abi/a.wit", "one"),
                ("ws/Cargo.toml", "[workspace]\n[workspace.dependencies]\nsdk = { path = \"sdk\" }"),
                ("ws/Cargo.lock", ""),
                ("ws/sdk/Cargo.toml", "[package.metadata.imsgd]\nsources = [\"../../abi\"]"),
                ("ws/sdk/src/lib.rs", "sdk"),
                ("ws/mine/Cargo.toml", "[dependencies]\nsdk.workspace = true\nserde = \"1\""),
                ("ws/mine/src/lib.rs", "mine"),
                ("ws/other/Cargo.toml", "[dependencies]\nmine = { path = \"../mine\" }"),
                ("ws/other/src/lib.rs", "other"),
            ],
        )
    }

    #[test]
    fn a_component_has_the_name_of_its_package() {
        let named = |name: &str| format!("[package]\nname = {name:?}");
        let folder = Folder::new(
            "names",
            &[("a/my.policy/Cargo.toml", &named("quiet")), ("up/Cargo.toml", &named("../up")), ("none/Cargo.toml", "")],
        );
        let of = |dir: &str| component_of(&folder.0.join(dir)).map_err(|error| error.to_string());
        assert_eq!(of("a/my.policy"), Ok(folder.0.canonicalize().expect("a folder").join("a/my.policy/quiet.wasm")));
        for (dir, words) in [("a", "is no crate"), ("none", "has no package.name"), ("up", "cannot be the name")] {
            assert!(of(dir).is_err_and(|error| error.contains(words)), "{dir}");
        }
    }

    #[test]
    fn the_hash_changes_with_everything_that_shapes_the_component() {
        let folder = workspace("shapes");
        let mut seen = BTreeSet::from([folder.hash("ws/mine")]);
        for file in [
            "abi/a.wit",
            "ws/Cargo.lock",
            "ws/sdk/src/lib.rs",
            "ws/mine/src/lib.rs",
            "ws/mine/src/new.rs",
            "ws/mine/build.rs",
        ] {
            folder.write(file, "changed");
            assert!(seen.insert(folder.hash("ws/mine")), "{file}");
        }
    }

    #[test]
    fn the_hash_does_not_change_with_what_the_component_is_not_made_of() {
        let folder = workspace("unrelated");
        let before = (folder.hash("ws/mine"), folder.hash("ws/other"));
        folder.write("ws/other/src/lib.rs", "changed");
        folder.write("ws/mine/README.md", "changed");
        assert_eq!(folder.hash("ws/mine"), before.0);
        assert_ne!(folder.hash("ws/other"), before.1);
    }

    #[test]
    fn the_hash_is_the_same_in_another_place() {
        let (here, there) = (workspace("here"), workspace("there"));
        assert_eq!(here.hash("ws/mine"), there.hash("ws/mine"));
    }

    #[test]
    fn a_folder_without_a_manifest_is_named_in_the_error() {
        let folder = Folder::new("empty", &[("src/lib.rs", "")]);
        let error = format!("{:#}", source_hash(&folder.0).expect_err("no manifest"));
        assert!(error.contains("Cargo.toml"), "{error}");
    }

    #[test]
    fn an_embedded_hash_is_found_behind_other_sections() {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        append_custom_section(&mut component, "name", &[7; 300]);
        assert_eq!(embedded_hash(&component), None);
        append_custom_section(&mut component, SOURCE_SECTION, b"abc");
        append_custom_section(&mut component, "more", b"");
        assert_eq!(embedded_hash(&component).as_deref(), Some("abc"));
    }

    #[test]
    fn a_damaged_component_has_no_embedded_hash() {
        for bytes in [
            &b""[..],
            b"\0asm",
            b"\0asm\x0d\0\x01\0\0",
            b"\0asm\x0d\0\x01\0\0\x7f\x01",
            b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(embedded_hash(bytes), None);
        }
    }
}
