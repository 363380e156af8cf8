//! What only macOS can tell: its commands are scripts that say what the real ones are documented to say, and TCC.db is a
//! real database with the table that it is known to have. `tests/live/README.md` has how to see it on a Mac.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use imsgd::install::names::{BUNDLE_ID, LABEL};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::{Report, report};
use crate::harness::{Answered, FRIEND, FRIENDS, Home, TestDaemon};

const FULL_DISK: &str = "kTCCServiceSystemPolicyAllFiles";
const APPLE_EVENTS: &str = "kTCCServiceAppleEvents";
const MESSAGES: &str = "com.apple.MobileSMS";

/// A compiled requirement begins so; what follows is the system's business.
const REQUIREMENT: &[u8] = &[0xfa, 0xde, 0x0c, 0x00, 0, 0, 0, 0x40];
const REQUIREMENT_TEXT: &str =
    r#"identifier "io.github.imsgd" and certificate leaf = H"3f1c0d7a5e2b49886c71d0e4fb9a2c56d8e01b73""#;

/// The table as macOS 14 has it.
const ACCESS: &str = "CREATE TABLE access (service TEXT NOT NULL, client TEXT NOT NULL, client_type INTEGER NOT NULL,
    auth_value INTEGER NOT NULL, auth_reason INTEGER NOT NULL, auth_version INTEGER NOT NULL, csreq BLOB,
    policy_id INTEGER, indirect_object_identifier_type INTEGER,
    indirect_object_identifier TEXT NOT NULL DEFAULT 'UNUSED', indirect_object_code_identity BLOB, flags INTEGER,
    last_modified INTEGER NOT NULL DEFAULT (CAST(strftime('%s','now') AS INTEGER)), pid INTEGER, pid_version INTEGER,
    boot_uuid TEXT NOT NULL DEFAULT 'UNUSED', last_reminded INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (service, client, client_type, indirect_object_identifier))";

/// A daemon on a Mac where all is well.
struct Mac {
    daemon: TestDaemon,
}

impl Mac {
    fn new() -> Mac {
        let home = Home::new(FRIENDS);
        fs::create_dir(home.path("mac")).unwrap();
        let mac = Mac { daemon: TestDaemon::start(home) };
        let program = env!("CARGO_BIN_EXE_imsgd");
        mac.launchctl(&job("running", mac.daemon.pid(), program, 1, "(never exited)"), 0);
        mac.codesign(&signed(), 0, 0);
        mac.command("csreq", &format!("cat >/dev/null\necho '{REQUIREMENT_TEXT}'"));
        mac.command("pgrep", "[ \"$*\" = '-x Messages' ] && echo 501");
        mac.grant("TCC.db", FULL_DISK, 2, Some(REQUIREMENT));
        mac.grant("owners-TCC.db", APPLE_EVENTS, 2, Some(REQUIREMENT));
        mac
    }

    /// Puts a command of macOS there.
    fn command(&self, name: &str, script: &str) {
        let path = self.daemon.path("mac").join(name);
        self.daemon.replace(&path, format!("#!/bin/sh\n{script}\n").as_bytes());
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }

    fn launchctl(&self, said: &str, code: i32) {
        let target = format!("print gui/{}/{LABEL}", rustix::process::geteuid().as_raw());
        let stream = if code == 0 { "" } else { " >&2" };
        self.command(
            "launchctl",
            &format!("[ \"$*\" = '{target}' ] || exit 64\ncat <<'END'{stream}\n{said}END\nexit {code}"),
        );
    }

    /// What it says of a program, how that ends, and how it ends whether the program meets a requirement.
    fn codesign(&self, (described, required): &(String, String), code: i32, meets: i32) {
        self.command(
            "codesign",
            &format!(
                "case $1 in\n--verify) [ \"$2\" = '-R={REQUIREMENT_TEXT}' ] || exit 2; exit {meets};;\nesac\n\
                 cat >&2 <<'END'\n{described}END\ncat <<'END'\n{required}END\nexit {code}"
            ),
        );
    }

