//! Room for as many clients as the configuration allows: launchd gives a process 256 file descriptors.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For databases, plugins, watches, children and standard streams.
const OWN: u64 = 256;

/// Raises the limit of open files where the system allows it. Who comes when none is left waits.
pub fn make_room(connections: usize) {
    let wanted = OWN + connections as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(now) = current.filter(|now| *now < wanted) else { return };
    let possible = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = Rlimit { current: Some(possible), maximum };
    if possible < wanted || setrlimit(Resource::Nofile, raised).is_err() {
        tracing::warn!(now, wanted, "fewer files can be open than server.max_connections needs; raise `ulimit -n`");
    }
}
