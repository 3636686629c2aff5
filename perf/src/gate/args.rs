//! What the gate is asked for.

use clap::Args;

use crate::arch::Arch;

/// Least characters that can be a reason.
const REASON_MIN: usize = 8;
const AFTER_HELP: &str = "Instructions are those of a run over twice a stage's messages less those \
    of a run over them once. A row fails past 0.5 % or, if that is more, three times the largest \
    noise that any blessing found in it, and past 3 % in any case.\n\n\
    Exit codes: 0 nothing became worse; 1 a row is past its threshold or its budget; 2 a stage \
    could not be counted or compared; 64 wrong usage; 69 a tool is missing, or a \
    program is not of this tree; 70 stopped or an internal error";

/// What to count.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = AFTER_HELP)]
pub struct GateArgs {
    /// This architecture only; may be repeated [default: both]
    #[arg(long, value_name = "ARCH", value_enum)]
    pub(super) arch: Vec<Arch>,
    /// These stages only, separated by commas; 'sluicegate' is the program's size
    #[arg(long, value_name = "STAGE,...", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Count three times, and make that the new baseline, for this reason
    #[arg(long, value_name = "REASON", value_parser = parse_reason)]
    pub(super) bless: Option<String>,
    /// Count the programs that are there
    #[arg(long)]
    pub(super) no_build: bool,
}

/// Whether the rows of `stage` are asked for, by these names or by none.
pub(super) fn is_asked(names: &[String], stage: &str) -> bool {
    names.is_empty() || names.iter().any(|name| name == stage)
}

pub(super) fn parse_reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() < REASON_MIN {
        return Err("say in a few words why the cost is meant".to_owned());
    }
    Ok(text.to_owned())
}
