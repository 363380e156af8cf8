//! `imsgd install` and `imsgd uninstall`: what they would do on a Mac, which is told anywhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use imsgd::cli::ready::{self, Nudge};
use imsgd::config::{Config, Overrides};
use plist::{Dictionary, Value as Plist};
use serde_json::Value;

use crate::harness::{DEADLINE, FRIENDS, Home, TestDaemon, eventually, signal, wait_for};

/// The plan for an app in the home folder.
fn plan(home: &Home, more: &[&str]) -> Value {
    let to = home.path("Applications");
    let line = [&["install", "--dry-run", "--json", "--to", to.to_str().unwrap()], more].concat();
    let told = home.run(&line);
    assert!(told.status.success(), "{told:?}");
    serde_json::from_str(&told.stdout).unwrap()
}

fn steps<'a>(plan: &'a Value, name: &str) -> Vec<&'a Value> {
    plan["steps"].as_array().unwrap().iter().filter(|step| step["step"] == name).collect()
}

/// The text of the file that is written under this name.
fn text<'a>(plan: &'a Value, name: &str) -> &'a str {
    let found = steps(plan, "write").into_iter().find(|step| step["path"].as_str().unwrap().ends_with(name));
    found.unwrap_or_else(|| panic!("{name} is not written: {plan:#}"))["text"].as_str().unwrap()
}

fn parsed(text: &str) -> Dictionary {
    assert!(text.starts_with("<?xml"), "{text}");
    plist::from_bytes(text.as_bytes()).unwrap()
}

fn string<'a>(plist: &'a Dictionary, key: &str) -> &'a str {
    plist.get(key).and_then(Plist::as_string).unwrap_or_else(|| panic!("no {key} in {plist:?}"))
}

