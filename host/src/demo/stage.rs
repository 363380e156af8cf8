//! What the demo plays on: a temporary folder with a simulated Messages, and a real daemon on it.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::client::Client;
use super::{FRIEND, FRIEND_NAME, GROUP};
use crate::sim::contacts::{self, Card};
use crate::sim::{self, Incoming, Session, osascript};

/// A policy that does what its configuration says: counts, or loops.
const PLUGIN: &[u8] = include_bytes!("../../../plugins/dist/guests/hostile.wasm");

/// How long a state of the daemon is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub struct Stage {
    folder: PathBuf,
    program: PathBuf,
    daemon: Child,
    session: Session,
    is_kept: bool,
}

impl Stage {
    pub fn set() -> Result<Stage> {
        let folder = std::env::temp_dir().join(format!("imsgd-demo-{}", std::process::id()));
        let program = std::env::current_exe()?;
        title("Setting the stage");
        furnish(&folder, &program, &config(&folder, "loop"))?;
        let database = folder.join("chat.db");
        fs::write(folder.join("plugins/counter.wasm"), PLUGIN)?;
        fs::write(folder.join("plugins/looper.wasm"), PLUGIN)?;
        say(
            "A simulated Messages database, Contacts with one card, and a configuration that allows its owner to write.",
        );
        let log = fs::File::create(folder.join("daemon.log"))?;
        let mut daemon = Command::new(&program);
        daemon.args(["serve", "--config"]).arg(folder.join("config.toml")).stdin(Stdio::null()).stderr(log);
        let daemon = daemon.spawn().context("the daemon did not start")?;
        let session = Session::open(&database)?;
        let mut stage = Stage { folder, program, daemon, session, is_kept: false };
        let mut client = stage.connect()?;
        stage.wait_for_plugin(&mut client, "chunking", |plugin| plugin["state"] == "ready")?;
        stage.until("the contacts to be read", |_| {
            let status = client.call("status", json!({}))?;
            Ok((status["contacts"]["available"] == true).then_some(()))
        })?;
        Ok(stage)
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("state/imsgd.sock")
    }

    pub fn connect(&mut self) -> Result<Client> {
        let stream = self.until("the daemon to listen", |stage| Ok(UnixStream::connect(stage.socket()).ok()))?;
        Ok(Client::new(stream.try_clone()?, stream))
    }

    /// Where the owner's commands are served.
    pub fn connect_as_owner(&self) -> Result<Client> {
        let stream = UnixStream::connect(self.folder.join("state/owner.sock")).context("the daemon is gone")?;
        Ok(Client::new(stream.try_clone()?, stream))
    }

