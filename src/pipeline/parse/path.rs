//! Where in a body the temperature is.

use std::fmt;
use std::str::FromStr;

/// Names of the object members that lead from the body to the temperature, written with dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Vec<String>);

/// Most members that a [`JsonPath`] may name.
pub const PATH_MEMBERS_MAX: usize = 16;

impl JsonPath {
    /// The path in the messages of the simulated temperature sensor.
    pub const DEFAULT: &'static str = "machine.temperature";

    /// The member names, outermost first; at least one.
    pub fn members(&self) -> &[String] {
        &self.0
    }

    /// Whether some name holds a character that simd-json can make of a broken surrogate escape:
    /// U+0000 or one beyond U+FFFF. Then only the exact parser may compare names.
    pub(super) fn needs_exact_names(&self) -> bool {
        self.0.iter().flat_map(|name| name.chars()).any(|c| c == '\0' || c > '\u{ffff}')
    }
}

impl Default for JsonPath {
    fn default() -> Self {
        Self(Self::DEFAULT.split('.').map(str::to_owned).collect())
    }
}

impl FromStr for JsonPath {
    type Err = PathError;

    /// Reads names separated by dots; a name that itself holds a dot cannot be written.
    fn from_str(text: &str) -> Result<Self, PathError> {
        let members: Vec<String> = text.split('.').map(str::to_owned).collect();
        if members.iter().any(String::is_empty) {
            return Err(PathError::EmptyName);
        }
        if members.len() > PATH_MEMBERS_MAX {
            return Err(PathError::TooLong);
        }
        Ok(Self(members))
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Why a text is not a [`JsonPath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing stands before, between or after the dots.
    #[error("a name in the path is empty")]
    EmptyName,
    /// More than [`PATH_MEMBERS_MAX`] names.
    #[error("the path has more than {PATH_MEMBERS_MAX} names")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what a broken surrogate escape may become: plain names keep the shorter way.
    #[test]
    fn names_beyond_one_unit_of_utf_16_need_the_exact_parser() {
        for (path, is_needed) in
            [("a.b", false), ("a.\u{ffff}", false), ("a.\u{10000}", true), ("\u{1f600}.b", true)]
        {
            let path: JsonPath = path.parse().unwrap();
            assert_eq!(path.needs_exact_names(), is_needed, "{path}");
        }
    }
}
