//! The launchd job that keeps the daemon running, as `launchctl print` tells of it.

use std::path::PathBuf;

use rustix::process::geteuid;

use super::{Finding, READ_LOG, Seen, System, daemon, text};
use crate::install::names;

/// What launchd knows. Nothing where there is no such job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    pub is_loaded: bool,
    pub state: String,
    pub program: Option<PathBuf>,
    pub pid: Option<i64>,
    /// Starts since it was loaded.
    pub runs: Option<i64>,
    /// As launchd says it: a number, a number with words, or `(never exited)`.
    pub last_exit: Option<String>,
}

/// What `launchctl` ends with for a job that it does not know.
const NO_SUCH_JOB: i32 = 113;

/// Why nothing is known of the job of an account: it is made by hand, under whatever label.
pub const OF_ACCOUNT: &str = "an account's daemon runs under a label of its own, see docs/accounts.md";

pub fn ask(system: &System) -> Result<Job, String> {
    let target = names::service(geteuid().as_raw());
    let ended = system.run("launchctl", &["print", &target], b"")?;
    match ended.status.code() {
        Some(0) => Ok(parse(&ended.said)),
        Some(NO_SUCH_JOB) => Ok(Job::default()),
        // A job of a user who is not logged in at the screen has no place to be.
        _ => Err(format!("launchctl said: {}", ended.complained.trim())),
    }
}

/// The outermost `key = value` lines: what is inside braces is of something else.
fn parse(said: &str) -> Job {
    let mut job = Job { is_loaded: true, ..Job::default() };
    let mut depth = 0;
    for line in said.lines().map(str::trim) {
        if line.ends_with('{') {
            depth += 1;
        } else if line == "}" {
            depth -= 1;
        } else if let (1, Some((key, value))) = (depth, line.split_once(" = ")) {
            match key {
                "state" => job.state = value.to_owned(),
                "program" => job.program = Some(PathBuf::from(value)),
                "pid" => job.pid = value.parse().ok(),
                "runs" => job.runs = value.parse().ok(),
                "last exit code" => job.last_exit = Some(value.to_owned()),
                "last terminating signal" => job.last_exit = Some(format!("signal {value}")),
                _ => {}
            }
        }
    }
    job
}

impl Job {
    /// Did it end badly the last time?
    fn failed(&self) -> Option<&str> {
        let last = self.last_exit.as_deref()?;
        let is_well = last == "(never exited)" || last == "0";
        (!is_well).then_some(last)
    }
}

pub fn findings(seen: &Seen) -> Vec<Finding> {
    vec![finding(seen)]
}

fn finding(seen: &Seen) -> Finding {
    let job = match seen.job() {
        Ok(job) => job,
        Err(because) => return Finding::unknown("launchd", because),
    };
    let target = names::service(geteuid().as_raw());
    let is_served = seen.daemon.status().is_some();
    if !job.is_loaded {
        let what = "launchd has no job of imsgd: nobody starts it after a login or when it ends.";
        return Finding::warning("launchd", what)
            .seen(format!("launchctl print {target}: no such job"))
            .next("imsgd install");
    }
    let runs = job.runs.map_or(String::new(), |runs| format!(", started {runs} times"));
    let last = job.last_exit.as_deref().map_or(String::new(), |last| format!(", last exit code {last}"));
    let seen_there = format!("{target}: {}{runs}{last}", job.state);
    let log = READ_LOG;
    if job.state != "running" {
        let found = match job.failed() {
            Some(last) if job.runs > Some(1) => {
                Finding::error("launchd", format!("The job ends again and again, with {last}.")).next(log)
            }
            Some(last) => Finding::error("launchd", format!("The job ended with {last} and is not running.")).next(log),
            None => Finding::error("launchd", "The job is loaded and does not run.").next(daemon::kickstart()),
        };
        return found.seen(seen_there);
    }
    let own = seen.own();
    let of_daemon = own.and_then(|own| own["pid"].as_i64());
    if let (Some(theirs), Some(pid)) = (of_daemon, job.pid.filter(|pid| Some(*pid) != of_daemon)) {
        return Finding::warning("launchd", "Another process than launchd's serves, which so cannot.")
            .seen(format!("{seen_there}; its process is {pid}, that which serves is {theirs}"))
            .next(format!("kill {theirs}; launchd's takes its place"));
    }
    let executable = own.map(|own| text(own, "executable")).filter(|path| !path.is_empty());
    if let (Some(executable), Some(program)) = (executable, &job.program)
        && program.as_os_str() != executable
    {
        return Finding::warning("launchd", "The job names another program than the one that serves.")
            .seen(format!("job: {}; daemon: {executable}", program.display()))
            .next("imsgd install");
    }
    match (job.failed(), is_served) {
        (Some(last), _) if job.runs > Some(5) => {
            Finding::warning("launchd", format!("The job runs, and was started often; it ended last with {last}."))
                .seen(seen_there)
                .next(log)
        }
        _ => Finding::ok("launchd", "the job is loaded and runs").seen(seen_there),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_jobs_own_lines_are_read() {
        let said = "gui/501/io.github.imsgd = {\n\tactive count = 1\n\tstate = spawn scheduled\n\n\tprogram = /a/b\n\
            \targuments = {\n\t\t/a/b\n\t\tstate = x\n\t}\n\n\truns = 14\n\tlast exit code = 78: EX_CONFIG\n\
            \tendpoints = {\n\t\t\"x\" = {\n\t\t\tpid = 4\n\t\t}\n\t}\n}\n";
        let expected = Job {
            is_loaded: true,
            state: "spawn scheduled".into(),
            program: Some("/a/b".into()),
            pid: None,
            runs: Some(14),
            last_exit: Some("78: EX_CONFIG".into()),
        };
        assert_eq!(parse(said), expected);
    }
}
