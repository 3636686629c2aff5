//! Where a value comes from: flag, variable, file or default.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::ArgMatches;

use super::{CONFIG, Spec, TABLE};

/// The raw texts of all layers, and the problems met on the way.
pub(super) struct Layers {
    /// By setting: the text, and where it was found.
    texts: BTreeMap<&'static str, (String, String)>,
    problems: Vec<String>,
}

impl Layers {
    pub(super) fn read(matches: &ArgMatches, env: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut layers = Self { texts: BTreeMap::new(), problems: Vec::new() };
        for spec in &TABLE {
            let flag = if spec.is_secret { None } else { matches.get_one::<OsString>(spec.name) };
            if let Some(value) = flag {
                layers.add(spec, value.clone(), format!("flag --{}", spec.name));
            } else if let Some(value) = env(spec.env).filter(|value| !value.is_empty()) {
                layers.add(spec, value, format!("variable {}", spec.env));
            }
        }
        if let Some((path, _)) = layers.texts.get(CONFIG.name).cloned() {
            layers.read_file(Path::new(&path));
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

    fn read_file(&mut self, path: &Path) {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.problems.push(format!("cannot read {shown}: {error}")),
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return self.problems.push(format!("{shown} is not TOML: {error}")),
        };
        for (key, value) in table {
            let named = |spec: &&Spec| spec.name.replace('-', "_") == key;
            let spec = TABLE.iter().find(|spec| named(spec) && !spec.is_secret);
            let Some(spec) = spec.filter(|spec| spec.name != CONFIG.name) else {
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
    pub(super) fn required<T>(
        &mut self,
        spec: &Spec,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (text, source) = match self.texts.get(spec.name) {
            Some((text, source)) => (text.as_str(), source.clone()),
            None if spec.default.is_empty() => {
                let problem = format!("{} is not set: it is the {}", spec.env, spec.help);
                self.problems.push(problem);
                return None;
            }
            None => (spec.default, "default".to_owned()),
        };
        parse(text).map_err(|problem| self.problems.push(format!("{source}: {problem}"))).ok()
    }

    pub(super) fn into_problems(self) -> Vec<String> {
        self.problems
    }
}
