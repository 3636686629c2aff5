//! A plain broker: alone, beside a hub, and everything that is refused about it.

use super::*;
use crate::broker::TopicFilter;
use crate::broker::settings::Standalone;
use crate::mqtt::Route;

mod tls;

pub(super) const URL: &str = "mqtt://broker";

fn broker(flags: &[&str], env: &[(&str, &str)]) -> BrokerSettings {
    let settings = resolve(flags, env).unwrap_or_else(|problems| panic!("{flags:?}: {problems}"));
    assert!(settings.hub.is_none());
    settings.broker.expect("a broker was given")
}

fn refused(flags: &[&str], env: &[(&str, &str)]) -> Vec<String> {
    resolve(flags, env).err().unwrap_or_else(|| panic!("{flags:?} {env:?} must be refused")).0
}

/// The one problem that there is says all of `parts`.
pub(super) fn check(flags: &[&str], env: &[(&str, &str)], parts: &[&str]) {
    let problems = refused(flags, env);
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(parts.iter().all(|part| problem.contains(part)), "{parts:?}: {problem}");
}

fn filters(broker: &BrokerSettings) -> Vec<&str> {
    broker.filters.iter().map(TopicFilter::as_str).collect()
}

fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn path(file: &NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

#[test]
fn a_broker_alone_has_defaults() {
    for (flags, env) in
        [(&["--broker", URL][..], &[][..]), (&[], &[("SLUICEGATE_BROKER", " mqtt://broker ")])]
    {
        let broker = broker(flags, env);
        assert_eq!((broker.host.as_str(), broker.port), ("broker", 1883));
        assert!(matches!(broker.route, Route::Tcp));
        assert!(broker.user.is_none() && broker.password.is_none() && broker.client_id.is_none());
        assert_eq!(filters(&broker), ["sensors/#"]);
        let expected = Standalone {
            alerts: "alerts/{topic}".parse().unwrap(),
            control: "sluicegate/desired".to_owned(),
            reported: "sluicegate/reported".to_owned(),
        };
        assert_eq!(broker.standalone, Some(expected));
    }
}

#[test]
fn every_row_is_taken_from_a_flag_a_variable_or_the_file() {
    let toml = file(
        b"broker = \"mqtt://u@h:5\"\nclient_id = \"gate\"\nsubscribe = [\"a/#\", \"b\"]\n\
          alerts_topic = \"x/{topic}\"\ncontrol_topic = \"c\"\nreported_topic = \"r\"\n\
          path = \"a.b.c\"\nlinger = \"50us\"\nworkers = 0\n",
    );
    let flags = [
        "--broker=mqtt://u@h:5",
        "--client-id=gate",
        "--subscribe=a/#",
        "--subscribe=b",
        "--alerts-topic=x/{topic}",
        "--control-topic=c",
        "--reported-topic=r",
        "--path=a.b.c",
        "--linger=50us",
        "--workers=0",
    ];
    let env = [
        ("SLUICEGATE_BROKER", "mqtt://u@h:5"),
        ("SLUICEGATE_CLIENT_ID", "gate"),
        ("SLUICEGATE_SUBSCRIBE", "a/#, b"),
        ("SLUICEGATE_ALERTS_TOPIC", "x/{topic}"),
        ("SLUICEGATE_CONTROL_TOPIC", "c"),
        ("SLUICEGATE_REPORTED_TOPIC", "r"),
        ("SLUICEGATE_PATH", "a.b.c"),
        ("SLUICEGATE_LINGER", "50us"),
        ("SLUICEGATE_WORKERS", "0"),
    ];
    let from_file = ["--config", path(&toml)];
    for settings in [resolve(&flags, &[]), resolve(&[], &env), resolve(&from_file, &[])] {
        let settings = settings.unwrap();
        assert_eq!(settings.path.members(), ["a", "b", "c"]);
        assert_eq!((settings.linger, settings.workers), (Duration::from_micros(50), 0));
        let broker = settings.broker.unwrap();
        assert_eq!(
            (broker.host.as_str(), broker.port, broker.user.as_deref()),
            ("h", 5, Some("u"))
        );
        assert_eq!(broker.client_id.as_deref(), Some("gate"));
        assert_eq!(filters(&broker), ["a/#", "b"]);
        let standalone = broker.standalone.unwrap();
        assert_eq!(standalone.alerts.to_string(), "x/{topic}");
        assert_eq!((standalone.control.as_str(), standalone.reported.as_str()), ("c", "r"));
    }
}

#[test]
fn the_path_the_linger_and_the_workers_have_limits() {
    let settings = resolve(&["--broker", URL], &[]).unwrap();
    assert_eq!(settings.path, JsonPath::default());
    assert_eq!(settings.linger, Duration::from_micros(200));
    for (text, micros) in [("0", 0), ("0s", 0), ("200us", 200)] {
        let settings = resolve(&["--broker", URL, "--linger", text], &[]).unwrap();
        assert_eq!(settings.linger.as_micros(), micros, "{text}");
    }
    for (text, workers) in [("0", 0), ("64", 64)] {
        let settings = resolve(&["--broker", URL, "--workers", text], &[]).unwrap();
        assert_eq!(settings.workers, workers);
    }
    assert!(resolve(&["--broker", URL, "--workers", "auto"], &[]).is_ok());
    let long = ["a"; 17].join(".");
    let cases = [
        ("--path", "a..b", "is empty"),
        ("--path", "", "is empty"),
        ("--path", long.as_str(), "more than 16"),
        ("--linger", "201us", "200us"),
        ("--linger", "5", "without a unit it is seconds"),
        ("--linger", "5 parsecs", "not a duration"),
        ("--workers", "65", "0 to 64"),
        ("--workers", "-1", "nor auto"),
    ];
    for (flag, value, expected) in cases {
        check(&["--broker", URL, flag, value], &[], &[&format!("flag {flag}: "), expected]);
    }
}

/// Flags add to each other, and beat the variable as a whole; a comma in a flag or in the file
/// belongs to the filter.
#[test]
fn filters_are_a_list() {
    let env = [("SLUICEGATE_SUBSCRIBE", "e1,e2/#")];
    assert_eq!(filters(&broker(&["--broker", URL], &env)), ["e1", "e2/#"]);
    let flags = ["--broker", URL, "--subscribe", "f,1", "--subscribe", "$share/g/f/#"];
    let flags = [&flags[..], &["--subscribe", "f,1"]].concat();
    assert_eq!(filters(&broker(&flags, &env)), ["f,1", "$share/g/f/#"], "each once");
    let toml = file(b"subscribe = \"t,1\"\n");
    assert_eq!(filters(&broker(&["--broker", URL, "--config", path(&toml)], &[])), ["t,1"]);
    for bad in ["[]", "[[\"a\"]]", "true"] {
        let toml = file(format!("subscribe = {bad}\n").as_bytes());
        let flags = ["--broker", URL, "--config", path(&toml)];
        check(&flags, &[], &["subscribe must be a string or a list"]);
    }
}

#[test]
fn each_bad_filter_is_named() {
    let env = [("SLUICEGATE_SUBSCRIBE", "good,a#,,b/+c")];
    let problems = refused(&["--broker", URL], &env);
    assert_eq!(problems.len(), 3, "{problems:?}");
    for (problem, part) in problems.iter().zip(["\"a#\"", "\"\"", "\"b/+c\""]) {
        assert!(problem.starts_with("variable SLUICEGATE_SUBSCRIBE: "), "{problem}");
        assert!(problem.contains(part), "{problem}");
    }
    let many: Vec<String> = (0..1001).map(|number| number.to_string()).collect();
    let env = [("SLUICEGATE_SUBSCRIBE", many.join(","))];
    check(&["--broker", URL], &[(env[0].0, &env[0].1)], &["more than 1000 filters"]);
    // Each three bytes longer than its text, after two of the packet's own.
    let long = |last: usize| {
        let lengths = [65_533, 65_533, 65_533, last];
        let letters = ["a", "b", "c", "d"].iter().zip(lengths);
        letters.map(|(letter, len)| letter.repeat(len)).collect::<Vec<_>>().join(",")
    };
    let room = 256 * 1024 - 2 - 3 * (65_533 + 3) - 3;
    assert_eq!(
        filters(&broker(&["--broker", URL], &[("SLUICEGATE_SUBSCRIBE", &long(room))])).len(),
        4
    );
    let env = [("SLUICEGATE_SUBSCRIBE", &*long(room + 1))];
    check(&["--broker", URL], &env, &["262145 bytes together, of 262144"]);
}

#[test]
fn a_bad_url_is_refused_without_repeating_it() {
    for url in ["tcp://u:hunter2@h", "mqtt://u:hunter2@h:0", "mqtt://u:hunter2/3@h"] {
        let problems = refused(&["--broker", url], &[]);
        assert!(problems.len() == 1 && problems[0].starts_with("flag --broker: "), "{problems:?}");
        assert!(!problems[0].contains("hunter"), "{problems:?}");
    }
}

#[test]
fn the_password_comes_from_one_place() {
    let secret = |broker: BrokerSettings| {
        broker.password.as_ref().map(|password| password.last().reveal().to_owned())
    };
    let given = secret(broker(&["--broker", "mqtt://u:hunter%32@h"], &[]));
    assert_eq!(given.as_deref(), Some("hunter2"));
    let flags = ["--broker", "mqtt://u@h"];
    let env = ("SLUICEGATE_BROKER_PASSWORD", "hunter2 ");
    assert_eq!(secret(broker(&flags, &[env])).as_deref(), Some("hunter2 "));
    for (content, expected) in
        [("a b", "a b"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a\r", " a\r")]
    {
        let file = file(content.as_bytes());
        let in_env = [("SLUICEGATE_BROKER_PASSWORD_FILE", path(&file))];
        let in_flag = [flags[0], flags[1], "--broker-password-file", path(&file)];
        assert_eq!(secret(broker(&flags, &in_env)).as_deref(), Some(expected), "{content:?}");
        assert_eq!(secret(broker(&in_flag, &[])).as_deref(), Some(expected), "{content:?}");
    }
    let file = file(b"hunter2");
    let in_file = ("SLUICEGATE_BROKER_PASSWORD_FILE", path(&file));
    let in_url = ["--broker", "mqtt://u:hunter2@h"];
    let names = ["flag --broker", "SLUICEGATE_BROKER_PASSWORD", "SLUICEGATE_BROKER_PASSWORD_FILE"];
    check(&in_url, &[env], &[names[0], names[1], "more than once"]);
    check(&in_url, &[in_file], &[names[0], names[2], "more than once"]);
    check(&flags, &[env, in_file], &[names[1], names[2], "more than once"]);
    assert!(!refused(&in_url, &[env, in_file]).concat().contains("hunter2"));
}

#[test]
fn a_password_that_cannot_be_used_is_refused() {
    let flags = ["--broker", "mqtt://u@h"];
    let name = "SLUICEGATE_BROKER_PASSWORD_FILE";
    check(&flags, &[(name, "/nowhere/password")], &[name, "cannot read", "/nowhere/password"]);
    for (content, expected) in [
        (&b""[..], "the password is empty"),
        (b"\n", "the password is empty"),
        (b"hunter2\xff", "not UTF-8"),
        (&[b'h'; 65_536], "longer than 65535"),
        (&[b'h'; 100_000], "larger than 65537"),
    ] {
        let file = file(content);
        check(&flags, &[(name, path(&file))], &[name, path(&file), expected]);
    }
    let env = [("SLUICEGATE_BROKER_PASSWORD", "hunter2")];
    check(&["--broker", URL], &env, &["SLUICEGATE_BROKER_PASSWORD", "without a user name"]);
}

#[test]
fn a_password_in_clear_is_warned_of() {
    let cases = [
        ("mqtt://u:p@broker", true),
        ("mqtt://u:p@192.0.2.1", true),
        ("mqtt://u:p@[2001:db8::1]", true),
        ("mqtt://u:p@LocalHost", false),
        ("mqtt://u:p@127.1.2.3", false),
        ("mqtt://u:p@[::1]", false),
        ("mqtt://u@broker", false),
        ("mqtt://broker", false),
    ];
    for (url, expected) in cases {
        assert_eq!(broker(&["--broker", url], &[]).sends_password_in_clear(), expected, "{url}");
    }
    let ca = ca_file();
    let flags = ["--broker", "mqtts://u:p@broker", "--broker-ca", path(&ca)];
    assert!(!broker(&flags, &[]).sends_password_in_clear());
}

#[test]
fn a_client_id_that_cannot_be_used_is_refused() {
    let long = "x".repeat(65_532);
    for bad in ["", "a\tb", "a\u{9f}", "a\u{fffe}", "\u{fdef}", &long] {
        check(&["--broker", URL, "--client-id", bad], &[], &["flag --client-id", "leave it out"]);
    }
    let longest = &long[..65_531];
    let broker = broker(&["--broker", URL, "--client-id", longest], &[]);
    assert_eq!(broker.client_id.as_deref(), Some(longest));
}

#[test]
fn topics_that_cannot_be_used_are_refused() {
    let cases = [
        ("--alerts-topic", "a/#", "'+' and '#'"),
        ("--alerts-topic", "", "empty"),
        ("--alerts-topic", "{topic}{topic}", "more than once"),
        ("--control-topic", "a/+", "'+' and '#'"),
        ("--control-topic", "", "empty"),
        ("--control-topic", "$share/g/a", "each process"),
        ("--reported-topic", "#", "'+' and '#'"),
        ("--reported-topic", "", "empty"),
    ];
    for (flag, value, expected) in cases {
        check(&["--broker", URL, flag, value], &[], &[&format!("flag {flag}: "), expected]);
    }
}

/// What is published must not come through a subscription again, the control topic's among them.
#[test]
fn loops_are_refused() {
    let cases: [(&[&str], &[&str]); 9] = [
        (&["--subscribe", "alerts/#"], &["default of --alerts-topic: ", "(flag --subscribe)"]),
        (&["--subscribe", "a", "--alerts-topic", "a"], &["flag --alerts-topic: "]),
        (&["--alerts-topic", "sensors/x"], &["flag --alerts-topic: ", "default of --subscribe"]),
        (
            &["--subscribe", "$share/g/sluicegate/desired"],
            &["default of --control-topic: ", "$share/g/"],
        ),
        (&["--subscribe", "sluicegate/reported"], &["default of --reported-topic: "]),
        (&["--control-topic", "sensors/c"], &["flag --control-topic: "]),
        (&["--reported-topic", "sensors"], &["flag --reported-topic: "]),
        (&["--reported-topic", "sluicegate/desired"], &["(default of --control-topic)"]),
        (
            &["--alerts-topic", "sluicegate/{topic}", "--subscribe", "+"],
            &[
                "flag --alerts-topic: the alert to ",
                "of a message on \"desired\"",
                "--control-topic)",
            ],
        ),
    ];
    for (flags, parts) in cases {
        check(&[&["--broker", URL], flags].concat(), &[], parts);
    }
    // `#` lets in all three, and each is told.
    assert_eq!(refused(&["--broker", URL, "--subscribe", "#"], &[]).len(), 3);
    let apart: [&[&str]; 7] = [
        &["--subscribe", "+/sensors", "--alerts-topic", "a/b/{topic}"],
        &["--subscribe", "+/sensor/+/state"],
        &["--subscribe", "+/+/+/+/+/Data"],
        &["--subscribe", "+/devices/+/+"],
        &["--subscribe", "$share/g/+/+/+", "--subscribe", "$share/g/+"],
        &["--subscribe", "+/+/+", "--alerts-topic", "{topic}/alert"],
        &["--alerts-topic", "sluicegate/{topic}"],
    ];
    for flags in apart {
        broker(&[&["--broker", URL], flags].concat(), &[]);
    }
    // One filter lets in the alerts of another one's messages.
    let both = ["--broker", URL, "--subscribe", "+/sensor/+/state", "--subscribe", "+/+/+/+/state"];
    check(&both, &[], &["default of --alerts-topic: ", "\"x/sensor/x/state\"", "+/+/+/+/state"]);
}

/// With a hub the topics that stand in for it have no place, and a loop is none: alerts leave
/// by the hub.
#[test]
fn a_hub_beside_the_broker_takes_the_alerts() {
    let (ca, identity) = (ca_file(), identity());
    let env = [
        ("EdgeHubConnectionString", identity.as_str()),
        ("EdgeModuleCACertificateFile", path(&ca)),
    ];
    let settings = resolve(&["--broker", URL, "--subscribe", "#"], &env).unwrap();
    assert_eq!(hub(&settings).identity.client_id(), "d/m");
    let broker = settings.broker.expect("a broker");
    assert_eq!((filters(&broker), broker.standalone.as_ref()), (vec!["#"], None));
    for flag in ["--alerts-topic", "--control-topic", "--reported-topic"] {
        check(&["--broker", URL, flag, "x"], &env, &[flag, "the hub takes the alerts"]);
    }
}

/// An identity that is not complete does not make the module standalone.
#[test]
fn half_an_identity_beside_a_broker_is_refused() {
    let problems = refused(&["--broker", URL], &[("IOTEDGE_DEVICEID", "d")]);
    let advice = "with the broker alone, without a hub, leave out: variable IOTEDGE_DEVICEID";
    assert!(problems.iter().any(|line| line == advice), "{problems:?}");
    assert!(problems.iter().any(|line| line.contains("IOTEDGE_MODULEID")), "{problems:?}");
}

#[test]
fn without_either_both_ways_are_named() {
    let shown = refused(&[], &[]).join("\n");
    for part in ["IOTEDGE_MODULEID", "EdgeHubConnectionString", "--broker", "SLUICEGATE_BROKER"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn what_needs_a_broker_is_refused_without() {
    let (ca, identity) = (ca_file(), identity());
    let env = [
        ("EdgeHubConnectionString", identity.as_str()),
        ("EdgeModuleCACertificateFile", path(&ca)),
    ];
    let settings = resolve(&[], &env).unwrap();
    assert!(settings.hub.is_some() && settings.broker.is_none());
    for spec in TABLE.iter().filter(|spec| spec.help.contains("broker") && spec.name != "broker") {
        let env = [env[0], env[1], (spec.env, "x")];
        check(&[], &env, &[spec.env, "this is for a broker: add --broker"]);
    }
    for flag in ["--subscribe", "--client-id", "--alerts-topic", "--control-topic"] {
        check(&[flag, "x"], &env, &[&format!("flag {flag}: "), "add --broker"]);
    }
}

/// Every problem is told at once, the hub's among them, and nothing secret.
#[test]
fn all_problems_with_a_broker_are_reported_at_once() {
    let flags = [
        "--broker=mqtts://u:hunter2@h:x",
        "--broker-ca=/nowhere/ca",
        "--broker-cert=/nowhere/cert",
        "--broker-key=/nowhere/key",
        "--client-id=\n",
        "--subscribe=a#",
        "--alerts-topic=+",
        "--control-topic=+",
        "--reported-topic=+",
        "--path=.",
        "--linger=1s",
        "--workers=x",
        "--gateway-port=0",
        "--token-lifetime=0s",
    ];
    let problems = refused(&flags, &[]);
    for flag in flags {
        let (flag, _) = flag.split_once('=').unwrap();
        let prefix = format!("flag {flag}: ");
        assert_eq!(problems.iter().filter(|line| line.starts_with(&prefix)).count(), 1, "{flag}");
    }
    assert_eq!(problems.len(), flags.len(), "{problems:?}");
    assert!(!problems.concat().contains("hunter2"), "{problems:?}");
}
