//! What a manifest is read with: its files, their variables, and the problems found so far.

use std::collections::BTreeMap;

use super::nearest::did_you_mean;
use super::placeholders::{self, unset_words};
use super::{ManifestError, PROBLEMS_LISTED_LIMIT, Problem, Variables};

/// One file of a deployment.
pub(super) struct Source<'a> {
    /// As people named it.
    pub(super) name: Option<String>,
    pub(super) text: &'a str,
    pub(super) variables: &'a Variables,
}

/// Collects while reading goes on, and knows which file a path came from.
pub(super) struct Reading<'a> {
    pub(super) sources: &'a [Source<'a>],
    /// The file that is looked at alone; `None` once they are one deployment.
    pub(super) current: Option<usize>,
    /// Where the sections stand in each file: `modulesContent`, mostly.
    pub(super) prefixes: Vec<String>,
    /// Which file gave what is below a path, the prefix left out. The longest path counts.
    pub(super) owners: BTreeMap<String, usize>,
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(sources: &'a [Source<'a>]) -> Self {
        Self {
            sources,
            current: None,
            prefixes: vec![String::new(); sources.len()],
            owners: BTreeMap::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Where the sections of the deployment stand.
    pub(super) fn prefix(&self) -> &str {
        self.prefixes.first().map_or("", String::as_str)
    }

    pub(super) fn error(&mut self, path: &str, text: &str) {
        let problem = self.problem(path, text);
        self.errors.push(problem);
    }

    pub(super) fn warn(&mut self, path: &str, text: &str) {
        let problem = self.problem(path, text);
        self.warnings.push(problem);
    }

    /// The variables of the file that a path came from.
    pub(super) fn variables(&self, path: &str) -> &'a Variables {
        self.sources[self.owner(path)].variables
    }

    /// A text with its variables replaced. One without a value is warned of and stays, where it can
    /// be nothing else.
    pub(super) fn expand(&mut self, path: &str, text: &str) -> String {
        let mut unset = Vec::new();
        let expanded = self.variables(path).expand_noting(text, |variable| {
            if variable.is_plain() {
                unset.push(variable);
            }
        });
        for variable in unset {
            let words = self.unset(path, variable.name, variable.token);
            self.warn(path, &format!("{words}; {} stays as it is", variable.token));
        }
        expanded
    }

    /// The nearest of many known names, while anybody reads on.
    pub(super) fn hint<'n>(
        &self,
        name: &str,
        known: impl IntoIterator<Item = &'n String>,
    ) -> String {
        if self.is_listed() {
            did_you_mean(name, known.into_iter().map(String::as_str))
        } else {
            String::new()
        }
    }

    /// Whether the next problem is listed, and worth a search in the text.
    fn is_listed(&self) -> bool {
        self.warnings.len().max(self.errors.len()) < PROBLEMS_LISTED_LIMIT
    }

    /// That a variable at this path has no value; with its line, where it stands only once.
    pub(super) fn unset(&self, path: &str, name: &str, token: &str) -> String {
        if !self.is_listed() {
            return unset_words(name, None);
        }
        let text = self.sources[self.owner(path)].text;
        let mut found = text.match_indices(token).map(|(at, _)| at);
        let line = match (found.next(), found.next()) {
            (Some(at), None) => Some(placeholders::place(text, at).0),
            _ => None,
        };
        unset_words(name, line)
    }

    /// Says that a file gave all at a place and below it; the place without the prefix.
    pub(super) fn own(&mut self, place: String, file: usize) {
        let below = |known: &String| known.starts_with(&place);
        let known: Vec<String> = self
            .owners
            .range(place.clone()..)
            .map(|(known, _)| known.clone())
            .take_while(below)
            .collect();
        for known in known.iter().filter(|known| is_at(known, &place)) {
            self.owners.remove(known);
        }
        self.owners.insert(place, file);
    }

    /// The file that gave what is at a path.
    fn owner(&self, path: &str) -> usize {
        if let Some(current) = self.current {
            return current;
        }
        let mut rest = self.relative(path).unwrap_or_default();
        loop {
            if let Some(owner) = self.owners.get(rest) {
                return *owner;
            }
            match rest.rfind(['.', '[']) {
                Some(end) => rest = &rest[..end],
                None => return 0,
            }
        }
    }

    fn relative<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(self.prefix())?.strip_prefix('.')
    }

    fn problem(&self, path: &str, text: &str) -> Problem {
        let owner = self.owner(path);
        let path = match self.relative(path).filter(|_| self.current.is_none()) {
            Some(rest) => format!("{}.{rest}", self.prefixes[owner]),
            None => path.to_owned(),
        };
        Problem { file: self.sources[owner].name.clone(), path, text: text.to_owned() }
    }
}

/// Whether a place is another or below it, not just one whose name goes on.
fn is_at(place: &str, other: &str) -> bool {
    place.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

impl From<Reading<'_>> for ManifestError {
    fn from(reading: Reading<'_>) -> Self {
        Self { problems: reading.errors }
    }
}
