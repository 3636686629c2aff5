//! Did the alerts stop when the threshold rose, and did they come back? Pure: times go in.

use std::time::{Duration, Instant};

use super::report::Silence;

/// Watches alerts stop when the threshold is raised, and come back.
#[derive(Debug, Default)]
pub(super) struct SilenceWatch {
    /// Last alert of all.
    last: Option<Instant>,
    raised_at: Option<Instant>,
    /// Last alert before the change was reported, by the time its message was published.
    last_before: Option<Instant>,
    confirmed_at: Option<Instant>,
    /// First alert of a message published after that.
    first_after: Option<Instant>,
}

impl SilenceWatch {
    /// A rise is ordered; alerts may come until the module has reported it.
    pub(super) fn rise(&mut self, ordered_at: Instant) {
        *self = Self { raised_at: Some(ordered_at), last_before: self.last, ..Self::default() };
    }

    /// The module reported the change that was ordered at `ordered_at`.
    pub(super) fn confirm(&mut self, ordered_at: Instant, now: Instant) {
        if self.raised_at == Some(ordered_at) {
            self.confirmed_at = Some(now);
        }
    }

    /// Whether alerts have come back.
    pub(super) fn is_over(&self) -> bool {
        self.first_after.is_some()
    }

    /// An alert came back.
    pub(super) fn alert(&mut self, published_at: Instant, received_at: Instant) {
        self.last = Some(received_at);
        if self.confirmed_at.is_none_or(|confirmed_at| published_at < confirmed_at) {
            self.last_before = Some(received_at);
        } else if self.first_after.is_none() {
            self.first_after = Some(received_at);
        }
    }

    /// What was seen; a silence shorter than `silence_min` is none.
    pub(super) fn verdict(&self, silence_min: Duration) -> Silence {
        match (self.raised_at, self.last_before, self.first_after) {
            (None, ..) => Silence::NotShown,
            (_, Some(before), Some(after)) => {
                let silence = after.saturating_duration_since(before);
                if silence >= silence_min { Silence::Seen(silence) } else { Silence::Missed }
            }
            _ => Silence::Missed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_measured_between_the_alerts_around_it() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let min = Duration::from_millis(100);
        let mut watch = SilenceWatch::default();
        assert_eq!(watch.verdict(min), Silence::NotShown);
        watch.alert(at(0), at(10));
        watch.rise(at(11));
        watch.confirm(at(11), at(15));
        assert_eq!(watch.verdict(min), Silence::Missed, "nothing came back");
        assert!(!watch.is_over());
        watch.alert(at(500), at(510));
        watch.alert(at(600), at(610));
        assert_eq!(watch.verdict(min), Silence::Seen(Duration::from_millis(500)));
        assert_eq!(watch.verdict(Duration::from_secs(1)), Silence::Missed, "too short to be one");
        // The next rise: an alert in flight at the change moves the start of the silence.
        watch.rise(at(700));
        watch.alert(at(690), at(710));
        watch.confirm(at(1), at(702));
        watch.confirm(at(700), at(715));
        watch.alert(at(800), at(820));
        assert_eq!(watch.verdict(min), Silence::Seen(Duration::from_millis(110)));
    }
}
