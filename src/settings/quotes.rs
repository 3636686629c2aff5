//! Values as compose files and env-files hand them over: with what was meant for a shell.

/// Marks that people put around a value, and editors in their place.
const PAIRS: [(char, char); 8] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('\u{201c}', '\u{201d}'),
    ('\u{201e}', '\u{201c}'),
    ('\u{201d}', '\u{201d}'),
    ('\u{2018}', '\u{2019}'),
    ('\u{ab}', '\u{bb}'),
];

/// What to do about a value in quotation marks.
pub const ADVICE: &str = "the value is in quotation marks, which belong to it here: leave them out \
                          (only a shell takes them away; compose's `- NAME=value` and env-files \
                          need none)";

/// Whether `text`, less the white space around it, begins and ends with a quotation mark.
pub fn are_around(text: &str) -> bool {
    // As in JSON inside JSON.
    let text = text.trim().trim_start_matches('\\');
    let mut characters = text.chars();
    let ends = characters.next().zip(characters.next_back());
    ends.is_some_and(|ends| PAIRS.contains(&ends))
}

/// `text` without what an env-file with Windows line ends, or `echo`, leaves around it.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// `text` without one end of a line.
pub fn without_line_end(text: &str) -> &str {
    let line = text.strip_suffix('\n').unwrap_or(text);
    line.strip_suffix('\r').unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotation_marks_around_a_text_are_seen() {
        let quoted = [
            "\"a\"",
            "'a'",
            " 'a b' \r\n",
            "\"\"",
            "\\\"a\\\"",
            "`a`",
            "\u{201c}a\u{201d}",
            "\u{201e}a\u{201c}",
            "\u{2018}a\u{2019}",
            "\u{ab}a\u{bb}",
        ];
        for text in quoted {
            assert!(are_around(text), "{text}");
        }
        for text in ["", "\"", "'", "a", "\"a", "a'", "it's", "\"a'", "a\"b\"c"] {
            assert!(!are_around(text), "{text}");
        }
    }

    #[test]
    fn the_end_of_a_line_is_left_out_once() {
        for (text, line) in [
            ("a", "a"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\r", "a"),
            ("a\n\n", "a\n"),
            (" a ", " a "),
        ] {
            assert_eq!(without_line_end(text), line, "{text:?}");
        }
        assert_eq!(trimmed("\u{feff} a b\r\n"), "a b");
    }
}
