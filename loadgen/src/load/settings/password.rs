//! A secret on its way to where it is sent.

use std::fmt;

/// A password: sent, never written or shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// This text, as it is.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, to send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}
