//! Decode, judge, acknowledge and encode in one loop: [`Core`] over reads of 64 KiB.

use sluicegate::mqtt::connection::READ_BYTES;
use sluicegate::pipeline::threshold::Threshold;

use crate::core::{Core, alerts_prefix};
use crate::stage::{Runner, Work};
use crate::traffic::{Ring, Sent, alert_topic};

const MESSAGES: u32 = 1000;

pub(crate) fn prepare() -> Runner {
    over(Ring::new(MESSAGES, 10), Threshold::DEFAULT)
}

/// What each message brings: bytes written, and 1 for an alert.
fn answers(ring: &Ring) -> Vec<(usize, u64)> {
    let prefix = alerts_prefix();
    let answer = |(index, sent): (usize, &Sent)| {
        if !sent.is_alert {
            return (PUBACK_BYTES, 0);
        }
        let remaining = 2 + alert_topic(&prefix, index).len() + 2 + sent.publish.payload.len();
        // All of them take two bytes to tell their length.
        (PUBACK_BYTES + 3 + remaining, 1)
    };
    ring.messages.iter().enumerate().map(answer).collect()
}

const PUBACK_BYTES: usize = 4;

fn over(ring: Ring, threshold: Threshold) -> Runner {
    let answers = answers(&ring);
    let Ring { bytes, messages } = ring;
    let mut core = Core::new(threshold, alerts_prefix());
    let mut output = Vec::new();
    let (mut at, mut index) = (0, 0);
    Box::new(move |count| {
        let mut left = usize::try_from(count).map_err(|error| error.to_string())?;
        while left > 0 {
            let last = messages.len().min(index + left);
            let (start, end) = (at, messages[last - 1].end);
            let before = core.tally();
            let mut written = 0;
            let mut read = at;
            while at < end {
                read = end.min(read + READ_BYTES);
                at += core.run(&bytes[at..read], &mut output).map_err(|e| e.to_string())?;
                written += output.len();
                output.clear();
            }
            let (found, asked) = (core.tally(), last - index);
            let expected =
                answers[index..last].iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            let alerts = found.alerts - before.alerts;
            if (written, alerts) != expected || found.messages - before.messages != asked as u64 {
                return Err(format!(
                    "{written} bytes and {alerts} alerts for bytes {start} to {end}, \
                     expected {expected:?}"
                ));
            }
            left -= asked;
            (at, index) = if last == messages.len() { (0, 0) } else { (at, last) };
        }
        Ok(Work::default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_answers_what_it_should() {
        let mut runner = prepare();
        for count in [1, 500, 499, 2300] {
            assert_eq!(runner(count), Ok(Work::default()));
        }
    }

    #[test]
    fn a_wrong_tally_is_noticed() {
        let colder = Threshold::new(20.0).expect("finite");
        assert!(over(Ring::new(100, 10), colder)(100).is_err());
        let mut ring = Ring::new(100, 10);
        ring.messages[3].is_alert = true;
        assert!(over(ring, Threshold::DEFAULT)(100).is_err());
    }
}
