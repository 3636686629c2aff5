//! What was delivered, what was acknowledged for it, and which alerts came: so that at the end it
//! can be said what was lost, came twice, changed, came out of order or was acknowledged too early.

use std::collections::{HashMap, VecDeque};

/// Violations that are kept; one is enough to fail.
const VIOLATIONS_MAX: usize = 20;

/// Ids from here on are those of patches, and below they are those of messages.
pub(super) const CONTROL_IDS: u16 = 50_000;

/// What a message has to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Alert,
    NoAlert,
    /// It was delivered again while another threshold was in force.
    Either,
}

#[derive(Debug)]
struct Entry {
    body: Vec<u8>,
    /// `None`: it is malformed.
    temperature: Option<f64>,
    /// Known once it was sent.
    verdict: Option<Verdict>,
    is_acknowledged: bool,
    /// An alert of it was acknowledged.
    is_settled: bool,
    /// Alerts of it that came.
    copies: u32,
    /// So often the module may have had to say its alert again.
    excuses: u32,
}

/// The outcome of all that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Messages that were delivered or wait to be.
    pub messages: usize,
    /// Messages that are not acknowledged.
    pub unacknowledged: usize,
    /// Alerts that had to come and did not.
    pub lost: usize,
    /// Alerts that came, each once.
    pub alerts: usize,
    /// Alerts that came again.
    pub duplicates: usize,
    /// What must never be.
    pub violations: Vec<String>,
}

impl Tally {
    /// Fails unless everything came, was acknowledged and was in order.
    ///
    /// # Panics
    /// It was not so.
    #[track_caller]
    pub fn assert_kept(&self) {
        let is_kept = self.lost == 0 && self.unacknowledged == 0 && self.violations.is_empty();
        assert!(is_kept, "{self:#?}");
    }
}

/// The messages of one source, by their number.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    /// Those that are to be delivered, in their order; `true`: once more.
    waiting: VecDeque<(usize, bool)>,
    /// Under which id each is delivered that is not acknowledged.
    ids: HashMap<usize, u16>,
    /// Of each id in use its message, and how many acknowledgements are still to come.
    sent: HashMap<u16, (usize, u32)>,
    last_id: u16,
    last_alert: Option<usize>,
    acknowledged: usize,
    violations: Vec<String>,
}

