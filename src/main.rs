//! The `sluicegate` binary: see [`sluicegate::cli`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

use allocator::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    allocator::purge_at_once();
    sluicegate::cli::main_from(build_info_macro::version!().trim_end(), std::env::args_os())
}
