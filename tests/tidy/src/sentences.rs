//! Sentences are short enough to be understood at the first reading.
//!
//! A sentence ends with `.`, `!` or `?` in front of a space and anything but a small letter, and
//! with its paragraph, item, or cell of a table. A span of code is one word. Cells of tables have
//! the bound of a single sentence, and do not count for the mean: short ones would hide long prose.

use crate::finding::Finding;
use crate::markdown::{CODE, Document, Mention, Text};
use crate::tree::Tree;

const WORDS_MAX: usize = 40;
const MEAN_MAX: usize = 25;

/// Sentences that are too long, and documents whose sentences are.
pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.documents().iter().flat_map(check_document).collect()
}

fn check_document(document: &Document) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut sentences, mut words) = (0, 0);
    for text in &document.texts {
        for sentence in split(text) {
            let count = sentence.iter().filter(|word| is_word(&word.text)).count();
            if !text.is_cell {
                sentences += 1;
                words += count;
            }
            if count > WORDS_MAX {
                let beginning: Vec<_> =
                    sentence.iter().take(6).map(|word| &word.text[..]).collect();
                let beginning = beginning.join(" ").replace(CODE, "`…`");
                let what = format!(
                    "a sentence of {count} words, {WORDS_MAX} are allowed: say each claim by \
                     itself ({beginning} …)"
                );
                findings.push(Finding::new(&document.path, sentence[0].line, what));
            }
        }
    }
    if words > MEAN_MAX * sentences {
        let what = format!(
            "{words} words in {sentences} sentences, {MEAN_MAX} each are allowed on average: say \
             each claim by itself"
        );
        findings.push(Finding::new(&document.path, 1, what));
    }
    findings
}

fn split(text: &Text) -> Vec<&[Mention]> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for index in 0..text.words.len() {
        let next = text.words.get(index + 1);
        if next.is_none_or(|next| ends(&text.words[index].text) && begins(&next.text)) {
            sentences.push(&text.words[start..=index]);
            start = index + 1;
        }
    }
    sentences
}

fn ends(word: &str) -> bool {
    word.trim_end_matches([')', '"', '\'', '”', '’', ']', '*']).ends_with(['.', '!', '?'])
}

fn begins(word: &str) -> bool {
    let first = word.chars().find(|c| c.is_alphanumeric() || *c == CODE);
    first.is_none_or(|first| !first.is_lowercase())
}

fn is_word(word: &str) -> bool {
    word.contains(|c: char| c.is_alphanumeric() || c == CODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        check(&Tree::of(&[("a.md", text)])).iter().map(Finding::to_string).collect()
    }

    fn lengths(text: &str) -> Vec<usize> {
        let document = Document::of("a.md", text);
        let sentences = document.texts.iter().flat_map(split);
        sentences.map(|words| words.iter().filter(|word| is_word(&word.text)).count()).collect()
    }

    #[test]
    fn sentences_end_where_readers_see_it() {
        for (text, expected) in [
            ("One two. Three four five.", &[2, 3][..]),
            ("One (two.) `Three four` five!\nSix?", &[2, 2, 1]),
            ("MQTT 3.1.1 has it, e.g. in §4.4 - or not.", &[9]),
            ("One:\n\n- two three\n- four.\n", &[1, 2, 1]),
            ("One; two: three.", &[3]),
            ("| one two. Three. | four |\n|---|---|\n", &[2, 1, 1]),
            ("*One two.* \"Three.\" Four", &[2, 1, 1]),
        ] {
            assert_eq!(lengths(text), expected, "{text}");
        }
    }

    #[test]
    fn a_long_sentence_is_found_at_its_line() {
        let long = format!("Short.\nThis {}ends.\n\n{}", "word ".repeat(39), "Short. ".repeat(9));
        let expected = "a.md:2: a sentence of 41 words, 40 are allowed: say each claim by itself \
                        (This word word word word word …)";
        assert_eq!(found(&long), [expected]);
        assert_eq!(found(&long.replacen("word ", "", 1)), [""; 0]);
        let cell = format!("| {}|\n|---|\n", "word ".repeat(41));
        assert_eq!(found(&cell).len(), 1, "cells are bounded, too");
    }

    #[test]
    fn long_sentences_on_average_are_found() {
        let sentence = format!("{}end.\n\n", "Word ".repeat(25));
        assert_eq!(
            found(&sentence.repeat(2)),
            ["a.md:1: 52 words in 2 sentences, 25 each are allowed on average: say each claim \
                 by itself"]
        );
        assert_eq!(found(&sentence.replacen("Word ", "", 1)), [""; 0]);
        let cells = format!("{sentence}| a |\n|---|\n| b |\n");
        assert_eq!(found(&cells).len(), 1, "cells do not count for the mean");
    }
}
