//! `loadgen`: local development hub, simulated sensors and demo.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    loadgen::cli::main_from(build_info_macro::version!().trim_end(), std::env::args_os())
}
