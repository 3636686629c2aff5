use std::io::Write;
use std::path::PathBuf;

use core_tests::readings::{ALERTS, READINGS, Readings};

use super::*;
use crate::load::settings::Profile;
use crate::load::traffic::tests::build_and_check;

fn settings(file: PathBuf, threshold: f64) -> TrafficSettings {
    let (time_column, value_column) = ("timestamp".to_owned(), "value".to_owned());
    let profile = Profile::Replay { file, time_column, value_column };
    TrafficSettings { profile, threshold, sensors: 1, ..TrafficSettings::default() }
}

fn file(content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn read(content: &[u8], size: Option<usize>) -> Result<Replay, TrafficError> {
    let file = file(content);
    let settings = TrafficSettings { size, ..settings(file.path().to_owned(), 25.0) };
    Replay::read(file.path(), ["timestamp", "value"], &settings)
}

/// Readings of a machine that ends in failure (made ones where the file is absent): all rows, and
/// exactly the alerts counted there.
#[test]
fn real_readings() {
    let readings = Readings::load();
    let file = file(readings.text.as_bytes());
    let path = file.path().to_owned();
    let traffic = build_and_check(&settings(path.clone(), 95.0));
    let counts = [traffic.slots(), traffic.alerts()].map(|count| count as usize);
    assert_eq!(counts, [READINGS, ALERTS]);
    let (_, temperature) = readings.rows().next().unwrap();
    assert!(!readings.are_real || temperature == "73.96732207");
    let first = format!(
        r#"{{"machine":{{"temperature":{temperature}}},"recorded":"2013-12-02 21:15:00","timeCreated":"2026-01-01T00:00:00.0000000Z"}}"#
    );
    assert_eq!(traffic.body(0), first.as_bytes());

    // More sensors: whole rounds, the first rows once more at the end.
    let settings = TrafficSettings { sensors: 100, ..settings(path, 95.0) };
    let rounds = build_and_check(&settings);
    assert_eq!(rounds.slots(), 22_700);
    for slot in 0..5 {
        let (before, again) = (rounds.body(slot), rounds.body(22_695 + slot));
        assert_eq!(before[..before.len() - STAMP_BYTES], again[..again.len() - STAMP_BYTES]);
    }
}

/// Short files are repeated; columns are found by name, texts are escaped, sizes are met.
#[test]
fn bodies() {
    let content =
        b"\xef\xbb\xbfid, value ,timestamp\n1,26,\"a \"\"b\"\"\\ \xc3\xa9\"\n2, -7.50 ,\n";
    let mut rows = read(content, None).unwrap();
    assert_eq!(rows.count(), 2);
    for (slot, is_alert, body) in [
        (
            0,
            true,
            r#"{"machine":{"temperature":26},"recorded":"a \"b\"\\ é","timeCreated":"2026-01-01T00:00:00.0000000Z"}"#,
        ),
        (
            1,
            false,
            r#"{"machine":{"temperature":-7.50},"recorded":"","timeCreated":"2026-01-01T00:00:00.0000019Z"}"#,
        ),
        (
            2,
            true,
            r#"{"machine":{"temperature":26},"recorded":"a \"b\"\\ é","timeCreated":"2026-01-01T00:00:00.0000028Z"}"#,
        ),
    ] {
        let mut out = Vec::new();
        assert_eq!(rows.write(slot, &mut out), is_alert);
        assert_eq!(String::from_utf8(out).unwrap(), body);
    }
    let smallest = rows.bytes_max();
    for size in (smallest..smallest + 50).chain([BODY_BYTES_MAX]) {
        let mut rows = read(content, Some(size)).unwrap();
        for slot in 0..2 {
            let mut out = Vec::new();
            rows.write(slot, &mut out);
            assert_eq!((out.len(), rows.bytes_max()), (size, size));
            assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
        }
    }
    for asked in [smallest - 1, BODY_BYTES_MAX + 1] {
        let error = read(content, Some(asked)).err().unwrap();
        assert!(matches!(error, TrafficError::Size { minimum, .. } if minimum == smallest));
    }
}

#[test]
fn temperatures() {
    for (text, json) in [
        ("73.96732207", "73.96732207"),
        (" 7 ", "7"),
        ("-0", "-0"),
        ("1e2", "1e2"),
        ("+5", "5"),
        ("007", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1E-400", "1E-400"),
        ("123456789012345", "123456789012345"),
        ("9007199254740993", "9.007199254740992e15"),
        ("1000000000000000", "1e15"),
    ] {
        let (written, value) = temperature(text).unwrap();
        assert_eq!(written, json);
        assert_eq!(written.parse::<f64>(), Ok(value));
        assert!(serde_json::from_str::<f64>(&written).is_ok(), "{written}");
    }
    for text in ["", " ", "hot", "12 C", "1,5", "NaN", "inf", "-Infinity", "1e999", "0x1a", "--1"] {
        assert!(temperature(text).is_err(), "{text}");
    }
}

/// What is wrong is said with the file, the line and the way out.
#[test]
fn refusals() {
    for (content, problem) in [
        (&b""[..], "has no column \"timestamp\""),
        (b"time,value\n", "has no column \"timestamp\"; its first line names time, value"),
        (b"timestamp,val\n", "has no column \"value\""),
        (b"timestamp,value\n", "has no rows"),
        (b"timestamp,value\na,1\nb,hot\n", "line 3: \"hot\" is no number"),
        (b"timestamp,value\na,1e999\n", "line 2: \"1e999\" is no finite number"),
        (b"timestamp,value\na,1\nb\n", "line 3: it has 1 columns, the first line has 2"),
        (b"timestamp,value\n\xff,1\n", "line 2: column 1 is not UTF-8"),
        (b"timestamp,value\xff\n", "line 1: column 2 is not UTF-8"),
    ] {
        let error = read(content, None).err().unwrap().to_string();
        assert!(error.contains(problem), "{error}, not {problem}");
    }
    let long = format!("timestamp,value\n{},1\n", "x".repeat(BODY_BYTES_MAX));
    let error = read(long.as_bytes(), None).err().unwrap().to_string();
    assert!(error.contains("line 2: its body would be over 256000 bytes"), "{error}");

    let missing = PathBuf::from("/nowhere/readings.csv");
    let settings = settings(missing.clone(), 25.0);
    let error = Replay::read(&missing, ["timestamp", "value"], &settings).err().unwrap();
    assert!(error.to_string().starts_with("cannot read /nowhere/readings.csv: No such"), "{error}");
}

/// A file without an end is refused.
#[test]
fn endless_files() {
    let file = Path::new("/dev/zero");
    let error = Replay::read(file, ["timestamp", "value"], &settings(file.to_owned(), 25.0));
    let error = error.err().unwrap().to_string();
    assert_eq!(error, "cannot read /dev/zero: it is a device, not a regular file");
}
