//! A new crate with a policy that works: its code, a test, cases, and the SDK beside it, so that it builds with nothing
//! else at hand.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::sdk;
use crate::config::BUNDLED;
use crate::policy::Interface;

/// What to make, and where.
#[derive(Debug)]
pub struct NewPolicy<'a> {
    /// Of the crate and of its component.
    pub name: &'a str,
    pub kind: Interface,
    /// Must not be there.
    pub folder: &'a Path,
    /// An SDK to point to, instead of a copy in the crate.
    pub sdk: Option<&'a Path>,
}

/// What a crate of one kind begins with.
struct Template {
    source: &'static str,
    cases: &'static str,
    about: &'static str,
    /// An example for the owner's configuration.
    config: &'static str,
}

macro_rules! template {
    ($kind:literal, $about:literal, $config:literal) => {
        Template {
            source: include_str!(concat!("../../../plugins/templates/", $kind, "/src/lib.rs")),
            cases: include_str!(concat!("../../../plugins/templates/", $kind, "/cases.toml")),
            about: $about,
            config: $config,
        }
    };
}

fn template(kind: Interface) -> Template {
    match kind {
        Interface::Allowlist => template!(
            "allowlist",
            "says who may write directly: it is asked about every direct message, and the first that does not abstain \
             decides.",
            r#"{ team = ["+1 555 123 4567"] }"#
        ),
        Interface::Pairing => template!(
            "pairing",
            "introduces strangers: it is asked about direct messages on which every allowlist abstained.",
            r#"{ code_for = "30m" }"#
        ),
        Interface::Group => template!(
            "group",
            "says what becomes of messages in groups: the first that does not abstain decides.",
            r#"{ chats = ["chat_id:42"] }"#
        ),
        Interface::Filter => template!(
            "filter",
            "is asked about every message that was admitted, and lets it pass, drops, reroutes or labels it.",
            r#"{ words = ["sale"] }"#
        ),
        Interface::Chunking => template!(
            "chunking",
            "cuts outgoing texts into messages. Only the first of its kind is asked.",
            "{ limit = 500 }"
        ),
    }
}

/// Writes the crate. Where that fails, nothing of it stays. Returns the files, by their paths in the crate.
pub fn create(new: &NewPolicy) -> Result<Vec<String>> {
    check_name(new.name)?;
    let folder = new.folder;
    ensure!(
        fs::symlink_metadata(folder).is_err(),
        "{} is there already: choose another name, or another folder with --dir",
        folder.display()
    );
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    let files = files(new)?;
    let beside = parent.join(format!(".{}.{}.partial", new.name, std::process::id()));
    let written = write(&beside, &files, new.sdk.is_none())
        .and_then(|()| fs::rename(&beside, folder).with_context(|| format!("create {}", folder.display())));
    if let Err(error) = written {
        // The first error is the one to tell.
        let _ = fs::remove_dir_all(&beside);
        return Err(error);
    }
    Ok(files.into_iter().map(|(name, _)| name.to_owned()).collect())
}

fn write(folder: &Path, files: &[(&str, String)], with_sdk: bool) -> Result<()> {
    for (name, content) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
        }
        fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
    }
    match with_sdk {
        true => sdk::write(&folder.join(sdk::FOLDER)),
        false => Ok(()),
    }
}

fn files(new: &NewPolicy) -> Result<Vec<(&'static str, String)>> {
    let template = template(new.kind);
    let sdk = match new.sdk {
        Some(path) => named_sdk(path)?.display().to_string(),
        None => sdk::FOLDER.to_owned(),
    };
    Ok(vec![
        ("Cargo.toml", manifest(new.name, &sdk)),
        ("src/lib.rs", template.source.to_owned()),
        ("cases.toml", template.cases.replace("THIS.wasm", &format!("{}.wasm", new.name))),
        ("README.md", readme(new, &template)),
        (".gitignore", "/target\n*.wasm\n".to_owned()),
    ])
}

/// Absolute, as the crate may be moved.
fn named_sdk(path: &Path) -> Result<PathBuf> {
    let path = path.canonicalize().with_context(|| format!("find the SDK in {}", path.display()))?;
    let manifest = super::manifest(&path)?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    ensure!(name == Some("imsgd-plugin"), "{} is not the SDK: its crate is no imsgd-plugin", path.display());
    Ok(path)
}

fn manifest(name: &str, sdk: &str) -> String {
    let sdk = toml::Value::String(sdk.to_owned());
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"
rust-version = "1.88"
publish = false

# What a component is made of. `imsgd plugin build` does the rest: target, profile, component.
[lib]
crate-type = ["cdylib"]

[dependencies]
imsgd-plugin = {{ path = {sdk} }}
serde = {{ version = "1", features = ["derive"] }}

# A workspace of its own, wherever the folder lies.
[workspace]
exclude = ["vendor"]
"#
    )
}

