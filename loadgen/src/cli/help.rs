//! What `--help` says beside the flags: headings, an example, exit codes.

use clap::{Command, CommandFactory};

use super::{Cli, EXIT_CODES};

/// Widest line; a narrower terminal has narrower ones.
const WIDTH_MAX: usize = 80;

/// An example of each command, by the words that lead to it.
const EXAMPLES: [(&[&str], &str); 17] = [
    (&[], "loadgen demo"),
    (&["demo"], "loadgen demo --for 10 --rate 500"),
    (&["run"], "loadgen run --rate 10k --for 8 -- sluicegate run"),
    (&["calibrate"], "loadgen calibrate --for 1"),
    (&["capacity"], "loadgen capacity --p99 2ms --for 3 -- sluicegate run"),
    (&["compare"], "loadgen compare --rate 10k -- sluicegate run -- loadgen sink"),
    (&["soak"], "loadgen soak --rate 100k --for 3min -- sluicegate run"),
    (&["hub"], "loadgen hub --manifest deployment.template.json"),
    (&["twin"], "loadgen twin get filter"),
    (&["twin", "get"], "loadgen twin get filter"),
    (&["twin", "set"], "loadgen twin set filter '{\"TemperatureThreshold\": 30}'"),
    (&["method"], "loadgen method filter stats --timeout 10"),
    (&["monitor"], "loadgen monitor --count 10 --json"),
    (&["env"], "eval \"$(loadgen env filter)\""),
    (&["enrol"], "eval \"$(loadgen enrol sensor1)\""),
    (&["sink"], "loadgen run --rate 1000 -- loadgen sink --drop-every 100"),
    (&["report"], "loadgen report run.json --output report.html"),
];

/// The flags that a heading stands over.
type Headings = &'static [(&'static str, &'static [&'static str])];

/// The flags of measurements that are no heading's own.
const MEASUREMENT: Headings = &[
    (
        "Measurement",
        &["rate", "time", "p99", "loss", "start", "max", "pairs", "names", "warm_up", "drain"],
    ),
    ("Messages in time", &["window", "arrivals", "burst", "cut_every"]),
    ("Disturbances", &["fault_every", "faults", "patch_every", "renew_every"]),
    ("Hub, around a command", &["listen", "plain", "start_wait", "no_verify_properties"]),
    ("Result", &["json"]),
];
const HUB: Headings = &[
    ("Deployment", &["manifest", "state", "enrol_group_key_file"]),
    ("Listeners", &["listen", "listen_websocket"]),
    ("Delivery and tokens", &["window", "ack_timeout", "expire_tokens", "token_skew", "fault"]),
    ("Simulated sensors", &["no_simulator", "message_delay"]),
];
const SINK: Headings = &[
    ("Answers", &["stall", "delay", "limit_rate", "exit_after"]),
    (
        "Faults",
        &[
            "drop_every",
            "duplicate_every",
            "swap_every",
            "flip_every",
            "strip_every",
            "forge_every",
        ],
    ),
];

/// The command line, with its help.
pub(super) fn command() -> Command {
    let command = Cli::command().max_term_width(WIDTH_MAX);
    let command = EXAMPLES.iter().fold(command, |command, (words, example)| {
        at(command, words, &|command| with_example(command, example))
    });
    let headings = [
        ("run", MEASUREMENT),
        ("capacity", MEASUREMENT),
        ("compare", MEASUREMENT),
        ("soak", MEASUREMENT),
        ("hub", HUB),
        ("sink", SINK),
    ];
    headings.into_iter().fold(command, |command, (name, headings)| {
        command.mut_subcommand(name, |command| under(command, headings))
    })
}

/// Changes the command that `words` lead to.
fn at(command: Command, words: &[&str], change: &dyn Fn(Command) -> Command) -> Command {
    match words {
        [] => change(command),
        [word, rest @ ..] => {
            let word = (*word).to_owned();
            command.mut_subcommand(word, |command| at(command, rest, change))
        }
    }
}

/// Behind what the command says itself, which may be its exit codes.
fn with_example(command: Command, example: &str) -> Command {
    let own = command.get_after_help().map(|text| format!("{text}\n\n")).unwrap_or_default();
    let codes = if own.contains("Exit codes:") { "" } else { EXIT_CODES };
    let separator = if codes.is_empty() { "" } else { "\n\n" };
    command.after_help(format!("{own}{codes}{separator}Example:\n  {example}"))
}

