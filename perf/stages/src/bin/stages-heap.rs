//! `stages-heap NAME MESSAGES`: what one stage allocates, as one line of JSON.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use allocation_counter::measure;
use stages::{STAGES, Work};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, messages] = &arguments[..] else { return explain_usage(&arguments) };
    let stage = STAGES.iter().find(|stage| stage.name == *name);
    let (Some(stage), Ok(messages)) = (stage, messages.parse()) else { return ExitCode::from(64) };
    let mut runner = (stage.prepare)();
    let mut found = runner(messages);
    // What grows to its size has grown now.
    let used = measure(|| found = runner(messages));
    match found {
        Ok(Work { writes, queued_bytes }) => {
            println!(
                "{{\"allocations\":{},\"bytes\":{},\
                 \"writes\":{writes},\"queued_bytes\":{queued_bytes}}}",
                used.count_total, used.bytes_total
            );
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("stages-heap {name}: {wrong}");
            ExitCode::FAILURE
        }
    }
}

/// Apart from the version, for which the gate asks, nothing can be told.
fn explain_usage(arguments: &[String]) -> ExitCode {
    if arguments != ["--version"] {
        return ExitCode::from(64);
    }
    println!("stages-heap {}", build_info_macro::version!().trim_end());
    ExitCode::SUCCESS
}
