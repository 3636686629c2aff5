use super::*;
use std::collections::HashMap;
use std::io::Write;

use tempfile::NamedTempFile;

mod broker;
mod characters;
mod foreign;
mod identity;
mod route;

const SECRET: &str = "c2VjcmV0LWtleS1vZi10aGlzLXRlc3Q=";

/// A self-signed root made for this test.
fn ca_file() -> NamedTempFile {
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(certificate.cert.pem().as_bytes()).unwrap();
    file
}

fn resolve(flags: &[&str], env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let command = add_flags(Command::new("run"));
    let arguments = std::iter::once(&"run").chain(flags);
    let matches = command.try_get_matches_from(arguments).expect("known flags");
    let env: HashMap<String, OsString> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    Settings::resolve(&matches, |name| env.get(name).cloned())
}

fn hub(settings: &Settings) -> &HubSettings {
    settings.hub.as_ref().expect("an identity was given")
}

fn identity() -> String {
    format!(
        "HostName=h.net;GatewayHostName=localhost;DeviceId=d;ModuleId=m;SharedAccessKey={SECRET}"
    )
}

#[test]
fn flags_beat_variables_beat_the_file_beats_defaults() {
    let (ca, identity) = (ca_file(), identity());
    let mut toml = NamedTempFile::new().unwrap();
    toml.write_all(b"threshold = 1.5\nworkers = 3\nkeep_alive = \"30s\"\n").unwrap();
    let env = [
        ("EdgeHubConnectionString", identity.as_str()),
        ("EdgeModuleCACertificateFile", ca.path().to_str().unwrap()),
        ("SLUICEGATE_CONFIG", toml.path().to_str().unwrap()),
        ("SLUICEGATE_WORKERS", "4"),
        ("SLUICEGATE_KEEP_ALIVE", "40s"),
        ("SLUICEGATE_DRAIN_TIMEOUT", ""),
    ];
    let settings = resolve(&["--keep-alive", "50s", "--keep-alive", "55s"], &env).unwrap();
    assert_eq!(settings.keep_alive, Duration::from_secs(55), "the last flag");
    assert_eq!(settings.workers, 4, "the variable over the file");
    assert_eq!(settings.threshold, Threshold::new(1.5).unwrap(), "the file over the default");
    assert_eq!(settings.drain_timeout, Duration::from_secs(5), "empty counts as unset");
    assert_eq!(hub(&settings).gateway_port, 8883);
    assert_eq!(hub(&settings).identity.client_id(), "d/m");
    assert!(matches!(&hub(&settings).proof, Proof::Key { roots, .. } if roots.len() == 1));
}

#[test]
fn a_negative_threshold_is_a_value_not_a_flag() {
    let (ca, identity) = (ca_file(), identity());
    let env = [
        ("EdgeHubConnectionString", identity.as_str()),
        ("EdgeModuleCACertificateFile", ca.path().to_str().unwrap()),
    ];
    let settings = resolve(&["--threshold", "-5.5"], &env).unwrap();
    assert_eq!(settings.threshold, Threshold::new(-5.5).unwrap());
}

/// Every setting that is wrong is named, each on its own line, and no secret among them.
#[test]
fn all_problems_are_reported_at_once() {
    let wrong = format!("HostName=h.net;DeviceId=d;SharedAccessKey={SECRET};SharedAccessKey=x");
    let env = [
        ("EdgeHubConnectionString", wrong.as_str()),
        ("EdgeModuleCACertificateFile", "/nowhere/ca.pem"),
        ("SLUICEGATE_GATEWAY_PORT", "99999"),
        ("SLUICEGATE_CONFIG", "/nowhere/settings.toml"),
        ("SLUICEGATE_HELD_BYTES", "12"),
    ];
    let flags = [
        "--workers",
        "65",
        "--keep-alive",
        "1s",
        "--token-lifetime",
        "soon",
        "--drain-timeout",
        "2h",
        "--threshold",
        "NaN",
    ];
    let error = resolve(&flags, &env).err().expect("nothing here is right");
    let text = error.to_string();
    let names = [
        "EdgeHubConnectionString",
        "EdgeModuleCACertificateFile",
        "SLUICEGATE_GATEWAY_PORT",
        "settings.toml",
        "SLUICEGATE_HELD_BYTES",
        "--workers",
        "--keep-alive",
        "--token-lifetime",
        "--drain-timeout",
        "--threshold",
    ];
    for name in names {
        assert_eq!(error.0.iter().filter(|line| line.contains(name)).count(), 1, "{name}: {text}");
    }
    assert!(!text.contains(SECRET), "{text}");
}

