//! Where a value comes from: flag, variable, file or default. Any table of settings can be read so.

mod file;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::SWITCH;
use super::{SettingsError, Spec, quotes};

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

    /// Whether the variable says anything. White space around it comes from an env-file with
    /// Windows line ends, or from a command that made it; a password may have its own.
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

    /// The value of a setting; `None`, with the problem noted, when it is missing or bad. A secret
    /// value is never part of a problem: `parse` must not repeat its input.
    pub(crate) fn required<T>(
        &mut self,
        spec: &Spec,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if spec.default.is_empty() && self.source(spec).is_none() {
            self.missing(spec);
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
        match parse(self.text_or_default(spec)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.bad(spec, &problem);
                None
            }
        }
    }

    // What follows is the same for every type of a value, so it is compiled once and not for each.

    #[cold]
    fn missing(&mut self, spec: &Spec) {
        self.problem(format!("{} is not set: {}", spec.env, spec.help));
    }

    #[cold]
    fn bad(&mut self, spec: &Spec, problem: &str) {
        self.problem(format!("{}: {problem}", self.source_or_default(spec)));
    }

    /// `None`, too, for what is given and cannot be used.
    #[inline(never)]
    fn text_or_default(&self, spec: &Spec) -> Option<&str> {
        match self.given.contains_key(spec.name) {
            true => self.text(spec),
            false => (!spec.default.is_empty()).then_some(spec.default),
        }
    }

    /// The values of a list; `None`, with every problem noted, when one of them is bad. No value is
    /// secret.
    pub(crate) fn list<T>(
        &mut self,
        spec: &Spec,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let texts = self.texts(spec)?;
        let (mut values, mut problems) = (Vec::with_capacity(texts.len()), Vec::new());
        for text in texts {
            match parse(&text) {
                Ok(value) => values.push(value),
                Err(problem) => problems.push(problem),
            }
        }
        problems.iter().for_each(|problem: &String| self.bad(spec, problem));
        problems.is_empty().then_some(values)
    }

    #[inline(never)]
    fn texts(&self, spec: &Spec) -> Option<Vec<String>> {
        match self.given.get(spec.name) {
            Some(given) => given.texts.clone(),
            None => Some(split(spec.default).collect()),
        }
    }

    /// Where the value of a setting was found; `None` when only a default is left.
    #[inline(never)]
    pub(crate) fn source(&self, spec: &Spec) -> Option<&str> {
        self.given.get(spec.name).map(|given| given.source.as_str())
    }

    /// The same, with words for a default.
    #[inline(never)]
    pub(crate) fn source_or_default(&self, spec: &Spec) -> String {
        self.source(spec).map_or_else(|| format!("default of --{}", spec.name), str::to_owned)
    }

    /// The text of a setting that is no list.
    #[inline(never)]
    fn text(&self, spec: &Spec) -> Option<&str> {
        self.given.get(spec.name)?.texts.as_ref()?.last().map(String::as_str)
    }

    /// Notes what is worth a word although it is allowed.
    pub(crate) fn warning(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Notes a problem that concerns more than one setting.
    #[inline(never)]
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
