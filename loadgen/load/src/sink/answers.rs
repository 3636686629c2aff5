//! Answers that wait for their instants.

use std::collections::VecDeque;
use std::time::Duration;

/// Most bytes that wait. At this bound nothing is read, and TCP holds the peer back.
pub(super) const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most instants that are waited for; the same holds at this bound.
pub(super) const WAITING_MAX: usize = 1_000_000;
/// Bytes already sent are removed when there are so many, and more than those that wait.
const SENT_BYTES_MAX: usize = 1024 * 1024;

/// Bytes in the order they were written, each with the instant when it leaves. Instants are times
/// since any fixed beginning.
#[derive(Default)]
pub(super) struct Answers {
    bytes: Vec<u8>,
    /// Up to where they were sent.
    sent: usize,
    /// Up to where they may be sent.
    ready: usize,
    /// Up to where `waiting` says when.
    sealed: usize,
    /// From when on the bytes up to an index may be sent; both ascend.
    waiting: VecDeque<(Duration, usize)>,
}

impl Answers {
    /// Where to append; followed by [`Self::seal`].
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What was appended since the last call leaves at `due`, but not before what was appended
    /// earlier.
    pub(super) fn seal(&mut self, due: Duration) {
        if self.bytes.len() > self.sealed {
            self.sealed = self.bytes.len();
            let due = self.waiting.back().map_or(due, |(last, _)| due.max(*last));
            self.waiting.push_back((due, self.sealed));
        }
    }

    /// What may be sent at `now`.
    pub(super) fn ready(&mut self, now: Duration) -> &[u8] {
        while let Some((due, end)) = self.waiting.front()
            && *due <= now
        {
            self.ready = *end;
            self.waiting.pop_front();
        }
        &self.bytes[self.sent..self.ready]
    }

    /// Takes `count` of the ready bytes as sent.
    pub(super) fn sent(&mut self, count: usize) {
        self.sent += count;
        assert!(self.sent <= self.ready, "sent what was not ready");
        let rest = self.bytes.len() - self.sent;
        if rest == 0 || (self.sent >= SENT_BYTES_MAX && self.sent > rest) {
            self.bytes.drain(..self.sent);
            self.ready -= self.sent;
            self.sealed -= self.sent;
            self.waiting.iter_mut().for_each(|(_, end)| *end -= self.sent);
            self.sent = 0;
        }
    }

    /// When the next bytes become ready.
    pub(super) fn next(&self) -> Option<Duration> {
        self.waiting.front().map(|(due, _)| *due)
    }

    /// Whether everything was sent.
    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Whether more may be appended.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() - self.sent < WAITING_BYTES_MAX && self.waiting.len() < WAITING_MAX
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_leave_at_their_instants() {
        let ms = Duration::from_millis;
        let mut answers = Answers::default();
        answers.bytes().extend_from_slice(b"abc");
        answers.seal(ms(5));
        answers.seal(ms(6));
        answers.bytes().extend_from_slice(b"de");
        answers.seal(ms(8));
        answers.bytes().extend_from_slice(b"f");
        answers.seal(ms(7));
        assert_eq!(answers.ready(ms(4)), b"");
        assert_eq!(answers.next(), Some(ms(5)));
        assert_eq!(answers.ready(ms(5)), b"abc");
        assert_eq!(answers.next(), Some(ms(8)));
        answers.sent(2);
        assert_eq!(answers.ready(ms(7)), b"c");
        assert_eq!(answers.ready(ms(8)), b"cdef");
        answers.sent(4);
        assert!(answers.is_empty() && answers.next().is_none());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut answers = Answers::default();
        for _ in 0..WAITING_MAX {
            assert!(answers.has_room());
            answers.bytes().push(0);
            answers.seal(Duration::ZERO);
        }
        assert!(!answers.has_room());
        let mut answers = Answers::default();
        answers.bytes().resize(WAITING_BYTES_MAX, 0);
        assert!(!answers.has_room());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        /// Whatever is sent when, the bytes come out once and in order.
        #[test]
        fn nothing_is_lost(
            steps in proptest::collection::vec((1usize..300_000, 0usize..400_000), 1..20),
        ) {
            let (mut answers, mut written, mut read) = (Answers::default(), 0usize, 0usize);
            let byte = |index: usize| u8::try_from(index % 251).unwrap();
            for (time, (write, most)) in (0..).zip(steps) {
                answers.bytes().extend((written..written + write).map(byte));
                written += write;
                answers.seal(Duration::from_secs(time + 2));
                let ready = answers.ready(Duration::from_secs(time));
                let count = ready.len().min(most);
                let mut taken = ready[..count].iter().enumerate();
                prop_assert!(taken.all(|(at, b)| *b == byte(read + at)));
                answers.sent(count);
                read += count;
            }
            let rest = answers.ready(Duration::MAX);
            prop_assert!(rest.iter().enumerate().all(|(at, b)| *b == byte(read + at)));
            prop_assert_eq!(read + rest.len(), written);
        }
    }
}
