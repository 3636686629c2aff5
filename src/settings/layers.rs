//! Where a value comes from: flag, variable, file or default. Any table of settings can be read so.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::table::SWITCH;
use super::{SettingsError, Spec, names, quotes};
use crate::files::{self, SETTINGS_BYTES_MAX};

/// Names under which other programs know a variable, in order of preference.
pub(crate) type Aliases = [(&'static str, &'static [&'static str])];

/// Adds a flag for each row of `table` that may have one, under the heading of `headings` that was
/// the last one at its row.
pub(crate) fn add_flags(
    command: Command,
    table: &[Spec],
    headings: &[(&'static str, &'static str)],
) -> Command {
    let mut heading = None;
    table.iter().fold(command, |command, spec| {
        let begun = headings.iter().find(|(first, _)| *first == spec.name);
        heading = begun.map(|(_, heading)| *heading).or(heading);
        if spec.is_env_only {
            return command;
        }
        let help = format!("{} {}", spec.help, described(spec));
        let arg = Arg::new(spec.name).long(spec.name).help(help).value_name("VALUE");
        let arg = arg.help_heading(heading);
        let arg = arg.value_parser(clap::value_parser!(OsString)).action(ArgAction::Set);
        let arg = if spec.value == SWITCH {
            arg.num_args(0..=1).default_missing_value("true")
        } else {
            arg
        };
        let arg = if spec.is_list {
            arg.action(ArgAction::Append)
        } else {
            arg.overrides_with(spec.name)
        };
        command.arg(arg.allow_negative_numbers(true))
    })
}

/// The rows that have no flag, for the end of the help.
pub(crate) fn variables_help(table: &[Spec]) -> String {
    let rows = table.iter().filter(|spec| spec.is_env_only);
    let rows = rows.map(|spec| {
        let Spec { env, help, value, default, .. } = spec;
        let default = if default.is_empty() { "none" } else { default };
        format!("  {env}\n          {help} [{value}; default {default}]\n")
    });
    format!("Variables without a flag:\n{}", rows.collect::<String>())
}

fn described(spec: &Spec) -> String {
    let default = if spec.default.is_empty() { "none" } else { spec.default };
    format!("[{}; {}; default {default}]", spec.value, spec.env)
}

/// What one layer says about a setting.
struct Given {
    /// One text, or those of a list; `None` when they cannot be used, which is noted.
    texts: Option<Vec<String>>,
    /// Where they were found.
    source: String,
}

/// The raw texts of all layers, and what was met on the way.
pub(crate) struct Layers {
    table: &'static [Spec],
    given: BTreeMap<&'static str, Given>,
    problems: Vec<String>,
    warnings: Vec<String>,
}

impl Layers {
    /// Reads all layers of `table`; `config` is the row that names the file, where there is one.
    pub(crate) fn read(
        table: &'static [Spec],
        aliases: &Aliases,
        config: Option<&Spec>,
        matches: &ArgMatches,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let mut layers =
            Self { table, given: BTreeMap::new(), problems: Vec::new(), warnings: Vec::new() };
        for spec in table {
            let flags = if spec.is_env_only { None } else { matches.get_many(spec.name) };
            if let Some(values) = flags {
                layers.add_flag(spec, values.cloned().collect());
                continue;
            }
            let other_names = aliases.iter().find(|(name, _)| *name == spec.env);
            let other_names = other_names.map_or(&[][..], |(_, names)| names);
            let names = std::iter::once(spec.env).chain(other_names.iter().copied());
            for name in names {
                if env(name).is_some_and(|value| layers.add_variable(spec, name, value)) {
                    break;
                }
            }
        }
        if let Some(config) = config
            && let Some(path) = layers.text(config).map(PathBuf::from)
        {
            layers.read_file(&path, config);
        }
        layers
    }

    fn add_flag(&mut self, spec: &Spec, values: Vec<OsString>) {
        let source = format!("flag --{}", spec.name);
        let texts: Result<Vec<_>, _> = values.into_iter().map(OsString::into_string).collect();
        match texts {
            Ok(texts) => self.give(spec, texts, source),
            Err(_) => self.problems.push(format!("{source}: the value is not UTF-8")),
        }
    }

    /// Whether the variable says anything. White space around it comes from an env-file with Windows
    /// line ends, or from a command that made it; a password may have its own.
    fn add_variable(&mut self, spec: &Spec, name: &str, value: OsString) -> bool {
        let source = format!("variable {name}");
        let Ok(text) = value.into_string() else {
            self.problems.push(format!("{source}: the value is not UTF-8"));
            return true;
        };
        let text = match spec.is_verbatim {
            true => quotes::without_line_end(&text),
            false => quotes::trimmed(&text),
        };
        if text.is_empty() {
            return false;
        }
        // A variable has no other way to hold a list than commas.
        let texts = match spec.is_list && !quotes::are_around(text) {
            true => split(text).collect(),
            false => vec![text.to_owned()],
        };
        self.give(spec, texts, source);
        true
    }

    /// Notes what a layer says, unless one before it said something.
    fn give(&mut self, spec: &Spec, texts: Vec<String>, source: String) {
        if self.given.contains_key(spec.name) {
            return;
        }
        let are_quoted = texts.iter().any(|text| quotes::are_around(text));
        let texts = match (are_quoted, spec.is_verbatim) {
            (true, false) => {
                self.problems.push(format!("{source}: {}", quotes::ADVICE));
                None
            }
            (true, true) => {
                let advice = "the value is in quotation marks, which are taken for a part of it";
                self.warnings.push(format!("{source}: {advice}"));
                Some(texts)
            }
            (false, _) => Some(texts),
        };
        self.given.insert(spec.name, Given { texts, source });
    }

    fn read_file(&mut self, path: &Path, config: &Spec) {
        let shown = path.display();
        let text = match files::read_text(path, SETTINGS_BYTES_MAX) {
            Ok(text) => text,
            Err(problem) => {
                let source = self.source_or_default(config);
                return self.problem(format!("{source}: cannot read {shown}: {problem}"));
            }
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return self.problem(format!("{shown}{}", toml_problem(&text, &error))),
        };
        for (key, value) in table {
            let spec = self.table.iter().find(|spec| spec.key() == key && !spec.is_env_only);
            let Some(spec) = spec.filter(|spec| spec.name != config.name) else {
                let problem = self.no_such_key(&key, &value, config);
                self.problems.push(format!("{shown}: {problem}"));
                continue;
            };
            let texts = match value {
                toml::Value::Array(values) if spec.is_list => {
                    values.into_iter().map(scalar).collect()
                }
                toml::Value::Boolean(value) if spec.value == SWITCH => {
                    Some(vec![value.to_string()])
                }
                value => scalar(value).map(|text| vec![text]),
            };
            let Some(texts) = texts.filter(|texts: &Vec<String>| !texts.is_empty()) else {
                let wanted = match spec.value {
                    _ if spec.is_list => "a string or a list of at least one string",
                    SWITCH => "true or false",
                    _ => "a string or a number",
                };
                self.problems.push(format!("{shown}: {key} must be {wanted}"));
                continue;
            };
            self.give(spec, texts, format!("{shown}: {key}"));
        }
    }

    /// What to do about a key of the file that is none.
    fn no_such_key(&self, key: &str, value: &toml::Value, config: &Spec) -> String {
        let none = format!("there is no setting {:?} in a file", names::shown(key));
        let is_meant = |spec: &&Spec| spec.key() == key || spec.env.eq_ignore_ascii_case(key);
        match self.table.iter().find(is_meant) {
            Some(spec) if spec.is_env_only => {
                return format!("{none}: it is taken from the environment alone, as {}", spec.env);
            }
            Some(spec) if spec.name != config.name => {
                return format!("{none}: write {}", spec.key());
            }
            _ => {}
        }
        let rows = self.table.iter();
        let keys = rows.filter(|spec| !spec.is_env_only && spec.name != config.name);
        let keys: Vec<_> = keys.map(|spec| (names::word(spec.name, ""), spec)).collect();
        // All that variables begin with, too.
        let word = names::word(key, "SLUICEGATE_");
        match names::nearest(&word, keys.iter().map(|(word, spec)| (word.as_str(), *spec))) {
            Some(spec) => format!("{none}: did you mean {}?", spec.key()),
            None if value.is_table() => format!("{none}: settings stand outside of any [table]"),
            None => format!("{none}: --help lists the flags, whose names are the keys"),
        }
    }

    /// The value of a setting; `None`, with the problem noted, when it is missing or bad. A secret
    /// value is never part of a problem: `parse` must not repeat its input.
    pub(crate) fn required<T>(
        &mut self,
        spec: &Spec,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if spec.default.is_empty() && self.source(spec).is_none() {
            self.problem(format!("{} is not set: {}", spec.env, spec.help));
            return None;
        }
        self.optional(spec, parse)
    }

    /// Like [`required`](Self::required), but `None` without a problem when nothing is given and
    /// there is no default.
    pub(crate) fn optional<T>(
        &mut self,
        spec: &Spec,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = match self.given.get(spec.name) {
            Some(given) => given.texts.as_ref()?.last()?.as_str(),
            None if spec.default.is_empty() => return None,
            None => spec.default,
        };
        let problem = match parse(text) {
            Ok(value) => return Some(value),
            Err(problem) => format!("{}: {problem}", self.source_or_default(spec)),
        };
        self.problem(problem);
        None
    }

    /// The values of a list; `None`, with every problem noted, when one of them is bad. No value is
    /// secret.
    pub(crate) fn list<T>(
        &mut self,
        spec: &Spec,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let texts = match self.given.get(spec.name) {
            Some(given) => given.texts.clone()?,
            None => split(spec.default).collect(),
        };
        let (mut values, mut problems) = (Vec::with_capacity(texts.len()), Vec::new());
        for text in texts {
            match parse(&text) {
                Ok(value) => values.push(value),
                Err(problem) => problems.push(problem),
            }
        }
        let source = self.source_or_default(spec);
        let is_good = problems.is_empty();
        self.problems.extend(problems.iter().map(|problem| format!("{source}: {problem}")));
        is_good.then_some(values)
    }

    /// Where the value of a setting was found; `None` when only a default is left.
    pub(crate) fn source(&self, spec: &Spec) -> Option<&str> {
        self.given.get(spec.name).map(|given| given.source.as_str())
    }

    /// The same, with words for a default.
    pub(crate) fn source_or_default(&self, spec: &Spec) -> String {
        self.source(spec).map_or_else(|| format!("default of --{}", spec.name), str::to_owned)
    }

    /// The text of a setting that is no list.
    fn text(&self, spec: &Spec) -> Option<&str> {
        self.given.get(spec.name)?.texts.as_ref()?.last().map(String::as_str)
    }

    /// Notes what is worth a word although it is allowed.
    pub(crate) fn warning(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Notes a problem that concerns more than one setting.
    pub(crate) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// The settings, made with the warnings, unless there was a problem.
    pub(crate) fn finish<T>(
        mut self,
        settings: impl FnOnce(Vec<String>) -> Option<T>,
    ) -> Result<T, SettingsError> {
        match settings(std::mem::take(&mut self.warnings)) {
            Some(settings) if self.problems.is_empty() => Ok(settings),
            _ => Err(SettingsError(self.problems)),
        }
    }
}

fn split(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(',').map(|part| part.trim().to_owned())
}

fn scalar(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Where and why a text is not TOML. The error's own text shows the line, which may hold a secret
/// that somebody put into the file without quotation marks.
fn toml_problem(text: &str, error: &toml::de::Error) -> String {
    let place = error.span().and_then(|span| text.get(..span.start)).map(|before| {
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        format!(" line {line}, column {}", before[line_start..].chars().count() + 1)
    });
    format!("{} is not TOML: {}", place.unwrap_or_default(), error.message())
}