/// Each flag under its heading; another one stays where it is.
fn under(command: Command, headings: Headings) -> Command {
    command.mut_args(|arg| {
        let id = arg.get_id().as_str().to_owned();
        match headings.iter().find(|(_, ids)| ids.contains(&id.as_str())) {
            Some((heading, _)) => arg.help_heading(*heading),
            None => arg,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The help of each command, with the words that lead to it.
    fn helps() -> Vec<(String, String)> {
        fn collect(command: &mut Command, words: &str, helps: &mut Vec<(String, String)>) {
            helps.push((words.to_owned(), command.render_long_help().to_string()));
            helps.push((words.to_owned(), command.render_help().to_string()));
            let shown =
                |command: &&mut Command| !command.is_hide_set() && command.get_name() != "help";
            for command in command.get_subcommands_mut().filter(shown) {
                let words = format!("{words} {}", command.get_name());
                collect(command, &words, helps);
            }
        }
        let mut command = command();
        command.build();
        let mut helps = Vec::new();
        collect(&mut command, "loadgen", &mut helps);
        helps
    }

    /// No line is broken by a terminal of 80 columns, in the middle of a word.
    #[test]
    fn no_line_is_wider_than_a_terminal() {
        assert!(helps().len() >= 2 * EXAMPLES.len());
        for (name, help) in helps() {
            for line in help.lines() {
                assert!(line.chars().count() <= WIDTH_MAX, "{name}: {line}");
            }
        }
    }

    #[test]
    fn every_help_has_the_exit_codes_and_an_example() {
        for (name, help) in helps() {
            assert!(help.contains("Exit codes: 0 "), "{name}: {help}");
            let example = help.split_once("\nExample:\n  ").map(|(_, example)| example);
            assert!(example.is_some_and(|text| text.contains(&name)), "{name}: {help}");
        }
    }

    /// Whatever has more than a few flags has them under headings, and a heading's flags are there.
    #[test]
    fn flags_stand_under_headings() {
        let expected = [
            ("run", &["Measurement:", "Messages in time:", "Traffic:", "Broker, instead"][..]),
            ("capacity", &["Measurement:", "Hub, around a command:", "Traffic:", "Result:"]),
            ("compare", &["Measurement:", "Messages in time:", "Traffic:", "Result:"]),
            ("soak", &["Measurement:", "Disturbances:", "Traffic:", "Result:"]),
            ("hub", &["Deployment:", "Listeners:", "Delivery and tokens:", "Simulated sensors:"]),
            ("sink", &["Answers:", "Faults:"]),
        ];
        let helps = helps();
        for (name, headings) in expected {
            let name = format!("loadgen {name}");
            let (_, help) = helps.iter().find(|(words, _)| *words == name).expect("a command");
            for heading in headings {
                assert!(help.contains(&format!("\n{heading}")), "{name} {heading}: {help}");
            }
        }
        let command = command();
        for (name, headings) in [("hub", HUB), ("sink", SINK)] {
            let command = command.find_subcommand(name).expect("a command");
            for id in headings.iter().flat_map(|(_, ids)| *ids) {
                assert!(command.get_arguments().any(|arg| arg.get_id() == *id), "{name} {id}");
            }
        }
    }

    /// docs/exit-codes.md has each code of each command, and each word of it.
    #[test]
    fn the_page_has_the_exit_codes() {
        let page = include_str!("../../../docs/exit-codes.md");
        for (name, help) in helps() {
            let section = page.split_once(&format!("\n### {name}\n"));
            let (_, section) = section.or(page.split_once("\n## loadgen\n")).expect("a section");
            let (section, _) = section.split_once("\n##").expect("another one");
            let shared = page.split_once("\nMeasurements have").expect("what they share").1;
            let (shared, _) = shared.split_once("\n##").expect("another one");
            let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
            let (_, codes) = words.rsplit_once("Exit codes: ").expect("they are in each help");
            let codes = codes.split(" Example: ").next().expect("there is a first part");
            for entry in codes.trim_end_matches('.').split("; ") {
                let (code, when) = entry.split_once(' ').expect("a code and words");
                let when = when.split(". Those of").next().expect("there is a first part");
                let row = format!("| {code} | {when} |");
                assert!(section.contains(&row) || shared.contains(&row), "{name}: {row}");
            }
        }
    }

    #[test]
    fn examples_are_read() {
        for (_, example) in EXAMPLES {
            let text = example.replace("eval \"$(", "").replace(")\"", "");
            let text = text.replace("'{\"TemperatureThreshold\": 30}'", "{}");
            let read = command().try_get_matches_from(text.split(' '));
            assert!(read.is_ok(), "{example}: {}", read.unwrap_err());
        }
    }
}
