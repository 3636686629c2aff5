//! Where a value comes from: flag, variable, file or default. Any table of settings can be read so.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::table::SWITCH;
use super::{SettingsError, Spec};
use crate::files::{self, SETTINGS_BYTES_MAX};

/// Adds a flag for each row of `table` that may have one.
pub(crate) fn add_flags(command: Command, table: &[Spec]) -> Command {
    table.iter().filter(|spec| !spec.is_env_only).fold(command, |command, spec| {
        let default = if spec.default.is_empty() { "none" } else { spec.default };
        let help = format!("{} [{}; {}; default {default}]", spec.help, spec.value, spec.env);
        let arg = Arg::new(spec.name).long(spec.name).help(help).value_name("VALUE");
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

/// What one layer says about a setting.
struct Given {
    /// One text, or those of a list.
    texts: Vec<String>,
    /// Where they were found.
    source: String,
}

/// The raw texts of all layers, and the problems met on the way.
pub(crate) struct Layers {
    table: &'static [Spec],
    given: BTreeMap<&'static str, Given>,
    problems: Vec<String>,
}

impl Layers {
    /// Reads all layers of `table`; `config` is the row that names the file, where there is one.
    pub(crate) fn read(
        table: &'static [Spec],
        config: Option<&Spec>,
        matches: &ArgMatches,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let mut layers = Self { table, given: BTreeMap::new(), problems: Vec::new() };
        for spec in table {
            let flags = if spec.is_env_only { None } else { matches.get_many(spec.name) };
            if let Some(values) = flags {
                layers.add(spec, values.cloned().collect(), format!("flag --{}", spec.name));
            } else if let Some(value) = env(spec.env).filter(|value| !value.is_empty()) {
                layers.add(spec, vec![value], format!("variable {}", spec.env));
                layers.split(spec);
            }
        }
        if let Some(config) = config
            && let Some(path) = layers.text(config).map(PathBuf::from)
        {
            layers.read_file(&path, config);
        }
        layers
    }

    fn add(&mut self, spec: &Spec, values: Vec<OsString>, source: String) {
        match values.into_iter().map(OsString::into_string).collect() {
            Ok(texts) => {
                self.given.insert(spec.name, Given { texts, source });
            }
            Err(_) => self.problems.push(format!("{source}: the value is not UTF-8")),
        }
    }

    /// A variable has no other way to hold a list than commas.
    fn split(&mut self, spec: &Spec) {
        if let (true, Some(given)) = (spec.is_list, self.given.get_mut(spec.name)) {
            given.texts = given.texts.iter().flat_map(|text| split(text)).collect();
        }
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
            let named = |spec: &&Spec| spec.name.replace('-', "_") == key;
            let spec = self.table.iter().find(|spec| named(spec) && !spec.is_env_only);
            let Some(spec) = spec.filter(|spec| spec.name != config.name) else {
                self.problems.push(format!("{shown}: there is no setting {key:?} in a file"));
                continue;
            };
            let texts = match value {
                toml::Value::Array(values) if spec.is_list => {
                    values.into_iter().map(scalar).collect()
                }
                value => scalar(value).map(|text| vec![text]),
            };
            let Some(texts) = texts.filter(|texts: &Vec<String>| !texts.is_empty()) else {
                let wanted = if spec.is_list {
                    "a string or a list of at least one string"
                } else {
                    "a string or a number"
                };
                self.problems.push(format!("{shown}: {key} must be {wanted}"));
                continue;
            };
            let source = format!("{shown}: {key}");
            self.given.entry(spec.name).or_insert(Given { texts, source });
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

    #[inline(never)]
    fn text_or_default(&self, spec: &Spec) -> Option<&str> {
        self.text(spec).or_else(|| (!spec.default.is_empty()).then_some(spec.default))
    }

    /// The values of a list; `None`, with every problem noted, when one of them is bad. No value is
    /// secret.
    pub(crate) fn list<T>(
        &mut self,
        spec: &Spec,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let texts = self.texts(spec);
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
    fn texts(&self, spec: &Spec) -> Vec<String> {
        match self.given.get(spec.name) {
            Some(given) => given.texts.clone(),
            None => split(spec.default).collect(),
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
        self.given.get(spec.name)?.texts.last().map(String::as_str)
    }

    /// Notes a problem that concerns more than one setting.
    #[inline(never)]
    pub(crate) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// The settings, unless there was a problem.
    pub(crate) fn finish<T>(self, settings: Option<T>) -> Result<T, SettingsError> {
        match settings {
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
