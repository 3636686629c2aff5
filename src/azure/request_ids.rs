//! Request ids, by which an answer is known to belong to a request: of twins and of registrations.
//!
//! Pure, without a clock. Bounded: [`OUTSTANDING_MAX`] ids of one thing that is asked for.

use std::collections::VecDeque;

use super::digits::number;

/// Most requests for one thing whose answers count; of more, the oldest is forgotten.
pub const OUTSTANDING_MAX: usize = 8;

/// Makes request ids, each with its number, and knows them again.
#[derive(Debug)]
pub struct RequestIds {
    prefix: String,
    count: u64,
}

impl RequestIds {
    /// `prefix` tells these from those of an earlier process, whose answers may still be stored in
    /// the session: give it a random number.
    pub fn new(prefix: u32) -> Self {
        Self { prefix: format!("{prefix:08x}-"), count: 0 }
    }

    /// The text of the next id, whose number is [`last`](Self::last) from now on.
    pub fn make(&mut self) -> String {
        self.count += 1;
        format!("{}{}", self.prefix, self.count)
    }

    /// The number of the newest id; 0 while there is none.
    pub fn last(&self) -> u64 {
        self.count
    }

    /// The number of an id; none when it was not made here.
    pub fn number(&self, rid: &str) -> Option<u64> {
        let text = rid.strip_prefix(&self.prefix)?;
        let number = number(text).filter(|number| (1..=self.count).contains(number))?;
        // Each number is written in one way.
        (!text.starts_with('0')).then_some(number)
    }
}

/// The requests for one thing that have no answer yet. A request is sent again when its answer is
/// late, and then the late answer is as good as the one to come.
#[derive(Debug, Default)]
pub struct Outstanding(VecDeque<u64>);

impl Outstanding {
    /// The request of this number was sent.
    pub fn sent(&mut self, number: u64) {
        if self.0.len() == OUTSTANDING_MAX {
            self.0.pop_front();
        }
        self.0.push_back(number);
    }

    /// Whether the answer to this number counts. If so, answers to it and to what was sent before
    /// it do not count any more: they are older.
    pub fn answered(&mut self, number: u64) -> bool {
        let place = self.0.iter().position(|sent| *sent == number);
        place.map(|place| self.0.drain(..=place)).is_some()
    }

    /// No answer counts any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether no answer is waited for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_ids_are_known() {
        let mut ids = RequestIds::new(0xab);
        assert_eq!(
            (ids.make(), ids.make(), ids.last()),
            ("000000ab-1".into(), "000000ab-2".into(), 2)
        );
        assert_eq!(ids.number("000000ab-2"), Some(2));
        for foreign in [
            "",
            "000000ab-",
            "000000ac-1",
            "000000ab-x",
            "ab-1",
            "000000ab-0",
            "000000ab-3",
            "000000ab-+2",
            "000000ab-02",
        ] {
            assert_eq!(ids.number(foreign), None, "{foreign:?}");
        }
    }

    #[test]
    fn an_answer_counts_once_and_makes_older_ones_count_no_more() {
        let mut outstanding = Outstanding::default();
        (1..=4).for_each(|number| outstanding.sent(number));
        let counts = [2, 1, 2, 4, 3, 4, 5].map(|number| outstanding.answered(number));
        assert_eq!(counts, [true, false, false, true, false, false, false]);
        assert!(outstanding.is_empty());
    }

    #[test]
    fn the_oldest_of_too_many_is_forgotten() {
        let mut outstanding = Outstanding::default();
        let count = OUTSTANDING_MAX as u64 + 1;
        (1..=count).for_each(|number| outstanding.sent(number));
        assert!(!outstanding.answered(1));
        assert!(outstanding.answered(2));
    }
}
