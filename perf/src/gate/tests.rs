use std::fs;

use super::args::parse_reason;
use super::baseline::{Baseline, Facts, read_history};
use super::measure::Counter;
use super::*;
use crate::budgets::Unit;

/// As callgrind does, with so many instructions for each message as the file `cost` says.
const COUNT: &str = r#"echo "==$$== Collected : $((4000 + $(cat cost) * $3))" >&2"#;
const HEAP: &str = r#"echo '{"allocations":0,"bytes":0,"writes":32,"queued_bytes":77}'"#;
const SUBJECTS: [Subject; 2] =
    [Subject { stage: "decode", messages: 1000 }, Subject { stage: "core", messages: 500 }];

/// A workspace with stand-ins for everything that is run.
struct Workspace {
    folder: tempfile::TempDir,
    args: GateArgs,
    libc: &'static str,
    budget: Option<u64>,
}

impl Workspace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Self { folder, args: GateArgs::default(), libc: "2.36", budget: None };
        workspace.put("counter", COUNT);
        workspace.put("stages-heap", HEAP);
        workspace.put("cost", "100");
        workspace
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn bless(&mut self, reason: &str) -> (u8, String) {
        self.args.bless = Some(reason.to_owned());
        let shown = self.gate();
        self.args.bless = None;
        shown
    }

    fn places(&self) -> Places {
        Places { root: self.folder.path().to_owned(), target: "target".into() }
    }

    /// Exit code and text.
    fn gate(&self) -> (u8, String) {
        self.try_gate().unwrap()
    }

    fn try_gate(&self) -> Result<(u8, String), Failure> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let subjects: Vec<Subject> =
            SUBJECTS.into_iter().filter(|it| is_asked(&self.args.only, it.stage)).collect();
        let budget = |_, _: &str, unit| self.budget.filter(|_| unit == Unit::Instructions);
        let session = Session {
            args: &self.args,
            places: &self.places(),
            subjects: &subjects,
            counter: Counter {
                arch: Arch::Amd64,
                programs: self.folder.path().to_owned(),
                run: words(&["/bin/sh"]),
                count: words(&["/bin/sh", "counter"]),
            },
            facts: Facts { libc: self.libc.to_owned(), ..Facts::default() },
            budget: &budget,
        };
        let mut out = Vec::new();
        let code = session.run(&|| Ok(4_000_000), &|| false, &mut out)?;
        Ok((code, String::from_utf8(out).unwrap()))
    }

    fn baseline(&self) -> Baseline {
        Baseline::read(&self.places().baselines(), Arch::Amd64).unwrap()
    }
}

/// The whole life of a row: unknown, blessed, the same, worse, better, blessed again.
#[test]
fn a_regression_fails_until_it_is_blessed() {
    let mut workspace = Workspace::new();
    let (code, text) = workspace.gate();
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("decode/instructions") && text.contains("without a baseline"), "{text}");

    let (code, text) = workspace.bless("the first counts");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("blessed: perf/baseline/amd64.csv"), "{text}");
    let rows = workspace.baseline().rows;
    assert_eq!(rows.len(), 2 * 5 + 1);
    let core = workspace.baseline().row("core", Unit::Instructions).cloned().unwrap();
    assert_eq!((core.value, core.noise), (100_000, 0));
    let history = read_history(&workspace.places().baselines()).unwrap();
    assert_eq!(history.len(), rows.len());
    assert!(history.iter().all(|entry| entry.reason == "the first counts"));

    let (code, text) = workspace.gate();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("amd64: 11 rows: 11 same in "), "{text}");

    workspace.put("cost", "101");
    let (code, text) = workspace.gate();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("+1.00 %") && text.contains("WORSE"), "{text}");
    assert!(text.contains("9 same") && text.contains("2 worse"), "{text}");

    workspace.put("cost", "99");
    let (code, text) = workspace.gate();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("better past the threshold"), "{text}");

    let (code, _) = workspace.bless("a buffer is used again");
    assert_eq!((code, workspace.gate().0), (0, 0));
    let history = read_history(&workspace.places().baselines()).unwrap();
    // Changed rows alone.
    assert_eq!(history.len(), rows.len() + 2);
}

/// An allocation that was not there fails, and so does one more write.
#[test]
fn one_more_allocation_or_write_is_worse() {
    let mut workspace = Workspace::new();
    workspace.bless("the first counts");
    for (old, new) in [("allocations\":0", "allocations\":1"), ("writes\":32", "writes\":33")] {
        workspace.put("stages-heap", &HEAP.replace(old, new));
        let (code, text) = workspace.gate();
        assert_eq!(code, 1, "{new}: {text}");
    }
}

