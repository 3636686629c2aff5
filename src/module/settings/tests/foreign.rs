//! Values and files as compose, env-files, shells and editors of Windows hand them over.

use super::broker::{URL, check};
use super::*;

/// In each pair of quotation marks that people, shells and editors have.
fn quoted(value: &str) -> [String; 5] {
    [
        format!("\"{value}\""),
        format!("'{value}'"),
        format!(" \"{value}\"\r\n"),
        format!("\\\"{value}\\\""),
        format!("\u{201c}{value}\u{201d}"),
    ]
}

/// Whatever is set, by whichever way: quotation marks around it are told as such, once, and what
/// stands in them is not shown.
#[test]
fn quotation_marks_are_named_for_every_setting() {
    for spec in TABLE.iter().filter(|spec| !spec.is_verbatim) {
        for value in quoted("hunter2") {
            let error = resolve(&[], &[(spec.env, &value)]).err().expect("quotation marks");
            let expected = format!("variable {}: the value is in quotation marks", spec.env);
            let output = error.0.iter().filter(|line| line.starts_with(&expected)).count();
            assert_eq!(output, 1, "{value}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            if spec.is_env_only {
                continue;
            }
            let flag = format!("--{}={value}", spec.name);
            let error = resolve(&[&flag], &[]).err().expect("quotation marks");
            let expected = format!("flag --{}: the value is in quotation marks", spec.name);
            assert!(error.0.iter().any(|line| line.starts_with(&expected)), "{flag}: {error}");
        }
    }
}

#[test]
fn quotation_marks_are_named_in_lists_and_files() {
    for list in ["\"a/#,b/#\"", "\"a/#\",\"b/#\"", "a/#,'b/#'"] {
        check(&["--broker", URL], &[("SLUICEGATE_SUBSCRIBE", list)], &["in quotation marks"]);
    }
    let mut toml = NamedTempFile::new().unwrap();
    toml.write_all(b"broker = \"'mqtt://h'\"\n").unwrap();
    let error = resolve(&["--config", toml.path().to_str().unwrap()], &[]).err().expect("quoted");
    assert!(error.0.iter().any(|line| line.contains(": broker: the value is in quotation marks")));
}

/// A password may begin and end as it likes: it is used, with a word about it.
#[test]
fn a_password_in_quotation_marks_is_used_with_a_warning() {
    let env = [("SLUICEGATE_BROKER_PASSWORD", "'hunter2'\r\n")];
    let settings = resolve(&["--broker", "mqtt://u@h"], &env).unwrap();
    let [warning] = settings.warnings.as_slice() else { panic!("{:?}", settings.warnings) };
    assert!(warning.contains("SLUICEGATE_BROKER_PASSWORD: the value is in quot"), "{warning}");
    assert!(!warning.contains("hunter2"), "{warning}");
    let password = settings.broker.unwrap().password.unwrap();
    assert_eq!(password.last().reveal(), "'hunter2'");
}

/// An env-file with Windows line ends, `echo`, and a value written with spaces around it.
#[test]
fn white_space_around_a_variable_is_no_part_of_it() {
    let (ca, identity) = (ca_file(), identity());
    for (before, after) in [("", "\r"), ("", "\r\n"), (" ", " "), ("\t", "\n"), ("\u{feff}", "")] {
        let around = |value: &str| format!("{before}{value}{after}");
        let env = [
            ("EdgeHubConnectionString", around(&identity)),
            ("EdgeModuleCACertificateFile", around(ca.path().to_str().unwrap())),
            ("SLUICEGATE_BROKER", around("mqtt://u@h")),
            ("SLUICEGATE_SUBSCRIBE", around("a/#, b")),
            ("SLUICEGATE_CLIENT_ID", around("gate")),
            ("SLUICEGATE_PATH", around("a.b")),
            ("SLUICEGATE_WORKERS", around("auto")),
            ("SLUICEGATE_KEEP_ALIVE", around("50")),
            ("SLUICEGATE_REFUSED_DIR", around("refused")),
            ("SLUICEGATE_WEBSOCKET", around("yes")),
            ("HTTPS_PROXY", around("http://proxy:1")),
            ("RuntimeLogLevel", around("Information")),
        ];
        let env: Vec<_> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let settings = resolve(&[], &env).unwrap_or_else(|error| panic!("{after:?}: {error}"));
        let broker = settings.broker.as_ref().unwrap();
        assert_eq!(broker.client_id.as_deref(), Some("gate"));
        let filters: Vec<_> = broker.filters.iter().map(|filter| filter.as_str()).collect();
        assert_eq!(filters, ["a/#", "b"]);
        assert_eq!(settings.path.members(), ["a", "b"]);
        assert_eq!(settings.refused_dir, PathBuf::from("refused"));
        assert_eq!(settings.keep_alive, Duration::from_secs(50));
        assert_eq!(hub(&settings).route.to_string(), "WebSocket through proxy proxy:1");
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    }
    // Nothing but white space is nothing.
    assert!(resolve(&["--broker", URL], &[("SLUICEGATE_WORKERS", " \r\n")]).is_ok());
}

