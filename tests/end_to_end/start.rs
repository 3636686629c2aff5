//! What is refused at the start: files that are none, and too few descriptors.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{Process, sluicegate};

/// What a setting may name by mistake, each of which would hold up or fill up whoever just reads it.
fn hostile_files() -> (TempDir, Vec<(PathBuf, &'static str)>) {
    let folder = tempfile::tempdir().unwrap();
    let (fifo, sparse) = (folder.path().join("fifo"), folder.path().join("sparse"));
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::fs::File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    let files = vec![
        (PathBuf::from("/dev/zero"), "it is a device, not a regular file"),
        (fifo, "it is a FIFO, not a regular file"),
        (folder.path().to_owned(), "it is a directory, not a regular file"),
        (sparse, "it is larger than "),
    ];
    (folder, files)
}

/// The command ends with 64, and one line names the setting, the file and what is wrong with it.
fn check_refused(mut command: Command, setting: &str, file: &Path, why: &str) {
    let mut process = Process::spawn("sluicegate", &mut command);
    assert_eq!(process.wait_for_exit().code(), Some(64), "{setting} {}", file.display());
    process.wait_for_line(&[setting, file.to_str().unwrap(), why]);
}

/// For every setting that names a file, and every kind of file that is none: `run`, `check` and
/// `sensor` end at once, with 64 and the reason.
#[test]
fn a_file_that_is_none_is_refused_at_once() {
    const KEY: &str =
        "HostName=h.net;GatewayHostName=localhost;DeviceId=d;ModuleId=m;SharedAccessKey=czNjcjN0";
    let (_folder, files) = hostile_files();
    for (file, why) in &files {
        for subcommand in ["run", "check"] {
            for name in ["config", "broker-password-file", "broker-ca", "broker-cert", "broker-key"]
            {
                let mut command = sluicegate();
                command.args([subcommand, "--broker", "mqtts://user@localhost"]);
                command.arg(format!("--{name}")).arg(file);
                check_refused(command, &format!("--{name}"), file, why);
            }
            let mut command = sluicegate();
            command.arg(subcommand).env("EdgeHubConnectionString", KEY);
            command.env("EdgeModuleCACertificateFile", file);
            check_refused(command, "EdgeModuleCACertificateFile", file, why);
        }
        for name in ["key-file", "group-key-file", "ca-file"] {
            let mut command = sluicegate();
            command.args(["sensor", "--id-scope", "0ne", "--registration-id", "d"]);
            command.arg(format!("--{name}")).arg(file);
            check_refused(command, &format!("--{name}"), file, why);
        }
        let mut command = sluicegate();
        command.args(["check", "--broker", "mqtts://localhost"]).env("SSL_CERT_FILE", file);
        check_refused(command, "SSL_CERT_FILE", file, why);
    }
}
