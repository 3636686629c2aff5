//! How a command reads its settings: from a table of rows, by layers, with all errors at once.
//!
//! A setting is looked for in the flags, then in the environment (empty counts as unset), then in
//! the TOML file where the command has one, then it has its default. Everything is read and checked
//! before anything starts, and every problem is reported, not only the first.

pub(crate) mod layers;
pub(crate) mod log_level;
pub(crate) mod names;
#[cfg(test)]
pub(crate) mod page;
pub mod quotes;
pub(crate) mod values;

use std::fmt;

pub use names::KnownNames;

/// What all of this program's own variables begin with.
pub(crate) const PREFIX: &str = "SLUICEGATE_";
/// The value of a setting that is a flag alone on the command line.
pub(crate) const SWITCH: &str = "true or false";

/// One row of the settings table.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Flag without its dashes; `_` for `-` gives the key in the TOML file. A secret has neither.
    pub name: &'static str,
    /// Environment variable.
    pub env: &'static str,
    /// Value when nothing is given; empty where there is none.
    pub default: &'static str,
    /// What values look like, with their unit.
    pub value: &'static str,
    /// What it does.
    pub help: &'static str,
    /// Taken from the environment alone: a secret, as arguments are visible to every process of
    /// the device, or a word of the edge runtime.
    pub is_env_only: bool,
    /// Given more than once, as a list: the flag again, the variable with commas, a list in the
    /// file.
    pub is_list: bool,
    /// Any text at all, as it stands: a password may begin and end as it likes.
    pub is_verbatim: bool,
}

impl Spec {
    /// The key in the TOML file.
    pub(crate) fn key(&self) -> String {
        self.name.replace('-', "_")
    }
}

/// A row that is no secret.
pub(crate) const fn row(
    name: &'static str,
    env: &'static str,
    default: &'static str,
    value: &'static str,
    help: &'static str,
) -> Spec {
    Spec { name, env, default, value, help, is_env_only: false, is_list: false, is_verbatim: false }
}

/// Everything that is wrong with the settings; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} problem(s) with the settings:", self.0.len())?;
        self.0.iter().try_for_each(|problem| writeln!(f, "- {problem}"))
    }
}

impl std::error::Error for SettingsError {}