#[test]
fn switches_are_read_as_people_write_them() {
    let websocket = |settings: Result<Settings, SettingsError>| {
        settings
            .map(|settings| hub(&settings).gateway_port == 443)
            .map_err(|error| error.to_string())
    };
    let (ca, identity) = (ca_file(), identity());
    let base = [
        ("EdgeHubConnectionString", identity.as_str()),
        ("EdgeModuleCACertificateFile", ca.path().to_str().unwrap()),
    ];
    for (text, expected) in [
        ("true", true),
        ("True", true),
        ("1", true),
        ("yes", true),
        ("ON", true),
        ("false", false),
        ("0", false),
        ("No", false),
        ("off", false),
    ] {
        let env = [base[0], base[1], ("SLUICEGATE_WEBSOCKET", text)];
        assert_eq!(websocket(resolve(&[], &env)), Ok(expected), "{text}");
    }
    for text in ["y", "2", "enabled", "-1", "truee"] {
        let env = [base[0], base[1], ("SLUICEGATE_WEBSOCKET", text)];
        let error = websocket(resolve(&[], &env)).unwrap_err();
        assert!(error.contains("neither true nor false"), "{error}");
    }
    for (toml, expected) in [("true", true), ("false", false), ("1", true), ("\"yes\"", true)] {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(format!("websocket = {toml}\n").as_bytes()).unwrap();
        let flags = ["--config", file.path().to_str().unwrap()];
        assert_eq!(websocket(resolve(&flags, &base)), Ok(expected), "{toml}");
    }
}

/// As editors of Windows write files.
#[test]
fn files_with_a_byte_order_mark_and_windows_line_ends_are_read() {
    let bytes = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let (mut toml, mut password) = (NamedTempFile::new().unwrap(), NamedTempFile::new().unwrap());
    toml.write_all(&bytes("broker = \"mqtt://u@h\"\r\nkeep_alive = 30\r\n")).unwrap();
    password.write_all(&bytes("hunter2\r\n")).unwrap();
    let flags = ["--config", toml.path().to_str().unwrap()];
    let env = [("SLUICEGATE_BROKER_PASSWORD_FILE", password.path().to_str().unwrap())];
    let settings = resolve(&flags, &env).unwrap();
    assert_eq!(settings.keep_alive, Duration::from_secs(30));
    assert_eq!(settings.broker.unwrap().password.unwrap().last().reveal(), "hunter2");
    let mut wide = NamedTempFile::new().unwrap();
    wide.write_all(b"\xff\xfeb\0=\0").unwrap();
    let flags = ["--broker", URL, "--config", wide.path().to_str().unwrap()];
    check(&flags, &[], &["it is UTF-16: save it as UTF-8"]);
    let pem = std::fs::read_to_string(ca_file().path()).unwrap().replace('\n', "\r\n");
    let mut ca = NamedTempFile::new().unwrap();
    ca.write_all(&bytes(&pem)).unwrap();
    let flags = ["--broker", "mqtts://h", "--broker-ca", ca.path().to_str().unwrap()];
    assert!(resolve(&flags, &[]).is_ok());
}

/// A key that is none is told with the nearest one, and no value is shown.
#[test]
fn a_misspelt_key_is_refused_with_the_nearest_one() {
    let cases = [
        ("treshold = 99", "did you mean threshold?"),
        ("worker = 99", "did you mean workers?"),
        ("keepalive = 99", "did you mean keep_alive?"),
        ("keep-alive = 99", "did you mean keep_alive?"),
        ("Threshold = 99", "did you mean threshold?"),
        ("SLUICEGATE_WORKERS = 99", "write workers"),
        ("SLUICEGATE_WORKER = 99", "did you mean workers?"),
        ("RuntimeLogLevel = 99", "write log_level"),
        ("loglevel = 99", "did you mean log_level?"),
        ("connection_string = 99", "as EdgeHubConnectionString"),
        ("EdgeHubConnectionString = 99", "as EdgeHubConnectionString"),
        ("broker_password = 99", "as SLUICEGATE_BROKER_PASSWORD"),
        ("https_proxy = 99", "as HTTPS_PROXY"),
        ("favourite_colour = 99", "--help lists"),
        ("[judging]\nthreshold = 99", "outside of any [table]"),
    ];
    for (text, expected) in cases {
        let mut toml = NamedTempFile::new().unwrap();
        toml.write_all(text.as_bytes()).unwrap();
        let flags = ["--broker", URL, "--config", toml.path().to_str().unwrap()];
        check(&flags, &[], &["there is no setting", expected]);
        let shown = resolve(&flags, &[]).err().expect("no setting").to_string();
        let path = toml.path().to_str().unwrap();
        assert!(!shown.replace(path, "").contains("99"), "{shown}");
    }
}

/// The level of a module is often set for all of them: an unknown one holds none up.
#[test]
fn an_unknown_log_level_warns_and_means_info() {
    for text in ["trace", "info,edge=debug", "Loud", "warn", "4"] {
        let by_variable = resolve(&["--broker", URL], &[("RuntimeLogLevel", text)]).unwrap();
        let by_flag = resolve(&["--broker", URL, "--log-level", text], &[]).unwrap();
        for settings in [by_variable, by_flag] {
            assert_eq!(settings.log_level, LevelFilter::INFO, "{text}");
            let [warning] = settings.warnings.as_slice() else { panic!("{text}") };
            assert!(warning.contains("counts as info") && warning.contains(text), "{warning}");
        }
    }
    let settings = resolve(&["--broker", URL], &[("RuntimeLogLevel", "Verbose")]).unwrap();
    assert_eq!((settings.log_level, settings.warnings), (LevelFilter::TRACE, vec![]));
}

/// A proxy's fault is told of the variable that holds it.
#[test]
fn a_proxy_is_named_as_it_was_set() {
    let (ca, identity) = (ca_file(), identity());
    let base = [
        ("EdgeHubConnectionString", identity.as_str()),
        ("EdgeModuleCACertificateFile", ca.path().to_str().unwrap()),
    ];
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        let env = [base[0], base[1], (name, "http://h:0")];
        let error = resolve(&["--websocket"], &env).err().expect("no port").to_string();
        assert!(error.contains(&format!("variable {name}: ")), "{error}");
    }
}
