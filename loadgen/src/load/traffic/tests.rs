use sluicegate::parse::{Parser, Verdict};
use sluicegate::threshold::Threshold;

use super::*;
use crate::load::wire::frame;

fn identity() -> Identity {
    Identity {
        hub: "hub".to_owned(),
        gateway: "localhost".to_owned(),
        device: "edge".to_owned(),
        module: Some("filter".to_owned()),
    }
}

/// What every lap must keep to, whatever its settings.
pub(super) fn build_and_check(settings: &TrafficSettings) -> Traffic {
    let traffic = Traffic::build(settings, Topics::Hub(&identity())).unwrap();
    let threshold = Threshold::new(settings.threshold).unwrap();
    let mut parser = Parser::default();
    let mut alerts = 0;
    assert_eq!(traffic.slots() % settings.sensors, 0);
    for slot in 0..traffic.slots() {
        let packet = traffic.packet(slot);
        let read = frame(packet).unwrap().unwrap();
        let publish = read.publish().unwrap();
        assert_eq!(read.whole.len(), packet.len());
        assert_eq!((publish.topic, publish.body), (traffic.topic(slot), traffic.body(slot)));
        assert_eq!(publish.packet_id, (settings.qos > 0).then_some(0));
        assert_eq!(traffic.sequence(slot), format!("{slot:07}"));
        let topic = format!(
            "devices/edge/modules/filter/inputs/input1/%24.cdid=edge&%24.cmid=sensor-{:05}\
             &sequenceNumber={slot:07}",
            slot % settings.sensors
        );
        assert_eq!(publish.topic, topic.as_bytes());
        if settings.qos > 0 {
            let id_at = traffic.packet_id_at(slot);
            assert_eq!(packet[id_at..], [&[0, 0], publish.body].concat());
        }
        let in_another_lap = traffic.lap_at(slot).map(|at| {
            let mut copy = packet.to_vec();
            copy[at..at + LAP_TEXT_BYTES].copy_from_slice(&lap_text(12_345));
            identify(&copy).unwrap()
        });
        assert!(in_another_lap.is_none_or(|message| message == (12_345, slot)));
        assert_eq!(in_another_lap.is_some(), identify(publish.body).is_some());
        let verdict = parser.judge(publish.body, threshold);
        let is_alert = matches!(verdict, Verdict::Alert(_));
        let text = String::from_utf8_lossy(publish.body);
        assert_eq!(traffic.is_alert(slot), is_alert, "{text} at {}", settings.threshold);
        assert!(!is_alert || in_another_lap.is_some(), "an alert without a stamp: {text}");
        assert_eq!(traffic.alert_rank(slot), alerts);
        alerts += u32::from(is_alert);
    }
    assert_eq!(traffic.alerts(), alerts);
    let facts = traffic.facts();
    assert_eq!((facts.messages, facts.alerts), (traffic.slots().into(), alerts.into()));
    traffic
}

#[test]
fn defaults() {
    let traffic = build_and_check(&TrafficSettings::default());
    assert_eq!((traffic.slots(), traffic.alerts()), (16_400, 1_640));
    assert_eq!(traffic.facts().body_bytes_mean, 140.0);
}
