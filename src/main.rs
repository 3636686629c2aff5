//! The `sluicegate` binary: see [`sluicegate::cli`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    sluicegate::cli::main_from(build_info_macro::version!().trim_end(), std::env::args_os())
}
