//! Where a value comes from: flag, variable, file or default. Any table of settings can be read so.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::table::SWITCH;
use super::{SettingsError, Spec};

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
        command.arg(arg.overrides_with(spec.name).allow_negative_numbers(true))
    })
}

/// The raw texts of all layers, and the problems met on the way.
pub(crate) struct Layers {
    table: &'static [Spec],
    /// By setting: the text, and where it was found.
    texts: BTreeMap<&'static str, (String, String)>,
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
        let mut layers = Self { table, texts: BTreeMap::new(), problems: Vec::new() };
        for spec in table {
            let flag = if spec.is_env_only { None } else { matches.get_one::<OsString>(spec.name) };
            if let Some(value) = flag {
                layers.add(spec, value.clone(), format!("flag --{}", spec.name));
            } else if let Some(value) = env(spec.env).filter(|value| !value.is_empty()) {
                layers.add(spec, value, format!("variable {}", spec.env));
            }
        }
        if let Some(config) = config
            && let Some((path, _)) = layers.texts.get(config.name).cloned()
        {
            layers.read_file(Path::new(&path), config);
        }
        layers
    }

    fn add(&mut self, spec: &Spec, value: OsString, source: String) {
        match value.into_string() {
            Ok(text) => {
                self.texts.insert(spec.name, (text, source));
            }
            Err(_) => self.problems.push(format!("{source}: the value is not UTF-8")),
        }
    }

    fn read_file(&mut self, path: &Path, config: &Spec) {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.problems.push(format!("cannot read {shown}: {error}")),
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
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Float(number) => number.to_string(),
                _ => {
                    self.problems.push(format!("{shown}: {key} must be a string or a number"));
                    continue;
                }
            };
            self.texts.entry(spec.name).or_insert((text, format!("{shown}: {key}")));
        }
    }

    /// The value of a setting; `None`, with the problem noted, when it is missing or bad. A secret
    /// value is never part of a problem: `parse` must not repeat its input.
    pub(crate) fn required<T>(
        &mut self,
        spec: &Spec,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if spec.default.is_empty() && !self.texts.contains_key(spec.name) {
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
        let (text, source) = match self.texts.get(spec.name) {
            Some((text, source)) => (text.as_str(), source.as_str()),
            None if spec.default.is_empty() => return None,
            None => (spec.default, "default"),
        };
        let problem = match parse(text) {
            Ok(value) => return Some(value),
            Err(problem) => format!("{source}: {problem}"),
        };
        self.problem(problem);
        None
    }

    /// Where the value of a setting was found; `None` when only a default is left.
    pub(crate) fn source(&self, spec: &Spec) -> Option<&str> {
        self.texts.get(spec.name).map(|(_, source)| source.as_str())
    }

    /// Notes a problem that concerns more than one setting.
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