/// Blessed or not, a row over its budget fails.
#[test]
fn a_budget_cannot_be_blessed_away() {
    let mut workspace = Workspace::new();
    workspace.budget = Some(99_999);
    let (code, text) = workspace.bless("it is needed");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("OVER BUDGET"), "{text}");
    assert_eq!(workspace.gate().0, 1);
    workspace.budget = Some(100_000);
    assert_eq!(workspace.gate().0, 0);
}

/// A stage that cannot be counted is told, is not taken for gone, and is not blessed.
#[test]
fn what_cannot_be_counted_is_not_compared() {
    let mut workspace = Workspace::new();
    workspace.bless("the first counts");
    let before = workspace.baseline();
    workspace.put("counter", &format!("[ $2 = core ] && echo wrong answer >&2 && exit 1; {COUNT}"));
    let (code, text) = workspace.gate();
    assert_eq!(code, 2, "{text}");
    let shown = "core: could not be counted: ended with exit code 1: wrong answer";
    assert!(text.contains(shown) && !text.contains("GONE"), "{text}");
    let (code, text) = workspace.bless("it is needed");
    assert!(code == 2 && text.contains("NOT blessed"), "{text}");
    assert_eq!(workspace.baseline(), before);
    // A regression beside it is not hidden.
    workspace.put("cost", "120");
    assert_eq!(workspace.gate().0, 1);
}

/// `--only` counts, judges and blesses these stages alone.
#[test]
fn some_stages_alone() {
    let mut workspace = Workspace::new();
    workspace.bless("the first counts");
    workspace.put("cost", "200");
    workspace.args.only = vec!["decode".to_owned()];
    let (code, text) = workspace.gate();
    assert!(code == 1 && text.contains("5 rows: 1 worse, 4 same"), "{text}");
    workspace.bless("decodes twice");
    assert_eq!(workspace.gate().0, 0);
    workspace.args.only = vec![PROGRAM.to_owned()];
    let (code, text) = workspace.gate();
    assert!(code == 0 && text.contains(": 1 rows: 1 same"), "{text}");
    workspace.args.only = Vec::new();
    let (code, text) = workspace.gate();
    assert!(code == 1 && text.contains("core/instructions: past"), "{text}");
    assert!(!text.contains("decode/instructions"), "{text}");
}

/// Counts of other tools are compared, but never without a word about it.
#[test]
fn counts_of_other_tools_are_noticed() {
    let mut workspace = Workspace::new();
    workspace.bless("the first counts");
    workspace.libc = "2.40";
    let (code, text) = workspace.gate();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("NOTICE: not counted as the baseline was. libc: 2.40"), "{text}");
    assert!(!text.contains("Other tools count differently"), "{text}");
    workspace.put("cost", "120");
    assert!(workspace.gate().1.contains("Other tools count differently"), "{text}");
    // Half of a baseline cannot be of other tools than the other half.
    workspace.args.only = vec!["core".to_owned()];
    workspace.args.bless = Some("it is needed".to_owned());
    assert_eq!(workspace.try_gate().unwrap_err().code, 64);
}

#[test]
fn stages_are_chosen_by_name() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let all = select(&[]).unwrap();
    assert_eq!(all.len(), stages::STAGES.len());
    let some = select(&names(&["core", PROGRAM])).unwrap();
    assert_eq!(some.iter().map(|subject| subject.stage).collect::<Vec<_>>(), ["core"]);
    let unknown = select(&names(&["cor"])).unwrap_err();
    assert!(unknown.code == 64 && unknown.text.contains("core"), "{unknown}");
}

#[test]
fn architectures_are_those_that_this_host_counts() {
    let mut args = GateArgs::default();
    assert_eq!(archs(&args, "x86_64"), Ok(Arch::ALL.to_vec()));
    assert_eq!(archs(&args, "aarch64"), Ok(vec![Arch::Arm32]));
    args.arch = vec![Arch::Arm32, Arch::Arm32];
    assert_eq!(archs(&args, "x86_64"), Ok(vec![Arch::Arm32]));
    args.arch = vec![Arch::Amd64];
    assert_eq!(archs(&args, "aarch64").unwrap_err().code, 69);
}

/// A blessing has a reason, in words.
#[test]
fn a_reason_must_be_given() {
    assert_eq!(parse_reason("  one more check "), Ok("one more check".to_owned()));
    for text in ["", "   ", "because"] {
        assert!(parse_reason(text).is_err(), "{text}");
    }
}

/// Every stage gives right answers over a few messages.
#[test]
fn all_stages_answer() {
    assert_eq!(smoke(), Ok(()));
}
