//! A clock that jumps by ten years, either way, under the module alone: libfaketime shifts what it
//! reads as the time of day, and leaves the monotonic clock as it is.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use test_support::wait_until;

use crate::fault::Fault;
use crate::hub_way::{HubWay, MODULE};
use crate::stream::{Stream, Wired};
use crate::trial::Trial;

/// Renewed after 2.4 s, so that some renewals fall into each jump.
const TOKEN_LIFETIME: &str = "3s";
/// Messages a second.
const RATE: f64 = 200.0;

pub(crate) fn faults() -> Vec<Fault> {
    let row = Fault::logging;
    vec![
        row(
            "peer/clock-ahead",
            "the module's clock jumps ten years ahead, and back: tokens and certificates",
            ahead,
            &["certificate"],
        ),
        row(
            "peer/clock-behind",
            "the module's clock jumps ten years back, and ahead again",
            behind,
            &["this clock"],
        ),
    ]
}

/// Where Debian's package libfaketime has it.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    folders
        .map(|folder| folder.join("faketime/libfaketime.so.1"))
        .find(|library| library.exists())
        .expect("libfaketime is missing; 'tests/run tools' installs it")
}

fn jump(trial: &mut Trial, offset: &str) {
    let time = trial.either(Duration::from_secs(5), Duration::from_secs(60));
    let folder = tempfile::tempdir().unwrap();
    let (file, library) = (folder.path().join("offset"), library());
    // Renamed into its place: a half-written one is read as another time.
    let shift = |offset: &str| {
        let new = folder.path().join("new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, &file).unwrap();
    };
    shift("+0");
    let variables = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("SLUICEGATE_TOKEN_LIFETIME", TOKEN_LIFETIME),
    ];
    let mut stream = Stream::of(HubWay::start_with(&variables, |_| {}), trial, RATE, None);
    stream.run_for(Duration::from_millis(200));
    stream.inject(trial, |stream, _| {
        shift(offset);
        stream.run_for(time);
        shift("+0");
    });
    // Tokens are renewed as before.
    let connections = stream.way.module().count("token renewed");
    stream.run_until("a token is renewed", |stream| {
        stream.way.module().count("token renewed") > connections
    });
    wait_until("the module is connected", || stream.way.hub.is_connected(MODULE));
    let mut way = stream.finish(trial);
    assert!(way.module().is_running(), "the module has ended");
    trial.observe(way.module());
}

fn ahead(trial: &mut Trial) {
    jump(trial, "+10y");
}

fn behind(trial: &mut Trial) {
    jump(trial, "-10y");
}
