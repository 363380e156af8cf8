//! Does the steps of a plan, in order. Where one fails, the version before is put back and runs again.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::certificate::{self, Told};
use super::step::{self, Planned, Step};
use super::{Signer, names};
use crate::daemon::{Holder, Instance, Role};
use crate::process::{self, Ended, Limit, Talk};

/// For what asks nobody.
const QUICK: Duration = Duration::from_secs(30);
/// For what macOS may ask its owner about on the screen.
const ASKED: Duration = Duration::from_secs(300);

/// launchd ends what it runs in its own time, and does not take it again before.
const FREE_WITHIN: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(250);

/// Of what the daemon says before it ends, as much as is told.
const SAID_BYTES: u64 = 4096;

/// `launchctl` ends so for what it does not have.
const NOT_LOADED: [i32; 2] = [3, 113];
/// And so for what is about to end.
const ENDS: i32 = 36;

/// What is told of each step as it is done, and what waits for the permission.
pub trait Owner {
    fn hears(&mut self, line: &str);
    /// Succeeds once the daemon answers that launchd was told to run.
    fn answers(&mut self) -> impl Future<Output = anyhow::Result<()>>;
    /// Waits until the daemon can read the messages. `restart` makes launchd start it anew.
    fn grants(&mut self, program: &Path, within: Duration) -> impl Future<Output = anyhow::Result<()>>;
}

/// Does all steps of an installation that are not done.
pub async fn carry_out(steps: &[Planned], home: &Path, owner: &mut impl Owner) -> anyhow::Result<()> {
    let mut done = Done::default();
    let Err(error) = each(steps, home, owner, &mut done).await else { return Ok(()) };
    Err(match done.undo().await {
        Ok(true) => error.context("the version before is back in its place"),
        Ok(false) => error,
        Err(problem) => error.context(format!("the version before could not be put back: {problem:#}")),
    })
}

/// Does all steps of a removal. What was removed before one that fails is not put back: whoever asked for that wants it
/// gone, and an agent would be started that has no program.
pub async fn remove_all(steps: &[Planned], home: &Path, owner: &mut impl Owner) -> anyhow::Result<()> {
    each(steps, home, owner, &mut Done::default()).await
}

async fn each(steps: &[Planned], home: &Path, owner: &mut impl Owner, done: &mut Done) -> anyhow::Result<()> {
    for planned in steps {
        owner.hears(&planned.about());
        if !planned.is_done {
            let done = one(&planned.step, home, owner, done).await;
            done.with_context(|| format!("could not {}", planned.step.about()))?;
        }
    }
    Ok(())
}

/// What was there before the steps that cannot be left half done.
#[derive(Default)]
struct Done {
    /// Where the new app was made, with the one before in it now, and the app's place.
    replaced: Option<(PathBuf, PathBuf)>,
    /// The agent's file, and what was in it.
    agent: Option<(PathBuf, Vec<u8>)>,
    /// Whose agent ran, and was stopped.
    stopped: Option<u32>,
    /// Whose new agent was started, and has not answered yet.
    started: Option<u32>,
    /// No daemon starts for as long as this is held.
    alone: Option<Instance>,
}

impl Done {
    /// Puts back what was there. False where nothing had been there, or nothing was touched.
    async fn undo(self) -> anyhow::Result<bool> {
        let mut is_back = false;
        if let Some(user) = self.started.filter(|_| self.replaced.is_some() || self.stopped.is_some()) {
            stop(user).await?;
        }
        if let Some((made, at)) = self.replaced {
            exchange(&made, &at)?;
            is_back = true;
        }
        if let Some((path, bytes)) = &self.agent {
            write(path, bytes, 0o644)?;
        }
        if let Some((user, (path, _))) = self.stopped.zip(self.agent) {
            start(user, &path).await?;
        }
        Ok(is_back)
    }
}

