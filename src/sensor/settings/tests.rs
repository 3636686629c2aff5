use super::*;
use std::collections::HashMap;
use std::io::Write;

use crate::settings::{KnownNames, PREFIX};
use tempfile::NamedTempFile;

const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const DERIVED: &str = "OMh199of2VbMZydm9WzziAMshZm/6i8BTTfCPw6adZM=";

fn file(content: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

fn ca_file() -> NamedTempFile {
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    file(&certificate.cert.pem())
}

/// Resolves with an id scope, a registration id and a root in the environment, besides `env`.
fn resolve(flags: &[&str], env: &[(&str, &str)]) -> Result<SensorSettings, SettingsError> {
    let ca = ca_file();
    let given = [
        ("SLUICEGATE_ID_SCOPE", "0ne00ABCDEF"),
        ("SLUICEGATE_REGISTRATION_ID", "dev-1"),
        ("SLUICEGATE_CA_FILE", ca.path().to_str().unwrap()),
    ];
    let command = add_flags(Command::new("sensor"));
    let arguments = std::iter::once(&"sensor").chain(flags);
    let matches = command.try_get_matches_from(arguments).expect("known flags");
    let env: HashMap<String, OsString> = given
        .iter()
        .chain(env)
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    SensorSettings::resolve(&matches, |name| env.get(name).cloned())
}

fn problems(flags: &[&str], env: &[(&str, &str)]) -> String {
    let error = resolve(flags, env).err().expect("something is wrong").to_string();
    assert!(!error.contains(SECRET) && !error.contains(DERIVED), "{error}");
    error
}

#[test]
fn defaults_are_those_of_the_tutorial() {
    let settings = resolve(&[], &[("SLUICEGATE_KEY", SECRET)]).unwrap();
    assert_eq!(settings.provisioning_host, "global.azure-devices-provisioning.net");
    assert_eq!((settings.provisioning_port, settings.hub_port), (8883, 8883));
    assert_eq!(settings.interval, Duration::from_secs(2));
    assert_eq!(settings.token_lifetime, Duration::from_secs(3600));
    assert_eq!(settings.model_id, None);
    assert_eq!(settings.key.last().to_base64(), SECRET);
    assert_eq!(settings.enrollment.resource(), "0ne00ABCDEF/registrations/dev-1");
    assert_eq!(settings.tls.paths().len(), 1, "the file's root alone");
}

/// The key comes from any of the four settings, and a group's key is derived.
#[test]
fn the_key_comes_from_variable_flag_or_file() {
    let stored = file(&format!("{SECRET}\n"));
    let path = stored.path().to_str().unwrap();
    let key = |flags: &[&str], env: &[(&str, &str)]| {
        resolve(flags, env)
            .map(|settings| settings.key.last().to_base64())
            .map_err(|e| e.to_string())
    };
    assert_eq!(key(&["--key", SECRET], &[]).unwrap(), SECRET);
    assert_eq!(key(&["--key-file", path], &[]).unwrap(), SECRET);
    assert_eq!(key(&[], &[("SLUICEGATE_KEY_FILE", path)]).unwrap(), SECRET);
    assert_eq!(key(&["--group-key", SECRET], &[]).unwrap(), DERIVED);
    assert_eq!(key(&[], &[("SLUICEGATE_GROUP_KEY", SECRET)]).unwrap(), DERIVED);
    assert_eq!(key(&[], &[("SLUICEGATE_GROUP_KEY_FILE", path)]).unwrap(), DERIVED);
}

#[test]
fn no_key_and_two_keys_are_problems() {
    let none = problems(&[], &[]);
    for spec in KEYS {
        assert!(none.contains(spec.env), "{none}");
    }
    let two = problems(&["--group-key", SECRET], &[("SLUICEGATE_KEY", SECRET)]);
    assert!(two.contains("--group-key") && two.contains("SLUICEGATE_KEY"), "{two}");
}

#[test]
fn bad_keys_are_described_and_never_shown() {
    let cut = &SECRET[..SECRET.len() - 1];
    let text = problems(&[], &[("SLUICEGATE_KEY", cut)]);
    assert!(text.contains("SLUICEGATE_KEY") && text.contains("base64"), "{text}");
    assert!(!text.contains(cut), "{text}");
    let text = problems(&["--key-file", "/nowhere/key"], &[]);
    assert!(text.contains("/nowhere/key"), "{text}");
    let long = file(&"A".repeat(5000));
    let text = problems(&["--key-file", long.path().to_str().unwrap()], &[]);
    assert!(text.contains("larger than 4096 bytes"), "{text}");
    let empty = file("\n");
    let text = problems(&["--group-key-file", empty.path().to_str().unwrap()], &[]);
    assert!(text.contains("empty"), "{text}");
}

#[test]
fn all_problems_are_reported_at_once() {
    let wrong = [
        ("--id-scope", "0ne/1"),
        ("--registration-id", "dev."),
        ("--provisioning-host", "not a host"),
        ("--provisioning-port", "0"),
        ("--hub-port", "70000"),
        ("--ca-file", "/nowhere/ca.pem"),
        ("--interval", "1ms"),
        ("--model-id", "dtmi:x"),
        ("--token-lifetime", "500ms"),
    ];
    let flags: Vec<_> = wrong.iter().flat_map(|(flag, value)| [*flag, *value]).collect();
    let text = problems(&flags, &[("SLUICEGATE_KEY", "?")]);
    for (flag, _) in wrong {
        assert_eq!(text.lines().filter(|line| line.contains(flag)).count(), 1, "{flag}: {text}");
    }
    assert!(text.starts_with("10 problem(s)"), "{text}");
}

#[test]
fn ids_are_checked_as_the_services_do() {
    for id in ["a", "dev-1", "a.b_c:d", "x-", &"a".repeat(128)] {
        assert!(registration_id(id).is_ok(), "{id}");
    }
    for id in ["", "a.", "a b", "a/b", "a+b", "é", &"a".repeat(129)] {
        assert!(registration_id(id).is_err(), "{id}");
    }
    for id in ["dtmi:a:B;1", "dtmi:com:example:Thermostat;12"] {
        assert!(model_id(id).is_ok(), "{id}");
    }
    for id in ["", "dtmi:;1", "dtmi:a", "dtmi:a;0", "dtmi:a b;1", "urn:a;1"] {
        assert!(model_id(id).is_err(), "{id}");
    }
}

#[test]
fn every_row_is_unique_and_described() {
    for (index, spec) in TABLE.iter().enumerate() {
        assert!(!spec.help.is_empty() && !spec.value.is_empty(), "{}", spec.name);
        for other in &TABLE[index + 1..] {
            assert!(spec.name != other.name && spec.env != other.env, "{}", spec.name);
        }
    }
}

#[test]
fn what_is_missing_is_described() {
    let shown = problems(&[], &[("SLUICEGATE_ID_SCOPE", ""), ("SLUICEGATE_KEY", SECRET)]);
    let expected = "SLUICEGATE_ID_SCOPE is not set: id scope of the provisioning service";
    assert!(shown.contains(expected), "{shown}");
}

/// docs/settings.md shows the table as it is.
#[test]
fn the_settings_page_shows_this_table() {
    crate::settings::page::check("sluicegate sensor", &TABLE, &HEADINGS);
}

/// What an error tells to look at is there.
#[test]
fn named_settings_exist() {
    crate::testing::names::assert_are_in(&PROVISIONING_NAMES, &TABLE);
    crate::testing::names::assert_are_in(&HUB_NAMES, &TABLE);
}

/// A key that is exchanged is taken at the next attempt; one that is of no use is named, not shown.
#[test]
fn keys_in_files_are_read_again() {
    const OTHER: &str = "c2Vjb25kIGtleSBvZiB0aGlzIHRlc3Q=";
    for (flag, first, second) in [
        ("--key-file", SECRET.to_owned(), OTHER.to_owned()),
        (
            "--group-key-file",
            DERIVED.to_owned(),
            Key::from_base64(OTHER).unwrap().derive("dev-1").to_base64(),
        ),
    ] {
        let stored = file(SECRET);
        let path = stored.path().to_str().unwrap();
        let mut key = resolve(&[flag, path], &[]).unwrap().key;
        assert_eq!(key.paths(), [stored.path()]);
        assert_eq!(key.again().unwrap().to_base64(), first);
        for bad in ["", "not base64!", "c2Vjb25k"] {
            std::fs::write(path, bad).unwrap();
            let problem = key.again().map(drop);
            let Err(problem) = problem else { continue };
            assert!(problem.contains(path) && !problem.contains("not base64!"), "{problem}");
        }
        std::fs::write(path, format!("{OTHER}\n")).unwrap();
        assert_eq!(key.again().unwrap().to_base64(), second);
        std::fs::remove_file(path).unwrap();
        assert!(key.again().map(drop).unwrap_err().contains("No such file"));
        assert_eq!(key.last().to_base64(), second);
    }
}

#[test]
fn quotation_marks_are_named_for_every_setting() {
    for spec in &TABLE {
        for value in ["\"hunter2\"", "'hunter2'", " 'hunter2'\r\n", "\u{201c}hunter2\u{201d}"] {
            let text = problems(&[], &[("SLUICEGATE_KEY", SECRET), (spec.env, value)]);
            let expected = format!("variable {}: the value is in quotation marks", spec.env);
            assert!(text.contains(&expected) && !text.contains("hunter2"), "{text}");
        }
    }
}

#[test]
fn values_are_read_as_people_write_them() {
    let env = [
        ("SLUICEGATE_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\r\n"),
        ("SLUICEGATE_REGISTRATION_ID", " dev-2\r"),
        ("SLUICEGATE_INTERVAL", "3"),
        ("SLUICEGATE_TOKEN_LIFETIME", "90 "),
        ("RuntimeLogLevel", "trace"),
    ];
    let settings = resolve(&[], &env).unwrap();
    assert_eq!(settings.key.last().to_base64(), SECRET);
    assert_eq!(settings.enrollment.registration_id, "dev-2");
    assert_eq!((settings.interval.as_secs(), settings.token_lifetime.as_secs()), (3, 90));
    assert_eq!(settings.log_level, LevelFilter::INFO);
    let [warning] = settings.warnings.as_slice() else { panic!("{:?}", settings.warnings) };
    assert!(warning.contains("RuntimeLogLevel") && warning.contains("verbose"), "{warning}");
}

/// Other commands' variables are known here, and those of none are told.
#[test]
fn misspelt_variables_are_reported() {
    let known = KnownNames::of(PREFIX, &TABLE).beside(["SLUICEGATE_BROKER"]);
    let output = |name: &str| known.strays([(name.into(), "hunter2".into())].into_iter());
    for (name, meant) in [
        ("SLUICEGATE_REGISTRATION", "SLUICEGATE_REGISTRATION_ID"),
        ("SLUICEGATE_IDSCOPE", "SLUICEGATE_ID_SCOPE"),
        ("SLUICEGATE_GROUPKEY", "SLUICEGATE_GROUP_KEY"),
        ("SLUICEGATE_INTERVALL", "SLUICEGATE_INTERVAL"),
    ] {
        let lines = output(name);
        let [line] = lines.as_slice() else { panic!("{name}: {lines:?}") };
        assert!(line.ends_with(&format!("did you mean {meant}?")), "{line}");
    }
    assert_eq!(output("SLUICEGATE_BROKER"), [""; 0]);
}
