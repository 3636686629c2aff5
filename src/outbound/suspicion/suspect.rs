//! One publish that the peer answers by hanging up, with all that are alike.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use super::{
    CERTAIN_TIME, CERTAIN_TRIES, INTERVAL_MAX, LATE_INTERVAL_MAX, PARK_TRIES, TRIAL_INTERVAL,
};
use crate::outbound::dead_letters::FileName;

/// Equal for publishes of equal topic and body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::outbound) struct Fingerprint {
    pub(super) body_bytes: usize,
    hash: u64,
}

impl Fingerprint {
    pub(in crate::outbound) fn of(topic: &str, body: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        (topic, body).hash(&mut hasher);
        Self { body_bytes: body.len(), hash: hasher.finish() }
    }
}

/// Where a suspect is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::outbound) enum KeptIn {
    /// In the table, under this packet id: what it was made from is not settled.
    Table(u16),
    /// In a file: it is settled.
    File(FileName),
}

/// Publishes of the same bytes, which share their fate.
#[derive(Debug)]
pub(in crate::outbound) struct Suspect {
    pub(super) mark: Fingerprint,
    /// At least one; the first is the next to be tried.
    pub(super) places: VecDeque<KeptIn>,
    pub(in crate::outbound) tries: u32,
    /// Trials that count, and when the first of them was.
    pub(super) certain: Option<(u32, Instant)>,
    pub(super) due: Instant,
    /// What is to be done with all that is alike, some of it in each turn.
    pub(in crate::outbound) work: Work,
}

/// See [`Suspect::work`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::outbound) enum Work {
    #[default]
    None,
    /// Alerts in the table are to be parked.
    Park,
    /// It is given up, all that is in files: it is not tried any more, and no new alert is like it.
    Refuse,
}

impl Suspect {
    /// Where the next one to be tried is.
    pub(in crate::outbound) fn front(&self) -> Option<&KeptIn> {
        self.places.front()
    }

    /// Those in the table, `most` at most.
    pub(in crate::outbound) fn in_table(&self, most: usize) -> Vec<(usize, u16)> {
        let places = self.places.iter().enumerate();
        let ids = places.filter_map(|(index, place)| match place {
            KeptIn::Table(id) => Some((index, *id)),
            KeptIn::File(_) => None,
        });
        ids.take(most).collect()
    }

    /// Whether it is time to park it.
    pub(in crate::outbound) fn is_to_be_parked(&self) -> bool {
        self.tries >= PARK_TRIES
    }

    /// Whether it is to blame, and no link can be.
    pub(in crate::outbound) fn is_to_blame(&self, now: Instant) -> bool {
        self.certain
            .is_some_and(|(tries, since)| tries >= CERTAIN_TRIES && now - since >= CERTAIN_TIME)
    }

    /// From now to its next trial.
    pub(in crate::outbound) fn interval(&self) -> Duration {
        let Some(parked) = self.tries.checked_sub(PARK_TRIES) else { return Duration::ZERO };
        match (parked.checked_sub(CERTAIN_TRIES), self.places.front()) {
            (None, _) => TRIAL_INTERVAL.saturating_mul(1 << parked).min(INTERVAL_MAX),
            // It holds up its source, and is to be parked once there is room.
            (_, Some(KeptIn::Table(_))) => INTERVAL_MAX,
            (Some(late), _) => {
                INTERVAL_MAX.saturating_mul(2 << late.min(10)).min(LATE_INTERVAL_MAX)
            }
        }
    }
}
