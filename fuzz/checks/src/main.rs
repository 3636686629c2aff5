//! `fuzz-checks TARGET EXECUTIONS BYTES SEED FOLDER...`: runs a target on changed inputs of the
//! folders, as fast as it can be. An input that fails becomes the file `TARGET-failed`.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs, panic};

use fuzz_checks::mutate::Mutator;
use fuzz_checks::{TARGETS, Target};

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("fuzz-checks: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let [name, executions, bytes_max, seed, folders @ ..] = arguments else {
        return Err("TARGET EXECUTIONS BYTES SEED FOLDER...".to_owned());
    };
    let target = TARGETS.into_iter().find(|target| target.name == *name);
    let Target { name, check } = target.ok_or_else(|| format!("no target {name}"))?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    let (executions, seed) = (number(executions)?, number(seed)?);
    let bytes_max = usize::try_from(number(bytes_max)?).map_err(|error| error.to_string())?;
    let mut mutator = Mutator::new(read(folders)?, bytes_max, seed);
    save_failures(format!("{name}-failed"));
    let start = Instant::now();
    for _ in 0..executions {
        INPUT.with_borrow_mut(|input| mutator.next(input));
        INPUT.with_borrow(|input| check(input));
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{name}: {executions} executions in {seconds:.1} s, seed {seed}");
    Ok(())
}

/// The files of the folders, in order.
fn read(folders: &[String]) -> Result<Vec<Vec<u8>>, String> {
    let mut inputs = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))?;
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            let input = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            inputs.push(input);
        }
    }
    Ok(inputs)
}

/// Before a panic ends the process, its input is written to a file.
fn save_failures(file: String) {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        told(panic);
        INPUT.with_borrow(|input| match fs::write(&file, input) {
            Ok(()) => eprintln!("the input is in {file}"),
            Err(error) => eprintln!("{file}: {error}; the input is {input:?}"),
        });
    }));
}