async fn one(step: &Step, home: &Path, owner: &mut impl Owner, done: &mut Done) -> anyhow::Result<()> {
    match step {
        Step::Certificate => make_certificate(home).await?,
        Step::Folder { path, mode } => DirBuilder::new().recursive(true).mode(*mode).create(path)?,
        Step::Write { path, bytes, mode } => write(path, bytes, *mode)?,
        Step::Copy { from, to, mode } => copy(from, to, *mode)?,
        Step::Sign { app, entitlements, signer } => sign(app, entitlements, signer, home).await?,
        Step::Stop { user } => {
            let agent = names::agent(home);
            if let Ok(bytes) = fs::read(&agent) {
                done.agent = Some((agent, bytes));
            }
            if stop(*user).await? {
                done.stopped = Some(*user);
            }
        }
        Step::Replace { made, at } if at.exists() => {
            tell_of_another_identity(at, made, owner).await;
            exchange(made, at)?;
            done.replaced = Some((made.clone(), at.clone()));
        }
        Step::Replace { made, at } => fs::rename(made, at)?,
        Step::Link { at, to } => link(at, to)?,
        Step::Start { user, agent } => {
            let log = names::launch_log(home);
            let before = fs::metadata(&log).map_or(0, |log| log.len());
            start(*user, agent).await?;
            done.started = Some(*user);
            owner.answers().await.with_context(|| said_since(&log, before))?;
            // It runs: what follows is only to be told of.
            *done = Done::default();
        }
        Step::Remove { path } => remove(path)?,
        Step::Clear { path, keep } => {
            for entry in fs::read_dir(path)? {
                let entry = entry?.path();
                if !keep.contains(&entry) {
                    remove(&entry)?;
                }
            }
        }
        Step::Alone { state, within } => done.alone = Some(alone(state, *within).await?),
        Step::Try { argv, .. } => {
            if let Err(error) = succeed(argv, QUICK).await {
                owner.hears(&format!("  not done: {error:#}"));
            }
        }
        Step::Grant { program, within } => owner.grants(program, *within).await?,
    }
    Ok(())
}

/// Runs a command to its end, however that is.
async fn run(told: &Told, limit: Duration) -> anyhow::Result<Ended> {
    let [program, arguments @ ..] = told.argv.as_slice() else { bail!("no command") };
    let limit = Limit { time: limit, grace: Some(Duration::from_secs(2)) };
    let ended = process::run(Path::new(program), arguments, Talk::Tell(told.stdin.as_bytes()), limit).await;
    ended.with_context(|| format!("`{}`", step::spelled(&told.argv)))
}

pub async fn ask(argv: &[String]) -> anyhow::Result<Ended> {
    run(&Told { argv: argv.to_vec(), stdin: String::new() }, QUICK).await
}

fn check(argv: &[String], ended: Ended) -> anyhow::Result<String> {
    if ended.status.success() {
        return Ok(ended.said);
    }
    let said = [ended.complained.trim(), ended.said.trim()].into_iter().find(|said| !said.is_empty());
    Err(anyhow!("`{}` ended with {}: {}", step::spelled(argv), ended.status, said.unwrap_or("it said nothing")))
}

pub async fn succeed(argv: &[String], limit: Duration) -> anyhow::Result<String> {
    check(argv, run(&Told { argv: argv.to_vec(), stdin: String::new() }, limit).await?)
}

/// A folder that nobody else may enter, which goes away with all in it whatever becomes of us, but for kill -9.
pub struct Private(PathBuf);

