//! A real sshd on loopback, with one key that may do one thing, and the ssh that has this key.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{Home, eventually};

/// sshd insists on an absolute path to itself. macOS has it here too.
const SSHD: &str = "/usr/sbin/sshd";

/// Where sshd shuts itself in when it is root's. Debian makes it when its service starts, which nobody did.
#[cfg(target_os = "linux")]
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

pub struct Sshd {
    folder: PathBuf,
    child: Child,
}

impl Sshd {
    /// `forced` is a command line of a shell: whatever a client asks for, this runs.
    pub fn start(home: &Home, forced: &str) -> Sshd {
        assert!(Path::new(SSHD).exists(), "there is no {SSHD}; `.ci/toolchain` installs it");
        #[cfg(target_os = "linux")]
        if rustix::process::geteuid().is_root() {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(PRIVILEGE_SEPARATION).unwrap();
        }
        let folder = home.path("ssh");
        fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
        for key in ["host", "client"] {
            make_key(&folder.join(key));
        }
        let noted = format!("echo $$ $PPID >>{}; exec {forced}", folder.join("started").display());
        let quoted = noted.replace('"', "\\\"");
        let public = fs::read_to_string(folder.join("client.pub")).unwrap();
        fs::write(folder.join("authorized_keys"), format!("restrict,command=\"{quoted}\" {public}")).unwrap();
        // The port may be taken by another before sshd has it.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if let Some(child) = listen(&folder, port) {
                configure_client(&folder, port);
                return Sshd { folder, child };
            }
        }
        panic!("sshd found no port: {}", fs::read_to_string(folder.join("sshd.log")).unwrap());
    }

    /// `ssh` with the key, up to the words that it is to ask for. The server is called `mac`.
    pub fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command.args(["-T", "-F"]).arg(self.client_configuration()).arg("mac");
        command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        command
    }

    pub fn client_configuration(&self) -> PathBuf {
        self.folder.join("client_config")
    }

    /// Of each connection that ran the forced command: that process, and sshd's own for the connection.
    pub fn started(&self) -> Vec<(Pid, Pid)> {
        let text = fs::read_to_string(self.folder.join("started")).unwrap_or_default();
        let pid = |word: Option<&str>| Pid::from_raw(word.unwrap().parse().unwrap()).unwrap();
        let pids = |line: &str| {
            let mut words = line.split(' ');
            (pid(words.next()), pid(words.next()))
        };
        text.lines().map(pids).collect()
    }

    /// kill -9 of what sshd has for the last connection: the network, as far as the client can tell.
    pub fn cut(&self) {
        let (_, session) = *self.started().last().expect("a connection");
        kill_process(session, Signal::KILL).unwrap();
    }

    /// Until nothing that the forced command started is left.
    pub fn wait_until_nobody_is_left(&self) {
        for (process, _) in self.started() {
            eventually("what ssh started has ended", || test_kill_process(process).is_err().then_some(()));
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("sshd said:\n{}", fs::read_to_string(self.folder.join("sshd.log")).unwrap_or_default());
        }
    }
}

fn make_key(path: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(path);
    let made = command.stdin(Stdio::null()).status().expect("ssh-keygen is installed");
    assert!(made.success(), "ssh-keygen: {made}");
}

/// As any user: no PAM, no logins but by the key. `None` where the port was taken.
fn listen(folder: &Path, port: u16) -> Option<Child> {
    let config = folder.join("sshd_config");
    let text = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin forced-commands-only\n\
         StrictModes no\nUseDNS no\nPrintMotd no\nMaxStartups 100\nLogLevel VERBOSE\n",
        folder.join("host").display(),
        folder.join("authorized_keys").display(),
    );
    fs::write(&config, text).unwrap();
    let log = folder.join("sshd.log");
    let mut command = Command::new(SSHD);
    command.args(["-D", "-e", "-f"]).arg(&config).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).unwrap());
    let mut child = command.spawn().expect("sshd starts");
    let is_listening = eventually("sshd listens", || {
        let said = fs::read_to_string(&log).unwrap();
        if said.contains(&format!("Server listening on 127.0.0.1 port {port}")) {
            return Some(true);
        }
        let status = child.try_wait().unwrap()?;
        assert!(said.contains("Address already in use"), "sshd ended with {status}: {said}");
        Some(false)
    });
    is_listening.then_some(child)
}

fn configure_client(folder: &Path, port: u16) {
    let public = fs::read_to_string(folder.join("host.pub")).unwrap();
    fs::write(folder.join("known_hosts"), format!("[127.0.0.1]:{port} {public}")).unwrap();
    let text = format!(
        "Host mac\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {}\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
         UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  BatchMode yes\n",
        folder.join("client").display(),
        folder.join("known_hosts").display(),
    );
    fs::write(folder.join("client_config"), text).unwrap();
}
