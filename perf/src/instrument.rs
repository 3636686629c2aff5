//! One run of `loadgen`, from its start to its result.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use loadgen_load::outcome::{Document, FORMAT, Finding};

use crate::job::Job;
use crate::stop::Stop;

/// Why a run gave no result, with its exit code if it came to one.
pub(crate) type NoResult = (String, Option<i32>);

/// Runs the instrument, which `command` tells to write `result`; its output goes into `log`.
///
/// # Errors
/// It was stopped, is not done within `limit`, or wrote nothing that can be read.
pub(crate) fn finding(
    command: Command,
    result: &Path,
    log: &Path,
    limit: Duration,
    stop: &Stop,
) -> Result<(Finding, i32), NoResult> {
    // What an earlier run left is not this one's.
    let _ = fs::remove_file(result);
    let mut job = Job::start(command, log).map_err(|error| (error, None))?;
    let code = job.wait(limit, stop).map_err(|error| (error, None))?;
    let Ok(text) = fs::read(result) else {
        return Err((format!("no result: {}", job.tail()), Some(code)));
    };
    match serde_json::from_slice::<Document>(&text) {
        Ok(document) if document.format == FORMAT => Ok((document.result, code)),
        Ok(document) => Err((format!("a result in format {}", document.format), Some(code))),
        Err(error) => Err((format!("not a result: {error}"), Some(code))),
    }
}
