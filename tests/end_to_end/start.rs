//! What is refused at the start: files that are none, and too few descriptors.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{Process, sluicegate, wait_until};

/// What a setting may name by mistake, each of which would hold up or fill up whoever just reads
/// it.
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
fn irregular_files_are_refused_at_once() {
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

/// The command line with no more than `limit` descriptors for the program.
fn limited(limit: usize, arguments: &Command) -> Command {
    let mut command = Command::new("sh");
    command.env_clear().args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]);
    command.arg(arguments.get_program()).args(arguments.get_args());
    for (name, value) in arguments.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

/// For every limit of descriptors with which the program can be loaded: it starts, or it ends with
/// 71 and the reason; it never panics, and what started obeys SIGTERM.
fn check_limits(arguments: impl Fn() -> Command, ends: &[i32]) {
    let (mut refused, mut short) = (Vec::new(), Vec::new());
    for limit in 4..=20 {
        let mut process = Process::spawn("limited", &mut limited(limit, &arguments()));
        wait_until("it has started or ended", || {
            // Who cannot start has said so before it ends.
            !process.is_running() || process.count("cannot ") > process.count("cannot start")
        });
        if process.is_running() {
            process.signal("TERM");
        }
        let code = process.wait_for_exit().code();
        assert_eq!(process.count("panicked"), 0, "{limit}");
        // Nobody is told to look at the peer.
        assert_eq!(process.count("(os error 24); is "), 0, "{limit}");
        if process.count("has too few file descriptors; raise its limit") > 0 {
            short.push(limit);
        }
        if code == Some(71) {
            process.wait_for_line(&["cannot start: the system refused", "os error 24"]);
            refused.push(limit);
        } else {
            assert!(code.is_some_and(|code| ends.contains(&code)), "{limit}: {code:?}");
        }
    }
    assert!(refused.starts_with(&[4, 5, 6, 7, 8]), "refused with {refused:?}");
    assert!(!short.is_empty(), "no connection was refused for want of descriptors");
}

#[test]
fn the_module_ends_with_71_on_too_few_descriptors() {
    check_limits(
        || {
            let mut command = sluicegate();
            command.args(["run", "--broker", "mqtt://127.0.0.1:1"]);
            command
        },
        &[0],
    );
}

#[test]
fn the_sensor_ends_with_71_on_too_few_descriptors() {
    check_limits(
        || {
            let mut command = sluicegate();
            command.args(["sensor", "--id-scope", "0ne", "--registration-id", "d"]);
            command.args(["--provisioning-host", "127.0.0.1", "--provisioning-port", "1"]);
            command.env("SLUICEGATE_KEY", "c2VjcmV0LWtleS1vZi10aGlzLXRlc3Q=");
            command
        },
        &[69],
    );
}

/// Where settings can be read at all, checking them takes no more descriptors than one.
#[test]
fn settings_are_checked_with_a_handful_of_descriptors() {
    for limit in 4..=20 {
        let mut command = sluicegate();
        command.args(["check", "--broker", "mqtt://127.0.0.1:1"]);
        let mut process = Process::spawn("limited", &mut limited(limit, &command));
        assert_eq!(process.wait_for_exit().code(), Some(0), "{limit}");
        process.wait_for_line(&["broker 127.0.0.1:1"]);
    }
}
