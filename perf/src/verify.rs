//! `perf verify`: whether programs were built from this tree, for scripts that run them.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::failure::Failure;
use crate::provenance::Sources;
use crate::stop::Stop;

const PROGRAMS: [&str; 3] = ["sluicegate", "loadgen", "perf"];
const AFTER_HELP: &str = "Exit codes: 0 they were; 64 wrong usage; 69 one was not, or is missing; \
    70 stopped or an internal error";

/// Which programs.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArgs {
    /// sluicegate, loadgen, perf [default: all of them]
    #[arg(value_name = "PROGRAM", value_parser = PossibleValuesParser::new(PROGRAMS))]
    programs: Vec<String>,
    /// Folder of the release programs
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    bin_dir: PathBuf,
}

/// Verifies, in the root folder of the workspace; says nothing when all is well.
///
/// # Errors
/// A program was built from something else, or is missing.
pub fn run(args: &VerifyArgs) -> Result<u8, Failure> {
    let stop = Stop::on_signals().map_err(Failure::internal)?;
    let is_asked =
        |name: &&str| args.programs.is_empty() || args.programs.iter().any(|it| it == name);
    for name in PROGRAMS.into_iter().filter(is_asked) {
        Sources::of(Path::new("."), name)?.verify(&args.bin_dir.join(name), &[], &stop)?;
    }
    Ok(0)
}
