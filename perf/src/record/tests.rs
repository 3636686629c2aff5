use loadgen_load::outcome::{Finding, Standing};
use tempfile::TempDir;
use test_support::{put_workspace, says_version, write_script};

use super::*;
use crate::example;

/// Programs of which `loadgen` is a script that gives prepared results, one after the other, the
/// last one for ever.
struct Stage {
    folder: TempDir,
}

impl Stage {
    /// With one result for each of these.
    fn new(results: &[(Standing, f64)]) -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap() };
        put_workspace(stage.folder.path());
        fs::create_dir(stage.path("bin")).unwrap();
        for (index, (standing, rate)) in results.iter().enumerate() {
            let outcome = example::outcome(*standing, None, *rate);
            let text = example::document(Finding::Run(Box::new(outcome)));
            fs::write(stage.path(&format!("{index}.json")), text).unwrap();
            fs::write(stage.path(&format!("{index}.code")), standing.exit_code().to_string())
                .unwrap();
        }
        let folder = stage.folder.path().display();
        stage.program(
            "loadgen",
            &format!(
                "cd {folder}; echo \"$@\" >>calls; n=$(($(wc -l <calls) - 1))
                 [ -e $n.json ] || n={}
                 while [ \"$1\" != --json ]; do shift; done
                 cp $n.json \"$2\"; exit $(cat $n.code)",
                results.len() - 1
            ),
        );
        stage.program("perf", "exit 1");
        stage.program("sluicegate", "exit 1");
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        let script = format!("{}\n{script}", says_version(self.folder.path(), name));
        write_script(&self.path("bin").join(name), &script);
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn arguments(&self, only: &[&str], times: u32) -> RecordArgs {
        RecordArgs {
            time: Some(Duration::from_secs(1)),
            times,
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            build: false,
            bin_dir: self.path("bin"),
            record_dir: self.path("record"),
        }
    }

    /// Exit code and table, and the lines recorded in all.
    fn record(&self, only: &[&str], times: u32) -> (u8, String, Vec<serde_json::Value>) {
        let mut out = Vec::new();
        let code =
            record(&self.arguments(only, times), self.folder.path(), &Stop::default(), &mut out)
                .unwrap();
        let file = self.path(&format!("record/{}.jsonl", std::env::consts::ARCH));
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (code, String::from_utf8(out).unwrap(), lines)
    }
}

/// Rounds are interleaved, a run that gives two figures is made once for both, and each record adds
/// its lines behind those of earlier ones.
#[test]
fn runs_are_interleaved_and_recorded() {
    let stage = Stage::new(&[(Standing::Passed, 4e6)]);
    let only = ["plain_qos1", "tls_qos1", "cpu_max"];
    let (code, table, lines) = stage.record(&only, 2);
    assert_eq!(code, 0, "{table}");
    let calls = stage.calls();
    let is_plain: Vec<bool> = calls.iter().map(|call| call.contains("--plain")).collect();
    assert_eq!(is_plain, [true, false, true, false], "{calls:#?}");
    let ends = format!("-- {}/bin/sluicegate run", stage.folder.path().display());
    assert!(calls.iter().all(|call| call.contains("--for 1000ms") && call.ends_with(&ends)));
    let figures: Vec<_> = lines.iter().map(|line| (&line["scenario"], &line["median"])).collect();
    assert_eq!(format!("{figures:?}").matches("4000000").count(), 2, "{figures:?}");
    assert_eq!(lines[2]["values"], serde_json::json!([250.0, 250.0]));
    assert!(table.contains("| plain_qos1 |") && table.contains("perf/peers/run"), "{table}");
    assert_eq!(stage.record(&["plain_qos1"], 1).2.len(), 4);
}

/// What gives no figure is made once more, and no more than that.
#[test]
fn an_invalid_run_is_made_once_more() {
    use Standing::{Failed, Invalid, Passed};
    let stage = Stage::new(&[(Invalid, 4e6), (Passed, 1e6)]);
    let (code, _, lines) = stage.record(&["plain_qos1"], 1);
    assert_eq!((code, stage.calls().len()), (1, 2));
    assert_eq!(lines[0]["loadgen_exit_codes"], serde_json::json!([2, 0]));
    assert_eq!(lines[0]["values"], serde_json::json!([1e6]));
    let stage = Stage::new(&[(Failed, 4e6)]);
    let (code, _, lines) = stage.record(&["plain_qos1"], 1);
    assert_eq!((code, stage.calls().len()), (2, 2));
    assert_eq!(lines[0]["verdicts"], serde_json::json!({ "failed": 2 }));
    assert_eq!(lines[0]["median"], serde_json::Value::Null);
}

/// Without programs, a place to write or a known name nothing is run; stopped, nothing is recorded.
#[test]
fn records_that_cannot_begin_are_refused_at_once() {
    let stage = Stage::new(&[(Standing::Passed, 4e6)]);
    let refused = |args: &RecordArgs, stop: &Stop| {
        let error = record(args, stage.folder.path(), stop, &mut io::sink()).unwrap_err();
        (error.code, error.text)
    };
    let never = Stop::default();
    let (code, text) = refused(&stage.arguments(&["plain"], 1), &never);
    assert!(code == 64 && text.contains("plain_qos1"), "{text}");
    let mut args = stage.arguments(&[], 1);
    args.record_dir = stage.path("no/such");
    assert_eq!(refused(&args, &never).0, 64);
    let mut args = stage.arguments(&[], 1);
    args.bin_dir = stage.path("none");
    let (code, text) = refused(&args, &never);
    assert!(code == 69 && text.contains("--build"), "{text}");
    assert!(stage.calls().is_empty());
    let stopped = Stop::default();
    stopped.ask();
    assert_eq!(refused(&stage.arguments(&["plain_qos1"], 1), &stopped).0, 70);
    assert_eq!(fs::read_dir(stage.path("record")).unwrap().count(), 0);
}

#[test]
fn times_are_read_with_their_bounds() {
    assert_eq!(parse_time("10ms"), Ok(Duration::from_millis(10)));
    assert_eq!(parse_time("1h"), Ok(TIME_MAX));
    assert_eq!(parse_time("8"), Ok(Duration::from_secs(8)));
    for text in ["9ms", "2h", "3601", "x", ""] {
        assert!(parse_time(text).is_err(), "{text}");
    }
}
