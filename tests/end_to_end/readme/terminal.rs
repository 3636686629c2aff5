//! A terminal with an interactive bash: what is typed there is typed as a person would, Ctrl-C
//! included.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::process::Command;

use super::super::harness::{Process, wait_until};

/// What Ctrl-C sends.
const CTRL_C: &str = "\x03";

/// Prompts and echo are off: what it shows is what programs print.
pub(super) struct Terminal {
    process: Process,
    shell: u32,
    statements: Cell<usize>,
    /// The keys that end the program in the foreground, if one is there.
    foreground: RefCell<Option<&'static str>>,
}

impl Terminal {
    /// One whose shell is in `folder` and finds programs by `path`.
    pub(super) fn open(folder: &Path, path: &str) -> Self {
        let mut command = Command::new("script");
        // `script` gives a pseudo-terminal, which goes with it, and the shell's jobs with that.
        command
            .args(["-qfec", "bash --norc --noprofile --noediting -i", "/dev/null"])
            .current_dir(folder)
            .env_clear()
            .envs([("PATH", path), ("TERM", "dumb"), ("PS1", ""), ("SHELL", "/bin/bash")])
            .env("HOME", folder)
            .env("TMPDIR", folder);
        let process = Process::spawn_with_keyboard("terminal", &mut command);
        process.type_in("stty -echo; PS1= PS2=\n");
        process.type_in("echo \"shell=$$=\"\n");
        let shown = |line: &String| line.split_once("shell=")?.1.trim_end_matches('=').parse().ok();
        let mut shell = None;
        wait_until("the shell tells its number", || {
            shell = process.lines().iter().find_map(shown);
            shell.is_some()
        });
        let shell = shell.expect("the loop ends with one");
        Self { process, shell, statements: Cell::new(0), foreground: RefCell::default() }
    }

    /// The shell's process.
    pub(super) fn shell(&self) -> u32 {
        self.shell
    }

    /// How many lines it shows up to now.
    pub(super) fn mark(&self) -> usize {
        self.process.lines().len()
    }

    /// The lines behind a mark.
    pub(super) fn since(&self, mark: usize) -> Vec<String> {
        self.process.lines().split_off(mark)
    }

    /// Types a statement and waits until the shell is ready for the next; gives its exit code.
    #[track_caller]
    pub(super) fn run(&self, statement: &str) -> i32 {
        self.end_foreground();
        let number = self.statements.get();
        self.statements.set(number + 1);
        self.process.type_in(&format!("{statement}\n"));
        self.process.type_in(&format!("echo \"ready-$?-{number}.\"\n"));
        let mark = format!("-{number}.");
        let line = self.process.wait_for_line(&["ready-", &mark]);
        let code = line.split('-').nth(1).and_then(|code| code.parse().ok());
        code.unwrap_or_else(|| panic!("no exit code in {line}"))
    }

    /// Types a statement that holds the terminal until these keys.
    pub(super) fn start(&self, statement: &str, keys: &'static str) {
        self.end_foreground();
        self.process.type_in(&format!("{statement}\n"));
        self.foreground.replace(Some(keys));
    }

    /// Types what ends the program in the foreground.
    fn end_foreground(&self) {
        if let Some(keys) = self.foreground.take() {
            self.process.type_in(keys);
        }
    }

    /// The keys that a statement's comment promises, if it holds the terminal.
    pub(super) fn keys(statement: &str) -> Option<&'static str> {
        match statement {
            text if text.ends_with("# until Ctrl-C") => Some(CTRL_C),
            text if text.ends_with("# until Q and Enter") => Some("q\n"),
            _ => None,
        }
    }
}
