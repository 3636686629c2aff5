//! `loadgen hub` and the limit of open files.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{RunningHub, loadgen, wait_for};

/// Sockets without a CONNECT are closed after a minute. Where they have taken all descriptors, a
/// module is let in long before that.
#[test]
fn a_login_does_not_wait_for_idle_sockets() {
    let hub = RunningHub::start_under("ulimit -n 64", &["--no-simulator"]);
    let connect = || TcpStream::connect(("127.0.0.1", hub.port)).unwrap();
    let idle: Vec<TcpStream> = (0..200).map(|_| connect()).collect();
    let start = Instant::now();
    let (code, variables, err) = hub.run(&["env", "filter"]);
    assert_eq!(code, 0, "{err}");
    let mut module = loadgen();
    for line in variables.lines() {
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=').unwrap();
        module.env(name, value.trim_matches('\''));
    }
    let mut module = module.args(["module", "run"]).spawn().unwrap();
    wait_for("the module is connected", || hub.run(&["method", "filter", "stats"]).0 == 0);
    let waited = start.elapsed();
    module.kill().unwrap();
    module.wait().unwrap();
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    drop(idle);
}

#[test]
fn the_hub_raises_its_own_limit() {
    let hub = RunningHub::start_under("ulimit -Sn 64", &["--no-simulator"]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", hub.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut words = line.split_whitespace().skip(3);
    let (soft, hard) = (words.next().unwrap(), words.next().unwrap());
    let hard: u64 = hard.parse().unwrap_or(u64::MAX);
    assert_eq!(soft, hard.min(4096).to_string(), "{line}");
}
