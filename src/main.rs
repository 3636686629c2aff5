//! The `sluicegate` binary: see [`sluicegate::cli`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    sluicegate::cli::main_from(build_info_macro::version!().trim_end(), std::env::args_os())
}
