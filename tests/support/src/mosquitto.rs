//! Mosquitto for one test: a plain listener and one with TLS, both on loopback, and no limit on
//! what may wait, so that what is lost was lost by others.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::{Process, wait_until};

/// Who may log in where a password is asked.
pub const BROKER_USER: &str = "sensors";
/// The password of [`BROKER_USER`].
pub const BROKER_PASSWORD: &str = "told-to-nobody-else";
/// Attempts to find two ports that nobody takes before Mosquitto does.
const START_ATTEMPTS: usize = 10;

/// Whom Mosquitto lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Anybody,
    /// [`BROKER_USER`] with [`BROKER_PASSWORD`], on both listeners.
    Password,
    /// With TLS: who shows a certificate of its CA. Without: anybody.
    Certificate,
}

/// A running Mosquitto, killed and forgotten at the end of the test.
#[derive(Debug)]
pub struct Mosquitto {
    process: Process,
    folder: TempDir,
    port: u16,
    tls_port: u16,
}

impl Mosquitto {
    /// One that lets anybody in.
    pub fn start() -> Self {
        Self::start_for(Access::Anybody)
    }

    /// One with a certificate of its own for `localhost`.
    pub fn start_for(access: Access) -> Self {
        Self::start_with(access, "")
    }

    /// As [`Mosquitto::start_for`], with more lines in its configuration.
    pub fn start_with(access: Access, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_certificates(folder.path());
        if access == Access::Password {
            write_passwords(folder.path());
        }
        for _ in 0..START_ATTEMPTS {
            let (port, tls_port) = (free_port(), free_port());
            let config = config(folder.path(), access, port, tls_port);
            fs::write(folder.path().join("mosquitto.conf"), config + more).unwrap();
            if let Some(process) = spawn(folder.path()) {
                return Self { process, folder, port, tls_port };
            }
        }
        panic!("mosquitto found no free port in {START_ATTEMPTS} attempts");
    }

    /// Kills it and starts a new one on the same ports, which knows nothing.
    pub fn restart_without_memory(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Kills it.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Stops it and starts a new one on the same ports, which knows all sessions and what they have
    /// not acknowledged.
    pub fn restart_with_memory(&mut self) {
        // Between its word that it runs and its loop Mosquitto 2.0 forgets that it was told to
        // stop.
        wait_until("mosquitto ends", || {
            self.process.signal("TERM");
            !self.process.is_running()
        });
        self.process.wait_for_exit();
        self.start_again();
    }

    /// Starts a new one on the same ports; the old one must have ended.
    pub fn start_again(&mut self) {
        self.process = spawn(self.folder.path()).expect("the ports were ours a moment ago");
    }

    /// Port of the plain listener.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Port of the listener with TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// Where it listens without TLS.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// A file it was started with, or that `write_certificates` made: `ca.pem`, `client.pem`, ...
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The certificate of its CA.
    pub fn ca_file(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// What runs, with its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// How many subscriptions to `filter` at QoS 1 it has granted since it was started.
    pub fn subscriptions(&self, filter: &str) -> usize {
        let end = format!(" 1 {filter}");
        self.process.lines().iter().filter(|line| line.ends_with(&end)).count()
    }
}

fn spawn(folder: &Path) -> Option<Process> {
    let mut command = Command::new(installed("mosquitto"));
    let process = Process::spawn("mosquitto", command.arg("-c").arg(folder.join("mosquitto.conf")));
    wait_until("mosquitto runs or has given up", || {
        process.count("running") > 0 || !process.is_running()
    });
    process.is_running().then_some(process)
}

/// With `autosave_interval 0` it writes its memory down when it is told to stop, and never else.
fn config(folder: &Path, access: Access, port: u16, tls_port: u16) -> String {
    let path = |name| folder.join(name).display().to_string();
    let login = match access {
        Access::Anybody | Access::Certificate => "allow_anonymous true\n".to_owned(),
        Access::Password => {
            format!("allow_anonymous false\npassword_file {}\n", path("passwords"))
        }
    };
    let certificate = match access {
        Access::Certificate => format!("cafile {}\nrequire_certificate true\n", path("ca.pem")),
        Access::Anybody | Access::Password => String::new(),
    };
    let log: String = ["error", "warning", "notice", "information", "subscribe"]
        .map(|kind| format!("log_type {kind}\n"))
        .concat();
    // `user` matters only to root: without it Mosquitto could not read its key.
    format!(
        "user root\nper_listener_settings false\n{login}log_dest stderr\n{log}\
         persistence true\npersistence_location {}/\nautosave_interval 0\n\
         max_inflight_messages 0\nmax_queued_messages 0\nset_tcp_nodelay true\n\
         listener {port} 127.0.0.1\nlistener {tls_port} 127.0.0.1\n\
         certfile {}\nkeyfile {}\n{certificate}",
        folder.display(),
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

/// Writes `ca.pem`, and signed by it `server.pem` for `localhost` and `client.pem`, with their
/// keys.
fn write_certificates(folder: &Path) {
    let mut authority = CertificateParams::default();
    // Of its own: OpenSSL takes a certificate with the name of its issuer for self-signed.
    authority.distinguished_name.push(DnType::CommonName, "the test's CA");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    for (file, name) in [("server", "localhost"), ("client", "module")] {
        write_certificate(folder, file, name, &authority);
    }
}

fn write_certificate(folder: &Path, file: &str, name: &str, authority: &Issuer<'_, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, authority).unwrap();
    fs::write(folder.join(file).with_extension("pem"), certificate.pem()).unwrap();
    fs::write(folder.join(file).with_extension("key"), key.serialize_pem()).unwrap();
}

fn write_passwords(folder: &Path) {
    let mut command = Command::new(installed("mosquitto_passwd"));
    command.args(["-b", "-c"]).arg(folder.join("passwords")).args([BROKER_USER, BROKER_PASSWORD]);
    assert!(command.status().unwrap().success(), "{command:?}");
}
