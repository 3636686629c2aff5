//! The page in a real browser.

use std::path::PathBuf;

use loadgen::load::outcome::Finding;
use loadgen::report::{Input, html, write};

use crate::fixtures::{self, document};

/// The pages that are looked at, by their name.
fn pages() -> [(&'static str, Vec<Input>); 4] {
    let input = |name: &str, result| Input { name: name.to_owned(), document: document(result) };
    let run = |name, rate, p50_us, growth| {
        input(name, Finding::Run(fixtures::run(rate, p50_us, growth).into()))
    };
    let runs = vec![
        run("sluicegate-50k", 50_000.0, 120.0, 0.35),
        run("sluicegate-200k", 200_000.0, 250.0, 0.5),
        run("sluicegate-400k", 400_000.0, 420.0, 0.8),
    ];
    let others = vec![
        input("knee", Finding::Capacity(fixtures::capacity().into())),
        input("peers", Finding::Compare(fixtures::comparison().into())),
        input("calibration", Finding::Calibrate(fixtures::calibration().into())),
        input("with-losses", Finding::Run(fixtures::failed_run().into())),
    ];
    let all = runs.iter().chain(&others).cloned().collect();
    [("one-run", vec![runs[1].clone()]), ("runs", runs), ("others", others), ("all", all)]
}

#[test]
fn pages_are_written() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, inputs) in pages() {
        write(&folder.join(name).with_extension("html"), &html(&inputs).unwrap()).unwrap();
    }
}
