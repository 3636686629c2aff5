//! The commands, and what `--help` says of each: flags under headings, variables, an example,
//! codes.

use clap::Command;

use super::{EXIT_NEVER_CONNECTED, EXIT_START, EXIT_USAGE};
use crate::module::settings;
use crate::sensor;

/// Widest line of a help; a narrower terminal has narrower ones.
const WIDTH_MAX: usize = 80;

const LAYERS: &str = "Flags beat variables, which beat the TOML file, which beats the defaults. A \
                      duration without unit is in seconds.";

pub(super) fn command() -> Command {
    let run = Command::new("run")
        .next_line_help(true)
        .about("Run the filter module until SIGTERM, SIGINT or SIGHUP")
        .after_help(after_help(&settings::variables_help(), RUN, &run_codes()));
    let check = Command::new("check")
        .next_line_help(true)
        .about("Check the settings, show them, and exit")
        .after_help(after_help(&settings::variables_help(), CHECK, &check_codes()));
    let sensor = Command::new("sensor")
        .next_line_help(true)
        .about("Run the IoT Central environmental sensor until q and Enter or a signal to stop")
        .after_help(after_help("", SENSOR, &sensor_codes()));
    Command::new("sluicegate")
        .about("Forwards only the sensor messages that exceed a live threshold")
        .max_term_width(WIDTH_MAX)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(format!(
            "Example:\n{RUN}\n\nEach command's own --help lists its settings.\n\n{}",
            sensor_codes()
        ))
        .subcommand(settings::add_flags(run))
        .subcommand(settings::add_flags(check))
        .subcommand(sensor::settings::add_flags(sensor))
}

const RUN: &str = "  sluicegate run --broker mqtt://localhost --subscribe 'sensors/#' \\\n      \
                   --threshold 30";
const CHECK: &str = "  sluicegate check --broker mqtts://me@broker.example \\\n      \
                     --broker-password-file /run/secrets/broker";
const SENSOR: &str = "  SLUICEGATE_KEY_FILE=/run/secrets/key sluicegate sensor \\\n      \
                      --id-scope 0ne00ABCDEF --registration-id sensor1";

fn after_help(variables: &str, example: &str, codes: &str) -> String {
    let variables = match variables {
        "" => String::new(),
        variables => format!("{variables}\n"),
    };
    format!("{variables}{LAYERS}\n\nExample:\n{example}\n\n{codes}")
}

fn check_codes() -> String {
    format!("Exit codes:\n  0   the settings are good\n  {EXIT_USAGE}  wrong arguments or settings")
}

fn run_codes() -> String {
    format!(
        "Exit codes:\n  0   stopped by a signal\n  {EXIT_USAGE}  wrong arguments or settings\n  \
         {EXIT_START}  the system refused a thread, a file descriptor or a signal handler"
    )
}

fn sensor_codes() -> String {
    format!(
        "{}\n  {EXIT_NEVER_CONNECTED}  the sensor was stopped and had never connected",
        run_codes()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The help of each command, as on a terminal that is wide enough.
    fn helps() -> Vec<(String, String)> {
        let mut command = command();
        command.build();
        let mut helps = vec![(String::from("sluicegate"), command.render_long_help().to_string())];
        for command in command.get_subcommands_mut().filter(|command| command.get_name() != "help")
        {
            helps.push((command.get_name().to_owned(), command.render_long_help().to_string()));
            helps.push((command.get_name().to_owned(), command.render_help().to_string()));
        }
        helps
    }

    /// No line is broken by a terminal of 80 columns, in the middle of a word.
    #[test]
    fn no_line_is_wider_than_a_terminal() {
        for (name, help) in helps() {
            for line in help.lines() {
                assert!(line.chars().count() <= WIDTH_MAX, "{name}: {line}");
            }
        }
    }

    #[test]
    fn every_help_has_an_example_and_the_exit_codes() {
        for (name, help) in helps() {
            for part in ["Example:\n  ", "Exit codes:\n  0 ", "\n  64 "] {
                assert!(help.contains(part), "{name} {part}: {help}");
            }
        }
        let all: Vec<_> = helps().into_iter().filter(|(name, _)| name != "check").collect();
        assert!(all.iter().all(|(_, help)| help.contains("  71 ")));
    }

    #[test]
    fn flags_stand_under_headings_and_variables_at_the_end() {
        let headings = |name: &str| match name {
            "sensor" => &["Device:", "Where it registers:", "What it does:", "Running:"][..],
            "sluicegate" => &["Commands:", "Options:"],
            _ => &["Hub:", "Broker:", "Judging:", "Running:", "Variables without a flag:"],
        };
        for (name, help) in helps() {
            let mut rest = help.as_str();
            for heading in headings(&name) {
                let line = format!("\n{heading}\n");
                let (_, behind) =
                    rest.split_once(&line).unwrap_or_else(|| panic!("{name}: {heading}"));
                rest = behind;
            }
        }
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for (name, help) in helps().into_iter().filter(|(name, _)| name == "run") {
            for spec in settings::TABLE {
                assert!(help.contains(spec.env), "{name}: {}", spec.env);
                assert!(words(&help).contains(&words(spec.help)), "{name}: {}", spec.help);
            }
        }
    }

    /// docs/exit-codes.md has each code and each word of it.
    #[test]
    fn the_page_has_the_exit_codes() {
        let page = include_str!("../../docs/exit-codes.md");
        let (_, section) = page.split_once("\n## sluicegate\n").expect("the section");
        let (section, _) = section.split_once("\n## ").expect("another one");
        let codes = sensor_codes();
        let codes = codes.lines().skip(1).map(|line| line.trim().split_once(' ').expect("words"));
        let rows = codes.map(|(code, when)| format!("| {code} | {} |", when.trim()));
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        let shown = section.lines().filter(|line| line.starts_with("| ")).skip(1);
        assert_eq!(shown.collect::<Vec<_>>(), rows);
    }

    #[test]
    fn examples_are_read() {
        for example in [RUN, CHECK, SENSOR] {
            let text = example.replace("\\\n", " ").replace('\'', "");
            let words = text.split_whitespace().skip_while(|word| *word != "sluicegate");
            let read = command().try_get_matches_from(words);
            assert!(read.is_ok(), "{example}: {}", read.unwrap_err());
        }
    }
}
