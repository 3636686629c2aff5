//! How often each of some texts has come.
//!
//! Bounded: [`TEXTS_MAX`] texts are told apart; what comes beyond them is not counted here.

use std::collections::BTreeMap;

/// Texts told apart.
const TEXTS_MAX: usize = 1024;

/// Counts by text.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts a text, and tells whether it is the first of its kind.
    pub(super) fn is_first(&mut self, text: &str) -> bool {
        if let Some(count) = self.counts.get_mut(text) {
            *count += 1;
            return false;
        }
        let has_room = self.counts.len() < TEXTS_MAX;
        if has_room {
            self.counts.insert(text.to_owned(), 1);
        }
        has_room
    }

    /// All of them, in the order of the texts.
    pub(super) fn counts(&self) -> Vec<(String, u64)> {
        self.counts.iter().map(|(text, count)| (text.clone(), *count)).collect()
    }
}

/// A flood of one kind of trouble gets a line at 1, 2, 4, 8, ... of it.
pub(super) fn worth_a_line(total: u64) -> bool {
    total.is_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_counted_up_to_a_bound() {
        let mut tally = Tally::default();
        assert!(tally.is_first("a"));
        assert!(!tally.is_first("a"));
        for n in 1..TEXTS_MAX {
            assert!(tally.is_first(&n.to_string()), "{n}");
        }
        assert!(!tally.is_first("one more"));
        assert!(!tally.is_first("a"));
        let counts = tally.counts();
        assert_eq!((counts.len(), counts.last()), (TEXTS_MAX, Some(&("a".to_owned(), 3))));
    }
}
