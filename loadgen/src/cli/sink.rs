//! `loadgen sink`: the null program under test.

use std::env;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sluicegate::broker::TopicFilter;
use sluicegate::mqtt::text::is_refused;
use sluicegate::mqtt::topics::check_topic;
use sluicegate::settings::quotes;

use super::output::note;
use super::text::parse_duration;
use super::{CommandError, EXIT_USAGE, signals};
use loadgen_load::settings::RATE_MAX;
use loadgen_load::sink::{self, Faults, SinkSettings, Stall, Stop};

/// What the sink reads from its environment.
const ENVIRONMENT: &str = "Environment, as `loadgen run` gives it: LOADGEN_HOST, LOADGEN_PORT, \
    LOADGEN_SUBSCRIBE, LOADGEN_PUBLISH (`{topic}` stands for the input's topic, unless the filter \
    begins with devices/); optional: LOADGEN_CA_FILE (then TLS), \
    LOADGEN_CLIENT_ID, LOADGEN_USERNAME, LOADGEN_PASSWORD, \
    LOADGEN_THRESHOLD [default: 25]";

const ENV_HOST: &str = "LOADGEN_HOST";
const ENV_PORT: &str = "LOADGEN_PORT";
const ENV_CA_FILE: &str = "LOADGEN_CA_FILE";
const ENV_CLIENT_ID: &str = "LOADGEN_CLIENT_ID";
const ENV_USERNAME: &str = "LOADGEN_USERNAME";
const ENV_PASSWORD: &str = "LOADGEN_PASSWORD";
const ENV_SUBSCRIBE: &str = "LOADGEN_SUBSCRIBE";
const ENV_PUBLISH: &str = "LOADGEN_PUBLISH";
const ENV_THRESHOLD: &str = "LOADGEN_THRESHOLD";
/// All of them.
pub(crate) const VARIABLES: [&str; 9] = [
    ENV_HOST,
    ENV_PORT,
    ENV_CA_FILE,
    ENV_CLIENT_ID,
    ENV_USERNAME,
    ENV_PASSWORD,
    ENV_SUBSCRIBE,
    ENV_PUBLISH,
    ENV_THRESHOLD,
];
/// The tutorials' threshold.
const DEFAULT_THRESHOLD: f64 = 25.0;
/// As most clients have it.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Longest `--delay`.
const DELAY_MAX: Duration = Duration::from_secs(60);
/// Lowest `--limit-rate`.
const RATE_MIN: f64 = 0.01;

#[derive(Debug, Args)]
#[command(after_help = ENVIRONMENT)]
pub(crate) struct SinkArgs {
    /// Neither read nor write for the first time each second time, as 200ms/1s, counted from the
    /// first input; the first pause comes after one whole period
    #[arg(long, value_name = "TIME/TIME", value_parser = parse_stall)]
    stall: Option<Stall>,
    /// Send each answer exactly that long after its input was read
    #[arg(long, value_name = "TIME", value_parser = parse_delay)]
    delay: Option<Duration>,
    /// Do not forward each Nth alert
    #[arg(long, value_name = "N")]
    drop_every: Option<NonZeroU64>,
    /// Forward each Nth alert twice
    #[arg(long, value_name = "N")]
    duplicate_every: Option<NonZeroU64>,
    /// Forward each Nth alert behind the next one; alone, when nothing comes for 100 ms
    #[arg(long, value_name = "N")]
    swap_every: Option<NonZeroU64>,
    /// Change one bit in the body of each Nth alert
    #[arg(long, value_name = "N")]
    flip_every: Option<NonZeroU64>,
    /// Leave out the property MessageType of each Nth alert
    #[arg(long, value_name = "N")]
    strip_every: Option<NonZeroU64>,
    /// After each Nth alert forward the next input that is none
    #[arg(long, value_name = "N")]
    forge_every: Option<NonZeroU64>,
    /// Take at most so many inputs per second, evenly
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    limit_rate: Option<f64>,
    /// End, with exit code 0, after so many inputs
    #[arg(long, value_name = "N")]
    exit_after: Option<NonZeroU64>,
}

