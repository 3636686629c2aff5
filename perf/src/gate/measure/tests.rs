use std::fs;
use std::time::Instant;

use super::*;

const PATIENCE: Bounds<'_> = Bounds { time: Duration::from_secs(60), is_stopped: &|| false };
const SUBJECTS: [Subject; 2] =
    [Subject { stage: "one", messages: 500 }, Subject { stage: "two", messages: 1000 }];
const HEAP: &str = r#"echo '{"allocations":1,"bytes":100,"writes":16,"queued_bytes":77}'"#;
/// As callgrind does, 4,000 for the process and 30 for each message.
const COUNT: &str = r#"echo "==$$== Collected : $((4000 + 30 * $3))" >&2"#;

/// Programs of a folder of their own that are scripts; the counter in front of them is one, too.
struct StandIns {
    folder: tempfile::TempDir,
}

impl StandIns {
    /// The counter gets the program, the stage and the messages as `$1`, `$2` and `$3`, the other
    /// one the stage and the messages as `$1` and `$2`.
    fn new(counter: &str, heap: &str) -> Self {
        let stand_ins = Self { folder: tempfile::tempdir().unwrap() };
        stand_ins.put("counter", counter);
        stand_ins.put("stages-heap", heap);
        stand_ins
    }

    /// Scripts that sh reads: nothing that another thread's child may have open is executed.
    fn put(&self, name: &str, script: &str) {
        fs::write(self.folder.path().join(name), script).unwrap();
    }

    fn counter(&self) -> Counter {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Counter {
            arch: Arch::Amd64,
            programs: self.folder.path().to_owned(),
            run: words(&["/bin/sh"]),
            count: words(&["/bin/sh", "counter"]),
        }
    }

    fn measure(&self) -> (Vec<Row>, Vec<Uncounted>) {
        self.counter().measure(&SUBJECTS, PATIENCE)
    }
}

/// From the counters' words to rows for 1,000 messages, in the order of the stages.
#[test]
fn rows_are_made_of_what_the_programs_say() {
    let (rows, failures) = StandIns::new(COUNT, HEAP).measure();
    assert_eq!(failures, []);
    let found: Vec<(&str, &str, u64)> =
        rows.iter().map(|row| (row.stage.as_str(), row.unit.name(), row.value)).collect();
    let expected = |stage, allocations, bytes, writes| {
        [
            (stage, "instructions", 30_000),
            (stage, "allocations", allocations),
            (stage, "heap_bytes", bytes),
            (stage, "writes", writes),
            (stage, "queued_bytes", 77),
        ]
    };
    assert_eq!(found[..5], expected("one", 2, 200, 32));
    assert_eq!(found[5..], expected("two", 1, 100, 16));
}

/// Nothing of our own environment reaches the programs, and they are where their files are.
#[test]
fn programs_run_in_a_fixed_environment() {
    let stand_ins = StandIns::new(
        r#"env | grep -v -e ^GLIBC_TUNABLES= -e ^PWD= -e ^OLDPWD= -e ^SHLVL= -e ^_= && exit 9
        [ -e ./counter ] || exit 8
        echo "==1== Collected : $((30 * $3))" >&2"#,
        HEAP,
    );
    assert_eq!(stand_ins.measure().1, []);
}

/// Whatever one stage's programs do, the others are counted, and the reason is told.
#[test]
fn each_failure_is_reported_with_its_stage() {
    for (counter, heap, why) in [
        (
            &[r#"[ $2 = two ] && echo "stages two: wrong answer" >&2 && exit 1; "#, COUNT].concat()
                [..],
            HEAP,
            "ended with exit code 1: stages two: wrong answer",
        ),
        (&format!("[ $2 = two ] && kill -9 $$; {COUNT}"), HEAP, "was ended by a signal"),
        (&format!("[ $2 = two ] && echo 5 && exit; {COUNT}"), HEAP, "no count came out"),
        (&format!("[ $2 = two ] && {COUNT}; {COUNT}"), HEAP, "more than one count"),
        (
            r#"[ $2 = two ] && set 1 2 0; echo "==1== Collected : $((30 * $3))" >&2"#,
            HEAP,
            "twice the messages took 0 instructions",
        ),
        (
            COUNT,
            &format!("[ $1 = two ] && echo '{{}}' && exit; {HEAP}"),
            "not what stages-heap says",
        ),
        (COUNT, &format!("[ $1 = two ] && exit 64; {HEAP}"), "ended with exit code 64"),
    ] {
        let (rows, failures) = StandIns::new(counter, heap).measure();
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert_eq!(failures[0].stage, "two");
        assert!(failures[0].why.contains(why), "{failures:?}");
        assert!(rows.len() == 5 && rows.iter().all(|row| row.stage == "one"), "{rows:?}");
    }
}

/// A stage that hangs is ended at its bound, and fails.
#[test]
fn a_hang_ends_at_its_bound() {
    let stand_ins = StandIns::new("exec sleep 600", HEAP);
    let start = Instant::now();
    let bounds = Bounds { time: Duration::from_millis(20), is_stopped: &|| false };
    let (rows, failures) = stand_ins.counter().measure(&SUBJECTS[..1], bounds);
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(rows, []);
    assert!(failures[0].why.contains("did not end in 20ms"), "{failures:?}");
}

/// The middle of several counts, and how far they lie apart; what is not in all of them is nothing.
#[test]
fn several_measurements_become_one() {
    let row = |stage: &str, value| Row {
        stage: stage.to_owned(),
        unit: Unit::Instructions,
        value,
        noise: 0,
    };
    let measured =
        [vec![row("a", 7), row("b", 1)], vec![row("a", 4)], vec![row("a", 5), row("b", 1)]];
    assert_eq!(merge(&measured), [Row { noise: 3, ..row("a", 5) }]);
    assert_eq!(merge(&[]), []);
}
