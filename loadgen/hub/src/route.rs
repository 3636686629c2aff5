//! Routes of a deployment manifest: which messages go where (IoT Edge: declare routes).
//!
//! Text goes in, a [`Route`] comes out; matching a message's source takes no allocation. Pure: no
//! clock, no I/O. One route has one sink, and a message goes to the sink of every route it matches.

use std::time::Duration;

use sluicegate::mqtt::text::is_refused;
use thiserror::Error;

/// Longest route text accepted, in bytes; a longer one is refused.
pub const ROUTE_BYTES_LIMIT: usize = 4096;

/// Priority of a route that names none: below every priority that can be named (0 to 9).
pub const PRIORITY_UNSPECIFIED: u32 = 2_000_000_000;

/// The source forms, as listed in every error about a source.
const SOURCE_FORMS: &str = "/*, /messages/*, /messages/modules/{module}/*, \
     /messages/modules/{module}/outputs/*, /messages/modules/{module}/outputs/{output} or \
     /twinChangeNotifications";

/// Where a route takes its messages to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// `$upstream`: the cloud; here the monitor.
    Upstream,
    /// `BrokeredEndpoint("/modules/{module}/inputs/{input}")`.
    Input {
        /// Receiving module.
        module: String,
        /// Input of that module.
        input: String,
    },
}

/// One parsed route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Name in the manifest.
    pub name: String,
    /// Source without trailing `*` and `/`: empty for `/*`.
    source: String,
    /// Where matching messages go.
    pub sink: Sink,
    /// 0 (first) to 9, or [`PRIORITY_UNSPECIFIED`].
    pub priority: u32,
    /// How long a message for this route is kept; `None` inherits the hub's setting.
    pub time_to_live: Option<Duration>,
}

/// Why a route text was refused. Every text says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteError {
    /// The text is longer than [`ROUTE_BYTES_LIMIT`].
    #[error("the route is {0} bytes long; at most {ROUTE_BYTES_LIMIT} are accepted")]
    TooLong(usize),
    /// The text does not begin with `FROM` or `SELECT *`.
    #[error("expected `FROM <source> INTO <sink>`, found {0}")]
    MissingFrom(String),
    /// Something other than `*` after `SELECT`.
    #[error(
        "expected `SELECT *`, found `SELECT` followed by {0}; only the whole message is routed"
    )]
    Select(String),
    /// The source is none of the known forms.
    #[error("`{0}` is not a source; use {SOURCE_FORMS}")]
    Source(String),
    /// The route has a condition.
    #[error(
        "`WHERE` is not supported by the local hub; leave the condition out and filter in the \
         module"
    )]
    Where,
    /// No `INTO` after the source.
    #[error("expected `INTO` after the source, found {0}")]
    MissingInto(String),
    /// The sink is none of the known forms.
    #[error(
        "`{0}` is not a sink; use $upstream or \
         BrokeredEndpoint(\"/modules/{{module}}/inputs/{{input}}\")"
    )]
    Sink(String),
}

impl Route {
    /// Parses `[SELECT *] FROM <source> INTO <sink>`; keywords and `$upstream` in any letter case.
    ///
    /// # Errors
    /// [`RouteError`] says which part is wrong and what is accepted there.
    pub fn parse(name: &str, text: &str) -> Result<Self, RouteError> {
        if text.len() > ROUTE_BYTES_LIMIT {
            return Err(RouteError::TooLong(text.len()));
        }
        let (mut word, mut rest) = split_word(text);
        if word.eq_ignore_ascii_case("SELECT") {
            (word, rest) = split_word(rest);
            if word != "*" {
                return Err(RouteError::Select(found(word)));
            }
            (word, rest) = split_word(rest);
        }
        if !word.eq_ignore_ascii_case("FROM") {
            return Err(RouteError::MissingFrom(found(word)));
        }
        (word, rest) = split_word(rest);
        let source = parse_source(word)?;
        (word, rest) = split_word(rest);
        if word.eq_ignore_ascii_case("WHERE") {
            return Err(RouteError::Where);
        }
        if !word.eq_ignore_ascii_case("INTO") {
            return Err(RouteError::MissingInto(found(word)));
        }
        let sink = parse_sink(rest.trim())?;
        let name = name.to_owned();
        Ok(Self { name, source, sink, priority: PRIORITY_UNSPECIFIED, time_to_live: None })
    }

    /// Whether a message with this source takes the route, by whole segments and in any ASCII
    /// letter case.
    ///
    /// A message of module `m` has the source `/messages/modules/m`, or
    /// `/messages/modules/m/outputs/o` when it was sent to an output.
    pub fn matches(&self, source: &str) -> bool {
        let (prefix, source) = (self.source.as_bytes(), source.as_bytes());
        let Some(head) = source.get(..prefix.len()) else { return false };
        // Whole segments: the prefix must end where a segment of the source ends.
        head.eq_ignore_ascii_case(prefix)
            && source.get(prefix.len()).is_none_or(|next| *next == b'/')
    }