#[test]
fn a_device_identity_and_an_empty_root_file_are_refused() {
    let empty = NamedTempFile::new().unwrap();
    let device = identity().replace("ModuleId=m;", "");
    let env = [
        ("EdgeHubConnectionString", device.as_str()),
        ("EdgeModuleCACertificateFile", empty.path().to_str().unwrap()),
    ];
    let error = resolve(&[], &env).err().expect("both are wrong");
    assert!(error.0[0].contains("`ModuleId` is missing"), "{error}");
    assert!(error.0[1].contains("it is empty"), "{error}");
}

#[test]
fn a_file_with_unknown_or_secret_keys_is_refused() {
    let mut toml = NamedTempFile::new().unwrap();
    toml.write_all(b"connection_string = \"x\"\nworker = 2\nworkers = [1]\nconfig = \"a\"\n")
        .unwrap();
    let error = resolve(&["--config", toml.path().to_str().unwrap()], &[]).err().expect("wrong");
    for name in ["\"connection_string\"", "\"worker\"", "workers must be", "\"config\""] {
        assert!(error.0.iter().any(|line| line.contains(name)), "{name}: {error}");
    }
}

/// A file that is no TOML is named with line, column and reason, and nothing of what stands in it:
/// wherever the text goes wrong, it may be a key.
#[test]
fn a_file_that_is_no_toml_shows_none_of_its_text() {
    let name = "connection_string";
    let long = "\u{e9}".repeat(3);
    let cases = [
        (format!("workers = 2\n{name} = HostName=h.net;SharedAccessKey={SECRET}\n"), "line 2"),
        (format!("{name} = {SECRET}\n"), "line 1, column "),
        (format!("{SECRET}\n"), "line 1"),
        (format!("a = \"{long}\" {SECRET}\n"), "line 1, column 11"),
        (format!("{name} = \"{SECRET}\n"), "line 1"),
        (format!("{name} = \"\\{SECRET}\"\n"), "line 1"),
        (format!("[{SECRET}\n"), "line 1"),
        (format!("{name} = [{SECRET}]\n"), "line 1"),
        (format!("{0} = 1\n{0} = 2\n", SECRET.trim_end_matches('=')), "line 2"),
    ];
    for (text, place) in cases {
        let mut toml = NamedTempFile::new().unwrap();
        toml.write_all(text.as_bytes()).unwrap();
        let path = toml.path().to_str().unwrap();
        let error = resolve(&["--config", path], &[]).err().expect("no TOML");
        let line = error.0.iter().find(|line| line.contains(path)).expect("the file is named");
        assert!(line.starts_with(&format!("{path} {place}")), "{text}: {line}");
        assert!(line.contains(" is not TOML: "), "{line}");
        assert!(!error.to_string().contains(SECRET.trim_end_matches('=')), "{text}: {error}");
    }
}

#[test]
fn every_row_of_the_table_is_unique_and_described() {
    for (index, spec) in TABLE.iter().enumerate() {
        assert!(!spec.help.is_empty() && !spec.value.is_empty(), "{}", spec.name);
        for other in &TABLE[index + 1..] {
            assert!(spec.name != other.name && spec.env != other.env, "{}", spec.name);
        }
    }
}

/// docs/settings.md shows the table as it is.
#[test]
fn the_settings_page_shows_this_table() {
    crate::settings::page::check("sluicegate run", &TABLE, &HEADINGS);
}
