//! Steps that are really done, in a folder of their own. Where launchd and the keychain are missing, steps that need
//! them fail, which is what is wanted here.

use std::os::unix::fs::MetadataExt;

use tempfile::TempDir;

use super::*;

#[derive(Default)]
struct Heard(Vec<String>);

impl Owner for Heard {
    fn hears(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }

    async fn answers(&mut self) -> anyhow::Result<()> {
        bail!("nobody answers")
    }

    async fn grants(&mut self, _: &Path, _: Duration) -> anyhow::Result<()> {
        bail!("nobody is there")
    }
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn todo(steps: Vec<Step>) -> Vec<Planned> {
    steps.into_iter().map(|step| Planned { step, is_done: false }).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn files_get_their_places_and_modes_and_nothing_is_left_beside_them() {
    let home = home();
    let at = |name: &str| home.path().join(name);
    fs::write(at("source"), "program").unwrap();
    let steps = todo(vec![
        Step::Folder { path: at("private/logs"), mode: 0o700 },
        Step::Write { path: at("made/Info.plist"), bytes: b"info".to_vec(), mode: 0o644 },
        Step::Copy { from: at("source"), to: at("made/imsgd"), mode: 0o755 },
        Step::Replace { made: at("made"), at: at("app") },
        Step::Link { at: at("bin/imsgd"), to: at("app/imsgd") },
        Step::Link { at: at("bin/imsgd"), to: at("app/imsgd") },
        Step::Remove { path: at("source") },
        Step::Remove { path: at("was never there") },
    ]);
    carry_out(&steps, home.path(), &mut Heard::default()).await.unwrap();
    assert_eq!(names(home.path()), ["app", "bin", "private"]);
    assert_eq!(names(&at("app")), ["Info.plist", "imsgd"]);
    assert_eq!(names(&at("bin")), ["imsgd"]);
    assert_eq!(fs::read_to_string(at("bin/imsgd")).unwrap(), "program");
    assert_eq!((mode(&at("app/imsgd")), mode(&at("app/Info.plist")), mode(&at("private/logs"))), (0o755, 0o644, 0o700));
}

#[tokio::test]
async fn what_is_so_already_is_told_and_not_done() {
    let home = home();
    let step = Step::Remove { path: home.path().join("kept") };
    fs::write(home.path().join("kept"), "").unwrap();
    let mut heard = Heard::default();
    carry_out(&[Planned { step, is_done: true }], home.path(), &mut heard).await.unwrap();
    assert_eq!(names(home.path()), ["kept"]);
    assert!(heard.0[0].starts_with("not there: "), "{:?}", heard.0);
}

/// An upgrade that fails at this step.
async fn upgrade(home: &TempDir, failing: Step) -> (String, Vec<String>) {
    let at = |name: &str| home.path().join(name);
    fs::create_dir_all(at("app")).unwrap();
    fs::write(at("app/imsgd"), "before").unwrap();
    let steps = todo(vec![
        Step::Write { path: at("made/imsgd"), bytes: b"new".to_vec(), mode: 0o755 },
        Step::Replace { made: at("made"), at: at("app") },
        failing,
        Step::Remove { path: at("app") },
    ]);
    let mut heard = Heard::default();
    let error = carry_out(&steps, home.path(), &mut heard).await.unwrap_err();
    (format!("{error:#}"), heard.0)
}

#[tokio::test]
async fn where_a_step_fails_the_version_before_is_back_and_nothing_more_is_done() {
    let home = home();
    let missing = home.path().join("not there");
    let failing = Step::Copy { from: missing, to: home.path().join("x"), mode: 0o644 };
    let (error, heard) = upgrade(&home, failing).await;
    assert!(error.starts_with("the version before is back in its place: could not copy "), "{error}");
    assert!(error.contains("not there"), "{error}");
    assert_eq!(fs::read_to_string(home.path().join("app/imsgd")).unwrap(), "before");
    assert_eq!(heard.len(), 3, "{heard:?}");
}

#[tokio::test]
#[cfg(not(target_os = "macos"))]
async fn an_agent_that_does_not_start_is_a_failure() {
    let home = home();
    let (error, _) = upgrade(&home, Step::Start { user: 501, agent: home.path().join("agent.plist") }).await;
    assert!(error.contains("`/bin/launchctl enable gui/501/io.github.imsgd`"), "{error}");
    assert_eq!(fs::read_to_string(home.path().join("app/imsgd")).unwrap(), "before");
}

#[tokio::test]
async fn what_was_removed_before_a_step_that_fails_stays_removed() {
    let home = home();
    let at = |name: &str| home.path().join(name);
    fs::create_dir_all(at("app")).unwrap();
    fs::create_dir_all(at("made")).unwrap();
    let steps = todo(vec![
        Step::Replace { made: at("made"), at: at("app") },
        Step::Remove { path: at("made") },
        Step::Copy { from: at("not there"), to: at("x"), mode: 0o644 },
    ]);
    let error = remove_all(&steps, home.path(), &mut Heard::default()).await.unwrap_err();
    assert!(format!("{error:#}").starts_with("could not copy "), "{error:#}");
    assert_eq!(names(home.path()), ["app"]);
}

#[tokio::test]
async fn a_folder_is_cleared_of_all_but_what_is_to_be_kept() {
    let home = home();
    let at = |name: &str| home.path().join(name);
    for folder in ["accounts/bot", "db-0123456789ab", "staging/one"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    fs::write(at("state.db"), "").unwrap();
    let clear = Step::Clear { path: home.path().into(), keep: vec![at("accounts"), at("db-0123456789ab")] };
    remove_all(&todo(vec![clear]), home.path(), &mut Heard::default()).await.unwrap();
    assert_eq!(names(home.path()), ["accounts", "db-0123456789ab"]);
    assert_eq!(names(&at("accounts")), ["bot"]);
}

#[tokio::test]
async fn nothing_is_removed_below_a_daemon_that_somebody_else_started() {
    let home = home();
    let steps = todo(vec![
        Step::Alone { state: home.path().into(), within: Duration::ZERO },
        Step::Remove { path: home.path().join("daemon.lock") },
    ]);
    let other = Instance::claim(home.path(), Role::Serve).unwrap().ok().unwrap();
    let error = remove_all(&steps, home.path(), &mut Heard::default()).await.unwrap_err();
    assert!(format!("{error:#}").contains(&format!("kill {}", std::process::id())), "{error:#}");
    assert_eq!(names(home.path()), ["daemon.lock"]);
    drop(other);
    remove_all(&steps, home.path(), &mut Heard::default()).await.unwrap();
    assert_eq!(names(home.path()), [""; 0]);
}

#[test]
fn of_the_log_only_what_came_since_is_told() {
    let home = home();
    let log = home.path().join("launchd.log");
    fs::write(&log, "long ago\nno socket\n").unwrap();
    assert!(said_since(&log, 9).ends_with("launchd.log says: no socket"));
    assert!(said_since(&log, 19).ends_with("says nothing"));
}

#[tokio::test]
async fn a_command_that_may_fail_stops_nothing() {
    let home = home();
    let attempt = |program: &str| Step::Try { about: "try it".into(), argv: vec![program.into()] };
    let mut heard = Heard::default();
    carry_out(&todo(vec![attempt("/nonexistent"), attempt("/bin/sh")]), home.path(), &mut heard).await.unwrap();
    assert_eq!(heard.0.len(), 3, "{:?}", heard.0);
    assert!(heard.0[1].contains("/nonexistent"), "{:?}", heard.0);
}

#[tokio::test]
async fn the_certificate_is_made_in_a_folder_that_only_its_owner_may_enter() {
    let home = home();
    let folder = Private::make(home.path()).unwrap();
    assert_eq!(mode(folder.path()), 0o700);
    make_archive(folder.path(), "0123456789").await.unwrap();
    assert_eq!(names(folder.path()), ["certificate.pem", "identity.p12", "key.pem", "request.cnf"]);
    let key = fs::read_to_string(folder.path().join("key.pem")).unwrap();
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}");
    drop(folder);
    assert_eq!(names(home.path()), [""; 0]);
}

#[tokio::test]
#[cfg(not(target_os = "macos"))]
async fn a_key_that_no_keychain_takes_is_not_left() {
    let home = home();
    let error = carry_out(&todo(vec![Step::Certificate]), home.path(), &mut Heard::default()).await.unwrap_err();
    assert!(format!("{error:#}").contains("`/usr/bin/security -i`: could not be started"), "{error:#}");
    assert_eq!(names(home.path()), [""; 0]);
}

#[test]
fn the_designated_requirement_is_found_in_what_codesign_says() {
    let named = "designated => identifier \"io.github.imsgd\" and certificate leaf = H\"6d\"\n";
    let found = Some("identifier \"io.github.imsgd\" and certificate leaf = H\"6d\"".to_owned());
    assert_eq!(requirement(named), found);
    assert_eq!(requirement(&format!("# {named}")), found);
    assert_eq!(requirement("code object is not signed at all"), None);
}