fn argv(step: &Value, command: usize) -> Vec<&str> {
    step["commands"][command]["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn the_app_says_what_it_is_and_why_it_asks() {
    let home = Home::new(FRIENDS);
    let plan = plan(&home, &[]);
    let info = parsed(text(&plan, "Contents/Info.plist"));
    for (key, value) in [
        ("CFBundleIdentifier", "io.github.imsgd"),
        ("CFBundleExecutable", "imsgd"),
        ("CFBundlePackageType", "APPL"),
        ("CFBundleShortVersionString", env!("CARGO_PKG_VERSION")),
        ("CFBundleVersion", env!("CARGO_PKG_VERSION")),
        ("CFBundleInfoDictionaryVersion", "6.0"),
        ("LSMinimumSystemVersion", "12.0"),
    ] {
        assert_eq!(string(&info, key), value);
    }
    assert_eq!(info.get("LSUIElement"), Some(&Plist::Boolean(true)));
    for asked in ["NSAppleEventsUsageDescription", "NSContactsUsageDescription"] {
        assert!(string(&info, asked).starts_with("imsgd "));
    }
    assert_eq!(plan["bundle_id"], "io.github.imsgd");
    let app = home.path("Applications/imsgd.app");
    assert_eq!(plan["app"], app.to_str().unwrap());
    let replaced = steps(&plan, "replace");
    assert_eq!(replaced.len(), 1);
    assert_eq!(replaced[0]["path"], app.to_str().unwrap());
    // It is made in the same folder, and so takes its place in one step.
    let made = Path::new(replaced[0]["from"].as_str().unwrap());
    assert!(made.starts_with(home.path("Applications")) && made.ends_with("imsgd.app"));
    let copied = steps(&plan, "copy");
    assert_eq!(Path::new(copied[0]["path"].as_str().unwrap()), made.join("Contents/MacOS/imsgd"));
    assert_eq!(copied[0]["from"], fs::canonicalize(env!("CARGO_BIN_EXE_imsgd")).unwrap().to_str().unwrap());
    assert_eq!(copied[0]["mode"], "0755");
}

#[test]
fn launchd_runs_it_for_ever_with_what_its_owner_named() {
    let home = Home::new(FRIENDS);
    let plan = plan(&home, &["--socket", "/tmp/imsg.sock"]);
    let agent = parsed(text(&plan, "Library/LaunchAgents/io.github.imsgd.plist"));
    let path = |name: &str| home.path(name).to_str().unwrap().to_owned();
    assert_eq!(string(&agent, "Label"), "io.github.imsgd");
    let arguments = agent.get("ProgramArguments").unwrap().as_array().unwrap();
    let arguments: Vec<&str> = arguments.iter().map(|word| word.as_string().unwrap()).collect();
    assert_eq!(
        arguments,
        [
            &path("Applications/imsgd.app/Contents/MacOS/imsgd"),
            "serve",
            "--log-file",
            &path("Library/Logs/imsgd/imsgd.log"),
            "--config",
            &path("config.toml"),
            "--socket",
            "/tmp/imsg.sock",
        ]
    );
    for key in ["RunAtLoad", "KeepAlive"] {
        assert_eq!(agent.get(key), Some(&Plist::Boolean(true)), "{key}");
    }
    assert_eq!(agent.get("ThrottleInterval").unwrap().as_signed_integer(), Some(10));
    assert_eq!(agent.get("Umask").unwrap().as_signed_integer(), Some(0o077));
    assert_eq!(string(&agent, "ProcessType"), "Interactive");
    assert_eq!(string(&agent, "LimitLoadToSessionType"), "Aqua");
    assert_eq!(string(&agent, "AssociatedBundleIdentifiers"), "io.github.imsgd");
    for key in ["StandardOutPath", "StandardErrorPath"] {
        assert_eq!(string(&agent, key), path("Library/Logs/imsgd/launchd.log"));
    }
    let environment = agent.get("EnvironmentVariables").unwrap().as_dictionary().unwrap();
    assert!(string(environment, "PATH").starts_with("/opt/homebrew/bin:") && environment.len() == 1);
    // With these the program starts: each option is one of `serve`.
    let checked = home.run_bare(&[&arguments[1..], &["--help"]].concat());
    assert!(checked.status.success(), "{checked:?}");
    let [start] = steps(&plan, "start")[..] else { panic!("{plan:#}") };
    let user = rustix::process::getuid().as_raw();
    assert_eq!(argv(start, 0), ["/bin/launchctl", "enable", &format!("gui/{user}/io.github.imsgd")]);
    let file = path("Library/LaunchAgents/io.github.imsgd.plist");
    assert_eq!(argv(start, 1), ["/bin/launchctl", "bootstrap", &format!("gui/{user}"), &file]);
}

#[test]
fn it_is_signed_and_verified_before_it_takes_its_place() {
    let home = Home::new(FRIENDS);
    let plan = plan(&home, &[]);
    let [sign] = steps(&plan, "sign")[..] else { panic!("{plan:#}") };
    let made = steps(&plan, "replace")[0]["from"].as_str().unwrap();
    let entitlements = steps(&plan, "write")
        .iter()
        .find_map(|step| step["path"].as_str().filter(|path| path.ends_with("entitlements.plist")))
        .unwrap()
        .to_owned();
    let line = argv(sign, 0);
    assert_eq!((line[0], line.last()), ("/usr/bin/codesign", Some(&made)));
    for words in [
        &["--force", "--sign", "imsgd code signing"][..],
        &["--identifier", "io.github.imsgd"],
        &["--options", "runtime"],
        &["--entitlements", &entitlements],
    ] {
        assert!(line.windows(words.len()).any(|window| window == words), "{words:?} in {line:?}");
    }
    assert_eq!(argv(sign, 1), ["/usr/bin/codesign", "--verify", "--strict", "--verbose=2", made]);
    let allowed = parsed(text(&plan, "entitlements.plist"));
    let allowed: Vec<(&str, bool)> = allowed.iter().map(|(key, is)| (key.as_str(), is.as_boolean().unwrap())).collect();
    assert_eq!(
        allowed,
        [
            ("com.apple.security.automation.apple-events", true),
            ("com.apple.security.cs.allow-jit", true),
            ("com.apple.security.cs.allow-unsigned-executable-memory", true),
        ]
    );
    let names: Vec<&str> =
        plan["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    let place = |name: &str| names.iter().position(|other| *other == name).unwrap();
    for pair in ["certificate", "copy", "sign", "stop", "replace", "start", "grant"].windows(2) {
        assert!(place(pair[0]) < place(pair[1]), "{pair:?} in {names:?}");
    }
}

#[test]
fn the_password_of_the_certificate_is_on_no_command_line() {
    let home = Home::new(FRIENDS);
    let plan = plan(&home, &[]);
    let [made] = steps(&plan, "certificate")[..] else { panic!("{plan:#}") };
    let commands = made["commands"].as_array().unwrap();
    let programs: Vec<&str> = (0..commands.len()).map(|command| argv(made, command)[0]).collect();
    assert_eq!(programs, ["/usr/bin/openssl", "/usr/bin/openssl", "/usr/bin/security"]);
    for command in commands {
        assert!(command["stdin"].as_str().unwrap().contains("{random password}"), "{command}");
        assert!(!command["argv"].to_string().contains("password}"), "{command}");
    }
    // Every file of it is in the private folder.
    let files = commands.iter().flat_map(|command| command["argv"].as_array().unwrap());
    let files =
        files.map(|word| word.as_str().unwrap()).filter(|word| word.ends_with(".pem") || word.ends_with(".p12"));
    assert!(files.map(|file| assert!(file.starts_with("{private folder}/"), "{file}")).count() >= 5);
}

#[test]
fn an_identity_of_the_owners_is_used_as_it_is() {
    let home = Home::new(FRIENDS);
    let plan = plan(&home, &["--identity", "Developer ID Application: Ann (ABCDE12345)"]);
    assert_eq!(steps(&plan, "certificate")[0]["unchanged"], true);
    let line = argv(steps(&plan, "sign")[0], 0);
    assert!(line.windows(2).any(|pair| pair == ["--sign", "Developer ID Application: Ann (ABCDE12345)"]), "{line:?}");
}

/// What a plan writes, copies and links, as it would be after it.
fn put_in_place(home: &Home, plan: &Value) {
    let app = home.path("Applications/imsgd.app/Contents");
    fs::create_dir_all(app.join("MacOS")).unwrap();
    fs::write(app.join("Info.plist"), text(plan, "Info.plist")).unwrap();
    fs::write(app.join("MacOS/imsgd"), "signed").unwrap();
    let agent = "Library/LaunchAgents/io.github.imsgd.plist";
    fs::create_dir_all(home.path(agent).parent().unwrap()).unwrap();
    fs::write(home.path(agent), text(plan, agent)).unwrap();
    fs::create_dir_all(home.path(".local/bin")).unwrap();
    symlink(app.join("MacOS/imsgd"), home.path(".local/bin/imsgd")).unwrap();
}

#[test]
fn what_is_so_already_is_left_as_it_is() {
    let home = Home::new(FRIENDS);
    let first = plan(&home, &[]);
    assert!(["copy", "sign", "replace", "link"].iter().all(|name| steps(&first, name)[0]["unchanged"] == false));
    put_in_place(&home, &first);
    let again = plan(&home, &[]);
    for name in ["certificate", "copy", "sign", "replace", "link"] {
        assert_eq!(steps(&again, name)[0]["unchanged"], true, "{name}");
    }
    assert!(steps(&again, "write").iter().all(|step| step["unchanged"] == true));
    // Another identity is another signature, and another socket another agent.
    let other = plan(&home, &["--identity", "Ann"]);
    assert_eq!(steps(&other, "sign")[0]["unchanged"], false);
    let other = plan(&home, &["--socket", "/tmp/other.sock"]);
    assert_eq!(
        (&steps(&other, "sign")[0]["unchanged"], &steps(&other, "stop")[0]["unchanged"]),
        (&true.into(), &false.into())
    );
}

#[test]
fn what_is_of_somebody_else_is_not_replaced() {
    let home = Home::new(FRIENDS);
    let contents = home.path("Applications/imsgd.app/Contents");
    fs::create_dir_all(&contents).unwrap();
    fs::write(
        contents.join("Info.plist"),
        "<plist><dict><key>CFBundleIdentifier</key><string>com.other</string></dict></plist>",
    )
    .unwrap();
    let to = home.path("Applications");
    let refused = home.run(&["install", "--dry-run", "--to", to.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("imsgd.app is not ours, and was left alone"), "{refused:?}");
    fs::remove_dir_all(&to).unwrap();
    fs::create_dir_all(home.path(".local/bin")).unwrap();
    fs::write(home.path(".local/bin/imsgd"), "theirs").unwrap();
    let plan = plan(&home, &[]);
    assert_eq!((steps(&plan, "link").len(), &plan["command"]), (0, &Value::Null));
    let [left] = &plan["left"].as_array().unwrap()[..] else { panic!("{plan:#}") };
    let left = left.as_str().unwrap();
    assert!(left.contains(".local/bin/imsgd is another program; run "), "{left}");
    assert!(left.contains("Applications/imsgd.app/Contents/MacOS/imsgd from the app"), "{left}");
}

#[test]
fn an_installation_tells_where_the_command_is_and_whether_shells_find_it() {
    let home = Home::new(FRIENDS);
    let to = home.path("Applications");
    let told = |path: &str| {
        let mut command = home.command(&["install", "--dry-run", "--to", to.to_str().unwrap()]);
        String::from_utf8(command.env("PATH", path).output().unwrap().stderr).unwrap()
    };
    let said = told("/usr/bin:/bin");
    assert!(said.contains(".local/bin/imsgd; ") && said.contains(" is not in your PATH"), "{said}");
    let said = told(&format!("/usr/bin:{}", home.path(".local/bin").display()));
    assert!(said.contains(".local/bin/imsgd.") && !said.contains("PATH"), "{said}");
}

#[test]
fn the_agent_looks_for_its_files_where_its_owners_shell_does() {
    let home = Home::new(FRIENDS);
    let to = home.path("Applications");
    let mut command = home.command(&["install", "--dry-run", "--json", "--to", to.to_str().unwrap()]);
    let told = command.env("XDG_STATE_HOME", "/other/state").env("XDG_CONFIG_HOME", "relative").output().unwrap();
    let plan: Value = serde_json::from_slice(&told.stdout).unwrap();
    let agent = parsed(text(&plan, "Library/LaunchAgents/io.github.imsgd.plist"));
    let environment = agent.get("EnvironmentVariables").unwrap().as_dictionary().unwrap();
    assert_eq!((string(environment, "XDG_STATE_HOME"), environment.len()), ("/other/state", 2));
}

#[test]
fn the_files_are_printed_with_their_places() {
    let home = Home::new(FRIENDS);
    let to = home.path("Applications");
    let printed = home.run(&["install", "--print", "--to", to.to_str().unwrap()]);
    for name in ["Applications/imsgd.app/Contents/Info.plist", "Library/LaunchAgents/io.github.imsgd.plist"] {
        assert!(printed.stdout.contains(&format!("{}\n<?xml", home.path(name).display())), "{printed:?}");
    }
    let told = home.run(&["install", "--dry-run", "--to", to.to_str().unwrap()]);
    assert!(told.stdout.starts_with(" 1. make the certificate"), "{told:?}");
    assert!(told.stdout.contains("\n     $ /usr/bin/codesign --force --sign 'imsgd code signing' "), "{told:?}");
    assert_eq!(
        fs::read_dir(home.path(""))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name() == "Applications")
            .count(),
        0
    );
}

#[test]
#[cfg(not(target_os = "macos"))]
fn elsewhere_nothing_is_done() {
    let home = Home::new(FRIENDS);
    for command in ["install", "uninstall"] {
        let refused = home.run(&[command]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(refused.stderr.contains(&format!("is for macOS; `imsgd {command} --dry-run` shows")), "{refused:?}");
    }
}

fn removal(home: &Home, more: &[&str]) -> (Vec<String>, Vec<String>) {
    let to = home.path("Applications");
    let told = home.run(&[&["uninstall", "--dry-run", "--json", "--to", to.to_str().unwrap()], more].concat());
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let removed = steps(&told, "remove").into_iter().filter(|step| step["unchanged"] == false);
    let relative = |path: &str| path.strip_prefix(home.path("").to_str().unwrap()).unwrap_or(path).to_owned();
    let left = told["left"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned());
    (removed.map(|step| relative(step["path"].as_str().unwrap())).collect(), left.collect())
}

const INSTALLED: [&str; 3] =
    ["Library/LaunchAgents/io.github.imsgd.plist", ".local/bin/imsgd", "Applications/imsgd.app"];

#[test]
fn an_uninstall_removes_what_was_installed_and_names_what_it_leaves() {
    let home = Home::new(FRIENDS);
    put_in_place(&home, &plan(&home, &[]));
    let (removed, left) = removal(&home, &[]);
    assert_eq!(removed, INSTALLED);
    for kept in ["config.toml", "delete-identity -t -c 'imsgd code signing'", "plugins"] {
        assert!(left.iter().any(|line| line.contains(kept)), "{kept} in {left:?}");
    }
    let (removed, left) = removal(&home, &["--purge"]);
    assert_eq!(removed[3..], ["config.toml"], "a state folder that was named by hand may have more in it");
    assert!(left.iter().any(|line| line.starts_with("your plugins: ")), "{left:?}");
}

#[test]
fn an_uninstall_leaves_what_only_has_our_names() {
    let home = Home::new(FRIENDS);
    put_in_place(&home, &plan(&home, &[]));
    fs::write(home.path("Applications/imsgd.app/Contents/Info.plist"), "other").unwrap();
    fs::write(home.path(INSTALLED[0]), "other").unwrap();
    fs::remove_file(home.path(".local/bin/imsgd")).unwrap();
    symlink("/opt/homebrew/bin/imsgd", home.path(".local/bin/imsgd")).unwrap();
    let (removed, left) = removal(&home, &[]);
    assert_eq!(removed, [""; 0]);
    assert_eq!(left.iter().filter(|line| line.ends_with("is not ours")).count(), 3, "{left:?}");
}

#[test]
fn a_purge_keeps_the_state_of_other_accounts_and_databases() {
    let home = Home::new(FRIENDS);
    // The usual state folder is that of an imsgd whose configuration names none.
    let state = home.path(".local/state/imsgd");
    for folder in ["accounts/bot", "db-0123456789ab", "staging"] {
        fs::create_dir_all(state.join(folder)).unwrap();
    }
    let others = ["accounts", "db-0123456789ab"].map(|name| state.join(name).to_str().unwrap().to_owned());
    let told = |more: &[&str]| -> Value {
        let told = home.run_bare(&[&["uninstall", "--dry-run", "--json"], more].concat());
        serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{told:?}"))
    };
    let purged = told(&["--purge"]);
    let [clear] = steps(&purged, "clear")[..] else { panic!("{purged:#}") };
    assert_eq!((&clear["path"], &clear["keep"]), (&state.to_str().unwrap().into(), &others.to_vec().into()));
    assert!(steps(&purged, "remove").iter().all(|step| !step["path"].as_str().unwrap().ends_with("state/imsgd")));
    for told in [purged, told(&[])] {
        for other in &others {
            let line = format!("state of other accounts or databases: {other}");
            assert!(told["left"].as_array().unwrap().contains(&line.as_str().into()), "{told:#}");
        }
    }
    fs::remove_dir_all(state.join("accounts")).unwrap();
    fs::remove_dir_all(state.join("db-0123456789ab")).unwrap();
    let removed = told(&["--purge"]);
    assert!(steps(&removed, "remove").iter().any(|step| step["path"] == state.to_str().unwrap()), "{removed:#}");
}

#[test]
fn permissions_are_forgotten_while_macos_still_knows_the_app() {
    let home = Home::new(FRIENDS);
    put_in_place(&home, &plan(&home, &[]));
    let to = home.path("Applications");
    let told = home.run(&["uninstall", "--purge", "--dry-run", "--json", "--to", to.to_str().unwrap()]);
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let all = told["steps"].as_array().unwrap();
    let place = |is: &dyn Fn(&Value) -> bool| all.iter().position(is).unwrap();
    let reset = place(&|step| step["step"] == "try" && argv(step, 0)[0] == "/usr/bin/tccutil");
    let removed = place(&|step| step["path"] == to.join("imsgd.app").to_str().unwrap());
    assert!(reset < removed, "{told:#}");
    let (_, left) = removal(&home, &[]);
    assert!(left.iter().any(|line| line.contains("tccutil reset All io.github.imsgd (before this")), "{left:?}");
}

#[test]
fn a_removal_looks_whether_a_daemon_serves_the_state_and_says_what_is_not_there() {
    let home = Home::new(FRIENDS);
    let told = home.run(&["uninstall", "--dry-run", "--purge"]);
    assert!(told.stdout.contains("not there: ") && !told.stdout.contains("unchanged: remove"), "{told:?}");
    assert!(!told.stdout.contains("see that no other imsgd serves"), "{told:?}");
    let daemon = TestDaemon::start(home);
    let told = daemon.run(&["uninstall", "--dry-run"]);
    let lines: Vec<&str> = told.stdout.lines().filter(|line| !line.contains('$')).collect();
    assert!(lines[0].contains("stop the agent") && lines[1].contains("see that no other imsgd serves"), "{told:?}");
}

#[test]
fn a_configuration_that_is_wrong_keeps_nobody_from_removing_the_rest() {
    let home = Home::new("nonsense = true\n");
    let told = home.run(&["uninstall", "--dry-run"]);
    assert!(told.status.success() && told.stderr.contains("nonsense"), "{told:?}");
    assert!(told.stderr.contains("going on as if it were empty"), "{told:?}");
    assert!(told.stdout.contains(home.path("config.toml").to_str().unwrap()), "{told:?}");
    let refused = home.run(&["uninstall", "--dry-run", "--purge"]);
    assert_eq!(refused.status.code(), Some(1), "what is to be purged is in it: {refused:?}");
}

/// Waits for the daemon of this home as an installation does, and tells what it was nudged to.
fn wait(home: &Home, within: Duration, nudged: &Mutex<Vec<Nudge>>) -> anyhow::Result<u64> {
    let overrides = Overrides { config: Some(home.path("config.toml")), ..Overrides::default() };
    let config = Config::load(&overrides).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(ready::wait(&config, within, async |nudge| nudged.lock().unwrap().push(nudge)))
}

#[test]
fn an_installation_waits_until_the_daemon_can_read_and_tells_how_many_messages_there_are() {
    let home = Home::without_database(FRIENDS);
    home.make_database(2, 30);
    let away = home.path("away");
    fs::create_dir(&away).unwrap();
    // Whole at once, as it is for whom a permission is given to: the database itself comes back last.
    let files = ["chat.db-wal", "chat.db-shm", "chat.db"].map(|name| (home.path(name), away.join(name)));
    let files: Vec<_> = files.into_iter().filter(|(path, _)| path.exists()).collect();
    files.iter().for_each(|(path, away)| fs::rename(path, away).unwrap());
    let mut daemon = TestDaemon::start_without_waiting(home);
    daemon.wait_until_listening();
    let nudged = Mutex::new(Vec::new());
    let told = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&daemon, DEADLINE, &nudged));
        eventually("the owner is told", || nudged.lock().unwrap().first().map(|nudge| assert_eq!(*nudge, Nudge::Tell)));
        assert!(!waiting.is_finished());
        files.iter().for_each(|(path, away)| fs::rename(away, path).unwrap());
        waiting.join().unwrap().unwrap()
    });
    assert_eq!(daemon.connect().ok("messages.stats", serde_json::json!({}))["total_messages"], told);
    assert!(told > 0);
    // And once it can, nobody is told anything.
    let nudged = Mutex::new(Vec::new());
    assert_eq!(wait(&daemon, Duration::ZERO, &nudged).unwrap(), told);
    assert!(nudged.lock().unwrap().is_empty());
}