fn readme(new: &NewPolicy, template: &Template) -> String {
    let NewPolicy { name, kind, .. } = new;
    let vendored = match new.sdk {
        Some(_) => String::new(),
        None => format!(
            "\n`{}` is the SDK of the imsgd that made this crate. It belongs to the crate: commit it, do not edit it.\n\
             `imsgd plugin sdk` replaces it by that of a newer imsgd.\n",
            sdk::FOLDER
        ),
    };
    format!(
        r#"# {name}

A policy for imsgd. It is a {kind}: it {about}

```sh
cargo test                                  # natively, in a second
imsgd plugin build                          # compiles, checks, and writes {name}.wasm
imsgd plugin test {name}.wasm cases.toml    # what the component answers
cp {name}.wasm PLUGINS                      # the plugins folder: live at once, and again with each copy
```

`imsgd config path` tells where the configuration is; the plugins folder is `plugins` beside it. There, a table gives the
policy its own configuration, and its place among others:

```toml
[[plugin]]
name = "{name}"
path = "{name}.wasm"
config = {config}
```
{vendored}"#,
        kind = kind.name(),
        about = template.about,
        config = template.config,
    )
}

/// Names that would stand in the way: of Rust, of cargo, of the crates that every policy needs.
const TAKEN: [&str; 12] = [
    "alloc",
    "build",
    "core",
    "deps",
    "examples",
    "imsgd",
    "imsgd-plugin",
    "incremental",
    "proc_macro",
    "serde",
    "std",
    "test",
];

const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else enum extern false \
    final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self static struct \
    super trait true try type typeof unsafe unsized use virtual where while yield";

/// Is this a name for a policy? Much as cargo sees it, and no name of imsgd's own policies.
pub fn check_name(name: &str) -> Result<()> {
    let advice = "choose a name such as `quiet-hours`";
    ensure!(!name.is_empty(), "a policy needs a name: {advice}");
    ensure!(name.len() <= 64, "`{name}` is longer than 64 characters: {advice}");
    if let Some(odd) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(*c))) {
        bail!("`{name}` has {odd:?} in it, and may have small letters, digits, - and _: {advice}");
    }
    ensure!(name.starts_with(|c: char| c.is_ascii_lowercase()), "`{name}` does not begin with a letter: {advice}");
    ensure!(
        !KEYWORDS.split_whitespace().any(|word| word == name),
        "`{name}` is a word of Rust and cannot name a crate: {advice}"
    );
    ensure!(!TAKEN.contains(&name), "`{name}` is a name that cargo or the SDK needs: {advice}");
    ensure!(
        !BUNDLED.contains(&name),
        "`{name}` is one of imsgd's own policies, and a file of that name would not be loaded: try `my-{name}`"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_a_crates_is_refused_with_the_cause() {
        for name in ["quiet", "quiet-hours", "q2_x", "a"] {
            check_name(name).expect(name);
        }
        for (name, cause) in [
            ("", "needs a name"),
            ("Quiet", "'Q'"),
            ("quiet hours", "' '"),
            ("../up", "'.'"),
            ("a/b", "'/'"),
            ("stiller-bär", "'ä'"),
            ("2fast", "begin with a letter"),
            ("-rf", "begin with a letter"),
            ("match", "a word of Rust"),
            ("serde", "cargo or the SDK"),
            ("test", "cargo or the SDK"),
            ("pairing", "try `my-pairing`"),
            (&"x".repeat(65), "longer than 64"),
        ] {
            let error = check_name(name).expect_err(name).to_string();
            assert!(error.contains(cause), "{name}: {error}");
        }
    }

    #[test]
    fn a_crate_of_each_kind_is_whole() {
        let parent = tempfile::tempdir().unwrap();
        for kind in Interface::ALL {
            let name = format!("my-{}", kind.name());
            let folder = parent.path().join("deep").join(&name);
            let files = create(&NewPolicy { name: &name, kind, folder: &folder, sdk: None }).unwrap();
            assert_eq!(files, ["Cargo.toml", "src/lib.rs", "cases.toml", "README.md", ".gitignore"]);
            let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
            let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
            assert_eq!(manifest["package"]["name"].as_str(), Some(name.as_str()));
            assert_eq!(manifest["lib"]["crate-type"][0].as_str(), Some("cdylib"));
            let dependency = manifest["dependencies"]["imsgd-plugin"]["path"].as_str().unwrap();
            assert!(folder.join(dependency).join("Cargo.toml").is_file());
            let exported = format!(": {:?});", kind);
            assert!(read("src/lib.rs").contains(&exported), "{name} does not export {exported}");
            assert!(read("cases.toml").parse::<toml::Table>().unwrap().contains_key("case"));
            assert!(read("README.md").contains(&format!("path = \"{name}.wasm\"")));
            super::super::source_hash(&folder).expect("a crate that can be hashed");
        }
        assert_eq!(fs::read_dir(parent.path().join("deep")).unwrap().count(), 5, "nothing half-written");
    }

    #[test]
    fn what_is_there_already_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("quiet");
        fs::create_dir(&folder).unwrap();
        let new = NewPolicy { name: "quiet", kind: Interface::Filter, folder: &folder, sdk: None };
        let error = create(&new).unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_sdk_elsewhere_must_be_one_and_is_named_by_its_whole_path() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("quiet");
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/../plugins/sdk");
        let new = |sdk| create(&NewPolicy { name: "quiet", kind: Interface::Filter, folder: &folder, sdk: Some(sdk) });
        let error = new(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err().to_string();
        assert!(error.contains("is not the SDK"), "{error}");
        assert!(!folder.exists());
        new(&sdk).unwrap();
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        let path = manifest["dependencies"]["imsgd-plugin"]["path"].as_str().unwrap();
        assert_eq!(Path::new(path), sdk.canonicalize().unwrap());
        assert!(!folder.join("vendor").exists());
    }
}
