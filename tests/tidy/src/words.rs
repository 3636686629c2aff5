//! Words that say nothing, or what nobody has shown.
//!
//! Each is searched for as whole words, whatever their case. One that is in capitals is found in
//! capitals alone. A word between backticks is spoken of, and not said.

use crate::finding::Finding;
use crate::tree::{Tree, has_extension};

/// Where a word is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    /// In all that people read, code among it.
    Everywhere,
    /// In Markdown.
    Documents,
}

/// A word, or several in a row, where it is not wanted, and what to do about it.
type Banned = (&'static str, Where, &'static str);

const NOTE: &str = "a note to oneself: do it, or say in a document what is missing";
const PRAISE: &str = "praise: write the number, and the command that measures it";
const CLAIM: &str = "a claim: name the test or the number that shows it";
const RIDDLE: &str = "a riddle: say who tells whom what";
const TALK: &str = "the reader was not there: write what holds";
const PLACE: &str = "a folder of one person's machine: write a path in the tree";

const BANNED: [Banned; 27] = [
    ("FIXME", Where::Everywhere, NOTE),
    ("TODO", Where::Everywhere, NOTE),
    ("XXX", Where::Everywhere, NOTE),
    ("HACK", Where::Everywhere, NOTE),
    ("battle-tested", Where::Everywhere, PRAISE),
    ("best-in-class", Where::Everywhere, PRAISE),
    ("blazing", Where::Everywhere, PRAISE),
    ("blazingly", Where::Everywhere, PRAISE),
    ("cutting-edge", Where::Everywhere, PRAISE),
    ("enterprise-grade", Where::Everywhere, PRAISE),
    ("lightning-fast", Where::Everywhere, PRAISE),
    ("production-ready", Where::Everywhere, PRAISE),
    ("seamless", Where::Everywhere, PRAISE),
    ("seamlessly", Where::Everywhere, PRAISE),
    ("state-of-the-art", Where::Everywhere, PRAISE),
    ("lock-free", Where::Everywhere, CLAIM),
    ("wait-free", Where::Everywhere, CLAIM),
    ("zero copy", Where::Everywhere, CLAIM),
    ("zero-copy", Where::Everywhere, CLAIM),
    ("are told", Where::Documents, RIDDLE),
    ("is told", Where::Documents, RIDDLE),
    ("what is due", Where::Documents, RIDDLE),
    ("as agreed", Where::Everywhere, TALK),
    ("as discussed", Where::Everywhere, TALK),
    ("as requested", Where::Everywhere, TALK),
    ("/home/", Where::Everywhere, PLACE),
    ("/Users/", Where::Everywhere, PLACE),
];

/// The file with the list.
const LIST: &str = "tests/tidy/src/words.rs";
/// Made by programs.
const GENERATED: [&str; 2] = ["lock", "jsonl"];

/// Words that are not wanted where they are.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let files = tree.files().filter(|(path, _)| *path != LIST && !is_generated(path));
    for (path, text) in files {
        let is_document = has_extension(path, "md");
        let lower = text.to_lowercase();
        for (word, place, why) in BANNED {
            let is_shouted = word.chars().all(char::is_uppercase);
            let searched = if is_shouted { text } else { &lower };
            let word_searched = if is_shouted { word.to_owned() } else { word.to_lowercase() };
            // The whole text first: most have nothing.
            if !(is_document || place == Where::Everywhere) || !searched.contains(&word_searched) {
                continue;
            }
            for (index, line) in searched.lines().enumerate() {
                if has_words(line, &word_searched) {
                    findings.push(Finding::new(path, index + 1, format!("`{word}` is {why}")));
                }
            }
        }
    }
    findings
}

fn is_generated(path: &str) -> bool {
    path.ends_with("package-lock.json")
        || GENERATED.iter().any(|extension| has_extension(path, extension))
}

/// Whether `words` stand in `line` by themselves.
fn has_words(line: &str, words: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    line.match_indices(words).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + words.len()..].chars().next();
        if before == Some('`') && after == Some('`') {
            return false;
        }
        let is_path = words.ends_with('/');
        !before.is_some_and(is_part) && (is_path || !after.is_some_and(is_part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, line: &str) -> Vec<String> {
        check(&Tree::of(&[(path, &format!("\n{line}\n"))])).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn words_of_the_list_are_found() {
        for (word, place, why) in BANNED {
            let expected = format!("a.md:2: `{word}` is {why}");
            assert_eq!(found("a.md", &format!("so \"{word}\" it")), [expected], "{word}");
            let in_code = usize::from(place == Where::Everywhere);
            assert_eq!(found("a.rs", &format!("// {word} it")).len(), in_code, "{word}");
        }
        assert_eq!(found("a.md", "Blazing, it IS TOLD").len(), 2, "whatever their case");
    }

    #[test]
    fn parts_of_words_and_small_letters_are_left_alone() {
        for line in [
            "todo",
            "XXXL",
            "a_TODO",
            "seam",
            "his told",
            "non-zero-copy",
            "/homes/x",
            "my/home/x",
            "`blazing`",
        ] {
            assert_eq!(found("a.md", line), [""; 0], "{line}");
        }
        assert_eq!(found("Cargo.lock", "TODO"), [""; 0], "what programs have made");
    }
}
