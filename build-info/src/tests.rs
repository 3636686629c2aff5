use super::*;

const PARTS: [&[&str]; 6] = [&PRODUCT, &PAIRED, &HUB, &LOAD, &REPORT, &LOADGEN];

/// A workspace with everything that `sluicegate` and `loadgen` are made of.
struct Workspace(tempfile::TempDir);

impl Workspace {
    fn new() -> Self {
        let workspace = Self(tempfile::tempdir().unwrap());
        for file in PARTS.concat().iter().filter(|part| part.contains('.')) {
            workspace.put(file, "");
        }
        workspace.put(DEFINITION_FILE, "");
        workspace.put("allocator/src/lib.rs", "");
        workspace.put("src/main.rs", "fn main() {}");
        workspace.put("loadgen/src/main.rs", "fn main() {}");
        for library in ["hub", "load", "report"] {
            workspace.put(&format!("loadgen/{library}/src/lib.rs"), "");
        }
        workspace.put("perf/paired/src/lib.rs", "");
        workspace
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, file: &str, text: &str) {
        let path = self.root().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn digest(&self, package: &str) -> String {
        digest(self.root(), package).unwrap()
    }

    fn text(&self) -> String {
        Build::of(self.root(), "sluicegate").unwrap().text("0.1.0").unwrap()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
        git(self.root(), &[&who[..], arguments].concat()).unwrap()
    }
}

#[test]
fn a_digest_changes_with_each_source_and_with_nothing_else() {
    let workspace = Workspace::new();
    let mut seen = vec![workspace.digest("sluicegate")];
    // Also the same text in another file, and a file that nothing names yet.
    for (file, text) in [
        ("src/main.rs", "fn main() {} "),
        ("Cargo.lock", "x"),
        ("Cargo.toml", "x"),
        ("build-info/macro/src/lib.rs", ""),
        ("allocator/src/lib.rs", "x"),
        ("src/cli.rs", ""),
        ("src/cli/text.css", ""),
    ] {
        workspace.put(file, text);
        let digest = workspace.digest("sluicegate");
        assert!(!seen.contains(&digest), "{file}");
        seen.push(digest);
    }
    let last = seen.last().unwrap().clone();
    for file in
        ["src/tests.rs", "src/cli/tests/a.rs", "src/.main.rs.swp", "src/main.rs~", "README.md"]
    {
        workspace.put(file, "x");
        assert_eq!(workspace.digest("sluicegate"), last, "{file}");
    }
    for file in ["loadgen/src/main.rs", "loadgen/hub/src/lib.rs", "perf/paired/src/lib.rs"] {
        let loadgen = workspace.digest("loadgen");
        workspace.put(file, "x");
        assert_ne!(workspace.digest("loadgen"), loadgen, "{file}");
    }
    assert_eq!(workspace.digest("sluicegate"), last);
    fs::remove_file(workspace.root().join("src/cli.rs")).unwrap();
    assert_ne!(workspace.digest("sluicegate"), last);
}

#[test]
fn what_is_no_package_with_programs_is_refused() {
    let workspace = Workspace::new();
    assert!(digest(workspace.root(), "core-tests").is_err());
    assert!(Build::of(Path::new("/"), "sluicegate").is_err());
    fs::remove_file(workspace.root().join("Cargo.lock")).unwrap();
    assert!(digest(workspace.root(), "sluicegate").unwrap_err().starts_with("Cargo.lock: "));
}

/// The text has one length, whatever it says, and what it says is found again.
#[test]
fn without_git_the_digest_alone_is_shown() {
    let workspace = Workspace::new();
    let (text, digest) = (workspace.text(), workspace.digest("sluicegate"));
    assert_eq!(text.trim_end(), format!("0.1.0 (sources {digest})"));
    assert_eq!((text.len(), sources(&text)), (TEXT_BYTES, Some(digest.as_str())));
    assert_eq!(sources("sluicegate 0.1.0"), None);
    assert_eq!(sources("sources 0123456789abcde"), None);
    assert_eq!(sources("sources 0123456789abcdeé"), None);
    let long = "1".repeat(TEXT_BYTES);
    assert!(Build::of(workspace.root(), "sluicegate").unwrap().text(&long).is_err());
}

#[test]
fn the_commit_is_shown_and_whether_the_sources_are_its() {
    let workspace = Workspace::new();
    workspace.git(&["init", "-q"]);
    workspace.git(&["add", "-A"]);
    workspace.git(&["commit", "-q", "-m", "one"]);
    let id = workspace.git(&["rev-parse", "--short=12", "HEAD"]);
    let clean = format!("0.1.0 ({id}, sources {})", workspace.digest("sluicegate"));
    assert_eq!(workspace.text().trim_end(), clean);
    // What is no source does not matter, changed or new.
    for file in ["README.md", "src/tests.rs", "src/.x", "loadgen/src/main.rs"] {
        workspace.put(file, "changed");
    }
    assert_eq!(workspace.text().trim_end(), clean);
    for file in ["src/cli.rs", "src/main.rs"] {
        workspace.put(file, "changed");
        let dirty = format!("0.1.0 ({id}, dirty, sources {})", workspace.digest("sluicegate"));
        let text = workspace.text();
        assert_eq!((text.trim_end(), text.len()), (dirty.as_str(), TEXT_BYTES));
    }
    // The next commit changes what is looked at.
    let marks = Build::of(workspace.root(), "sluicegate").unwrap().tracked();
    let read = || marks.iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    assert!(marks.contains(&workspace.root().join("src/cli.rs")), "{marks:?}");
    let before = read();
    workspace.git(&["add", "-A"]);
    workspace.git(&["commit", "-q", "-m", "two"]);
    assert_ne!(read(), before);
    assert!(!workspace.text().contains("dirty") && !workspace.text().contains(&id));
}

/// As in `target/images`, where a copy of the tree is built within the tree.
#[test]
fn a_copy_within_a_work_tree_is_not_its_commit() {
    let outer = Workspace::new();
    outer.git(&["init", "-q"]);
    outer.git(&["add", "-A"]);
    outer.git(&["commit", "-q", "-m", "one"]);
    let copy = outer.root().join("target/copy");
    for file in &Build::of(outer.root(), "sluicegate").unwrap().files {
        outer.put(
            &format!("target/copy/{file}"),
            &fs::read_to_string(outer.root().join(file)).unwrap(),
        );
    }
    let text = Build::of(&copy, "sluicegate").unwrap().text("0.1.0").unwrap();
    assert_eq!(text.trim_end(), format!("0.1.0 (sources {})", outer.digest("sluicegate")));
}

/// A program around a library of other sources names it, and no digest that could be believed.
#[test]
fn a_stale_library_is_shown_in_place_of_the_digest() {
    let workspace = Workspace::new();
    let build = Build::of(workspace.root(), "loadgen").unwrap();
    let names =
        ["sluicegate", "paired", "loadgen-hub", "loadgen-load", "loadgen-report", "loadgen"];
    let expected = names.map(|name| (name, workspace.digest(name)));
    assert_eq!(build.libraries(), expected);
    let text = build.stale_text("0.1.0", "sluicegate").unwrap();
    assert_eq!(text.trim_end(), "0.1.0 (stale library sluicegate)");
    assert_eq!((text.len(), stale_library(&text)), (TEXT_BYTES, Some("sluicegate")));
    assert_eq!(sources(&text), None);
    assert_eq!(stale_library(&build.text("0.1.0").unwrap()), None);
}

#[test]
fn a_commit_is_no_part_of_a_library() {
    let workspace = Workspace::new();
    workspace.git(&["init", "-q"]);
    workspace.git(&["add", "-A"]);
    workspace.git(&["commit", "-q", "-m", "one"]);
    let tracked = Build::of_library(workspace.root(), "sluicegate").unwrap().tracked();
    assert!(tracked.contains(&workspace.root().join("src/main.rs")), "{tracked:?}");
    assert!(!tracked.iter().any(|file| file.starts_with(workspace.root().join(".git"))));
}
