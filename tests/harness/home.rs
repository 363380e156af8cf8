//! A simulated Mac: a home folder with a database, a configuration, plugins and an osascript, and nothing of the
//! machine that the tests run on.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use imsgd::sim::contacts::Card;
use imsgd::sim::osascript::{Settings, write_wrapper};
use imsgd::sim::{self, Incoming, Received};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Client, Injector, eventually, wait_for};

pub struct Home {
    folder: TempDir,
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub struct Answered {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A client that is a child process, as `imsgd rpc` is to a gateway.
pub struct Stdio {
    pub client: Client,
    pub child: Child,
}

impl Home {
    /// With an empty database and this text in the configuration, whose tables come last: keys such as
    /// `send.timeout_seconds = 1` go before them.
    pub fn new(config: &str) -> Home {
        let home = Home::without_database(config);
        home.make_database(0, 0);
        home
    }

    pub fn without_database(config: &str) -> Home {
        // Not the usual folder for temporary files, which on macOS has a path too long for a socket.
        let folder = tempfile::Builder::new().prefix("im").tempdir_in("/tmp").expect("a folder");
        let home = Home { folder };
        fs::create_dir(home.plugins()).unwrap();
        let settings =
            Settings { db: home.db(), behavior: Some(home.path("behavior.json")), sent: Some(home.path("sent.jsonl")) };
        write_wrapper(&home.path("osascript"), program(), &settings).unwrap();
        home.configure(config);
        home
    }

    /// Whose owner knows the friends: one on a card of the Mac, the other on one of an account.
    pub fn with_contacts(config: &str) -> Home {
        let home = Home::new(config);
        home.contact(&Card::new("Ann Example", &["(415) 555-0101"]));
        home.contact(&Card { source: Some("ICLOUD".into()), ..Card::new("Bob", &["+1 415 555 0102"]) });
        home
    }

    pub fn make_database(&self, chats: usize, messages: usize) {
        sim::init(&self.db(), &sim::Options { chats, messages, ..sim::Options::default() }).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn db(&self) -> PathBuf {
        self.path("chat.db")
    }

    /// In a folder that imsgd makes.
    pub fn socket(&self) -> PathBuf {
        self.path("run/s")
    }

    pub fn plugins(&self) -> PathBuf {
        self.path("plugins")
    }

    pub fn state_db(&self) -> PathBuf {
        self.path("state/state.db")
    }

    /// Replaces the configuration, in one step as editors do.
    pub fn configure(&self, config: &str) {
        // All of them, unless the test is about just that.
        let scopes = match config.contains("server.scopes") {
            true => "",
            false => "server.scopes = ['read', 'send', 'policy']\n",
        };
        let text = format!(
            "messages.db = '{}'\nmessages.osascript = '{}'\nserver.state_dir = '{}'\nserver.socket = '{}'\n\
             server.plugins_dir = '{}'\n{scopes}{config}",
            self.db().display(),
            self.path("osascript").display(),
            self.path("state").display(),
            self.socket().display(),
            self.plugins().display(),
        );
        self.replace(&self.path("config.toml"), text.as_bytes());
    }

    /// By a rename inside the folder.
    pub fn replace(&self, path: &Path, content: &[u8]) {
        let beside = path.with_extension("partial");
        fs::write(&beside, content).unwrap();
        fs::rename(&beside, path).unwrap();
    }

    pub fn add_plugin(&self, name: &str, component: &[u8]) {
        self.replace(&self.plugins().join(name), component);
    }

    /// The program with these arguments and our configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command_bare(arguments);
        command.args(["--config".as_ref(), self.path("config.toml").as_os_str()]);
        command
    }

    /// The program with only these arguments, and an environment that is only ours.
    pub fn command_bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", "/usr/bin:/bin")
            .env("TZ", "UTC");
        command.current_dir(self.folder.path()).stdin(std::process::Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Answered {
        finish(self.command(arguments), &arguments.join(" "))
    }

    /// Runs a command to its end, without `--config`.
    pub fn run_bare(&self, arguments: &[&str]) -> Answered {
        finish(self.command_bare(arguments), &arguments.join(" "))
    }

    /// Starts `imsgd` with these arguments as a client on stdio.
    pub fn stdio(&self, arguments: &[&str]) -> Stdio {
        self.stdio_of(&mut self.command(arguments))
    }

    pub fn stdio_of(&self, command: &mut Command) -> Stdio {
        let log = fs::File::options().create(true).append(true).open(self.path("stdio.log")).unwrap();
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("imsgd starts");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Stdio { client: Client::new(input, output), child }
    }

    pub fn connect(&self) -> Client {
        self.connect_to(&self.socket())
    }

    pub fn connect_to(&self, socket: &Path) -> Client {
        let stream = UnixStream::connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
        Client::new(stream.try_clone().unwrap(), stream)
    }

    /// Writes what arrives into the database.
    pub fn receive(&self, incoming: &Incoming) -> Received {
        sim::receive(&self.db(), incoming).unwrap()
    }

    pub fn receive_from(&self, sender: &str, text: &str) -> Received {
        self.receive(&Incoming::new(sender, text))
    }

    pub fn receive_in(&self, group: &str, sender: &str, text: &str) -> Received {
        self.receive(&Incoming { group: Some(group.to_owned()), ..Incoming::new(sender, text) })
    }

    /// Where macOS keeps it.
    pub fn address_book(&self) -> PathBuf {
        self.path("Library/Application Support/AddressBook")
    }

    pub fn contact(&self, card: &Card) {
        sim::contacts::add(&self.address_book(), card).unwrap();
    }

    pub fn injector(&self) -> Injector {
        Injector::start(self.command(&["sim", "receive", "--stdin", "--db", self.db().to_str().unwrap()]))
    }

    /// How osascript behaves from now on.
    pub fn osascript(&self, behavior: &Value) {
        self.replace(&self.path("behavior.json"), behavior.to_string().as_bytes());
    }

    /// What osascript was asked to send, one object for each call.
    pub fn sent(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("sent.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for the osascript call with this number, counted from 0.
    pub fn sent_call(&self, number: usize) -> Value {
        eventually("osascript is called", || self.sent().get(number).cloned())
    }

    /// How far the newest send has come, as it is written down.
    pub fn outbox_state(&self) -> Option<String> {
        self.state().query_row("SELECT state FROM outbox ORDER BY id DESC LIMIT 1", [], |row| row.get(0)).ok()
    }

    /// A plugin's table, made of the hostile guest with this configuration.
    pub fn hostile(config: &str) -> String {
        format!("[[plugin]]\nname = 'hostile'\npath = 'hostile.wasm'\nconfig = {{ {config} }}\n")
    }

    pub fn state(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.state_db()).unwrap()
    }

    /// Verdict, reason and decider of one message in the journal.
    pub fn journal(&self, guid: &str) -> Option<Value> {
        let query = "SELECT verdict, reason, decided_by, failed FROM journal WHERE guid = ?";
        let row = |row: &rusqlite::Row<'_>| {
            let (verdict, reason, by): (String, Option<String>, Option<String>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(json!({"verdict": verdict, "reason": reason, "decided_by": by, "failed": row.get::<_, bool>(3)?}))
        };
        self.state().query_row(query, [guid], row).ok()
    }
}

impl Stdio {
    /// Closes stdin and waits for the end.
    pub fn finish(&mut self) -> ExitStatus {
        self.client.close();
        wait_for(&mut self.child, "imsgd on stdio")
    }
}

impl Drop for Stdio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
pub fn finish(mut command: Command, what: &str) -> Answered {
    let piped = std::process::Stdio::piped;
    let mut child = command.stdout(piped()).stderr(piped()).spawn().expect("imsgd starts");
    let read = |mut stream: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text)
        })
    };
    let stdout = read(Box::new(child.stdout.take().unwrap()));
    let stderr = read(Box::new(child.stderr.take().unwrap()));
    let status = wait_for(&mut child, what);
    Answered { status, stdout: stdout.join().unwrap().unwrap(), stderr: stderr.join().unwrap().unwrap() }
}

pub fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    let _ = kill_process(pid, signal);
}

pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_imsgd"))
}
