//! The bundled `allowlist` as its author would edit it: built again after a change of its source.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::components::{build, wasm_target};

/// Where the edited source differs: the first line of the function that decides.
const DECIDES: &str = "fn admit(&self, message: &Message) -> Admission {\n";

/// As `plugins/Cargo.toml` has it, for a crate of its own.
const MANIFEST: &str = "[workspace]\n[package]\nname = 'edited'\nversion = '0.1.0'\nedition = '2024'\n\
    [lib]\ncrate-type = ['cdylib']\n[dependencies]\nserde = { version = '1', features = ['derive'] }\n";

/// A crate that is edited and built, beside what is compiled for it.
pub struct Edited {
    folder: PathBuf,
    source: String,
}

impl Edited {
    pub fn prepare() -> Result<Edited> {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins");
        let workspace: toml::Table = fs::read_to_string(plugins.join("Cargo.toml"))?.parse()?;
        let mut manifest: toml::Table = MANIFEST.parse()?;
        manifest.insert("profile".to_owned(), workspace.get("profile").context("no profile")?.clone());
        let sdk = toml::Table::from_iter([("path".to_owned(), plugins.join("sdk").display().to_string().into())]);
        let dependencies = manifest.get_mut("dependencies").and_then(toml::Value::as_table_mut).context("a table")?;
        dependencies.insert("imsgd-plugin".to_owned(), sdk.into());
        let folder = wasm_target()?.join("bench/edited");
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), toml::to_string(&manifest)?)?;
        // Of the versions that are tested.
        fs::copy(plugins.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        let source = fs::read_to_string(plugins.join("allowlist/src/lib.rs"))?;
        source.find(DECIDES).context("the allowlist decides elsewhere now")?;
        Ok(Edited { folder, source })
    }

    /// The component after the edit of this number. Each changes code, and the length of a text that comes before others.
    pub fn build(&self, number: usize) -> Result<Vec<u8>> {
        let words = "unsubscribe ".repeat(number + 1);
        let refusal =
            format!("if message.text() == {words:?} {{ return Admission::Reject(\"unsubscribes\".into()); }}\n");
        let source = self.source.replace(DECIDES, &format!("{DECIDES}{refusal}"));
        fs::write(self.folder.join("src/lib.rs"), source)?;
        let out = self.folder.join("edited.wasm");
        build(&self.folder, &out)?;
        Ok(fs::read(out)?)
    }
}
