//! `perf trend`: the history of every recorded figure as one HTML page that needs nothing else.
//!
//! ```text
//! records (JSON lines) -> read (bounded, by line) -> history (by scenario) -> page: plots, tables
//! ```
//!
//! Records are outside input: a line that is none is named and counted, and the rest is drawn;
//! their number and size are bounded, and their text is escaped. All but reading and writing is
//! pure.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

pub mod history;
pub mod page;
pub mod read;

use crate::failure::Failure;

/// Exit code where lines were left out.
const EXIT_LEFT_OUT: u8 = 1;
const RECORDS: &str = "perf/record";
const AFTER_HELP: &str = "Exit codes: 0 everything is drawn; 1 drawn, but lines were left out; \
    64 wrong usage: no such file, or no records; 70 the page cannot be written";

/// What to draw.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TrendArgs {
    /// Where to write the page; a file of that name is replaced
    #[arg(long, value_name = "FILE.html", default_value = "target/trend.html")]
    out: PathBuf,
    /// Records, as 'perf record' writes them [default: perf/record/*.jsonl]
    #[arg(value_name = "FILE.jsonl")]
    files: Vec<PathBuf>,
}

/// Draws, and says what was left out; the exit code.
///
/// # Errors
/// There is nothing to draw, or no place to write to.
pub fn run(args: &TrendArgs) -> Result<u8, Failure> {
    let files =
        if args.files.is_empty() { recorded(Path::new(RECORDS)) } else { args.files.clone() };
    if files.is_empty() {
        return Err(Failure::usage(format!("no records in {RECORDS}: 'perf record' makes them")));
    }
    let found = read::read(&files).map_err(Failure::usage)?;
    for problem in &found.problems {
        eprintln!("perf trend: {problem}");
    }
    if found.left_out > 0 {
        eprintln!("perf trend: lines left out: {}", found.left_out);
    }
    let html = page::html(&found).map_err(Failure::internal)?;
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failure = |error| Failure::internal(format!("{}: {error}", folder.display()));
        fs::create_dir_all(folder).map_err(failure)?;
    }
    loadgen_report::write(&args.out, &html).map_err(Failure::internal)?;
    println!("wrote {}", args.out.display());
    Ok(if found.left_out > 0 { EXIT_LEFT_OUT } else { 0 })
}

/// The records in a folder, by name.
fn recorded(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests;
