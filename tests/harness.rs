//! What the tests stand on: a simulated Mac in a folder of its own, the real program, and clients that wait for
//! events with a deadline that nothing healthy comes near.

mod client;
mod daemon;
mod guests;
mod home;
mod inject;
mod record;
mod small;
mod sshd;

use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

pub use client::{Client, Refusal};
pub use daemon::TestDaemon;
pub use guests::{HOSTILE, hostile_build, wrong_components};
pub use home::{Answered, Home, Stdio, finish, program, signal};
pub use inject::Injector;
pub use record::record;
pub use small::*;
pub use sshd::Sshd;

/// Long enough for a machine that is busy with everything else; what takes longer has failed.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Admitted by [`FRIENDS`].
pub const FRIEND: &str = "+14155550101";
pub const OTHER_FRIEND: &str = "+14155550102";
pub const STRANGER: &str = "+14155550199";

/// Admits the friends. Only the policy that this takes: each one is compiled for each daemon, at a third of a second.
pub const FRIENDS: &str = "[policy]\nbundled = ['allowlist']\nallow_from = ['+14155550101', '+14155550102']\n";

/// The same with all bundled policies: strangers get a pairing code.
pub const FRIENDS_AND_STRANGERS: &str = "[policy]\nallow_from = ['+14155550101', '+14155550102']\n";

/// Admits everybody, and the group of [`SmallDb`] without a mention.
pub const OPEN: &str = "[policy]\nbundled = ['allowlist', 'group']\nallow_from = ['*']\ndm_policy = 'open'\n\
    [policy.groups.'any;+;chat42']\nrequire_mention = false\n";

/// For what has no event: looks again and again until there is something to be seen.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "{what}: not within {} s", DEADLINE.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for somebody to connect.
pub fn accepted(listener: &UnixListener) -> UnixStream {
    listener.set_nonblocking(true).expect("a listener of ours");
    let stream = eventually("a connection", || listener.accept().ok()).0;
    stream.set_nonblocking(false).expect("a stream of ours");
    stream.set_read_timeout(Some(DEADLINE)).expect("a stream of ours");
    stream
}

/// Waits for a process, and ends it where it does not end by itself.
pub fn wait_for(child: &mut Child, what: &str) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status;
        }
        if began.elapsed() > DEADLINE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{what} did not end within {} s", DEADLINE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
