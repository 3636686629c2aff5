use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use loadgen_load::outcome::{Finding, Standing};
use tempfile::TempDir;
use test_support::{put_workspace, says_version, write_script};

use super::args::{TIME_MAX, TIME_MIN, parse_time};
use super::*;
use crate::example;

/// What stands for Cargo: a program is built by copying its file in `parts`.
const CARGO: &str = r#"
    while [ "$1" != -p ]; do shift; done; package=$2
    while [ "$1" != --target-dir ]; do shift; done
    mkdir -p "$2/release"
    cp "parts/$package" "$2/release/$package" && chmod 755 "$2/release/$package"
    echo "$package" >>"$BUILDS""#;

/// What stands for the instrument: it gives the module what the module costs, as its file says.
const LOADGEN: &str = r#"#!/bin/sh
    $VERSION
    while [ "$1" != --json ]; do shift; done
    file=$2; shift 2; program=$2
    . "$program"
    sed "s/250.0/$cost/" <"$OUTCOME" >"$file"
"#;

/// A repository whose only commit has a module of this cost.
struct Repository {
    folder: TempDir,
}

impl Repository {
    fn new(cost: &str) -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        let [outcome, builds] = ["outcome.json", "builds"].map(|name| repository.path(name));
        let passed = example::outcome(Standing::Passed, None, 2e6);
        fs::write(&outcome, example::document(Finding::Run(Box::new(passed)))).unwrap();
        fs::create_dir_all(repository.path("tree/parts")).unwrap();
        put_workspace(&repository.path("tree"));
        let loadgen = LOADGEN.replace("$OUTCOME", &outcome.display().to_string());
        let version = says_version(&repository.path("tree"), "loadgen");
        let loadgen = loadgen.replace("$VERSION", &version);
        fs::write(repository.path("tree/parts/loadgen"), loadgen).unwrap();
        fs::write(repository.path("tree/.gitignore"), "target\n").unwrap();
        repository.set_module(cost);
        repository.git(&["init", "-q"]);
        repository.commit();
        let cargo = CARGO.replace("$BUILDS", &builds.display().to_string());
        write_script(&repository.path("cargo"), &cargo);
        repository
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `cost` may be a command: each run works it out anew.
    fn set_module(&self, cost: &str) {
        let version = says_version(&self.path("tree"), "sluicegate");
        let module = format!("#!/bin/sh\n{version}\ncost={cost}\n");
        fs::write(self.path("tree/parts/sluicegate"), module).unwrap();
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
        self.git(&[&who[..], &["commit", "-q", "-m", "a commit"]].concat());
    }

    fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path("tree")).args(arguments);
        assert!(command.status().unwrap().success(), "git {arguments:?}");
    }

    fn try_compare(&self, base: Option<&str>, stop: &Stop) -> Result<(u8, String), Failure> {
        let args = AbArgs {
            base: base.map(str::to_owned),
            pairs: 6,
            time: TIME_MIN,
            seed: 1,
            json: Some(self.path("result.json")),
        };
        let mut out = Vec::new();
        let code = compare(&args, &self.path("tree"), &self.path("cargo"), stop, &mut out)?;
        Ok((code, String::from_utf8(out).unwrap()))
    }

    fn compare(&self, base: Option<&str>) -> (u8, String) {
        self.try_compare(base, &Stop::default()).unwrap()
    }

    fn builds(&self) -> usize {
        fs::read_to_string(self.path("builds")).unwrap_or_default().lines().count()
    }
}

/// From two trees to a verdict: what a commit costs is compared with what the work tree costs, and
/// nothing is left behind but what the next comparison builds upon.
#[test]
fn a_change_of_the_work_tree_is_judged() {
    let repository = Repository::new("200.0");
    repository.set_module("230.0");
    let (code, text) = repository.compare(None);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("slower: B takes 115.0 % of A's CPU time a message"), "{text}");
    assert!(text.contains("-dirty") && !text.contains("byte for byte"), "{text}");
    let result = fs::read_to_string(repository.path("result.json")).unwrap();
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!((&result["verdict"], &result["seed"]), (&"slower".into(), &1.into()));
    // Six pairs are too few to be beyond chance, so there are two sets more.
    let sets = result["a_against_b"].as_array().unwrap();
    assert_eq!((sets.len(), sets[2]["summary"]["pairs"].as_u64()), (3, Some(18)));
    let left = fs::read_dir(repository.path("tree/target/ab")).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["lock", "target", "tree", "tree.commit"]);
    assert_eq!(repository.builds(), 3);
}

/// Without a change the last commit is compared with the one before, whatever was compared before.
#[test]
fn a_commit_is_compared_with_the_one_before() {
    let repository = Repository::new("200.0");
    assert_eq!(repository.try_compare(None, &Stop::default()).unwrap_err().code, 64, "no other");
    assert_eq!(repository.compare(Some("HEAD")).0, 0);
    repository.set_module("150.0");
    repository.commit();
    let (code, text) = repository.compare(None);
    assert!(code == 0 && text.contains("faster: B takes 75.0 %"), "{text}");
    let (code, text) = repository.compare(Some("HEAD"));
    assert!(code == 0 && text.contains("byte for byte") && text.contains("same: "), "{text}");
}

/// Neither a machine that is never the same nor a module that does not work is an answer.
#[test]
fn there_is_no_answer_without_figures() {
    // Whichever stands for B, it takes twice as much.
    let repository = Repository::new("200.0");
    let count = repository.path("count");
    let count = count.display();
    repository.set_module(&format!(
        "$(echo >>{count}; n=$(wc -l <{count}); echo $((n / 2 % 2 * 200 + 200)).0)"
    ));
    repository.commit();
    let (code, text) = repository.compare(Some("HEAD"));
    assert!(code == 2 && text.contains("too noisy today: A differs from itself"), "{text}");
    repository.set_module("; exit 1");
    let failure = repository.try_compare(Some("HEAD~1"), &Stop::default()).unwrap_err();
    assert!(failure.code == 2 && failure.text.contains("no figure of B in 3 tries"), "{failure}");
}

/// What cannot be built or compared is told at once, and nothing is said once stopped.
#[test]
fn comparisons_that_cannot_begin_are_refused() {
    let repository = Repository::new("200.0");
    let refused = |base, stop: &Stop| repository.try_compare(base, stop).unwrap_err().code;
    let never = Stop::default();
    for base in ["nothing", "--all", "", "HEAD:parts"] {
        assert_eq!(refused(Some(base), &never), 64, "{base}");
    }
    assert_eq!(repository.builds(), 0);
    let stopped = Stop::default();
    stopped.ask();
    assert_eq!(refused(Some("HEAD"), &stopped), 70);
    let held = Workshop::open(&repository.path("tree"), "cargo".into(), never.clone()).unwrap();
    assert_eq!(refused(Some("HEAD"), &never), 69);
    drop(held);
    fs::remove_file(repository.path("tree/parts/sluicegate")).unwrap();
    assert_eq!(refused(Some("HEAD"), &never), 69);
    assert_eq!(commits::root(Path::new("/")).unwrap_err().code, 64);
}

#[test]
fn times_are_read_with_their_bounds() {
    assert_eq!(parse_time("100ms"), Ok(TIME_MIN));
    assert_eq!(parse_time("1m"), Ok(TIME_MAX));
    assert_eq!(parse_time("8"), Ok(Duration::from_secs(8)));
    for text in ["99ms", "61s", "61", ""] {
        assert!(parse_time(text).is_err(), "{text}");
    }
}
