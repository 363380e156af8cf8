//! `imsgd serve` on a simulated Mac.

use std::fs;
use std::ops::Deref;
use std::process::{Child, ExitStatus};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Client, Home, eventually, signal, wait_for};

pub struct TestDaemon {
    home: Home,
    child: Child,
}

impl TestDaemon {
    /// On an empty database; see [`Home::new`] for the configuration.
    pub fn new(config: &str) -> TestDaemon {
        TestDaemon::start(Home::new(config))
    }

    /// Starts on `home`, and waits until messages are judged.
    pub fn start(home: Home) -> TestDaemon {
        let mut daemon = TestDaemon::start_without_waiting(home);
        daemon.wait_until_ready();
        daemon
    }

    pub fn start_without_waiting(home: Home) -> TestDaemon {
        let child = spawn(&home);
        TestDaemon { home, child }
    }

    /// Starts through a program that becomes it, which these words begin.
    pub fn start_through(home: Home, words: &[&str]) -> TestDaemon {
        let mut daemon = TestDaemon::spawn_through(home, words);
        daemon.wait_until_ready();
        daemon
    }

    /// The same, for one that cannot read its database.
    pub fn start_through_without_database(home: Home, words: &[&str]) -> TestDaemon {
        let mut daemon = TestDaemon::spawn_through(home, words);
        daemon.wait_until_listening();
        daemon
    }

    fn spawn_through(home: Home, words: &[&str]) -> TestDaemon {
        let command = home.command(&["serve"]);
        let mut through = std::process::Command::new(words[0]);
        through.args(&words[1..]).arg(command.get_program()).args(command.get_args());
        through.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        through.current_dir(home.path("")).stdin(std::process::Stdio::null());
        let child = spawn_command(&home, &mut through);
        TestDaemon { home, child }
    }

    /// Listens, has its policies in force and its place in the database.
    pub fn wait_until_ready(&mut self) {
        self.wait_until_listening();
        let mut client = self.connect();
        eventually("the policies are in force and the database is followed", || {
            let status = client.ok("status", json!({}));
            let has_plugins = status["imsgd"]["plugins"].as_array().is_some_and(|plugins| !plugins.is_empty());
            (has_plugins && !status["imsgd"]["head"].is_null()).then_some(())
        });
    }

    pub fn wait_until_listening(&mut self) {
        let socket = self.home.socket();
        let child = &mut self.child;
        let home = &self.home;
        eventually("imsgd listens", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("imsgd ended with {status}: {}", log(home));
            }
            // For a moment after a kill, a child that had yet to become osascript still has the old socket.
            let holder = imsgd::daemon::holder(&home.path("state/daemon.lock"));
            (holder.pid == child.id() && holder.socket.is_some()).then_some(())?;
            std::os::unix::net::UnixStream::connect(&socket).ok().map(drop)
        });
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A client that hears of everything that is delivered from now on.
    pub fn watch(&self) -> Client {
        let mut client = self.connect();
        // Which says where it begins, so that it is not taken for one that was here before.
        client.subscribe(json!({"buffer_limit": 4096, "since_rowid": 0}));
        client
    }

    pub fn status(&self) -> Value {
        self.connect().ok("status", json!({}))
    }

    pub fn plugin(&self, name: &str) -> Option<Value> {
        let listed = self.connect().ok("plugins.list", json!({}));
        listed["plugins"].as_array().unwrap().iter().find(|plugin| plugin["name"] == name).cloned()
    }

    pub fn reload(&self) -> Value {
        self.connect().ok("plugins.reload", json!({}))
    }

    pub fn log(&self) -> String {
        log(&self.home)
    }

    pub fn hang_up(&self) {
        signal(&self.child, Signal::HUP);
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn terminate(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.wait()
    }

    pub fn ask_to_stop(&self) {
        signal(&self.child, Signal::TERM);
    }

    pub fn wait(&mut self) -> ExitStatus {
        wait_for(&mut self.child, "imsgd serve")
    }

    /// Starts again on the same state.
    pub fn start_again(&mut self) {
        self.start_again_without_waiting();
        self.wait_until_ready();
    }

    pub fn start_again_without_waiting(&mut self) {
        self.child = spawn(&self.home);
    }
}

impl Deref for TestDaemon {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("imsgd said:\n{}", log(&self.home));
        }
    }
}

fn spawn(home: &Home) -> Child {
    spawn_command(home, &mut home.command(&["serve"]))
}

fn spawn_command(home: &Home, command: &mut std::process::Command) -> Child {
    let log = fs::File::options().create(true).append(true).open(home.path("daemon.log")).unwrap();
    command.stdout(std::process::Stdio::null()).stderr(log).spawn().expect("imsgd starts")
}

fn log(home: &Home) -> String {
    fs::read_to_string(home.path("daemon.log")).unwrap_or_default()
}
