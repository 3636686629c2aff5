//! The control plane without a hub: a retained patch on the control topic becomes the threshold in
//! force, by the same rules as a desired patch of the [`twin`](crate::twin).
//!
//! - In: payloads of the control topic, in the order of arrival. Out: the threshold cell, and reports
//!   for the reported topic, to be published retained at QoS 1.
//! - Bounded: one report without PUBACK, and the newest one behind it; older ones are replaced.

use std::sync::Arc;

use bytes::Bytes;

use crate::threshold::{Threshold, ThresholdCell};
use crate::twin::desired::{Change, Desired};
use crate::twin::{Outcome, put_in_force};

/// What was asked for on the control topic, and what is to be said about it.
#[derive(Debug)]
pub struct Control {
    cell: Arc<ThresholdCell>,
    default: Threshold,
    /// The highest `$version` that came; none after the topic was cleared.
    version: Option<u64>,
    waiting: Option<Bytes>,
    under_way: Option<Bytes>,
}

impl Control {
    /// `default` is in force while the topic holds no threshold.
    pub fn new(cell: Arc<ThresholdCell>, default: Threshold) -> Self {
        Self { cell, default, version: None, waiting: None, under_way: None }
    }

    /// A payload came on the control topic; it counts for all messages that are read after it.
    ///
    /// An empty one, by which a retained message is cleared, brings the default back and ends the
    /// count of versions. A `$version` must be newer than the last one, where there was one; a patch
    /// without always counts, and is acknowledged as version 0.
    pub fn told(&mut self, payload: &[u8]) -> Outcome {
        if payload.is_empty() {
            self.version = None;
            return self.apply(Desired { change: Change::Removed, version: None });
        }
        let desired = Desired::from_patch(payload, None);
        if let (Some(known), Some(new)) = (self.version, desired.version)
            && new <= known
        {
            return Outcome::Stale;
        }
        self.version = desired.version.or(self.version);
        self.apply(desired)
    }

    /// The body to publish now, if there is one. The next comes only once this one is
    /// [`acknowledged`](Self::acknowledged), or [`lost`](Self::lost).
    pub fn next_report(&mut self) -> Option<Bytes> {
        if self.under_way.is_some() {
            return None;
        }
        self.under_way = self.waiting.take();
        self.under_way.clone()
    }

    /// The PUBACK of the report came.
    pub fn acknowledged(&mut self) {
        self.under_way = None;
    }

    /// The report under way will not be acknowledged, as its connection ended and nobody sends it
    /// again: it is due once more, unless a newer one is.
    pub fn lost(&mut self) {
        if let Some(lost) = self.under_way.take() {
            self.waiting.get_or_insert(lost);
        }
    }

