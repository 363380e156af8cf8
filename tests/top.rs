//! `imsgd top`, on a terminal and without one.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{FRIEND, FRIENDS, Home, STRANGER, TestDaemon, eventually, wait_for};

/// A shell on a terminal of its own, which tells how the terminal is left.
struct Terminal {
    child: Child,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn start(home: &Home) -> Terminal {
        let config = home.path("config.toml");
        let top = format!("{} top --config {}", env!("CARGO_BIN_EXE_imsgd"), config.display());
        let script = format!(
            "stty rows 30 cols 100; sh -c 'echo \"pid=$$.\"; exec {top}'; echo \"ended=$?\"; stty -a; echo END"
        );
        let mut command = Command::new("script");
        match cfg!(target_os = "macos") {
            true => command.args(["-q", "/dev/null", "/bin/sh", "-c", &script]),
            false => command.args(["-qfec", &script, "/dev/null"]),
        };
        command.env_clear().env("HOME", home.path("")).env("PATH", "/usr/bin:/bin").env("TERM", "xterm-256color");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("script, of util-linux, is there");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (mut stdout, heard) = (child.stdout.take().unwrap(), said.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                heard.lock().unwrap().extend(&buffer[..count]);
            }
        });
        Terminal { child, said }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned()
    }

    /// Waits until all of these words were drawn.
    fn see(&self, words: &[&str]) {
        eventually(&format!("{words:?} are drawn"), || {
            let said = self.said();
            words.iter().all(|word| said.contains(word)).then_some(())
        });
    }

    fn press(&mut self, key: &str) {
        let keyboard = self.child.stdin.as_mut().unwrap();
        keyboard.write_all(key.as_bytes()).unwrap();
        keyboard.flush().unwrap();
    }

    fn pid(&self) -> Pid {
        let said = self.said();
        let pid = said.split("pid=").nth(1).and_then(|rest| rest.split('.').next()).unwrap();
        Pid::from_raw(pid.parse().unwrap()).unwrap()
    }

    /// The command has ended well, and the terminal is as it was.
    fn leaves_all_as_it_was(mut self) {
        self.see(&["END"]);
        let said = self.said();
        let after = said.split("ended=").nth(1).unwrap();
        assert!(after.starts_with('0'), "{after}");
        let words: Vec<&str> = after.split([' ', ';', '\r', '\n']).collect();
        for mode in ["icanon", "echo", "isig"] {
            assert!(words.contains(&mode), "{mode}: {after}");
        }
        let (shown, hidden) = (said.rfind("\x1b[?25h").unwrap(), said.rfind("\x1b[?25l").unwrap());
        let (left, entered) = (said.rfind("\x1b[?1049l").unwrap(), said.rfind("\x1b[?1049h").unwrap());
        assert!(shown > hidden && left > entered, "the cursor or the other screen stayed");
        self.child.stdin.take();
        wait_for(&mut self.child, "script");
    }
}

#[test]
fn on_a_terminal_it_counts_what_the_daemon_does_and_leaves_all_as_it_was() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    let mut terminal = Terminal::start(&daemon);
    terminal.see(&["imsgd top", &format!("process {}", daemon.pid()), "0 judged", "1; waiting for each", "0/4096"]);
    for number in 0..3 {
        daemon.receive_from(FRIEND, &format!("message {number}"));
    }
    daemon.receive_from(STRANGER, "not for you");
    client.texts(3);
    client.ok("send", json!({"to": FRIEND, "text": "answer"}));
    terminal.see(&["3 delivered", "1 rejected", " in the last minute", "of the last 1: 1 seen, 0 failed"]);
    terminal.press("x");
    daemon.receive_from(FRIEND, "one more");
    terminal.see(&["4 delivered"]);
    terminal.press("q");
    let said = terminal.said();
    let frame = said.rsplit("\x1b[H").next().unwrap();
    assert!(frame.lines().count() <= 30 && frame.contains("allowlist"), "{frame}");
    terminal.leaves_all_as_it_was();
}

#[test]
fn however_it_is_ended_it_leaves_all_as_it_was() {
    let daemon = TestDaemon::new(FRIENDS);
    let ends: [fn(&mut Terminal); 3] = [
        |terminal| terminal.press("\x03"),
        |terminal| kill_process(terminal.pid(), Signal::TERM).unwrap(),
        |terminal| kill_process(terminal.pid(), Signal::INT).unwrap(),
    ];
    for end in ends {
        let mut terminal = Terminal::start(&daemon);
        terminal.see(&["imsgd top", "plugins"]);
        end(&mut terminal);
        terminal.leaves_all_as_it_was();
    }
}

#[test]
fn a_daemon_that_ends_is_waited_for() {
    let mut daemon = TestDaemon::new(FRIENDS);
    let mut terminal = Terminal::start(&daemon);
    terminal.see(&["imsgd top"]);
    daemon.terminate();
    terminal.see(&["no answer: no imsgd answers on "]);
    daemon.start_again();
    terminal.see(&[&format!("process {}", daemon.pid())]);
    terminal.press("q");
    terminal.leaves_all_as_it_was();
}

#[test]
fn without_a_terminal_it_prints_one_frame_and_ends() {
    let daemon = TestDaemon::new(FRIENDS);
    let mut client = daemon.watch();
    daemon.receive_from(FRIEND, "hello");
    client.texts(1);
    for line in [&["top"][..], &["top", "--once"]] {
        let once = daemon.run(line);
        assert_eq!((once.status.code(), once.stderr.as_str()), (Some(0), ""), "{once:?}");
        for words in ["1 judged", "1 delivered", "lag          Messages ", "1; waiting for each", "allowlist"] {
            assert!(once.stdout.contains(words), "{words}: {}", once.stdout);
        }
        assert!(!once.stdout.contains('\x1b') && once.stdout.lines().count() <= 24, "{}", once.stdout);
    }
}

#[test]
fn what_top_cannot_do_is_said() {
    let home = Home::new(FRIENDS);
    let none = home.run(&["top", "--once"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(none.stderr.contains("start one with `imsgd serve`"), "{none:?}");
    let json = home.run(&["top", "--json"]);
    assert!(json.stderr.contains("imsgd status --json"), "{json:?}");
}
