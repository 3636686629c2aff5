use std::io::Write;
use std::path::PathBuf;

use core_tests::readings::{ALERTS, READINGS, Readings};

use super::*;
use crate::settings::Profile;
use crate::traffic::tests::build_and_check;

fn settings(file: PathBuf, threshold: f64) -> TrafficSettings {
    let (time_column, value_column) = ("timestamp".to_owned(), "value".to_owned());
    let format = CsvFormat::default();
    let profile = Profile::Replay { file, time_column, value_column, format };
    TrafficSettings { profile, threshold, sensors: 1, ..TrafficSettings::default() }
}

fn file(content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn read(content: &[u8], size: Option<usize>) -> Result<Replay, TrafficError> {
    read_as(CsvFormat::default(), content, size)
}

fn read_as(format: CsvFormat, content: &[u8], size: Option<usize>) -> Result<Replay, TrafficError> {
    let file = file(content);
    let settings = TrafficSettings { size, ..settings(file.path().to_owned(), 25.0) };
    Replay::read(file.path(), ["timestamp", "value"], format, &settings)
}

/// The temperatures of a file and its rows that were passed over.
fn temperatures_of(format: CsvFormat, content: &str) -> (Vec<String>, u64) {
    let mut rows = read_as(format, content.as_bytes(), None).unwrap_or_else(|e| panic!("{e}"));
    let (count, gaps) = (rows.rows.len(), rows.gaps());
    let mut body = |slot| {
        let mut out = Vec::new();
        rows.write(slot, &mut out);
        let body: serde_json::Value = serde_json::from_slice(&out).unwrap();
        body["machine"]["temperature"].to_string()
    };
    ((0..count).map(|slot| body(u32::try_from(slot).unwrap())).collect(), gaps)
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
        concat!(
            r#"{{"machine":{{"temperature":{}}},"recorded":"2013-12-02 21:15:00""#,
            r#","timeCreated":"2026-01-01T00:00:00.0000000Z"}}"#
        ),
        temperature
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
            concat!(
                r#"{"machine":{"temperature":26},"recorded":"a \"b\"\\ é""#,
                r#","timeCreated":"2026-01-01T00:00:00.0000000Z"}"#
            ),
        ),
        (
            1,
            false,
            concat!(
                r#"{"machine":{"temperature":-7.50},"recorded":"""#,
                r#","timeCreated":"2026-01-01T00:00:00.0000019Z"}"#
            ),
        ),
        (
            2,
            true,
            concat!(
                r#"{"machine":{"temperature":26},"recorded":"a \"b\"\\ é""#,
                r#","timeCreated":"2026-01-01T00:00:00.0000028Z"}"#
            ),
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
        let (written, value) = temperature(text, '.').unwrap();
        assert_eq!(written, json);
        assert_eq!(written.parse::<f64>(), Ok(value));
        assert!(serde_json::from_str::<f64>(&written).is_ok(), "{written}");
    }
    for text in ["", " ", "hot", "12 C", "1,5", "NaN", "inf", "-Infinity", "1e999", "0x1a", "--1"] {
        assert!(temperature(text, '.').is_err(), "{text}");
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
        (b"timestamp,value\na,1\nb,hot\n", "line 3, column \"value\": \"hot\" is no number"),
        (b"timestamp,value\na,1e999\n", "line 2, column \"value\": \"1e999\" is no finite"),
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
    let error = Replay::read(&missing, ["timestamp", "value"], CsvFormat::default(), &settings)
        .err()
        .unwrap();
    assert!(error.to_string().starts_with("cannot read /nowhere/readings.csv: No such"), "{error}");
}

/// A file without an end is refused.
#[test]
fn endless_files() {
    let file = Path::new("/dev/zero");
    let settings = settings(file.to_owned(), 25.0);
    let error = Replay::read(file, ["timestamp", "value"], CsvFormat::default(), &settings);
    let error = error.err().unwrap().to_string();
    assert_eq!(error, "cannot read /dev/zero: it is a device, not a regular file");
}

/// Files as spreadsheets, databases and loggers write them.
#[test]
fn files_of_other_programs() {
    let dot = CsvFormat::default();
    let comma = CsvFormat { delimiter: ';', decimal: ',' };
    let table: [(&str, CsvFormat, &str, &[&str], u64); 14] = [
        ("semicolons", comma, "timestamp;value\na;26,5\nb;-7\n", &["26.5", "-7"], 0),
        ("CRLF", comma, "timestamp;value\r\na;26,5\r\nb;\r\n", &["26.5"], 1),
        ("a BOM before a quotation mark", dot, "\u{feff}\"timestamp\",\"value\"\na,1\n", &["1"], 0),
        ("a BOM and CRLF", comma, "\u{feff}timestamp;value\r\na;1,25\r\n", &["1.25"], 0),
        ("tabs", CsvFormat { delimiter: '\t', ..dot }, "timestamp\tvalue\na\t2.5\n", &["2.5"], 0),
        (
            "a decimal comma in quotes",
            CsvFormat { decimal: ',', ..dot },
            "timestamp,value\na,\"1,5\"\n",
            &["1.5"],
            0,
        ),
        ("blanks around", dot, " timestamp , value \n a , 26 \n", &["26"], 0),
        ("blanks before quotes", dot, "timestamp, \"value\"\na, \"26\"\n", &["26"], 0),
        (
            "quoted delimiters and line ends",
            dot,
            "timestamp,value\n\"a,\nb\",26\n\"c\"\"\",\"27\"\n",
            &["26", "27"],
            0,
        ),
        ("empty cells", dot, "timestamp,value\na,1\nb,\nc, \nd,\"\"\ne,2\n", &["1", "2"], 3),
        (
            "words for nothing",
            dot,
            "timestamp,value\na,NaN\nb,-\nc,null\nd,NULL\ne,n/a\nf,None\ng,nan\nh,3\n",
            &["3"],
            7,
        ),
        ("blank lines", dot, "timestamp,value\n\na,1\n   \nb,2\n\n", &["1", "2"], 0),
        ("a gap that is no last column", dot, "value,timestamp\n,a\n1,b\n-,c\n", &["1"], 2),
        ("old line ends", dot, "timestamp,value\ra,1\rb,-\r", &["1"], 1),
    ];
    for (what, format, content, temperatures, gaps) in table {
        let expected = (temperatures.iter().map(|&text| text.to_owned()).collect(), gaps);
        assert_eq!(temperatures_of(format, content), expected, "{what}");
    }
}

/// Line and column are named, and what may be meant.
#[test]
fn refusals_of_other_programs_files() {
    let dot = CsvFormat::default();
    let comma = CsvFormat { delimiter: ';', decimal: ',' };
    let table: [(CsvFormat, &str, &str); 12] = [
        (
            dot,
            "timestamp;value\na;1\n",
            "names timestamp;value; if its cells are cut there, give --delimiter ';'",
        ),
        (dot, "timestamp\tvalue\na\t1\n", "give --delimiter 'tab'"),
        (comma, "timestamp,value\na,1\n", "give --delimiter ','"),
        (
            CsvFormat { delimiter: ';', ..dot },
            "timestamp;value\na;1,5\n",
            "line 2, column \"value\": \"1,5\" is no number; if its comma is a decimal one, give \
             --decimal ,",
        ),
        (
            comma,
            "timestamp;value\r\na;1\r\nb;1.5\r\n",
            "line 3, column \"value\": \"1.5\" has a point",
        ),
        (comma, "timestamp;value\na;1.234,5\n", "\"1.234,5\" has a point"),
        (comma, "timestamp;value\na;1,234,5\n", "\"1,234,5\" is no number"),
        (dot, "timestamp,value\na,1,5\n", "it has 3 columns, the first line has 2: put cells"),
        (dot, "timestamp,value\na,-\nb,\n", "column \"value\": none of its 2 rows has a value"),
        (dot, "timestamp,value\na,-1-\n", "line 2, column \"value\": \"-1-\" is no number"),
        (
            dot,
            "timestamp,value\na,\nb,inf\n",
            "line 3, column \"value\": \"inf\" is no finite number",
        ),
        (dot, "timestamp,value\n\"a\nb\",1\nc,x\n", "line 4, column \"value\": \"x\""),
    ];
    for (format, content, problem) in table {
        let error = read_as(format, content.as_bytes(), None).err().unwrap().to_string();
        assert!(error.contains(problem), "{error}, not {problem}");
    }
}

/// The line is the one that an editor shows, whatever its end.
#[test]
fn lines_are_counted_as_editors_count_them() {
    let table: [(&[u8], u64); 8] = [
        (b"timestamp,value\na,x\n", 2),
        (b"timestamp,value\r\na,1\r\nb,x\r\n", 3),
        (b"\xef\xbb\xbftimestamp,value\r\na,1\r\nb,x\r\n", 3),
        (b"timestamp,value\ra,1\rb,x\r", 3),
        (b"timestamp,value\n\n\na,1\n\nb,x\n", 6),
        (b"timestamp,value\r\n\r\na,x\r\n", 3),
        (b"\n\ntimestamp,value\n\"a\n\n\",1\nb,x", 7),
        (b"timestamp,value\r\na,1\r\n\xff,1\r\n", 3),
    ];
    for (content, line) in table {
        let error = read(content, None).err().unwrap().to_string();
        assert!(error.contains(&format!(", line {line}")), "{error}, not {line}");
    }
}
