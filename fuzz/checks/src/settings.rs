//! The file with settings: whatever it holds, all problems are told, and what is taken is within
//! its bounds.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Command};
use sluicegate::module::settings::{Settings, TABLE, add_flags};
use sluicegate::pipeline::limits::{HELD_BYTES_MAX, HELD_BYTES_MIN};
use tempfile::TempDir;

use crate::input;

/// What is the same for every file.
struct Place {
    /// Removed at the end.
    _folder: TempDir,
    file: PathBuf,
    matches: ArgMatches,
}

thread_local! {
    static PLACE: Place = place();
}

fn place() -> Place {
    let folder = input::folder();
    let file = folder.path().join("settings.toml");
    let matches = add_flags(Command::new("run")).get_matches_from(["run"]);
    Place { file, matches, _folder: folder }
}

/// `data` is the file.
pub fn check(data: &[u8]) {
    PLACE.with(|place| {
        fs::write(&place.file, data).expect("a file can be written");
        let config = OsString::from(&place.file);
        let variable = |name: &str| (name == "SLUICEGATE_CONFIG").then(|| config.clone());
        match Settings::resolve(&place.matches, variable) {
            Ok(settings) => check_settings(&settings),
            Err(error) => {
                assert!(!error.0.is_empty());
                for line in error.0 {
                    assert!(!line.is_empty() && !line.contains('\n'), "{line:?}");
                }
            }
        }
    });
}

fn check_settings(settings: &Settings) {
    let seconds = Duration::from_secs;
    assert!(settings.hub.is_some() || settings.broker.is_some());
    assert!((seconds(5)..=seconds(1177)).contains(&settings.keep_alive));
    assert!((seconds(5)..=seconds(3600)).contains(&settings.puback_timeout));
    assert!(settings.drain_timeout <= seconds(60));
    assert!((HELD_BYTES_MIN..=HELD_BYTES_MAX).contains(&settings.held_bytes));
    assert!(settings.threshold.value().is_finite());
    assert!(settings.workers <= 64 && !settings.path.members().is_empty());
    assert!(!settings.name().is_empty());
    assert!(settings.warnings.len() <= 2 * TABLE.len());
}
