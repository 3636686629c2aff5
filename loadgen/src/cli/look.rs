//! How what is printed looks: tables as wide as the terminal, and colours where they are wanted.

use std::fmt::Display;
use std::io;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use terminal_size::{Width, terminal_size_of};

use loadgen_load::outcome::Standing;

/// Columns where there is no terminal, or one that does not know its width.
const WIDTH_ELSEWHERE: u16 = 80;
/// Columns that a table has at least, and that it makes use of.
const WIDTH_MIN: u16 = 40;
const WIDTH_MAX: u16 = 160;

/// Bold, in the colour that people know it by.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Of one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Columns that a table may take.
    pub(crate) width: u16,
    /// Whether there are colours.
    pub(crate) colours: bool,
}

impl Look {
    /// Of standard output. No colours where it is no terminal, where `NO_COLOR` says so, or on a
    /// dumb terminal that is not a CI system's (`CI`).
    pub(crate) fn of_stdout() -> Self {
        let columns = terminal_size_of(io::stdout()).map(|(Width(columns), _)| columns);
        let choice = AutoStream::choice(&io::stdout());
        Self { width: width(columns), colours: choice != ColorChoice::Never }
    }

    /// The text in this style.
    pub(crate) fn paint(self, style: Style, text: impl Display) -> String {
        if self.colours { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

/// The style of a standing.
pub(crate) fn style_of(standing: Standing) -> Style {
    match standing {
        Standing::Passed => GOOD,
        Standing::Saturated | Standing::Invalid => DOUBTFUL,
        Standing::Failed => BAD,
    }
}

fn width(columns: Option<u16>) -> u16 {
    // A terminal that nobody told says 0.
    let known = columns.filter(|columns| *columns > 0);
    known.map_or(WIDTH_ELSEWHERE, |columns| columns.clamp(WIDTH_MIN, WIDTH_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_as_wide_as_the_terminal() {
        let table = [
            (None, 80),
            (Some(0), 80),
            (Some(80), 80),
            (Some(120), 120),
            (Some(7), 40),
            (Some(u16::MAX), 160),
        ];
        for (columns, expected) in table {
            assert_eq!(width(columns), expected, "{columns:?}");
        }
    }

    #[test]
    fn colours_are_around_the_word() {
        let look = Look { width: 80, colours: true };
        assert_eq!(look.paint(BAD, "FAILED"), "\u{1b}[1m\u{1b}[31mFAILED\u{1b}[0m");
        assert_eq!(Look { colours: false, ..look }.paint(BAD, "FAILED"), "FAILED");
    }
}
