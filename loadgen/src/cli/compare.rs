//! `loadgen compare`: the same traffic to several programs.

use std::path::Path;
use std::time::Duration;

use clap::{Args, value_parser};

use super::document::{Beginning, JsonArg};
use super::engine::{Engine, check_programs};
use super::load_args::{LoadArgs, Rate, parse_rate_or_max, parse_time};
use super::look::Look;
use super::output::print;
use super::show::{Live, comparison_text, turn_line};
use super::{CommandError, EXIT_CODES_LOAD, others};
use loadgen_load::compare::{self, ComparePlan, PAIRS_MAX, Program, worst};
use loadgen_load::outcome::{Finding, Standing};
use loadgen_load::settings::{RunSettings, Target};

const AFTER_HELP: &str = "A pair is a pass forth over all programs and a pass back (A B C, then \
    C B A), each program run for --for. Each is compared with the first one within the same pass, \
    so that there are two ratios a pair; shown are their median and quartiles, and the medians of \
    the runs. A run that fails, is invalid or, with --rate max, saturated is made once more.\n\n\
    Exit codes: 0 done, whoever is ahead; 1 a program failed verification; 2 a run stayed invalid: \
    the instrument was the bottleneck; ";

#[derive(Debug, Args)]
#[command(after_help = format!("{AFTER_HELP}{EXIT_CODES_LOAD}"))]
pub(crate) struct CompareArgs {
    /// Messages a second over all sensors, as 200000, 200k or 1.5M; max: as fast as --window allows
    #[arg(long, value_name = "N|max", value_parser = parse_rate_or_max)]
    rate: Rate,
    /// Passes forth and back
    #[arg(long, value_name = "N", default_value_t = 5,
        value_parser = value_parser!(u32).range(1..=i64::from(PAIRS_MAX)))]
    pairs: u32,
    /// What a program is called; given once for each, in their order [default: the command]
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Length of the measured part of each run
    #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    time: Duration,
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    load: LoadArgs,
    /// The programs, each with its arguments, a -- between them: -- A -- B
    #[arg(last = true, value_name = "COMMAND", help_heading = "Arguments", required = true)]
    commands: Vec<String>,
}

pub(crate) fn run(args: CompareArgs) -> Result<(), CommandError> {
    let plan = ComparePlan {
        settings: args.load.settings(args.rate, args.time, Vec::new(), None)?,
        programs: programs(&args.commands, &args.names)?,
        pairs: args.pairs,
    };
    plan.check()?;
    let beginning = Beginning::now(args.json.file("compare"))?;
    check_programs(plan.programs.iter().map(|program| program.command.as_slice()))?;
    let look = Look::of_stdout();
    let engine = Engine::new()?;
    others::warn();
    let width = plan.programs.iter().map(|program| program.name.chars().count()).max();
    let (width, pairs) = (width.unwrap_or(0), plan.pairs);
    let mut measure = |settings: &RunSettings| {
        engine.run_whole(settings, Live::new(&label(&plan, settings), false))
    };
    let mut watch = |turn: &compare::Turn<'_>| engine.tell(turn_line(turn, pairs, width, look));
    let comparison = compare::compare(&plan, &mut measure, &mut watch)?;
    let written = beginning.write(Finding::Compare(Box::new(comparison.clone())));
    let shown = print(format_args!("\n{}", comparison_text(&comparison, look)));
    written?;
    match shown {
        Err(error) if error != CommandError::silent() => return Err(error),
        _ => {}
    }
    let standings = comparison.programs.iter().map(|program| program.median.standing);
    match worst(standings) {
        Standing::Passed | Standing::Saturated => Ok(()),
        bad @ (Standing::Failed | Standing::Invalid) => CommandError::ended_with(bad.exit_code()),
    }
}

/// The program of a run, which is what sets it apart.
fn label(plan: &ComparePlan, settings: &RunSettings) -> String {
    let Target::Hub { command, .. } = &settings.target else { return String::new() };
    let program = plan.programs.iter().find(|program| program.command == *command);
    program.map(|program| program.name.clone()).unwrap_or_default()
}

/// The words after the first `--`, cut at each further one, with their names.
fn programs(words: &[String], names: &[String]) -> Result<Vec<Program>, CommandError> {
    let commands: Vec<&[String]> = words.split(|word| word == "--").collect();
    if !names.is_empty() && names.len() != commands.len() {
        let text = format!(
            "--name is given {} times for {} programs: give it once for each, or not at all",
            names.len(),
            commands.len()
        );
        return Err(CommandError::usage(text));
    }
    let mut programs: Vec<Program> = Vec::with_capacity(commands.len());
    for (index, command) in commands.into_iter().enumerate() {
        let name = names.get(index).cloned().unwrap_or_else(|| name_of(command));
        programs.push(Program { name: unlike(&programs, name), command: command.to_owned() });
    }
    Ok(programs)
}

/// The program without its folder, and its arguments.
fn name_of(command: &[String]) -> String {
    let mut words = command.to_owned();
    if let Some(program) = words.first_mut() {
        let file = Path::new(&*program).file_name().map(|name| name.to_string_lossy().into_owned());
        *program = file.unwrap_or_else(|| program.clone());
    }
    words.join(" ")
}

/// The name, numbered when another program has it: a program may be compared with itself.
fn unlike(programs: &[Program], name: String) -> String {
    let taken = |name: &String| programs.iter().any(|program| program.name == *name);
    let numbered = (2..).map(|number| format!("{name} ({number})"));
    std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, names: &[&str]) -> Result<Vec<(String, String)>, CommandError> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let programs = programs(&words, &names)?;
        Ok(programs.into_iter().map(|it| (it.name, it.command.join(" "))).collect())
    }

    #[test]
    fn programs_are_cut_at_the_dashes() {
        let of = |name: &str, command: &str| (name.to_owned(), command.to_owned());
        let read_both = read("bin/a run -- b -x -y", &[]).unwrap();
        assert_eq!(read_both, [of("a run", "bin/a run"), of("b -x -y", "b -x -y")]);
        let same = read("a -- a -- a", &[]).unwrap();
        assert_eq!(same, [of("a", "a"), of("a (2)", "a"), of("a (3)", "a")]);
        assert_eq!(read("a -- b", &["x", "y"]).unwrap(), [of("x", "a"), of("y", "b")]);
        let error = read("a -- b", &["x"]).unwrap_err();
        assert!(error.text.contains("1 times for 2 programs") && error.code == 64, "{error}");
        assert_eq!(read("a -- ", &[]).unwrap().len(), 2);
    }
}