    /// The source, as [`Route::matches`] takes it and without trailing `*`; empty for `/*`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The module a source of the form `/messages/modules/{m}…` names.
    pub fn source_module(&self) -> Option<&str> {
        let mut segments = self.source.split('/').skip(1);
        let messages = segments.next()?.eq_ignore_ascii_case("messages");
        let modules = segments.next()?.eq_ignore_ascii_case("modules");
        segments.next().filter(|_| messages && modules)
    }

    /// Whether the source names twin changes alone.
    pub fn is_of_twin_changes(&self) -> bool {
        self.source.get(1..).is_some_and(|source| {
            source
                .split('/')
                .next()
                .is_some_and(|s| s.eq_ignore_ascii_case("twinChangeNotifications"))
        })
    }

    /// Whether any message can have this source: one of a device, or of a module or its output.
    pub fn can_match(&self) -> bool {
        let segments: Vec<String> =
            self.source.split('/').skip(1).map(str::to_ascii_lowercase).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        matches!(
            segments[..],
            [] | ["messages"]
                | ["messages", "events" | "modules"]
                | ["messages", "modules", _]
                | ["messages", "modules", _, "outputs", ..]
        )
    }

    /// The output that the source names.
    pub fn source_output(&self) -> Option<&str> {
        self.source_module().and_then(|_| self.source.split('/').nth(5))
    }

    /// Whether some message of this module takes the route.
    pub fn takes_from(&self, module: &str) -> bool {
        match self.source_module() {
            Some(named) => named.eq_ignore_ascii_case(module) && self.can_match(),
            None => self.matches(&message_source(module, None)),
        }
    }
}

/// The source of a message, as [`Route::matches`] takes it.
pub fn message_source(module: &str, output: Option<&str>) -> String {
    match output {
        Some(output) => format!("/messages/modules/{module}/outputs/{output}"),
        None => format!("/messages/modules/{module}"),
    }
}

/// Next word and what follows it; an empty word at the end of the text.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

fn found(word: &str) -> String {
    if word.is_empty() { "the end of the route".to_owned() } else { format!("`{word}`") }
}

fn parse_source(word: &str) -> Result<String, RouteError> {
    let refused = || RouteError::Source(word.to_owned());
    if !word.starts_with('/') {
        return Err(refused());
    }
    let trimmed = word.trim_end_matches('*').trim_end_matches('/');
    let mut segments = trimmed.split('/').skip(1);
    let inner_segments_valid = segments.clone().all(|s| !s.is_empty() && !s.contains('*'));
    let family_known = segments.next().is_none_or(|first| {
        first.eq_ignore_ascii_case("messages")
            || first.eq_ignore_ascii_case("twinChangeNotifications")
    });
    // `/mess*` would be trimmed to a segment that no message has: a whole segment must be `*`.
    let star_is_segment = trimmed.len() == word.len() || word[trimmed.len()..].starts_with('/');
    if inner_segments_valid && family_known && star_is_segment {
        Ok(trimmed.to_owned())
    } else {
        Err(refused())
    }
}

fn parse_sink(text: &str) -> Result<Sink, RouteError> {
    let refused = || RouteError::Sink(text.to_owned());
    if text.eq_ignore_ascii_case("$upstream") {
        return Ok(Sink::Upstream);
    }
    let name_len = "BrokeredEndpoint".len();
    let (name, argument) = text.split_at_checked(name_len).ok_or_else(refused)?;
    if !name.eq_ignore_ascii_case("BrokeredEndpoint") {
        return Err(refused());
    }
    let argument = argument.trim().strip_prefix('(').and_then(|a| a.strip_suffix(')'));
    let path = argument.and_then(|a| unquote(a.trim())).ok_or_else(refused)?;
    let path = path.trim_matches('/');
    match path.split('/').collect::<Vec<_>>()[..] {
        [modules, module, inputs, input]
            if modules.eq_ignore_ascii_case("modules")
                && inputs.eq_ignore_ascii_case("inputs")
                && !module.is_empty()
                && !input.is_empty()
                && !input.contains(['+', '#'])
                && !input.contains(is_refused) =>
        {
            Ok(Sink::Input { module: module.to_owned(), input: input.to_owned() })
        }
        _ => Err(refused()),
    }
}

/// The text between two equal quotation marks that holds none itself.
fn unquote(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains(quote)).then_some(inner)
}

#[cfg(test)]
mod tests;