    fn grant(&self, file: &str, service: &str, value: i64, requirement: Option<&[u8]>) {
        let path = self.daemon.path("mac").join(file);
        let _ = fs::remove_file(&path);
        let tcc = Connection::open(path).unwrap();
        tcc.execute_batch(ACCESS).unwrap();
        let object = if service == APPLE_EVENTS { MESSAGES } else { "UNUSED" };
        let insert = "INSERT INTO access (service, client, client_type, auth_value, auth_reason, auth_version, csreq,
            indirect_object_identifier) VALUES (?1, ?2, 0, ?3, 4, 1, ?4, ?5)";
        for (client, value) in [("com.apple.Terminal", 2), (BUNDLE_ID, value)] {
            tcc.execute(insert, params![service, client, value, requirement, object]).unwrap();
        }
    }

    fn ungrant(&self, file: &str) {
        let tcc = Connection::open(self.daemon.path("mac").join(file)).unwrap();
        tcc.execute("DELETE FROM access WHERE client = ?1", [BUNDLE_ID]).unwrap();
    }

    fn process(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.daemon.command(arguments);
        command.env("IMSGD_DOCTOR_BIN", self.daemon.path("mac"));
        command
    }

    fn doctor(&self) -> Report {
        report(self.process(&["doctor", "--json"]))
    }

    fn screen(&self, ssh: Option<&str>) -> Answered {
        let mut command = self.process(&["doctor"]);
        command.envs(ssh.map(|ssh| ("SSH_CONNECTION", ssh)));
        let ended = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answered { status: ended.status, stdout: text(ended.stdout), stderr: text(ended.stderr) }
    }
}

/// What `launchctl print` says of an agent.
fn job(state: &str, pid: u32, program: &str, runs: u32, last_exit: &str) -> String {
    let uid = rustix::process::geteuid().as_raw();
    let pid = if state == "running" { format!("\tpid = {pid}\n") } else { String::new() };
    format!(
        "gui/{uid}/{LABEL} = {{\n\tactive count = 1\n\tpath = /Users/ann/Library/LaunchAgents/{LABEL}.plist\n\
         \ttype = LaunchAgent\n\tstate = {state}\n\n\tprogram = {program}\n\targuments = {{\n\t\t{program}\n\t\tserve\n\t}}\n\n\
         \tinherited environment = {{\n\t\tSSH_AUTH_SOCK => /private/tmp/com.apple.launchd.x/Listeners\n\t}}\n\n\
         \tdefault environment = {{\n\t\tPATH => /usr/bin:/bin:/usr/sbin:/sbin\n\t}}\n\n\
         \tdomain = gui/{uid} [100005]\n\tasid = 100005\n\tminimum runtime = 10\n\texit timeout = 5\n\truns = {runs}\n{pid}\
         \timmediate reason = inefficient\n\tforks = 0\n\texecs = 1\n\tinitialized = 1\n\ttrampolined = 1\n\
         \tstarted suspended = 0\n\tproxy started suspended = 0\n\tlast exit code = {last_exit}\n\n\
         \tspawn type = interactive (4)\n\tproperties = keepalive | runatload | inferred program\n}}\n"
    )
}

/// What `codesign -d -r- --verbose=2` says on stderr and on stdout.
fn signed() -> (String, String) {
    let described = "Executable=/Applications/imsgd.app/Contents/MacOS/imsgd\nIdentifier=io.github.imsgd\n\
        Format=app bundle with Mach-O thin (arm64)\nCodeDirectory v=20400 size=98304 flags=0x0(none) hashes=3066+3 \
        location=embedded\nSignature size=1714\nAuthority=imsgd\nSigned Time=Nov 20, 2026 at 10:11:12\n\
        Info.plist entries=9\nTeamIdentifier=not set\nSealed Resources version=2 rules=13 files=0\n";
    (described.to_owned(), format!("designated => {REQUIREMENT_TEXT}\n"))
}

