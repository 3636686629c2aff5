use clap::Parser;

use super::*;
use loadgen_load::settings::START_WAIT_DEFAULT;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    #[arg(last = true)]
    command: Vec<String>,
}

/// The settings of a command line at 1,000 messages a second, or what is said against it.
fn read(line: &str) -> Result<RunSettings, String> {
    read_at(Rate::PerSecond(1000.0), line)
}

fn read_at(rate: Rate, line: &str) -> Result<RunSettings, String> {
    let words = std::iter::once("loadgen").chain(line.split_whitespace());
    let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
    let duration = Duration::from_secs(10);
    line.load
        .settings(rate, duration, line.command.clone(), Some(&line.broker))
        .map_err(|error| error.to_string())
}

fn refused(line: &str, part: &str) {
    let error = read(line).unwrap_err();
    assert!(error.contains(part), "{line}: {error}");
}

#[test]
fn defaults() {
    let settings = read("-- module run").unwrap();
    let command = vec!["module".to_owned(), "run".to_owned()];
    let listen = "127.0.0.1:0".parse().unwrap();
    assert_eq!(settings.target, Target::Hub { listen, plain: false, command });
    assert_eq!(settings.traffic, TrafficSettings::default());
    assert_eq!(settings.window, WINDOW_DEFAULT);
    assert_eq!(settings.warm_up, Duration::from_secs(1));
    assert_eq!(settings.drain, Duration::from_secs(10));
    assert!(settings.verify_properties && settings.cut_every.is_none());
    assert_eq!(settings.start_wait, START_WAIT_DEFAULT);
    let pace = Pace::Open { rate: 1000.0, arrivals: Arrivals::Fixed, burst: None };
    assert_eq!(settings.pace, pace);
}

#[test]
fn everything_can_be_set() {
    let line = "--warm-up 0 --drain 2s --window 65535 --listen 127.0.0.2:8883 --plain --cut-every \
        1s --start-wait 5m --no-verify-properties --arrivals poisson --burst 100ms/1s --sensors 7 \
        --alerts 1 --size 500 --qos 0 --seed 9 --threshold -3.5 -- x --rate";
    let settings = read(line).unwrap();
    let traffic = TrafficSettings {
        profile: Profile::Simulated,
        sensors: 7,
        alerts: 1.0,
        size: Some(500),
        qos: 0,
        seed: 9,
        threshold: -3.5,
    };
    assert_eq!(settings.traffic, traffic);
    assert_eq!(settings.warm_up, Duration::ZERO);
    assert_eq!(settings.cut_every, Some(Duration::from_secs(1)));
    assert_eq!(settings.start_wait, Duration::from_secs(300));
    assert!(!settings.verify_properties);
    let burst = Burst { on: Duration::from_millis(100), period: Duration::from_secs(1) };
    let pace = Pace::Open { rate: 1000.0, arrivals: Arrivals::Poisson, burst: Some(burst) };
    assert_eq!(settings.pace, pace);
    let command = vec!["x".to_owned(), "--rate".to_owned()];
    let listen = "127.0.0.2:8883".parse().unwrap();
    assert_eq!(settings.target, Target::Hub { listen, plain: true, command });
}

#[test]
fn profiles() {
    assert_eq!(read("--profile hostile -- x").unwrap().traffic.profile, Profile::Hostile);
    let replay = Profile::Replay {
        file: "a.csv".into(),
        time_column: "timestamp".to_owned(),
        value_column: "v".to_owned(),
        format: CsvFormat::default(),
    };
    for line in ["", "--profile replay "] {
        let line = format!("{line}--replay a.csv --value-column v -- x");
        assert_eq!(read(&line).unwrap().traffic.profile, replay);
    }
    let line = "--replay a.csv --value-column v --delimiter ; --decimal , -- x";
    let Profile::Replay { format, .. } = read(line).unwrap().traffic.profile else { panic!() };
    assert_eq!(format, CsvFormat { delimiter: ';', decimal: ',' });
    for line in ["--delimiter ; -- x", "--decimal , -- x"] {
        refused(line, "--replay <FILE>");
    }
    refused("--profile replay -- x", "--replay FILE");
    refused("--profile hostile --replay a.csv -- x", "drop --profile");
    refused("--value-column v -- x", "--replay <FILE>");
    refused("--replay a.csv --alerts 0.5 -- x", "cannot be used with");
    refused("--profile hostile --alerts 0.5 -- x", "verdicts");
}

#[test]
fn limits_are_kept() {
    for line in [
        "--sensors 0",
        "--sensors 100001",
        "--alerts 1.1",
        "--alerts=-1",
        "--size 0",
        "--size 256001",
        "--qos 2",
        "--window 0",
        "--window 65536",
        "--threshold NaN",
        "--drain 0",
        "--cut-every 0",
        "--start-wait 0",
        "--burst 2s/1s",
        "--connections 1001 --broker mqtt://a",
    ] {
        assert!(read(&format!("{line} -- x")).unwrap_err().contains("invalid value"), "{line}");
    }
    refused("--plain --listen 0.0.0.0:0 -- x", "loopback");
    assert!(read("--plain --listen [::1]:0 -- x").is_ok());
}

#[test]
fn schedules_need_a_rate() {
    assert_eq!(read_at(Rate::Max, "-- x").unwrap().pace, Pace::Closed);
    for flag in ["--arrivals fixed", "--burst 1s/2s"] {
        let error = read_at(Rate::Max, &format!("{flag} -- x")).unwrap_err();
        assert!(error.contains("need a rate in"), "{error}");
    }
}
