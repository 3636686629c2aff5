//! What comes into the inputs of one simulated sensor.
//!
//! Messages of the input `control` go to the model; one that holds no command it knows is counted
//! and changes nothing. Messages of every other input are taken and ignored, for nobody else will
//! ever take them from the store. Both are told in one log line, at most one in
//! [`NOTICE_INTERVAL`]. One look takes at most [`ROUND_MESSAGES_MAX`] x [`ROUNDS_MAX`] messages;
//! what is left waits in the hub's store, whose bound holds up the publishers.

use std::time::{Duration, Instant};

use super::{Destination, Sensor};
use loadgen_hub::simulator::{CONTROL_INPUT, Simulator};

/// Shortest time between two looks before ticks: a fast sensor does not ask the hub at each.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Messages asked for at once.
const ROUND_MESSAGES_MAX: usize = 256;
/// Rounds of one look, so that a flood of commands does not stop the other sensors.
const ROUNDS_MAX: usize = 16;
/// Shortest time between two log lines about one sensor.
const NOTICE_INTERVAL: Duration = Duration::from_secs(10);
/// Characters of a refusal that are logged: it repeats what somebody sent.
const REFUSAL_CHARS_MAX: usize = 160;

/// Counts and times of one sensor's inputs.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    looked_at: Option<Instant>,
    /// Control messages that held no known command.
    refused: u64,
    /// Messages of other inputs.
    ignored: u64,
    last_problem: String,
    noticed_at: Option<Instant>,
    /// `refused + ignored` of the last log line.
    noticed: u64,
}

impl Mailbox {
    /// Whether to look before a tick.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.looked_at.is_none_or(|at| now >= at + LOOK_INTERVAL)
    }

    /// Takes what has come and hands commands to the model.
    pub(super) fn look(
        &mut self,
        sensor: &mut Sensor,
        destination: &mut impl Destination,
        now: Instant,
    ) {
        self.looked_at = Some(now);
        for _ in 0..ROUNDS_MAX {
            let messages = destination.drain_inputs(&sensor.name, ROUND_MESSAGES_MAX);
            for (input, message) in &messages {
                self.take(&mut sensor.simulator, input, &message.body);
            }
            if messages.len() < ROUND_MESSAGES_MAX {
                break;
            }
        }
        if let Some(notice) = self.notice(now) {
            tracing::warn!(sensor = %sensor.name, "{notice}");
        }
    }

    fn take(&mut self, simulator: &mut Simulator, input: &str, body: &[u8]) {
        let problem = if input == CONTROL_INPUT {
            let Err(problem) = simulator.control(body) else { return };
            self.refused += 1;
            problem
        } else {
            self.ignored += 1;
            format!("nothing listens to the input `{input}`")
        };
        self.last_problem = problem.chars().take(REFUSAL_CHARS_MAX).collect();
    }

    /// The log line, when there is anything new and the last one is long enough ago.
    fn notice(&mut self, now: Instant) -> Option<String> {
        let total = self.refused + self.ignored;
        let silent = self.noticed_at.is_some_and(|at| now < at + NOTICE_INTERVAL);
        if silent || total == self.noticed {
            return None;
        }
        (self.noticed_at, self.noticed) = (Some(now), total);
        let Self { refused, ignored, last_problem, .. } = self;
        Some(format!(
            "{refused} control messages refused and {ignored} messages of other inputs ignored so \
             far, last: {last_problem}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen_hub::simulator::SimulatorSettings;

    #[test]
    fn messages_that_are_not_understood_are_noted_once_in_a_while() {
        let mut simulator = Simulator::new(SimulatorSettings::default(), 1);
        let (mut mailbox, start) = (Mailbox::default(), Instant::now());
        mailbox.take(&mut simulator, "control", br#"{"command":"noOperation"}"#);
        assert_eq!(mailbox.notice(start), None, "all is well");
        mailbox.take(&mut simulator, "control", b"\xff");
        let notice = mailbox.notice(start).unwrap();
        assert!(notice.starts_with("1 control messages refused and 0 "), "{notice}");
        assert!(notice.contains("not JSON"), "{notice}");
        mailbox.take(&mut simulator, "other", br#"{"command":"reset"}"#);
        mailbox.take(&mut simulator, "Control", b"");
        assert_eq!(mailbox.notice(start + NOTICE_INTERVAL / 2), None, "too early");
        let notice = mailbox.notice(start + NOTICE_INTERVAL).unwrap();
        assert!(notice.starts_with("1 control messages refused and 2 "), "{notice}");
        assert!(notice.ends_with("the input `Control`"), "{notice}");
        assert_eq!(mailbox.notice(start + NOTICE_INTERVAL * 3), None, "nothing new");
    }

    #[test]
    fn a_long_refusal_is_cut() {
        let mut simulator = Simulator::new(SimulatorSettings::default(), 1);
        let mut mailbox = Mailbox::default();
        let body = format!(r#"{{"command":"{}"}}"#, "é".repeat(100_000));
        mailbox.take(&mut simulator, "control", body.as_bytes());
        mailbox.take(&mut simulator, &"i".repeat(60_000), b"");
        assert_eq!((mailbox.refused, mailbox.ignored), (1, 1));
        let notice = mailbox.notice(Instant::now()).unwrap();
        assert!(notice.chars().count() < 2 * REFUSAL_CHARS_MAX, "{notice}");
    }
}