#[test]
fn on_a_mac_where_all_is_well_one_screen_says_so() {
    let mac = Mac::new();
    let mut client = mac.daemon.connect();
    client.ok("send", json!({"to": FRIEND, "text": "hello"}));
    let said = mac.doctor();
    for id in ["launchd", "tcc_full_disk_access", "signature", "automation", "tcc_automation", "messages_app"] {
        said.check(id, "ok", &[]);
    }
    said.check("signed_in", "unknown", &["macOS tells no other program", "the newest message is of "]);
    let unknown = said.said["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "unknown");
    assert_eq!(unknown.count(), 1, "{}", said.said);
    let screen = mac.screen(None).stdout;
    assert!(screen.lines().count() <= 24, "{screen}");
}

#[test]
fn a_job_that_launchd_does_not_have_is_told() {
    let mac = Mac::new();
    let uid = rustix::process::geteuid().as_raw();
    let said = format!("Bad request.\nCould not find service \"{LABEL}\" in domain for user gui: {uid}\n");
    mac.launchctl(&said, 113);
    mac.doctor().check("launchd", "warning", &["launchd has no job of imsgd", "imsgd install"]);
    mac.launchctl("Bad request.\nCould not find domain for user gui: 501\n", 112);
    mac.doctor().check("launchd", "unknown", &["Could not find domain"]);
    fs::remove_file(mac.daemon.path("mac/launchctl")).unwrap();
    mac.doctor().check("launchd", "unknown", &["could not be started"]);
}

#[test]
fn a_job_that_ends_again_and_again_or_is_another_programs_is_told() {
    let mut mac = Mac::new();
    let (pid, program) = (mac.daemon.pid(), env!("CARGO_BIN_EXE_imsgd"));
    mac.launchctl(&job("running", pid, "/usr/local/bin/imsgd", 1, "(never exited)"), 0);
    mac.doctor().check("launchd", "warning", &["names another program", "/usr/local/bin/imsgd", program]);
    mac.launchctl(&job("running", 1, program, 1, "(never exited)"), 0);
    let kill = format!("kill {pid}");
    mac.doctor().check("launchd", "warning", &["Another process than launchd's serves", &kill]);
    mac.launchctl(&job("running", pid, program, 40, "1"), 0);
    mac.doctor().check("launchd", "warning", &["started often", "it ended last with 1"]);
    mac.daemon.terminate();
    mac.launchctl(&job("spawn scheduled", 0, program, 14, "78: EX_CONFIG"), 0);
    let said = mac.doctor();
    said.check("launchd", "error", &["ends again and again", "78: EX_CONFIG", "started 14 times"]);
    said.check("daemon", "error", &["launchctl kickstart -k gui/"]);
    mac.launchctl(&job("not running", 0, program, 0, "(never exited)"), 0);
    mac.doctor().check("launchd", "error", &["loaded and does not run"]);
}

#[test]
fn a_signature_that_does_not_outlive_a_build_is_told() {
    let mac = Mac::new();
    let unsigned = "/usr/local/bin/imsgd: code object is not signed at all\n".to_owned();
    mac.codesign(&(unsigned, String::new()), 1, 1);
    mac.doctor().check("signature", "warning", &["is not signed", "imsgd install"]);
    let linker = "Executable=/usr/local/bin/imsgd\nIdentifier=imsgd-55554944a7\nFormat=Mach-O thin (arm64)\n\
        CodeDirectory v=20400 size=98304 flags=0x20002(adhoc,linker-signed) hashes=3066+0 location=embedded\n\
        Signature=adhoc\nInfo.plist=not bound\nTeamIdentifier=not set\nSealed Resources=none\n";
    let required = "# designated => cdhash H\"3f1c0d7a5e2b49886c71d0e4fb9a2c56d8e01b73\"\n";
    mac.codesign(&(linker.to_owned(), required.to_owned()), 0, 0);
    mac.doctor().check("signature", "warning", &["names nobody (ad hoc)", "cdhash"]);
    mac.codesign(&("/x: No such file or directory\n".to_owned(), String::new()), 1, 1);
    mac.doctor().check("signature", "unknown", &["No such file"]);
}

#[test]
fn what_macos_wrote_down_of_full_disk_access_is_told() {
    let mac = Mac::new();
    mac.grant("TCC.db", FULL_DISK, 0, Some(REQUIREMENT));
    mac.doctor().check("tcc_full_disk_access", "error", &["switched off", BUNDLE_ID, "Privacy_AllFiles"]);
    mac.ungrant("TCC.db");
    mac.doctor().check("tcc_full_disk_access", "warning", &["by the grant of what started it", BUNDLE_ID]);
    mac.grant("TCC.db", FULL_DISK, 2, Some(REQUIREMENT));
    mac.codesign(&signed(), 0, 3);
    mac.doctor().check("tcc_full_disk_access", "error", &["Granted to another build", "add it again"]);
    mac.grant("TCC.db", FULL_DISK, 2, None);
    mac.doctor().check("tcc_full_disk_access", "unknown", &["does not say to which signature"]);
    fs::remove_file(mac.daemon.path("mac/TCC.db")).unwrap();
    mac.doctor().check("tcc_full_disk_access", "unknown", &["may not be read"]);
    fs::write(mac.daemon.path("mac/TCC.db"), "x".repeat(4096)).unwrap();
    mac.doctor().check("tcc_full_disk_access", "unknown", &["could not be understood"]);
}

#[test]
fn without_an_entry_a_daemon_that_cannot_read_lacks_it() {
    let mac = Mac::new();
    mac.ungrant("TCC.db");
    let mut status = mac.daemon.status();
    status["database"] = json!({"path": "chat.db", "ready": false, "error": "cannot read"});
    let program = |own: &Value| own["executable"].as_str().unwrap().to_owned();
    assert_eq!(program(&status["imsgd"]), env!("CARGO_BIN_EXE_imsgd"));
    let said = super::doctor_of(&mac.daemon, &status, |command| {
        command.env("IMSGD_DOCTOR_BIN", mac.daemon.path("mac"));
    });
    said.check("tcc_full_disk_access", "error", &["macOS has no entry for the daemon's program"]);
}

#[test]
fn what_macos_wrote_down_of_automation_is_told() {
    let mac = Mac::new();
    mac.grant("owners-TCC.db", APPLE_EVENTS, 0, Some(REQUIREMENT));
    mac.doctor().check("tcc_automation", "error", &["It was denied", "Privacy_Automation"]);
    mac.ungrant("owners-TCC.db");
    mac.doctor().check("tcc_automation", "note", &["was not asked yet", "imsgd send --to"]);
}

#[test]
fn messages_that_does_not_run_is_told() {
    let mac = Mac::new();
    mac.command("pgrep", "exit 1");
    mac.doctor().check("messages_app", "warning", &["does not run", "open -a Messages"]);
    mac.command("pgrep", "echo broken >&2; exit 3");
    mac.doctor().check("messages_app", "unknown", &["broken"]);
}

#[test]
fn over_ssh_it_says_what_can_only_be_mended_at_the_screen() {
    let mac = Mac::new();
    mac.grant("TCC.db", FULL_DISK, 0, Some(REQUIREMENT));
    let here = mac.screen(None);
    assert!(here.stdout.contains("(at the screen of the Mac)") && !here.stdout.contains("vnc://"), "{here:?}");
    let there = mac.screen(Some("192.0.2.7 51022 192.0.2.20 22"));
    assert_eq!(there.status.code(), Some(2));
    for words in ["Only at the screen of this Mac: tcc_full_disk_access", "open vnc://192.0.2.20", "Screen Sharing"] {
        assert!(there.stdout.contains(words), "{words}: {}", there.stdout);
    }
    let mut command = mac.process(&["doctor", "--json"]);
    command.env("SSH_CONNECTION", "192.0.2.7 51022 192.0.2.20 22");
    assert_eq!(report(command).said["over_ssh"], true);
}