pub(crate) fn run(args: &SinkArgs) -> Result<(), CommandError> {
    let settings =
        settings(args, |name| env::var(name).ok().and_then(|value| read(name, value)))
            .map_err(|problems| CommandError { code: EXIT_USAGE, text: problems.join("; ") })?;
    let stop = Arc::new(Stop::default());
    let stopper = Arc::clone(&stop);
    signals::on_stop(move || stopper.stop()).map_err(CommandError::no_start)?;
    let (counts, ended) = sink::run(&settings, &stop);
    let counts = serde_json::to_string(&counts).map_err(|error| CommandError::internal(&error))?;
    note(counts);
    ended.map_err(|error| CommandError::unavailable(error.to_string()))
}

/// What a variable says, if anything: without the white space that an env-file may leave around it.
fn read(name: &str, value: String) -> Option<String> {
    let value = match name {
        ENV_PASSWORD => quotes::without_line_end(&value),
        _ => value.trim(),
    };
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

/// The settings, or everything that is wrong with them.
fn settings(
    args: &SinkArgs,
    read: impl Fn(&str) -> Option<String>,
) -> Result<SinkSettings, Vec<String>> {
    let quoted = VARIABLES.into_iter().filter(|name| *name != ENV_PASSWORD);
    let quoted = quoted.filter(|name| read(name).is_some_and(|text| quotes::are_around(&text)));
    let mut problems: Vec<_> = quoted.map(|name| format!("{name}: {}", quotes::ADVICE)).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut required = |name: &str| {
        read(name).unwrap_or_else(|| {
            problems.push(format!("{name} is not set"));
            String::new()
        })
    };
    let (host, port) = (required(ENV_HOST), required(ENV_PORT));
    let (subscribe, publish) = (required(ENV_SUBSCRIBE), required(ENV_PUBLISH));
    for (name, topic) in [(ENV_SUBSCRIBE, &subscribe), (ENV_PUBLISH, &publish)] {
        if topic.contains(char::is_control) {
            problems.push(format!("{name} has a control character, which brokers refuse"));
        }
    }
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
    let (client_id, username) = (read(ENV_CLIENT_ID), read(ENV_USERNAME).unwrap_or_default());
    problems.extend(unspeakable(&subscribe, &publish, client_id.as_deref(), &username));
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(SinkSettings {
        host,
        port,
        ca_file: read(ENV_CA_FILE).map(Into::into),
        client_id: client_id.unwrap_or_else(|| format!("loadgen-sink-{}", std::process::id())),
        username,
        password: read(ENV_PASSWORD).unwrap_or_default(),
        subscribe,
        publish,
        threshold,
        keep_alive: KEEP_ALIVE,
        faults: args.faults(),
    })
}

/// What of these texts MQTT cannot carry, or brokers hang up on. What is missing has been reported
/// before.
fn unspeakable(
    subscribe: &str,
    publish: &str,
    client_id: Option<&str>,
    username: &str,
) -> Vec<String> {
    let filter = Some(subscribe).filter(|text| !text.is_empty());
    let filter = filter.and_then(|text| text.parse::<TopicFilter>().err());
    let topic = Some(publish).filter(|text| !text.is_empty());
    let topic = topic.and_then(|text| check_topic(text).err());
    let topics = [(ENV_SUBSCRIBE, filter), (ENV_PUBLISH, topic)].into_iter();
    let topics = topics.filter_map(|(name, problem)| Some(format!("{name}: {}", problem?)));
    let texts = [(ENV_CLIENT_ID, client_id.unwrap_or_default()), (ENV_USERNAME, username)];
    let texts = texts.into_iter().filter(|(_, text)| text.contains(is_refused));
    let texts = texts.map(|(name, _)| format!("{name} holds a control character: take it out"));
    topics.chain(texts).collect()
}

impl SinkArgs {
    fn faults(&self) -> Faults {
        Faults {
            drop_every: self.drop_every,
            duplicate_every: self.duplicate_every,
            swap_every: self.swap_every,
            flip_every: self.flip_every,
            strip_every: self.strip_every,
            forge_every: self.forge_every,
            stall: self.stall,
            delay: self.delay,
            limit_rate: self.limit_rate,
            exit_after: self.exit_after,
        }
    }
}

/// Reads `200ms/1s`.
fn parse_stall(text: &str) -> Result<Stall, String> {
    let refused = || format!("`{text}` is no pause and period: write both, as 200ms/1s");
    let (pause, period) = text.split_once('/').ok_or_else(refused)?;
    let stall = Stall { pause: parse_duration(pause)?, period: parse_duration(period)? };
    let fits = !stall.pause.is_zero() && stall.pause < stall.period;
    fits.then_some(stall).ok_or_else(|| format!("`{text}`: the pause is not below the period"))
}

/// Reads a delay: at most a minute, which is far beyond any use.
fn parse_delay(text: &str) -> Result<Duration, String> {
    let delay = parse_duration(text)?;
    if delay <= DELAY_MAX { Ok(delay) } else { Err(format!("`{text}` is over a minute")) }
}

/// Reads a rate in messages per second.
fn parse_rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    let range = RATE_MIN..=RATE_MAX;
    if range.contains(&rate) { Ok(rate) } else { Err(format!("`{text}` is not in {range:?}")) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        sink: SinkArgs,
    }

    /// The settings of an environment with this change.
    fn with(name: &str, value: &str) -> Result<SinkSettings, String> {
        let given = [
            (ENV_HOST, "h"),
            (ENV_PORT, "1"),
            (ENV_SUBSCRIBE, "a/#"),
            (ENV_PUBLISH, "b"),
            (ENV_USERNAME, "u"),
        ];
        let line = Line::try_parse_from(["sink"]).unwrap();
        let of = |wanted: &str| {
            let base = given.iter().find(|(known, _)| *known == wanted);
            let text = if wanted == name { Some(value) } else { base.map(|(_, text)| *text) };
            text.and_then(|text| read(wanted, text.to_owned()))
        };
        settings(&line.sink, of).map_err(|problems| problems.join("; "))
    }

    #[test]
    fn quotation_marks_are_named_for_every_variable() {
        for name in VARIABLES.into_iter().filter(|name| *name != ENV_PASSWORD) {
            for value in ["\"hunter2\"", "'hunter2'", " 'hunter2'\r\n", "\u{201c}hunter2\u{201d}"] {
                let error = with(name, value).err().expect("quotation marks");
                let expected = format!("{name}: the value is in quotation marks");
                assert!(error.starts_with(&expected) && !error.contains("hunter2"), "{error}");
            }
        }
        assert_eq!(with(ENV_PASSWORD, "'hunter2'").unwrap().password, "'hunter2'");
    }

    #[test]
    fn white_space_around_a_variable_is_no_part_of_it() {
        for after in ["\r", "\n", "\r\n", " "] {
            assert_eq!(with(ENV_HOST, &format!(" host{after}")).unwrap().host, "host");
            assert_eq!(with(ENV_PORT, &format!("5{after}")).unwrap().port, 5);
            let threshold = with(ENV_THRESHOLD, &format!("5.5{after}")).unwrap().threshold;
            assert!((threshold - 5.5).abs() < f64::EPSILON);
        }
        assert_eq!(with(ENV_PASSWORD, " p \r\n").unwrap().password, " p ");
        let unset = with(ENV_HOST, " \r\n").err().expect("nothing");
        assert!(unset.contains("LOADGEN_HOST is not set"));
    }
}
