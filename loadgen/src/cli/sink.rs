//! `loadgen sink`: the null program under test.

use std::env;
use std::sync::Arc;

use clap::Args;

use super::output::note;
use super::{CommandError, EXIT_USAGE, signals};
use crate::sink::{self, SinkSettings, Stop};

/// What the sink reads from its environment.
const ENVIRONMENT: &str = "Environment, as `loadgen run` gives it: LOADGEN_HOST, LOADGEN_PORT, \
    LOADGEN_SUBSCRIBE, LOADGEN_PUBLISH (`{topic}` stands for the input's topic, unless the filter \
    begins with devices/); optional: LOADGEN_CLIENT_ID, LOADGEN_USERNAME, LOADGEN_PASSWORD, \
    LOADGEN_THRESHOLD [default: 25]";

const ENV_HOST: &str = "LOADGEN_HOST";
const ENV_PORT: &str = "LOADGEN_PORT";
const ENV_CLIENT_ID: &str = "LOADGEN_CLIENT_ID";
const ENV_USERNAME: &str = "LOADGEN_USERNAME";
const ENV_PASSWORD: &str = "LOADGEN_PASSWORD";
const ENV_SUBSCRIBE: &str = "LOADGEN_SUBSCRIBE";
const ENV_PUBLISH: &str = "LOADGEN_PUBLISH";
const ENV_THRESHOLD: &str = "LOADGEN_THRESHOLD";
/// The tutorials' threshold.
const DEFAULT_THRESHOLD: f64 = 25.0;

#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
pub(crate) struct SinkArgs {}

pub(crate) fn run(args: &SinkArgs) -> Result<(), CommandError> {
    let settings = settings(args, |name| env::var(name).ok().filter(|value| !value.is_empty()))
        .map_err(|problems| CommandError { code: EXIT_USAGE, text: problems.join("; ") })?;
    let stop = Arc::new(Stop::default());
    let stopper = Arc::clone(&stop);
    signals::on_stop(move || stopper.stop()).map_err(|error| CommandError::internal(&error))?;
    let (counts, ended) = sink::run(&settings, &stop);
    let counts = serde_json::to_string(&counts).map_err(|error| CommandError::internal(&error))?;
    note(counts);
    ended.map_err(|error| CommandError::unavailable(error.to_string()))
}

/// The settings, or everything that is wrong with them.
fn settings(
    _args: &SinkArgs,
    read: impl Fn(&str) -> Option<String>,
) -> Result<SinkSettings, Vec<String>> {
    let mut problems = Vec::new();
    let mut required = |name: &str| {
        read(name).unwrap_or_else(|| {
            problems.push(format!("{name} is not set"));
            String::new()
        })
    };
    let (host, port) = (required(ENV_HOST), required(ENV_PORT));
    let (subscribe, publish) = (required(ENV_SUBSCRIBE), required(ENV_PUBLISH));
    let port = port.parse().unwrap_or_else(|_| {
        if !port.is_empty() {
            problems.push(format!("{ENV_PORT} is no port: {port}"));
        }
        0
    });
    let threshold = match read(ENV_THRESHOLD).map(|text| (text.parse::<f64>(), text)) {
        None => DEFAULT_THRESHOLD,
        Some((Ok(threshold), _)) if threshold.is_finite() => threshold,
        Some((_, text)) => {
            problems.push(format!("{ENV_THRESHOLD} is no number: {text}"));
            DEFAULT_THRESHOLD
        }
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(SinkSettings {
        host,
        port,
        client_id: read(ENV_CLIENT_ID)
            .unwrap_or_else(|| format!("loadgen-sink-{}", std::process::id())),
        username: read(ENV_USERNAME).unwrap_or_default(),
        password: read(ENV_PASSWORD).unwrap_or_default(),
        subscribe,
        publish,
        threshold,
    })
}