impl Ledger {
    /// A message of this temperature, with `padding` bytes more than it needs.
    pub(super) fn push(&mut self, temperature: f64, padding: usize) {
        let n = self.entries.len();
        let padding = " ".repeat(padding);
        let body = format!(r#"{{"n":{n},"machine":{{"temperature":{temperature}}}{padding}}}"#);
        self.add(body.into_bytes(), Some(temperature));
    }

    /// A message that is none.
    pub(super) fn push_malformed(&mut self, body: Vec<u8>) {
        self.add(body, None);
    }

    fn add(&mut self, body: Vec<u8>, temperature: Option<f64>) {
        self.waiting.push_back((self.entries.len(), false));
        self.entries.push(Entry {
            body,
            temperature,
            verdict: None,
            is_acknowledged: false,
            is_settled: false,
            copies: 0,
            excuses: 0,
        });
    }

    /// Whether there is something to deliver, where `window` messages may be under way.
    pub(super) fn may_deliver(&self, window: usize) -> bool {
        self.waiting.front().is_some_and(|(_, is_again)| *is_again || self.ids.len() < window)
    }

    /// Messages that are not acknowledged, delivered or not.
    pub(super) fn unacknowledged(&self) -> usize {
        self.entries.len() - self.acknowledged
    }

    /// The next message to deliver: its packet id, whether it is a redelivery, and its body.
    pub(super) fn next(&mut self, threshold: f64) -> Option<(u16, bool, &[u8])> {
        let (n, is_again) = self.waiting.pop_front()?;
        let id = match self.ids.get(&n) {
            Some(id) => *id,
            None => self.free_id(),
        };
        self.ids.insert(n, id);
        self.sent.entry(id).or_insert((n, 0)).1 += 1;
        let entry = &mut self.entries[n];
        let verdict = match entry.temperature.is_some_and(|value| value > threshold) {
            true => Verdict::Alert,
            false => Verdict::NoAlert,
        };
        entry.verdict = Some(match entry.verdict {
            Some(earlier) if earlier != verdict => Verdict::Either,
            _ => verdict,
        });
        Some((id, is_again, &entry.body))
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id % (CONTROL_IDS - 1) + 1;
            if !self.sent.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }

    /// The module acknowledged the message under `id`.
    pub(super) fn acknowledge(&mut self, id: u16) {
        let Some((n, copies)) = self.sent.get_mut(&id) else {
            return self.violation(format!("PUBACK for {id}, which is not in use"));
        };
        let n = *n;
        *copies -= 1;
        if *copies == 0 {
            self.sent.remove(&id);
            self.ids.remove(&n);
        }
        let entry = &mut self.entries[n];
        if !std::mem::replace(&mut entry.is_acknowledged, true) {
            self.acknowledged += 1;
            if entry.verdict == Some(Verdict::Alert) && !entry.is_settled {
                self.violation(format!("{n} was acknowledged before its alert was"));
            }
        }
    }

    /// An alert came; gives its number.
    pub(super) fn alert(&mut self, body: &[u8]) -> Option<usize> {
        let number = number(body).filter(|n| self.entries.get(*n).is_some_and(|e| e.body == body));
        let Some(n) = number else {
            self.violation(format!("no such message: {}", String::from_utf8_lossy(body)));
            return None;
        };
        let entry = &mut self.entries[n];
        entry.copies += 1;
        let (copies, excuses, verdict) = (entry.copies, entry.excuses, entry.verdict);
        if !matches!(verdict, Some(Verdict::Alert | Verdict::Either)) {
            self.violation(format!("{n} came, which is no alert"));
        }
        if copies > 1 + excuses {
            self.violation(format!("{n} came {copies} times, {excuses} were excused"));
        }
        if copies == 1 && self.last_alert.replace(n).is_some_and(|last| last > n) {
            self.violation(format!("{n} came out of order"));
        }
        Some(n)
    }

    /// An alert of this number is acknowledged.
    pub(super) fn settle(&mut self, n: usize) {
        self.entries[n].is_settled = true;
    }

    /// A connection of the module has ended. Only the one that takes messages loses them.
    pub(super) fn connection_ended(&mut self, takes_messages: bool) {
        self.excuse();
        if takes_messages {
            self.sent.clear();
            self.deliver_again();
        }
    }

    /// Everything without acknowledgement is delivered once more, on this connection.
    pub(super) fn repeat(&mut self) {
        self.excuse();
        self.deliver_again();
    }

    /// The alert of a message without acknowledgement may come again twice: as it is sent again,
    /// and as the message is judged again that was delivered again behind the first one's PUBACK.
    fn excuse(&mut self) {
        for n in self.ids.keys() {
            self.entries[*n].excuses += 2;
        }
    }

    fn deliver_again(&mut self) {
        self.waiting.retain(|(_, is_again)| !is_again);
        let entries = &self.entries;
        // What is acknowledged waits for the acknowledgement of a copy: not on a new connection.
        self.ids.retain(|n, id| !entries[*n].is_acknowledged || self.sent.contains_key(id));
        let mut numbers: Vec<_> =
            self.ids.keys().copied().filter(|n| !entries[*n].is_acknowledged).collect();
        numbers.sort_unstable();
        for n in numbers.into_iter().rev() {
            self.waiting.push_front((n, true));
        }
    }

    /// Messages that are malformed.
    pub(super) fn malformed(&self) -> u64 {
        let count = self.entries.iter().filter(|entry| entry.temperature.is_none()).count();
        u64::try_from(count).expect("a count in memory")
    }

    pub(super) fn violation(&mut self, text: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(text);
        }
    }

    pub(super) fn tally(&self) -> Tally {
        let must_come = |entry: &&Entry| entry.verdict == Some(Verdict::Alert);
        let came = |entry: &Entry| entry.copies > 0;
        let copies: usize =
            self.entries.iter().map(|e| usize::try_from(e.copies).expect("32 bits")).sum();
        let alerts = self.entries.iter().filter(|entry| came(entry)).count();
        Tally {
            messages: self.entries.len(),
            unacknowledged: self.unacknowledged(),
            lost: self.entries.iter().filter(must_come).filter(|entry| !came(entry)).count(),
            alerts,
            duplicates: copies - alerts,
            violations: self.violations.clone(),
        }
    }
}

/// The number of a body of [`Ledger::push`].
fn number(body: &[u8]) -> Option<usize> {
    let digits = body.strip_prefix(br#"{"n":"#)?.split(|byte| *byte == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
