//! `stages NAME MESSAGES`: runs one stage, for a program that counts instructions.
//!
//! On the system's allocator: the module's own, mimalloc, looks at the clock and draws addresses,
//! so its counts differ from run to run. What allocates is told apart by `stages-heap`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use stages::STAGES;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, messages] = &arguments[..] else { return explain_usage(&arguments) };
    let stage = STAGES.iter().find(|stage| stage.name == *name);
    let (Some(stage), Ok(messages)) = (stage, messages.parse()) else { return ExitCode::from(64) };
    match (stage.prepare)()(messages) {
        Ok(_) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("stages {name}: {wrong}");
            ExitCode::FAILURE
        }
    }
}

/// Apart from the version, for which the gate asks, nothing can be told.
fn explain_usage(arguments: &[String]) -> ExitCode {
    if arguments != ["--version"] {
        return ExitCode::from(64);
    }
    println!("stages {}", build_info_macro::version!().trim_end());
    ExitCode::SUCCESS
}
