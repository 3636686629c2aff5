//! Mosquitto and the program behind it, for one test each.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::support::{Process, loadgen, wait_until};

/// Who may log in where a password is asked.
pub(super) const USER: &str = "sensors";
pub(super) const PASSWORD: &str = "not told to anybody";
/// Attempts to find two ports that nobody takes before Mosquitto does.
const START_ATTEMPTS: usize = 10;

/// A running Mosquitto that forgets everything when it ends.
pub(super) struct Mosquitto {
    process: Process,
    folder: TempDir,
    port: u16,
    tls_port: u16,
}

impl Mosquitto {
    /// One that lets anybody in.
    pub(super) fn open() -> Self {
        Self::start(false)
    }

    /// One that lets nobody in but [`USER`].
    pub(super) fn guarded() -> Self {
        Self::start(true)
    }

    fn start(guarded: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_certificates(folder.path());
        write_passwords(folder.path());
        for _ in 0..START_ATTEMPTS {
            let (port, tls_port) = (free_port(), free_port());
            fs::write(folder.path().join("conf"), config(folder.path(), guarded, port, tls_port))
                .unwrap();
            let mut command = Command::new(installed("mosquitto"));
            let mut process = Process::spawn(command.arg("-c").arg(folder.path().join("conf")));
            wait_until("mosquitto runs or has given up", || {
                process.count("running") > 0 || !process.is_running()
            });
            if process.is_running() {
                return Self { process, folder, port, tls_port };
            }
        }
        panic!("mosquitto found no free port in {START_ATTEMPTS} attempts");
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens without TLS.
    pub(super) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Where it listens with TLS, logging in as `user`.
    pub(super) fn tls_url(&self, user: &str) -> String {
        format!("mqtts://{user}@localhost:{}", self.tls_port)
    }

    /// The certificate of its CA.
    pub(super) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(super) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The program behind it: forwards what exceeds the threshold from `sensors/#` to
    /// `alerts/{topic}`. It has subscribed when this returns.
    pub(super) fn sink(&mut self, flags: &[&str], variables: &[(&str, &str)]) -> Process {
        let mut command = loadgen("sink");
        command
            .args(flags)
            .env("LOADGEN_HOST", "127.0.0.1")
            .env("LOADGEN_PORT", self.port.to_string())
            .env("LOADGEN_USERNAME", USER)
            .env("LOADGEN_PASSWORD", PASSWORD)
            .env("LOADGEN_SUBSCRIBE", "sensors/#")
            .env("LOADGEN_PUBLISH", "alerts/{topic}")
            .envs(variables.iter().copied());
        let sink = Process::spawn(&mut command);
        self.process.wait_for(" sensors/#");
        sink
    }
}

/// Nothing is dropped and nothing waits for more, so that what is lost was lost by others. Clients
/// without a keep-alive are refused, as by some brokers.
fn config(folder: &Path, guarded: bool, port: u16, tls_port: u16) -> String {
    let path = |name| folder.join(name).display().to_string();
    let access = if guarded {
        format!("allow_anonymous false\npassword_file {}\n", path("passwords"))
    } else {
        "allow_anonymous true\n".to_owned()
    };
    let log: String = ["error", "warning", "notice", "information", "subscribe"]
        .map(|kind| format!("log_type {kind}\n"))
        .concat();
    // `user` matters only to root: without it Mosquitto could not read its key.
    format!(
        "user root\npersistence false\nper_listener_settings false\n{access}log_dest stderr\n{log}\
         max_inflight_messages 0\nmax_queued_messages 0\nset_tcp_nodelay true\nmax_keepalive 60\n\
         listener {port} 127.0.0.1\nlistener {tls_port} 127.0.0.1\ncertfile {}\nkeyfile {}\n",
        path("server.pem"),
        path("server.key"),
    )
}

/// Debian installs daemons where only root's path looks.
fn installed(program: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let mut candidates = folders.iter().map(|folder| Path::new(folder).join(program));
    candidates.find(|path| path.exists()).unwrap_or_else(|| program.into())
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Writes `ca.pem`, and `server.pem` with `server.key` signed by it, for `localhost`.
fn write_certificates(folder: &Path) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    fs::write(folder.join("server.pem"), server.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

fn write_passwords(folder: &Path) {
    let mut command = Command::new(installed("mosquitto_passwd"));
    command.args(["-b", "-c"]).arg(folder.join("passwords")).args([USER, PASSWORD]);
    assert!(command.status().unwrap().success(), "{command:?}");
}
