//! Mosquitto and the program behind it, for one test each.

use test_support::{Access, BROKER_PASSWORD, BROKER_USER, Mosquitto, Process};

use crate::support::loadgen;

/// Clients without a keep-alive are refused, as by some brokers.
const MORE: &str = "max_keepalive 60\n";

/// One that lets anybody in.
pub(super) fn open() -> Mosquitto {
    Mosquitto::start_with(Access::Anybody, MORE)
}

/// One that lets nobody in but [`BROKER_USER`].
pub(super) fn guarded() -> Mosquitto {
    Mosquitto::start_with(Access::Password, MORE)
}

/// Where it listens with TLS, logging in as `user`.
pub(super) fn tls_url(mosquitto: &Mosquitto, user: &str) -> String {
    format!("mqtts://{user}@localhost:{}", mosquitto.tls_port())
}

/// The program behind it: forwards what exceeds the threshold from `sensors/#` to
/// `alerts/{topic}`. It has subscribed when this returns.
pub(super) fn sink(mosquitto: &Mosquitto, flags: &[&str], variables: &[(&str, &str)]) -> Process {
    let mut command = loadgen("sink");
    command
        .args(flags)
        .env("LOADGEN_HOST", "127.0.0.1")
        .env("LOADGEN_PORT", mosquitto.port().to_string())
        .env("LOADGEN_USERNAME", BROKER_USER)
        .env("LOADGEN_PASSWORD", BROKER_PASSWORD)
        .env("LOADGEN_SUBSCRIBE", "sensors/#")
        .env("LOADGEN_PUBLISH", "alerts/{topic}")
        .envs(variables.iter().copied());
    let sink = Process::spawn("sink", &mut command);
    mosquitto.process().wait_for_line(&[" sensors/#"]);
    sink
}
