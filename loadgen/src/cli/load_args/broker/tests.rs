use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    broker: BrokerArgs,
    #[arg(long)]
    listen: Option<String>,
    #[arg(long)]
    plain: bool,
    #[arg(long)]
    cut_every: Option<String>,
    #[arg(last = true)]
    command: Vec<String>,
}

/// The target of a command line with this password in the environment, or what is said against it.
fn read_with(password: &str, line: &str) -> Result<Option<Target>, String> {
    let words = std::iter::once("loadgen").chain(line.split_whitespace());
    let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
    assert!(!format!("{line:?}").contains("hush"));
    line.broker.target_with(|| Some(password.into())).map_err(|error| error.to_string())
}

fn read(line: &str) -> Result<Option<Target>, String> {
    read_with("", line)
}

fn refused(line: &str, part: &str) {
    let error = read(line).unwrap_err();
    assert!(error.contains(part), "{line}: {error}");
}

#[test]
fn brokers_take_the_place_of_a_command() {
    let target = Target::Broker {
        url: "mqtt://localhost:1883".parse().unwrap(),
        ca_file: None,
        password: None,
        connections: 3,
        topic: "s/{sensor}".to_owned(),
        alerts_topic: "alerts/{topic}".to_owned(),
    };
    let line = "--broker mqtt://localhost --connections 3 --topic s/{sensor}";
    assert_eq!(read(line), Ok(Some(target)));
    assert_eq!(read("-- x"), Ok(None));
    refused("--broker mqtt://localhost -- x", "cannot be used with");
    for flag in ["--plain", "--listen 127.0.0.1:0", "--cut-every 1s"] {
        refused(&format!("--broker mqtt://localhost {flag}"), "cannot be used with");
    }
    let flags = ["--connections 2", "--topic a", "--alerts-topic a", "--broker-ca a"];
    for flag in flags.into_iter().chain(["--broker-password-file a"]) {
        refused(&format!("{flag} -- x"), "needs --broker URL");
    }
    refused("--broker mqtt://a --connections 1001", "1..=1000");
    refused("--broker http://a", "begins with mqtt://");
    refused("--broker mqtt://a --broker-ca x", "for mqtts://");
}

fn password(target: Result<Option<Target>, String>) -> Option<String> {
    let Some(Target::Broker { password, .. }) = target.unwrap() else { panic!("no broker") };
    password.map(|password| password.reveal().to_owned())
}

#[test]
fn passwords_come_from_the_environment_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let line = format!("--broker mqtt://me@a --broker-password-file {}", file.display());
    for (text, read) in [("hush\n", "hush"), ("hush\r\n", "hush"), (" hush \n\n", " hush \n")] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(password(read_with("other", &line)).as_deref(), Some(read));
    }
    assert_eq!(password(read_with("hush", "--broker mqtt://me@a")).as_deref(), Some("hush"));
    assert_eq!(password(read("--broker mqtt://me@a")), None);
    let error = read_with("hush", "--broker mqtt://a").unwrap_err();
    assert!(error.contains("no user") && !error.contains("hush"), "{error}");
    for (text, part) in
        [("\n", "the password is empty"), (&*"x".repeat(70_000), "larger than 65537")]
    {
        std::fs::write(&file, text).unwrap();
        refused(&line, part);
    }
    std::fs::remove_file(&file).unwrap();
    refused(&line, "cannot read the password");
}

/// Neither what is said, nor what is kept for a message, holds a password that stood in the URL.
#[test]
fn a_password_in_the_url_is_refused_and_not_repeated() {
    for url in ["mqtt://me:hush@localhost", "http://me:hush@localhost", "mqtts://me:hu/sh@a"] {
        let error = read(&format!("--broker {url}")).unwrap_err();
        assert!(!error.contains("hu/sh") && !error.contains("hush"), "{error}");
        let is_scheme = url.starts_with("http");
        assert!(
            error.contains(if is_scheme { "mqtt://" } else { "LOADGEN_BROKER_PASSWORD" }),
            "{error}"
        );
    }
}

#[test]
fn results_hold_no_password() {
    let target = read_with("hush", "--broker mqtt://me@a").unwrap().unwrap();
    let written = serde_json::to_string(&target).unwrap();
    assert!(written.contains("mqtt://me@a:1883") && !written.contains("hush"), "{written}");
    assert!(!format!("{target:?}").contains("hush"));
    let Target::Broker { password: None, .. } = serde_json::from_str(&written).unwrap() else {
        panic!("{written}")
    };
}

#[test]
fn passwords_leave_this_machine_unencrypted_with_a_word_about_it() {
    let exposed = |url: &str| is_exposed(&url.parse().unwrap());
    assert!(exposed("mqtt://u@broker.example") && exposed("mqtt://u@10.0.0.1"));
    for url in ["mqtts://u@broker.example", "mqtt://u@localhost", "mqtt://u@127.0.0.2"] {
        assert!(!exposed(url), "{url}");
    }
    assert!(!exposed("mqtt://u@[::1]"));
}