    /// Looks again and again, until there is something or patience ends.
    fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Stage) -> Result<Option<T>>) -> Result<T> {
        let began = Instant::now();
        loop {
            if let Some(found) = look(self)? {
                return Ok(found);
            }
            if let Some(status) = self.daemon.try_wait()? {
                bail!("the daemon ended with {status}: {}", fs::read_to_string(self.folder.join("daemon.log"))?);
            }
            ensure!(began.elapsed() < PATIENCE, "waited {} s for {what}", PATIENCE.as_secs());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn wait_for_plugin(
        &mut self,
        client: &mut Client,
        name: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        self.until(&format!("the plugin {name}"), |_| {
            let list = client.call("plugins.list", json!({}))?;
            let plugins = list["plugins"].as_array().cloned().unwrap_or_default();
            Ok(plugins.into_iter().find(|plugin| plugin["name"] == name && is_so(plugin)))
        })
    }

    pub fn receive(&mut self, incoming: &Incoming) -> Result<()> {
        let from = incoming.from.as_deref().unwrap_or_default();
        let place = if incoming.group.is_some() { " in the group \"Trip\"" } else { "" };
        say(&format!("{from} writes{place}: \"{}\"", incoming.text));
        self.session.receive(incoming)?;
        Ok(())
    }

    /// Writes messages from another process, one commit each.
    pub fn inject_in_the_background(&self, from: &str, text: &str, count: usize) -> Result<Injector> {
        let mut child = Command::new(&self.program)
            .args(["sim", "receive", "--stdin", "--db"])
            .arg(self.folder.join("chat.db"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let mut stdin = child.stdin.take().context("no pipe")?;
        let (from, text) = (from.to_owned(), text.to_owned());
        let writer = std::thread::spawn(move || -> Result<()> {
            for number in 0..count {
                writeln!(stdin, "{}", json!({"from": from, "text": format!("{text} {number}")}))?;
                stdin.flush()?;
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        });
        Ok(Injector { child, writer })
    }

    /// Puts another version of the counting plugin in place of the one that runs.
    pub fn replace_counter(&self) -> Result<()> {
        let mut newer = PLUGIN.to_vec();
        // A custom section changes nothing but makes it another file: id 0, size 6, a name of 4 bytes, one byte.
        newer.extend_from_slice(&[0, 6, 4, b'd', b'e', b'm', b'o', b'2']);
        let beside = self.folder.join("plugins/.counter.partial");
        fs::write(&beside, newer)?;
        fs::rename(beside, self.folder.join("plugins/counter.wasm"))?;
        Ok(())
    }

    pub fn mend_looper(&self) -> Result<()> {
        fs::write(self.folder.join("config.toml"), config(&self.folder, "pass"))?;
        Ok(())
    }

    /// What a command of ours prints.
    pub fn imsgd(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.program)
            .args(arguments)
            .arg("--config")
            .arg(self.folder.join("config.toml"))
            .stdin(Stdio::null())
            .output()?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub fn rpc_child(&self) -> Result<(Child, Client)> {
        let mut child = Command::new(&self.program)
            .args(["rpc", "--json", "--db"])
            .arg(self.folder.join("chat.db"))
            .arg("--config")
            .arg(self.folder.join("config.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdout.take().context("no pipe")?, child.stdin.take().context("no pipe")?);
        Ok((child, Client::new(input, output)))
    }

    /// A child that does not end is a failure, not a reason to wait for ever.
    pub fn wait_for_end(&mut self, child: &mut Child) -> Result<ExitStatus> {
        let ended = self.until("imsgd rpc to end with its client", |_| Ok(child.try_wait()?));
        if ended.is_err() {
            let _ = child.kill();
        }
        ended
    }

    /// How many times osascript was asked to write to the chat of `address`.
    pub fn sent_count(&self, address: &str) -> Result<usize> {
        let sent = fs::read_to_string(self.folder.join("sent.jsonl"))?;
        let calls = sent.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_to =
            |call: &Value| call["chat"].as_str().or(call["recipient"].as_str()).is_some_and(|to| to.ends_with(address));
        Ok(calls.filter(is_to).count())
    }

    /// Goes on until the daemon is ended from outside.
    pub fn keep(&mut self) -> Result<()> {
        self.is_kept = true;
        let folder = self.folder.display();
        say(&format!("The daemon goes on. Socket: {}", self.socket().display()));
        say(&format!(
            "Write to it:  {} sim receive --db {folder}/chat.db --from {FRIEND} --text hello",
            self.program.display()
        ));
        say(&format!("See it:       {} status --config {folder}/config.toml", self.program.display()));
        say("Ctrl-C ends it.");
        self.daemon.wait()?;
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.is_kept {
            let pid = i32::try_from(self.daemon.id()).ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            let _ = self.daemon.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Messages that another process writes meanwhile.
pub struct Injector {
    child: Child,
    writer: JoinHandle<Result<()>>,
}

impl Injector {
    pub fn finish(mut self) -> Result<()> {
        if let Ok(written) = self.writer.join() {
            written?;
        }
        ensure!(self.child.wait()?.success(), "the injector failed");
        Ok(())
    }
}

/// A database, Contacts with one card, an osascript, a folder for plugins and a configuration.
pub(super) fn furnish(folder: &Path, program: &Path, config: &str) -> Result<()> {
    fs::create_dir_all(folder.join("plugins"))?;
    let database = folder.join("chat.db");
    sim::init(&database, &sim::Options::default())?;
    contacts::add(&folder.join("AddressBook"), &Card::new(FRIEND_NAME, &[FRIEND]))?;
    let sent = Some(folder.join("sent.jsonl"));
    let settings = osascript::Settings { db: database, behavior: None, sent };
    osascript::write_wrapper(&folder.join("osascript"), program, &settings)?;
    fs::write(folder.join("config.toml"), config)?;
    Ok(())
}

/// The tables of a configuration by which imsgd works on what is in `folder`.
pub(super) fn simulated(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"[messages]
db = "{folder}/chat.db"
osascript = "{folder}/osascript"
contacts = "{folder}/AddressBook"

[server]
state_dir = "{folder}/state"
plugins_dir = "{folder}/plugins"
"#
    )
}

fn config(folder: &Path, looper: &str) -> String {
    let simulated = simulated(folder);
    format!(
        r#"{simulated}
[policy]
allow_from = ["{FRIEND}"]
groups."{GROUP}" = {{ require_mention = true }}

[[plugin]]
name = "counter"
path = "counter.wasm"
config = {{ on_filter = "count" }}

[[plugin]]
name = "looper"
path = "looper.wasm"
config = {{ on_filter = "{looper}", only_text = "spin" }}
"#
    )
}

/// 9,000 characters with paragraphs and code, as an assistant writes them.
pub fn essay() -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < 8_400 {
        number += 1;
        text.push_str(&format!(
            "Step {number}. Read the table from the top, and stop where the first row differs from the one that you \
             have. What follows is the same for every row.\n\n```sh\nfor row in $(seq 1 {number}); do\n    echo \
             \"row $row\"\n    compare --strict \"$row\" \"$row.old\"\ndone\n```\n\n"
        ));
    }
    while text.len() < 9_000 {
        text.push_str("That is all. ");
    }
    text.truncate(9_000);
    text
}

pub fn title(text: &str) {
    print(&format!("\n== {text}\n"));
}

pub fn say(text: &str) {
    print(&format!("{text}\n"));
}

pub fn indented(text: &str) {
    for line in text.lines() {
        print(&format!("  {line}\n"));
    }
}

pub fn arrives(message: &Value) {
    let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
    let policy = &message["policy"];
    let held = if policy["held"] == true { ", held before" } else { "" };
    let (route, by) = (policy["route"].as_str().unwrap_or("-"), policy["decided_by"].as_str().unwrap_or("-"));
    let who = message["sender_name"].as_str().map_or_else(|| text("sender"), str::to_owned);
    print(&format!("  gateway <- {who}: \"{}\"  [route {route}, decided by {by}{held}]\n", text("text")));
}

pub fn sent(message: &Value) {
    let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
    print(&format!("  imsgd -> {}: \"{}\"\n", text("chat_identifier"), text("text")));
}

fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