    fn apply(&mut self, desired: Desired) -> Outcome {
        let answer = put_in_force(desired.change, &self.cell, self.default, desired.version);
        let Some((outcome, report)) = answer else { return Outcome::Unrelated };
        self.waiting = Some(report.to_string().into());
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threshold::Setting;
    use serde_json::{Value, json};

    fn threshold(value: f64) -> Threshold {
        Threshold::new(value).expect("finite")
    }

    fn control() -> (Control, Arc<ThresholdCell>) {
        let cell =
            Arc::new(ThresholdCell::new(Setting { threshold: threshold(20.0), version: None }));
        (Control::new(Arc::clone(&cell), threshold(20.0)), cell)
    }

    fn report(control: &mut Control) -> Value {
        let body = control.next_report().expect("a report is due");
        assert_eq!(control.next_report(), None, "one at a time");
        control.acknowledged();
        assert_eq!(control.next_report(), None, "once");
        let report: Value = serde_json::from_slice(&body).unwrap();
        report["TemperatureThreshold"].clone()
    }

    #[test]
    fn a_patch_is_put_in_force_and_reported() {
        let (mut control, cell) = control();
        assert_eq!(control.next_report(), None);
        let outcome = control.told(br#"{"TemperatureThreshold": 30}"#);
        assert_eq!(outcome, Outcome::Applied(threshold(30.0)));
        assert_eq!(cell.load(), Setting { threshold: threshold(30.0), version: None });
        let body = control.next_report().expect("a report");
        let expected =
            json!({"TemperatureThreshold": {"value": 30, "ac": 200, "av": 0, "ad": "applied"}});
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }

    /// The version of the payload is the one that is acknowledged; an older one changes nothing.
    #[test]
    fn versions_count_where_there_are_some() {
        let (mut control, cell) = control();
        control.told(br#"{"TemperatureThreshold":31.5,"$version":7}"#);
        assert_eq!(cell.load(), Setting { threshold: threshold(31.5), version: Some(7) });
        let expected = json!({"value": 31.5, "ac": 200, "av": 7, "ad": "applied"});
        assert_eq!(report(&mut control), expected);
        for version in [7, 6, 0] {
            let patch = format!(r#"{{"TemperatureThreshold":1,"$version":{version}}}"#);
            assert_eq!(control.told(patch.as_bytes()), Outcome::Stale);
        }
        assert_eq!((cell.load().threshold, control.next_report()), (threshold(31.5), None));
        control.told(br#"{"TemperatureThreshold":2}"#);
        assert_eq!(report(&mut control)["av"], json!(0), "no number of patches is made up");
        assert_eq!(control.told(br#"{"TemperatureThreshold":1,"$version":7}"#), Outcome::Stale);
        control.told(br#"{"TemperatureThreshold":3,"$version":8}"#);
        assert_eq!(report(&mut control)["av"], json!(8));
    }

    /// A cleared topic and a `null` mean the default; behind a cleared one versions begin anew.
    #[test]
    fn clearing_brings_the_default_back() {
        for gone in [&b""[..], br#"{"TemperatureThreshold":null}"#] {
            let (mut control, cell) = control();
            control.told(br#"{"TemperatureThreshold":40,"$version":9}"#);
            report(&mut control);
            assert_eq!(control.told(gone), Outcome::Applied(threshold(20.0)));
            assert_eq!(cell.load().threshold, threshold(20.0));
            let ad = "not set: the default is in force";
            let expected = json!({"value": 20, "ac": 200, "av": 0, "ad": ad});
            assert_eq!(report(&mut control), expected);
            let again = control.told(br#"{"TemperatureThreshold":41,"$version":1}"#);
            let expected =
                if gone.is_empty() { Outcome::Applied(threshold(41.0)) } else { Outcome::Stale };
            assert_eq!(again, expected);
        }
    }

    #[test]
    fn what_is_bad_changes_nothing_and_is_reported() {
        let bad = [
            &b"30"[..],
            b" ",
            b"{",
            b"\xff",
            br#"{"TemperatureThreshold":"30"}"#,
            br#"{"TemperatureThreshold":1e999}"#,
            br#"{"TemperatureThreshold":[30]}"#,
        ];
        for payload in bad {
            let (mut control, cell) = control();
            assert!(matches!(control.told(payload), Outcome::Refused(_)), "{payload:?}");
            assert_eq!(cell.load().threshold, threshold(20.0));
            let report = report(&mut control);
            assert_eq!((&report["value"], &report["ac"]), (&json!(20), &json!(400)), "{payload:?}");
            assert!(report["ad"].as_str().is_some_and(|text| !text.is_empty()), "{payload:?}");
        }
    }

    #[test]
    fn a_patch_of_something_else_is_not_reported() {
        let (mut control, _) = control();
        assert_eq!(control.told(br#"{"other":1,"$version":3}"#), Outcome::Unrelated);
        assert_eq!(control.next_report(), None);
        assert_eq!(control.told(br#"{"TemperatureThreshold":1,"$version":3}"#), Outcome::Stale);
    }

    fn value(body: Option<Bytes>) -> f64 {
        let report: Value = serde_json::from_slice(&body.expect("a report is due")).unwrap();
        report["TemperatureThreshold"]["value"].as_f64().unwrap()
    }

    /// However many patches come, one report waits: the newest.
    #[test]
    fn a_newer_report_replaces_the_one_that_waits() {
        let (mut control, _) = control();
        let tell = |control: &mut Control, value: i32| {
            control.told(format!(r#"{{"TemperatureThreshold":{value}}}"#).as_bytes());
        };
        tell(&mut control, 1);
        tell(&mut control, 2);
        assert_eq!(value(control.next_report()), 2.0);
        (3..1000).for_each(|value| tell(&mut control, value));
        assert_eq!(control.next_report(), None, "the first has no answer yet");
        control.acknowledged();
        assert_eq!(value(control.next_report()), 999.0);
        control.acknowledged();
        assert_eq!(control.next_report(), None);
    }

    /// A lost report is due again, but never after a newer one.
    #[test]
    fn a_lost_report_is_due_again_unless_a_newer_one_is() {
        let (mut control, _) = control();
        control.lost();
        assert_eq!(control.next_report(), None);
        control.told(br#"{"TemperatureThreshold":1}"#);
        for _ in 0..3 {
            assert_eq!(value(control.next_report()), 1.0);
            control.lost();
        }
        assert_eq!(value(control.next_report()), 1.0);
        control.told(br#"{"TemperatureThreshold":2}"#);
        control.lost();
        assert_eq!(value(control.next_report()), 2.0);
        control.acknowledged();
        control.lost();
        assert_eq!(control.next_report(), None);
    }
}
