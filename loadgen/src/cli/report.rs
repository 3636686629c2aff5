//! `loadgen report`: results as one HTML file.

use std::path::PathBuf;

use clap::Args;

use super::document::{make_folder, result_file};
use super::output::print;
use super::{CommandError, EXIT_BAD_DATA, EXIT_USAGE};
use loadgen_report::ReportError;

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// JSON files that run, capacity, compare or calibrate wrote
    #[arg(required = true, value_name = "FILE.json")]
    files: Vec<PathBuf>,
    /// Where to write the report; a file of that name is replaced [default: report.html below
    /// target/results of the checkout, or here outside of one]
    #[arg(short, long, value_name = "FILE.html")]
    output: Option<PathBuf>,
}

/// Reads, draws and writes.
///
/// # Errors
/// [`EXIT_USAGE`] for too many files, [`EXIT_BAD_DATA`] for one that cannot be reported on.
pub(crate) fn run(args: &ReportArgs) -> Result<(), CommandError> {
    let inputs = loadgen_report::read(&args.files)?;
    let output = args.output.clone().unwrap_or_else(|| result_file("report.html"));
    make_folder(&output).map_err(|source| ReportError::Output { path: output.clone(), source })?;
    loadgen_report::write(&output, &loadgen_report::html(&inputs)?)?;
    print(format_args!("wrote {}", output.display()))
}

impl From<ReportError> for CommandError {
    fn from(error: ReportError) -> Self {
        let text = error.to_string();
        match error {
            ReportError::TooManyFiles(_) => Self { code: EXIT_USAGE, text },
            ReportError::File { .. } => Self { code: EXIT_BAD_DATA, text },
            ReportError::Output { .. } => Self::refused(text),
            ReportError::Drawing(_) => Self::internal(&text),
        }
    }
}
