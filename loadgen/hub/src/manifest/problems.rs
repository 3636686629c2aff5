//! What is wrong with a manifest, member by member.

use std::fmt;

/// Most problems listed; further ones are counted only.
pub const PROBLEMS_LISTED_LIMIT: usize = 50;

/// One problem and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, where the manifest was read from one.
    pub file: Option<String>,
    /// Path of the JSON member, members joined by dots; empty for the whole file.
    pub path: String,
    /// What is wrong there and what is expected.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in self.file.iter().chain((!self.path.is_empty()).then_some(&self.path)) {
            write!(f, "{}: ", Plain(place))?;
        }
        Plain(&self.text).fmt(f)
    }
}

/// Text whose control characters are escaped: names of a file must not move the reader's cursor.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| {
            if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }
        })
    }
}

/// All problems of a refused manifest; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// In the order found.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let plural = if count == 1 { "problem" } else { "problems" };
        write!(f, "the deployment manifest has {count} {plural}:")?;
        for problem in self.problems.iter().take(PROBLEMS_LISTED_LIMIT) {
            write!(f, "\n  {problem}")?;
        }
        match count.checked_sub(PROBLEMS_LISTED_LIMIT) {
            Some(more @ 1..) => write!(f, "\n  and {more} more"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ManifestError {}
