//! The daemon under measurement, on a simulated database, and one client of it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The program as `cargo bench` has built it: optimized.
pub const IMSGD: &str = env!("CARGO_BIN_EXE_imsgd");

/// The same seed gives the same messages in every run.
const SEED: &str = "7";

pub struct Server {
    folder: TempDir,
    child: Child,
}

impl Server {
    /// Makes a database of this size with `imsgd sim init`, and serves it with all four policies.
    pub fn start(chats: usize, messages: usize) -> Result<Server> {
        let config = "[server]\nscopes = ['read', 'policy']\n[policy]\nallow_from = ['*']\ndm_policy = 'open'\n";
        Server::configured(chats, messages, config)
    }

    pub fn configured(chats: usize, messages: usize, config: &str) -> Result<Server> {
        Server::with(chats, messages, config, 4)
    }

    /// With a configuration that has so many policies.
    pub fn with(chats: usize, messages: usize, config: &str, policies: usize) -> Result<Server> {
        let folder = tempfile::tempdir()?;
        let db = folder.path().join("chat.db");
        let made = Command::new(IMSGD)
            .args(["sim", "init", "--seed", SEED, "--chats", &chats.to_string(), "--messages", &messages.to_string()])
            .arg("--db")
            .arg(&db)
            .status()?;
        ensure!(made.success(), "imsgd sim init: {made}");
        fs::write(folder.path().join("config.toml"), config)?;
        let child = Command::new(IMSGD)
            .args(["serve", "--log-level", "error", "--db"])
            .arg(&db)
            .arg("--socket")
            .arg(folder.path().join("imsgd.sock"))
            .arg("--config")
            .arg(folder.path().join("config.toml"))
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .stdout(Stdio::null())
            .spawn()?;
        let server = Server { folder, child };
        server.wait_until_ready(policies)?;
        Ok(server)
    }

    fn wait_until_ready(&self, policies: usize) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            if let Ok(mut client) = self.connect()
                && !client.call("status", json!({}))?["imsgd"]["head"].is_null()
                && client.call("plugins.list", json!({}))?["plugins"]
                    .as_array()
                    .is_some_and(|list| list.len() == policies)
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the daemon was not ready within a minute")
    }

    pub fn connect(&self) -> Result<Client> {
        let stream = UnixStream::connect(self.folder.path().join("imsgd.sock"))?;
        Ok(Client { reader: BufReader::with_capacity(256 << 10, stream.try_clone()?), writer: stream })
    }

    pub fn db(&self) -> std::path::PathBuf {
        self.folder.path().join("chat.db")
    }

    /// Where Linux tells of the daemon.
    pub fn proc(&self) -> std::path::PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }

    /// What the daemon has run on processors, from Linux's `/proc`; none elsewhere.
    pub fn processor_time(&self) -> Option<Duration> {
        let tasks = self.proc().join("task");
        let mut nanoseconds = 0;
        for task in fs::read_dir(tasks).ok()? {
            // A thread may end meanwhile; what it ran is not counted.
            let stat = fs::read_to_string(task.ok()?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += stat.split_whitespace().next().and_then(|time| time.parse().ok()).unwrap_or(0u64);
        }
        Some(Duration::from_nanos(nanoseconds))
    }

    /// How often the daemon has read from files and sockets, from Linux's `/proc`; none elsewhere.
    pub fn reads(&self) -> Option<u64> {
        let io = fs::read_to_string(self.proc().join("io")).ok()?;
        io.lines().find_map(|line| line.strip_prefix("syscr: ")?.parse().ok())
    }

    /// Resident memory in KiB: the most there ever was, and now. From Linux's `/proc`; none elsewhere.
    pub fn memory(&self) -> Option<(u64, u64)> {
        let status = fs::read_to_string(self.proc().join("status")).ok()?;
        let kib = |name: &str| {
            status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        };
        Some((kib("VmHWM:")?, kib("VmRSS:")?))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the notification of a message begins.
const MESSAGE: &str = r#"{"jsonrpc":"2.0","method":"message""#;

pub struct Client {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Client {
    /// The line of the answer, unread: what reading it costs is the client's. Notifications before it are passed over.
    pub fn ask(&mut self, method: &str, params: &Value) -> Result<String> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.writer.write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        while line.is_empty() || line.starts_with(r#"{"jsonrpc":"2.0","method""#) {
            line.clear();
            ensure!(self.reader.read_line(&mut line)? > 0, "{method}: the daemon has ended");
        }
        ensure!(!line.contains("\"error\":{"), "{method} {params}: {line}");
        Ok(line)
    }

    /// The line of the next message.
    pub fn notification(&mut self) -> Result<String> {
        let mut line = String::new();
        while !line.starts_with(MESSAGE) {
            line.clear();
            ensure!(self.reader.read_line(&mut line)? > 0, "the daemon has ended");
            ensure!(!line.contains(r#""method":"stream."#), "{line}");
        }
        Ok(line)
    }

    /// The next line, whatever it is.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.reader.read_line(&mut line)? > 0, "the daemon has ended");
        Ok(line)
    }

    /// Reads until so many messages have come, and tells when the last was there, in nanoseconds.
    pub fn count(&mut self, messages: usize) -> Result<i64> {
        let mut line = Vec::new();
        let mut counted = 0;
        while counted < messages {
            line.clear();
            ensure!(self.reader.read_until(b'\n', &mut line)? > 0, "the daemon has ended");
            counted += usize::from(line.starts_with(MESSAGE.as_bytes()));
        }
        Ok(jiff::Timestamp::now().as_nanosecond() as i64)
    }

    pub fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        let mut answer: Value = serde_json::from_str(&self.ask(method, &params)?).context("an answer")?;
        Ok(answer["result"].take())
    }
}