impl Private {
    pub fn make(home: &Path) -> anyhow::Result<Private> {
        let path = home.join(format!(".imsgd-private-{}", uuid::Uuid::new_v4().simple()));
        DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("could not make {}", path.display()))?;
        Ok(Private(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub async fn has_identity(name: &str) -> anyhow::Result<bool> {
    Ok(certificate::lists(&succeed(&certificate::list(), QUICK).await?, name))
}

async fn make_certificate(home: &Path) -> anyhow::Result<()> {
    let folder = Private::make(home)?;
    let password = uuid::Uuid::new_v4().simple().to_string();
    make_archive(folder.path(), &password).await?;
    let import = certificate::import(folder.path(), &password);
    let ended = run(&import, ASKED).await?;
    // What reads its commands from stdin does not always end with their failure.
    let complaint = ended.complained.trim().to_owned();
    check(&import.argv, ended)?;
    match has_identity(names::CERTIFICATE).await? {
        true => Ok(()),
        false => bail!(
            "the login keychain did not take the certificate ({complaint}); at the screen, unlock it in Keychain \
             Access, or name an identity that you have with --identity"
        ),
    }
}

/// Makes the certificate and its key, encrypted with the password, in a private folder.
pub async fn make_archive(folder: &Path, password: &str) -> anyhow::Result<()> {
    write(&certificate::request_file(folder), certificate::request().as_bytes(), 0o600)?;
    for told in certificate::make(folder, password) {
        let ended = run(&told, QUICK).await?;
        check(&told.argv, ended)?;
    }
    Ok(())
}

/// With our own certificate, a signature may count as not trusted, which the system's permissions do not ask for.
const NOT_TRUSTED: &str = "CSSMERR_TP_NOT_TRUSTED";

async fn sign(app: &Path, entitlements: &Path, signer: &Signer, home: &Path) -> anyhow::Result<()> {
    let argv = step::sign(app, entitlements, signer);
    if let Err(error) = succeed(&argv, ASKED).await {
        if *signer != Signer::Own {
            return Err(error);
        }
        trust(home).await.with_context(|| format!("{error:#}"))?;
        succeed(&argv, ASKED).await?;
    }
    let argv = step::verify(app);
    let ended = ask(&argv).await?;
    let is_only_untrusted = *signer == Signer::Own && ended.complained.contains(NOT_TRUSTED);
    if is_only_untrusted { Ok(()) } else { check(&argv, ended).map(drop) }
}

async fn trust(home: &Path) -> anyhow::Result<()> {
    let folder = Private::make(home)?;
    let path = certificate::certificate_file(folder.path());
    let [find, trust] = certificate::trust(&path);
    write(&path, succeed(&find, QUICK).await?.as_bytes(), 0o600)?;
    succeed(&trust, ASKED).await.map(drop)
}

/// macOS gives a permission to a requirement: to one that is another now, it has to be given anew.
async fn tell_of_another_identity(at: &Path, made: &Path, owner: &mut impl Owner) {
    let before = ask(&step::requirement(at)).await.ok().and_then(|ended| requirement(&ended.said));
    let now = ask(&step::requirement(made)).await.ok().and_then(|ended| requirement(&ended.said));
    if before != now {
        owner.hears(
            "  the signature is another one's than before: remove imsgd from the lists in Privacy & Security, and \
             allow it anew",
        );
    }
}

/// In what `codesign --display --requirements -` says.
fn requirement(said: &str) -> Option<String> {
    said.lines().find_map(|line| Some(line.trim_start_matches("# ").strip_prefix("designated => ")?.to_owned()))
}

/// True where it ran.
async fn stop(user: u32) -> anyhow::Result<bool> {
    let argv = step::stop(user);
    let ended = ask(&argv).await?;
    if ended.status.code().is_some_and(|code| NOT_LOADED.contains(&code)) {
        return Ok(false);
    }
    if ended.status.code() == Some(ENDS) {
        return Ok(true);
    }
    check(&argv, ended).map(|_| true)
}

async fn start(user: u32, agent: &Path) -> anyhow::Result<()> {
    let [enable, bootstrap] = step::start(user, agent);
    succeed(&enable, QUICK).await?;
    let began = Instant::now();
    loop {
        match succeed(&bootstrap, QUICK).await {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > FREE_WITHIN => return Err(error),
            Err(_) => tokio::time::sleep(STEP).await,
        }
    }
}

/// What launchd's log of the agent has gained since it had this many bytes.
fn said_since(log: &Path, before: u64) -> String {
    let mut said = String::new();
    let read = File::open(log).and_then(|mut file| {
        file.seek(SeekFrom::Start(before))?;
        file.take(SAID_BYTES).read_to_string(&mut said)
    });
    match read {
        Ok(_) if !said.trim().is_empty() => format!("{} says: {}", log.display(), said.trim()),
        _ => format!("{} says nothing", log.display()),
    }
}

/// One that was just told to end may take its time; any other is somebody's.
async fn alone(state: &Path, within: Duration) -> anyhow::Result<Instance> {
    let began = Instant::now();
    loop {
        match Instance::claim(state, Role::Errand)? {
            Ok(instance) => return Ok(instance),
            Err(Holder { pid, .. }) if began.elapsed() >= within => bail!(
                "imsgd (process {pid}) serves it, and is not the agent's; nothing was removed. Stop it, and start this \
                 again: kill {pid}"
            ),
            Err(_) => tokio::time::sleep(STEP).await,
        }
    }
}

/// Each takes the other's place, in one step: whoever looks finds one of them.
fn exchange(one: &Path, other: &Path) -> anyhow::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Whoever looks sees the file before or this one, whole.
fn write(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    placed(path, mode, |file| file.write_all(bytes))
}

/// Only what is in it: what macOS noted of a download would keep it from being started.
fn copy(from: &Path, to: &Path, mode: u32) -> anyhow::Result<()> {
    let mut source = File::open(from).with_context(|| format!("could not read {}", from.display()))?;
    placed(to, mode, |file| io::copy(&mut source, file).map(drop))
}

fn placed(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> io::Result<()>) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().display();
    let beside = folder.join(format!(".{name}.{}.partial", std::process::id()));
    let placed = || {
        fs::create_dir_all(folder)?;
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(&beside)?;
        fill(&mut file)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    let placed = placed();
    if placed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    placed.with_context(|| format!("could not write {}", path.display()))
}

fn link(at: &Path, to: &Path) -> anyhow::Result<()> {
    let folder = at.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let beside = folder.join(format!(".imsgd.{}.partial", std::process::id()));
    let _ = fs::remove_file(&beside);
    symlink(to, &beside)?;
    Ok(fs::rename(&beside, at)?)
}

/// A link itself, not what it leads to.
fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
