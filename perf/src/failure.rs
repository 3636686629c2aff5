//! Why a command gave no answer.

/// Exit code where there is no answer: too noisy, or no figure.
pub(crate) const EXIT_NO_ANSWER: u8 = 2;

/// One line for people, and the exit code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// Exit code, as in sysexits.h.
    pub code: u8,
    pub(crate) text: String,
}

impl Failure {
    /// Wrong arguments (`EX_USAGE`).
    pub(crate) fn usage(text: impl ToString) -> Self {
        Self { code: 64, text: text.to_string() }
    }

    /// Something could not be counted, measured or compared.
    pub(crate) fn no_answer(text: impl ToString) -> Self {
        Self { code: EXIT_NO_ANSWER, text: text.to_string() }
    }

    /// A program that is missing or cannot be built (`EX_UNAVAILABLE`).
    pub(crate) fn unavailable(text: impl ToString) -> Self {
        Self { code: 69, text: text.to_string() }
    }

    /// Stopped, or an error of our own (`EX_SOFTWARE`).
    pub(crate) fn internal(text: impl ToString) -> Self {
        Self { code: 70, text: text.to_string() }
    }
}
