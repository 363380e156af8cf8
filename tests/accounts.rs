//! Several accounts of one person: each with its own database, configuration, state, socket and daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use imsgd::sim::osascript::{Settings, write_wrapper};
use imsgd::sim::{self, Incoming, Options};
use serde_json::{Value, json};

use crate::harness::{Client, FRIEND, FRIENDS, Home, eventually, finish, program};

/// A home folder with accounts.
struct Person {
    home: Home,
}

/// The daemon of one account, ended with this.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Person {
    fn new(accounts: &[&str]) -> Person {
        let person = Person { home: Home::without_database("") };
        for name in accounts {
            person.add(name);
        }
        person
    }

    /// An account with a database and an osascript of its own.
    fn add(&self, name: &str) {
        fs::create_dir_all(self.folder(name)).unwrap();
        sim::init(&self.db(name), &Options { chats: 0, messages: 0, ..Options::default() }).unwrap();
        let sent = Some(self.home.path(&format!("{name}.jsonl")));
        let osascript = self.home.path(&format!("{name}.osascript"));
        write_wrapper(&osascript, program(), &Settings { db: self.db(name), behavior: None, sent }).unwrap();
        let text = format!(
            "messages.db = '{}'\nmessages.osascript = '{}'\n{FRIENDS}",
            self.db(name).display(),
            osascript.display()
        );
        fs::write(self.folder(name).join("config.toml"), text).unwrap();
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.home.path(".config/imsgd/accounts").join(name)
    }

    fn db(&self, name: &str) -> PathBuf {
        self.home.path(&format!("{name}.db"))
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.home.path(".local/state/imsgd/accounts").join(name).join("imsgd.sock")
    }

    fn serve(&self, name: &str, arguments: &[&str]) -> Serving {
        let log = fs::File::options().create(true).append(true).open(self.home.path("daemon.log")).unwrap();
        let serving = Serving(self.home.command_bare(arguments).stderr(log).spawn().unwrap());
        eventually("it listens and follows", || {
            let stream = std::os::unix::net::UnixStream::connect(self.socket(name)).ok()?;
            let mut client = Client::new(stream.try_clone().unwrap(), stream);
            let status = client.ok("status", json!({}));
            let has_plugins = status["imsgd"]["plugins"].as_array().is_some_and(|plugins| !plugins.is_empty());
            (has_plugins && !status["imsgd"]["head"].is_null()).then_some(())
        });
        serving
    }

    fn receives(&self, name: &str, text: &str) {
        sim::receive(&self.db(name), &Incoming::new(FRIEND, text)).unwrap();
    }

    fn sent(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.home.path(&format!("{name}.jsonl"))).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn pid(&self, command: Command) -> u64 {
        let status = finish(command, "status");
        let status: Value = serde_json::from_str(&status.stdout).unwrap_or_else(|_| panic!("{status:?}"));
        status["imsgd"]["pid"].as_u64().unwrap_or_else(|| panic!("{status}"))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn two_accounts_are_served_at_once_and_each_client_meets_its_own() {
    let person = Person::new(&["ann", "bot"]);
    let ann = person.serve("ann", &["serve", "--account", "ann"]);
    let bot = person.serve("bot", &["--account", "bot", "serve"]);
    let mut clients = ["ann", "bot"].map(|name| {
        let mut rpc = person.home.stdio_of(&mut person.home.command_bare(&["rpc", "--account", name]));
        rpc.client.subscribe(json!({"consumer": "gateway", "ack": true}));
        rpc
    });
    for (name, rpc) in ["ann", "bot"].iter().zip(&mut clients) {
        person.receives(name, &format!("to {name}"));
        assert_eq!(rpc.client.texts(1), [format!("to {name}")]);
        rpc.client.ok("send", json!({"to": FRIEND, "text": format!("from {name}")}));
        assert_eq!(person.sent(name).len(), 1, "{name}");
    }
    assert_eq!(clients[0].finish().code(), Some(0));
    // Commands, by option and by environment; the option counts.
    let mut command = person.home.command_bare(&["status", "--json"]);
    command.env("IMSGD_ACCOUNT", "bot");
    assert_eq!(person.pid(command), u64::from(bot.0.id()));
    let mut command = person.home.command_bare(&["status", "--json", "--account", "ann"]);
    command.env("IMSGD_ACCOUNT", "bot");
    assert_eq!(person.pid(command), u64::from(ann.0.id()));
    let history = person.home.run_bare(&["history", "--chat-id", "1", "--account", "bot"]);
    assert!(history.stdout.contains("to bot") && !history.stdout.contains("to ann"), "{history:?}");
    let changed = person.home.run_bare(&["config", "set", "policy.dm_scope", "peer", "--account", "ann"]);
    assert!(changed.status.success() && changed.stdout.contains("in force now"), "{changed:?}");
    assert!(!fs::read_to_string(person.folder("bot").join("config.toml")).unwrap().contains("dm_scope"));
    // What is the person's own, without an account, is neither.
    assert!(!person.home.path(".local/state/imsgd/imsgd.sock").exists());
}

#[test]
fn a_gateway_that_only_names_the_database_meets_the_daemon_of_its_account() {
    let person = Person::new(&["ann", "bot"]);
    let daemons = [
        person.serve("ann", &["serve", "--account", "ann"]),
        person.serve("bot", &["serve", "--db", text(&person.db("bot"))]),
    ];
    for (name, daemon) in ["ann", "bot"].iter().zip(&daemons) {
        let db = person.db(name);
        // As `channels.imessage.accounts.<id>` has it, with the same cliPath for both.
        let spawned = ["rpc", "--json", "--db", text(&db)];
        let mut rpc = person.home.stdio_of(&mut person.home.command_bare(&spawned));
        let status = rpc.client.ok("status", json!({}));
        assert_eq!(status["imsgd"]["pid"], daemon.0.id(), "{name}");
        assert_eq!(status["database"]["path"], text(&db));
        assert_eq!(rpc.finish().code(), Some(0));
    }
    // The daemon that was started by its database is that account's, and follows its configuration.
    let changed = person.home.run_bare(&["config", "set", "policy.dm_scope", "peer", "--account", "bot"]);
    assert!(changed.stdout.contains("in force now"), "{changed:?}");
    let mut rpc = person.home.stdio_of(&mut person.home.command_bare(&["rpc", "--account", "bot"]));
    person.receives("bot", "by sender");
    rpc.client.subscribe(json!({"since_rowid": -1}));
    assert_eq!(rpc.client.message()["policy"]["route"], format!("dm:{FRIEND}"));
}

#[test]
fn a_gateway_with_two_databases_and_no_accounts_meets_two_daemons() {
    let first = Home::new(FRIENDS);
    let second = Home::new("");
    let spawn = |db: &Path| {
        let mut rpc = first.stdio_of(&mut first.command_bare(&["rpc", "--json", "--db", text(db)]));
        assert_eq!(rpc.client.ok("status", json!({}))["database"]["path"], text(db));
        rpc
    };
    let (mut one, mut two) = (spawn(&first.db()), spawn(&second.db()));
    let pid = |rpc: &mut crate::harness::Stdio| rpc.client.ok("status", json!({}))["imsgd"]["pid"].clone();
    assert_ne!(pid(&mut one), pid(&mut two));
    // A second child of each is served by the first.
    let mut again = spawn(&second.db());
    assert_eq!(pid(&mut again), pid(&mut two));
    for mut rpc in [again, two, one] {
        assert_eq!(rpc.finish().code(), Some(0));
    }
}

#[test]
fn what_names_no_account_is_refused_in_words() {
    let person = Person::new(&["ann", "bot"]);
    let refused = |mut command: Command, words: &str| {
        command.env_remove("IMSGD_CONFIG");
        let answer = finish(command, words);
        assert_eq!(answer.status.code(), Some(1), "{answer:?}");
        assert!(answer.stderr.contains(words), "{words}: {answer:?}");
    };
    let bare = |arguments: &[&str]| person.home.command_bare(arguments);
    refused(bare(&["chats", "--account", "work"]), "there is no account `work`");
    refused(bare(&["chats", "--account", "work"]), "There are: ann, bot.");
    refused(bare(&["serve", "--account", "../ann"]), "`../ann` is no name of an account");
    refused(person.home.command(&["chats", "--account", "ann"]), "--config and --account both name a configuration");
    let mut both = bare(&["chats"]);
    both.env("IMSGD_CONFIG", "/c.toml").env("IMSGD_ACCOUNT", "ann");
    let both = finish(both, "chats");
    assert!(both.stderr.contains("IMSGD_CONFIG and IMSGD_ACCOUNT both name a configuration"), "{both:?}");
    refused(bare(&["install", "--dry-run", "--account", "ann"]), "for the imsgd without an account");
    refused(bare(&["uninstall", "--dry-run", "--account", "ann"]), "for the imsgd without an account");
    let config = person.folder("ann").join("config.toml");
    fs::write(&config, FRIENDS).unwrap();
    refused(bare(&["serve", "--account", "ann"]), "says which database it is for");
    fs::write(&config, format!("messages.db = '{}'\n", person.db("bot").display())).unwrap();
    refused(bare(&["rpc", "--db", text(&person.db("bot"))]), "is the database of two accounts, ann and bot");
    assert!(!person.home.path(".local/state/imsgd/accounts").exists(), "nothing began");
}

#[test]
fn the_longest_name_of_an_account_leaves_room_for_its_socket() {
    let name = "a-name.of_thirty-two_bytes-000001";
    let name = &name[..32];
    let person = Person::new(&[name]);
    let path = person.home.run_bare(&["config", "path", "--account", name]);
    assert_eq!(path.stdout.trim(), text(&person.folder(name).join("config.toml")));
    let _serving = person.serve(name, &["serve", "--account", name]);
    // With the longest names that macOS gives to users.
    let below_home = person.socket(name).strip_prefix(person.home.path("")).unwrap().to_owned();
    assert!(Path::new("/Users/aaaaaaaaaaaaaaaaaaaa").join(below_home).as_os_str().len() <= 103);
}

#[test]
fn an_account_begins_with_the_gateways_or_with_its_database() {
    let person = Person::new(&[]);
    let bare = |arguments: &[&str]| person.home.run_bare(arguments);
    let begun = bare(&["config", "set", "messages.db", "/mac/bot.db", "--account", "bot"]);
    assert!(begun.status.success(), "{begun:?}");
    assert_eq!(bare(&["config", "get", "messages.db", "--account", "bot"]).stdout, "/mac/bot.db\n");
    let gateway = person.home.path("openclaw.json");
    let accounts = json!({"default": {}, "work": {"allowFrom": [FRIEND]}});
    fs::write(&gateway, json!({"channels": {"imessage": {"accounts": accounts}}}).to_string()).unwrap();
    let import = bare(&["config", "import", text(&gateway), "--account", "work", "--write"]);
    assert!(import.status.success(), "{import:?}");
    let written = fs::read_to_string(person.folder("work").join("config.toml")).unwrap();
    assert!(written.contains(FRIEND) && written.contains("~/Library/Messages/chat.db"), "{written}");
    assert!(bare(&["config", "check", "--account", "work"]).status.success());
}

#[test]
fn the_daemon_of_one_account_never_answers_for_another_that_names_the_same_socket() {
    let person = Person::new(&["ann", "bot"]);
    let shared = person.home.path("shared.sock");
    for name in ["ann", "bot"] {
        let file = person.folder(name).join("config.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("server.socket = '{}'\n{text}", shared.display())).unwrap();
    }
    let ann = Serving(person.home.command_bare(&["serve", "--account", "ann"]).spawn().unwrap());
    eventually("it listens", || shared.exists().then_some(()));
    assert_eq!(person.pid(person.home.command_bare(&["status", "--json", "--account", "ann"])), u64::from(ann.0.id()));
    let status = person.home.run_bare(&["status", "--json", "--account", "bot"]);
    assert!(status.stdout.contains(r#""running":false"#), "{status:?}");
    let mut command = person.home.command_bare(&["ssh-command", "--account", "bot"]);
    command.env("SSH_ORIGINAL_COMMAND", "imsgd rpc").stdin(std::process::Stdio::null());
    let refused = finish(command, "ssh-command");
    assert!(!refused.status.success() && refused.stderr.contains("no imsgd answers"), "{refused:?}");
    let sent = person.home.run_bare(&["send", "--account", "bot", "--to", FRIEND, "--text", "as bot"]);
    assert!(sent.status.success(), "{sent:?}");
    assert_eq!((person.sent("ann").len(), person.sent("bot").len()), (0, 1));
}
