use super::*;

fn row(stage: &str, unit: Unit, value: u64) -> Row {
    Row { stage: stage.to_owned(), unit, value, noise: 1 }
}

fn baseline() -> Baseline {
    let facts = Facts {
        rustc: "rustc 1, with: a colon".to_owned(),
        counter: "valgrind-3".to_owned(),
        libc: String::new(),
        processor: "an \"odd\", name".to_owned(),
    };
    let rows = vec![row("core", Unit::Instructions, 5), row("a,b", Unit::HeapBytes, 0)];
    Baseline { facts, rows }
}

/// What is written is read, and a file that is not there is an empty baseline.
#[test]
fn baselines_come_back_from_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    assert_eq!(Baseline::read(&path, Arch::Arm32), Ok(Baseline::default()));
    baseline().write(&path, Arch::Arm32).unwrap();
    assert_eq!(Baseline::read(&path, Arch::Arm32), Ok(baseline()));
    assert_eq!(Baseline::read(&path, Arch::Amd64), Ok(Baseline::default()));
    let text = fs::read_to_string(path.join("arm32.csv")).unwrap();
    assert!(text.contains("# counter: valgrind-3\n"), "{text}");
    assert!(text.contains("\nstage,unit,value,noise\ncore,instructions,5,1\n"), "{text}");
}

#[test]
fn what_is_no_baseline_is_refused_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    for text in [
        "stage,unit,value,noise\ncore,instructions,-5,0\n",
        "stage,unit,value,noise\ncore,miles,5,0\n",
        "stage,unit,value\ncore,instructions,5\n",
        "stage,unit,value,noise\ncore,instructions,5\n",
    ] {
        fs::write(folder.path().join("amd64.csv"), text).unwrap();
        let why = Baseline::read(folder.path(), Arch::Amd64).unwrap_err();
        assert!(why.contains("amd64.csv: "), "{why}");
    }
}

/// The history grows at its end and has one heading.
#[test]
fn history_is_appended() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read_history(folder.path()), Ok(Vec::new()));
    let entry = |reason: &str| Entry {
        time: "2026-01-01T00:00:00Z".to_owned(),
        commit: "abc-dirty".to_owned(),
        arch: Arch::Amd64,
        stage: "core".to_owned(),
        unit: Unit::Writes,
        value: 7,
        noise: 0,
        reason: reason.to_owned(),
    };
    let entries = [entry("first, with \"quotes\"\nand lines"), entry("# second")];
    for entry in &entries {
        append_history(folder.path(), std::slice::from_ref(entry)).unwrap();
    }
    assert_eq!(read_history(folder.path()).unwrap(), entries);
}

/// Rows of other stages stay, rows of a stage that is asked for go when they are not counted, and
/// what did not change is told apart.
#[test]
fn a_blessing_replaces_what_was_asked_for() {
    let old = Baseline {
        facts: Facts::default(),
        rows: vec![
            row("a", Unit::Instructions, 1),
            row("b", Unit::Instructions, 2),
            row("b", Unit::Writes, 3),
            row("c", Unit::Instructions, 4),
        ],
    };
    let counted = vec![row("b", Unit::Instructions, 5)];
    let new = old.blessed(counted, Facts::default(), &["c", "b", "a"], |stage| stage == "b");
    let stages: Vec<(&str, u64)> =
        new.rows.iter().map(|row| (row.stage.as_str(), row.value)).collect();
    assert_eq!(stages, [("c", 4), ("b", 5), ("a", 1)]);
    let changed: Vec<u64> = new.changed_since(&old).map(|row| row.value).collect();
    assert_eq!(changed, [5]);
}

#[test]
fn differing_facts_are_listed() {
    let now = Facts { libc: "2.37".to_owned(), ..baseline().facts };
    assert_eq!(now.differences(&baseline().facts), ["libc: 2.37; the baseline's: "]);
    assert!(now.differences(&now).is_empty());
}