#[test]
fn an_installation_does_not_wait_for_ever() {
    let mut daemon = TestDaemon::start_without_waiting(Home::without_database(FRIENDS));
    daemon.wait_until_listening();
    let error = wait(&daemon, Duration::ZERO, &Mutex::default()).unwrap_err().to_string();
    assert!(error.contains("chat.db") && error.contains("`imsgd install` waits again"), "{error}");
    daemon.terminate();
    let error = wait(&daemon, Duration::ZERO, &Mutex::default()).unwrap_err().to_string();
    assert!(error.contains("nobody answers on "), "{error}");
}

#[test]
fn the_log_of_a_daemon_stays_within_bounds_across_restarts() {
    const BYTES: usize = 300;
    let home = Home::new(FRIENDS);
    let log = home.path("Library/Logs/imsgd/imsgd.log");
    for _ in 0..6 {
        let mut command = home.command(&["serve", "--log-file", log.to_str().unwrap(), "--log-bytes", "300"]);
        let stderr = fs::File::create(home.path("stderr")).unwrap();
        let mut child = command.stdout(std::process::Stdio::null()).stderr(stderr).spawn().unwrap();
        eventually("imsgd listens", || UnixStream::connect(home.socket()).ok());
        // Each line is of somebody who takes the socket away.
        for _ in 0..5 {
            fs::remove_file(home.socket()).unwrap();
            eventually("the socket is back", || UnixStream::connect(home.socket()).ok());
        }
        signal(&child, rustix::process::Signal::TERM);
        assert!(wait_for(&mut child, "imsgd serve").success());
        assert_eq!(fs::read_to_string(home.path("stderr")).unwrap(), "");
    }
    let files: Vec<String> = fs::read_dir(log.parent().unwrap())
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(files.len(), 5);
    assert!(files.iter().all(|file| file.len() <= BYTES || file.lines().count() == 1), "{files:?}");
    assert!(fs::read_to_string(&log).unwrap().ends_with("stopping\n"));
}

#[test]
fn a_daemon_that_does_not_start_says_why_in_its_log() {
    let home = Home::new("nonsense = true\n");
    let log = home.path("imsgd.log");
    let refused = home.run(&["serve", "--log-file", log.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("nonsense"), "{refused:?}");
    assert!(fs::read_to_string(&log).unwrap().contains("nonsense"));
}
