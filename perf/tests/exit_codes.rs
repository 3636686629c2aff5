//! docs/exit-codes.md has each code of each command of `perf`, and each word of it.

use std::process::Command;

#[test]
fn the_page_has_the_exit_codes() {
    let page = include_str!("../../docs/exit-codes.md");
    for command in ["gate", "record", "ab", "verify", "trend"] {
        let help = Command::new(env!("CARGO_BIN_EXE_perf")).args([command, "--help"]).output();
        let help = String::from_utf8(help.unwrap().stdout).unwrap();
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, codes) = words.rsplit_once("Exit codes: ").expect("they are in the help");
        let (_, section) = page.split_once(&format!("\n### perf {command}\n")).expect(command);
        let section = section.split("\n#").next().unwrap_or_default();
        let rows = codes.split("; ").map(|entry| {
            let (code, when) = entry.split_once(' ').expect("a code and words");
            format!("| {code} | {when} |")
        });
        let shown = section.lines().filter(|line| line.starts_with("| ")).skip(1);
        assert_eq!(shown.collect::<Vec<_>>(), rows.collect::<Vec<_>>(), "{command}");
    }
}
