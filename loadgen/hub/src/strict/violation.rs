//! What a client did wrong, and which statements of MQTT 3.1.1 say so.

use std::fmt;

/// A breach of MQTT 3.1.1, or of a bound, on which the connection is closed.
///
/// Its text ends with the numbers of the statements, as `[MQTT-3.8.3-3]`. It holds what the client
/// sent with control characters escaped, and nothing of user name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    what: String,
    statements: &'static [&'static str],
}

pub(super) type Result<T> = std::result::Result<T, Violation>;

/// The statement on what has none of its own: a protocol violation closes.
pub(super) const MALFORMED: &[&str] = &["MQTT-4.8.0-1"];

/// A violation of these statements; none for a bound of the hub's own.
pub(crate) fn violation(what: impl Into<String>, statements: &'static [&'static str]) -> Violation {
    Violation { what: what.into(), statements }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.statements.iter().try_for_each(|statement| write!(f, " [{statement}]"))
    }
}

impl std::error::Error for Violation {}
