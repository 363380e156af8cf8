//! What clients asked and what imsgd said, written down where `IMSGD_RECORD` names a folder, so that all of it can be
//! checked against the published protocol (`.ci/contract`).

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};

/// Records what was read without a [`super::Client`].
pub fn record(line: &Value) {
    if let Some(mut recorder) = Recorder::wanted() {
        recorder.said(line);
    }
}

pub struct Recorder {
    file: &'static File,
    /// Requests without an answer, by id.
    asked: HashMap<String, Value>,
}

impl Recorder {
    /// None unless somebody wants to know.
    pub fn wanted() -> Option<Recorder> {
        static FILE: OnceLock<Option<File>> = OnceLock::new();
        let open = || {
            let folder = PathBuf::from(std::env::var_os("IMSGD_RECORD")?);
            std::fs::create_dir_all(&folder).unwrap();
            let path = folder.join(format!("{}.jsonl", std::process::id()));
            Some(File::options().create(true).append(true).open(path).unwrap())
        };
        let file = FILE.get_or_init(open).as_ref()?;
        Some(Recorder { file, asked: HashMap::new() })
    }

    pub fn asked(&mut self, line: &str) {
        let Ok(request) = serde_json::from_str::<Value>(line) else { return };
        if request["jsonrpc"] == "2.0" && request["method"].is_string() && request.get("id").is_some() {
            self.asked.insert(request["id"].to_string(), request);
        }
    }

    pub fn said(&mut self, line: &Value) {
        let record = if line.get("method").is_some() {
            json!({"notification": line})
        } else {
            let Some(request) = self.asked.remove(&line["id"].to_string()) else { return };
            let kind = if line.get("error").is_some() { "error" } else { "result" };
            json!({"method": request["method"], "params": request.get("params"), kind: line[kind]})
        };
        // In one piece, since all clients of the process append to it.
        let mut file = self.file;
        file.write_all(format!("{record}\n").as_bytes()).unwrap();
    }
}
