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
    /// The `$version` of what is in force; none after the topic was cleared.
    version: Option<u64>,
    /// The topic holds something, by what came last.
    is_set: bool,
    /// Something came on this connection.
    is_told: bool,
    waiting: Option<Bytes>,
    under_way: Option<Bytes>,
}

impl Control {
    /// `default` is in force while the topic holds no threshold.
    pub fn new(cell: Arc<ThresholdCell>, default: Threshold) -> Self {
        let (version, is_set, is_told) = (None, false, false);
        Self { cell, default, version, is_set, is_told, waiting: None, under_way: None }
    }

    /// A new connection: what the topic holds is going to be told again.
    pub fn connected(&mut self) {
        self.is_told = false;
    }

    /// The broker has told what it had retained. If that is nothing, although the topic held
    /// something before, it was cleared in between: as if it were now.
    pub fn told_all(&mut self) -> Option<Outcome> {
        (self.is_set && !self.is_told).then(|| self.told(b""))
    }

    /// A payload came on the control topic; it counts for all messages that are read after it.
    ///
    /// An empty one, by which a retained message is cleared, brings the default back and ends the
    /// count of versions. A `$version` must be newer than that of the last patch that was applied,
    /// where it had one; a patch without always counts, and is acknowledged as version 0.
    pub fn told(&mut self, payload: &[u8]) -> Outcome {
        self.is_told = true;
        self.is_set = !payload.is_empty();
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
        let version = desired.version.or(self.version);
        let outcome = self.apply(desired);
        if matches!(outcome, Outcome::Applied(_)) {
            self.version = version;
        }
        outcome
    }

    /// The body to publish now, if there is one. The next comes only once this one is
    /// [`acknowledged`](Self::acknowledged); until then it is sent again on every connection.
    pub fn next_report(&mut self) -> Option<Bytes> {
        if self.under_way.is_some() {
            return None;
        }
        self.under_way = self.waiting.take();
        self.under_way.clone()
    }

    /// The PUBACK of the report came, or nobody takes it.
    pub fn acknowledged(&mut self) {
        self.under_way = None;
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
        // Nor does it use the version up.
        let outcome = control.told(br#"{"TemperatureThreshold":1,"$version":3}"#);
        assert_eq!(outcome, Outcome::Applied(threshold(1.0)));
    }

    /// A mended patch may come under the version of the one that was refused.
    #[test]
    fn a_refused_patch_does_not_use_its_version_up() {
        let (mut control, _) = control();
        let bad = control.told(br#"{"TemperatureThreshold":"1","$version":9}"#);
        assert!(matches!(bad, Outcome::Refused(_)));
        for version in [8, 9] {
            let patch = format!(r#"{{"TemperatureThreshold":1,"$version":{version}}}"#);
            assert_eq!(control.told(patch.as_bytes()), Outcome::Applied(threshold(1.0)));
        }
    }

    /// Nothing retained on a new connection means cleared, where something was told before; but
    /// neither a patch that came again, nor a bad one in its place.
    #[test]
    fn what_was_cleared_meanwhile_is_gone() {
        let (mut control, cell) = control();
        control.connected();
        assert_eq!(control.told_all(), None, "nothing was ever told");
        let patch = br#"{"TemperatureThreshold":40,"$version":9}"#;
        control.told(patch);
        assert_eq!(control.told_all(), None);
        for retained in [&patch[..], b"{", br#"{"other":1}"#] {
            control.connected();
            control.told(retained);
            assert_eq!((control.told_all(), cell.load().threshold), (None, threshold(40.0)));
        }
        control.connected();
        assert_eq!(control.told_all(), Some(Outcome::Applied(threshold(20.0))));
        assert_eq!(report(&mut control)["value"], json!(20));
        control.connected();
        assert_eq!(control.told_all(), None, "once");
        control.told(br#"{"TemperatureThreshold":41,"$version":1}"#);
        assert_eq!(cell.load().threshold, threshold(41.0), "versions begin anew");
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
}
