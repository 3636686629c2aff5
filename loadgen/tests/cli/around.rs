//! What is around a measurement: a busy machine, a folder for results, a terminal.

use std::io::Read;
use std::process::{Command, Stdio};

use loadgen_load::outcome::Finding;
use test_support::Process;

use crate::measure::{PROGRAM, finding};
use crate::support::{loadgen, texts};

/// A child of this test that does nothing but burn.
fn burner() -> Process {
    Process::spawn("burner", Command::new("sh").args(["-c", "while :; do :; done"]))
}

/// Programs that take all cores are warned of, and counted in the result and in the file.
#[test]
fn a_busy_machine_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let _burners: Vec<_> = (0..2 * cores).map(|_| burner()).collect();
    let flags =
        ["run", "--plain", "--rate", "1k", "--for", "500ms", "--warm-up", "100ms", "--json"];
    let output = loadgen().args(flags).arg(&file).arg("--").args(PROGRAM).output().unwrap();
    let (code, out, err) = texts(output);
    let warning = |line: &str| {
        line.starts_with("warning: other programs take ")
            && line.contains(&format!("of {cores} core"))
    };
    assert!(err.lines().any(warning), "{err}");
    let Finding::Run(outcome) = finding(&file) else { panic!("no run") };
    let others = outcome.others.unwrap();
    assert!(others.cores == cores as u64 && others.taken > 0.25, "{others:?}");
    assert!(out.contains(&format!("other programs    {}", others.share())), "{out}");
    let shown = out.contains(&format!("  {others}: end them, or measure when they have ended"));
    assert_eq!(shown, code == 2 || code == 3, "{out}");
}

/// Where nothing else is said a result goes below the checkout's `target/`, from any folder of it.
#[test]
fn results_go_below_target_by_default() {
    let folder = tempfile::tempdir().unwrap();
    let root = std::fs::canonicalize(folder.path()).unwrap();
    std::fs::write(root.join("Cargo.lock"), "").unwrap();
    std::fs::create_dir(root.join("below")).unwrap();
    let flags =
        ["run", "--plain", "--rate", "1k", "--for", "100ms", "--warm-up", "0", "--json", "--"];
    let mut command = loadgen();
    let output =
        command.args(flags).args(PROGRAM).current_dir(root.join("below")).output().unwrap();
    let (_, _, err) = texts(output);
    let file = root.join("target/results/run.json");
    assert!(err.contains(&format!("wrote {}", file.display())), "{err}");
    assert!(matches!(finding(&file), Finding::Run(_)));
    assert_eq!(std::fs::read_dir(root.join("below")).unwrap().count(), 0);

    let mut command = loadgen();
    command.args(["report", "target/results/run.json"]).current_dir(&root);
    let (code, out, err) = texts(command.output().unwrap());
    assert_eq!((code, out.as_str()), (0, "wrote target/results/report.html\n"), "{err}");
    let mut names: Vec<_> =
        std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["Cargo.lock", "below", "target"]);
}

/// A run on a terminal of this width, with these variables and no others that speak of colours:
/// what it wrote there.
fn on_a_terminal(columns: u16, variables: &[(&str, &str)]) -> String {
    // No program that another test starts meanwhile has them.
    let flags = rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags).unwrap();
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let flags = rustix::fs::OFlags::RDWR | flags;
    let terminal = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
    let size = rustix::termios::Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&terminal, size).unwrap();
    let mut command = loadgen();
    let flags = ["run", "--plain", "--rate", "1k", "--for", "100ms", "--warm-up", "0", "--"];
    command.args(flags).args(PROGRAM).stdout(terminal).stderr(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "CI"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    let mut child = command.spawn().unwrap();
    // Its end of the terminal goes with it.
    drop(command);
    child.wait().unwrap();
    let mut bytes = Vec::new();
    // The end of a terminal is an error.
    let _ = std::fs::File::from(master).read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// Its name and value.
type Variable = (&'static str, &'static str);

#[test]
fn a_terminal_has_colours_and_a_width() {
    // A CI system shows colours whatever its terminal is called.
    let table: [(u16, &[Variable], bool); 6] = [
        (120, &[("TERM", "xterm")], true),
        (80, &[("TERM", "xterm"), ("NO_COLOR", "")], true),
        (80, &[("TERM", "xterm"), ("NO_COLOR", "1")], false),
        (120, &[("TERM", "dumb")], false),
        (120, &[("TERM", "dumb"), ("CI", "true")], true),
        (80, &[("TERM", "dumb"), ("CI", "true"), ("NO_COLOR", "1")], false),
    ];
    for (columns, variables, has_colours) in table {
        let text = on_a_terminal(columns, variables);
        assert!(text.contains("p99.99") && text.contains("other programs"), "{text}");
        assert_eq!(text.contains('\u{1b}'), has_colours, "{variables:?}: {text:?}");
        let tables = text.split("\r\n\r\n").take(2).flat_map(str::lines);
        let widest = tables.map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(columns), "{widest}: {text}");
        // Where there is room a line makes use of it.
        assert_eq!(widest > 80, columns > 80, "{text}");
    }
}
