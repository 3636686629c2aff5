use sluicegate::azure::Identity;
use sluicegate::pipeline::parse::{Parser, Verdict};
use sluicegate::pipeline::threshold::Threshold;

use super::*;
use crate::wire::frame;

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
        let text = || String::from_utf8_lossy(publish.body);
        assert_eq!(traffic.is_alert(slot), is_alert, "{} at {}", text(), settings.threshold);
        assert!(!is_alert || in_another_lap.is_some(), "an alert without a stamp: {}", text());
        assert_eq!(traffic.alert_rank(slot), alerts);
        alerts += u32::from(is_alert);
    }
    assert_eq!(traffic.alerts(), alerts);
    let facts = traffic.facts();
    assert_eq!((facts.messages, facts.alerts), (traffic.slots().into(), alerts.into()));
    traffic
}

fn refusal(settings: &TrafficSettings, topics: Topics<'_>) -> String {
    Traffic::build(settings, topics).unwrap_err().to_string()
}

fn with(change: impl FnOnce(&mut TrafficSettings)) -> TrafficSettings {
    let mut settings = TrafficSettings::default();
    change(&mut settings);
    settings
}

#[test]
fn defaults() {
    let traffic = build_and_check(&TrafficSettings::default());
    assert_eq!((traffic.slots(), traffic.alerts()), (16_400, 1_640));
    assert_eq!(traffic.facts().body_bytes_mean, 140.0);
}

/// A lap is the smallest multiple of the sensors that is enough.
#[test]
fn whole_rounds_of_all_sensors() {
    for (sensors, messages) in [(1, 16_384), (3, 16_386), (16_385, 16_385), (100_000, 100_000)] {
        assert_eq!(slots(sensors, sensors, 300).unwrap(), messages, "{sensors} sensors");
    }
    let traffic = build_and_check(&with(|settings| (settings.sensors, settings.qos) = (3, 0)));
    assert_eq!(traffic.slots(), 16_386);
}

/// Large bodies shorten the lap instead of taking more memory than allowed, until not even one
/// message for each sensor fits.
#[test]
fn memory_is_bounded() {
    let packet = BUILT_BYTES_MAX / 1_000;
    assert_eq!(slots(300, 300, packet).unwrap(), 900);
    assert_eq!(slots(1_000, 1, packet).unwrap(), 1_000);
    assert_eq!(slots(100, 0, 300).unwrap(), 16_400);
    assert_eq!(slots(100, 20_001, 300).unwrap(), 20_100);
    for (sensors, least, packet) in [(1_001, 1, packet), (300, 901, packet), (7, u32::MAX, 300)] {
        let error = slots(sensors, least, packet).unwrap_err();
        assert!(error.to_string().contains("lower the size"), "{error}");
    }
    let most = slots(1, SLOTS_MAX, 20).unwrap();
    assert_eq!(most, SLOTS_MAX);
    assert!(slots(1, SLOTS_MAX + 1, 20).is_err());
    let large = with(|settings| {
        (settings.sensors, settings.size) = (SENSORS_MAX, Some(BODY_BYTES_MAX));
    });
    assert!(refusal(&large, Topics::Broker { topic: "t" }).contains("256 MiB"));
}

#[test]
fn bad_settings() {
    let topics = Topics::Broker { topic: "t" };
    for (settings, problem) in [
        (with(|s| s.sensors = 0), "0 sensors: choose from 1 to 100000"),
        (with(|s| s.sensors = SENSORS_MAX + 1), "100001 sensors"),
        (with(|s| s.alerts = 1.1), "a share of alerts of 1.1: choose from 0 to 1"),
        (with(|s| s.alerts = f64::NAN), "a share of alerts of NaN"),
        (with(|s| s.alerts = 1e-9), "choose at least 0.00003"),
        (with(|s| s.qos = 2), "QoS 2: choose 0 or 1"),
        (with(|s| s.threshold = f64::INFINITY), "a threshold of inf"),
        (with(|s| s.threshold = f64::MAX), "leaves no room"),
        (with(|s| s.size = Some(20)), "bodies of 20 bytes: choose from 139 to 256000"),
        (with(|s| s.size = Some(BODY_BYTES_MAX + 1)), "bodies of 256001 bytes"),
    ] {
        let error = refusal(&settings, topics);
        assert!(error.contains(problem), "{error}, not {problem}");
    }
}

#[test]
fn topics_of_a_broker() {
    let settings = with(|settings| settings.sensors = 2);
    let topics = Topics::Broker { topic: "plant/{sensor}/readings" };
    let traffic = Traffic::build(&settings, topics).unwrap();
    assert_eq!(traffic.topic(0), b"plant/sensor-00000/readings");
    assert_eq!(traffic.topic(16_383), b"plant/sensor-00001/readings");
    assert_eq!(traffic.sequence(16_383), "0016383");
    let long = "t".repeat(TOPIC_BYTES_MAX + 1);
    for topic in ["", "a/+", "#", "a\0", &long] {
        let error = refusal(&settings, Topics::Broker { topic });
        assert!(error.contains("the topic"), "{error}");
    }
}

/// Same seed, same bytes, on every machine; another seed, other bytes. The values are those of the
/// day when the profile was last changed on purpose.
#[test]
fn fingerprints() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/replay.csv");
    let replay = Profile::Replay {
        file,
        time_column: "timestamp".to_owned(),
        value_column: "value".to_owned(),
        format: Default::default(),
    };
    for (profile, size, fingerprint) in [
        (Profile::Simulated, None, "a44b6bea"),
        (Profile::Simulated, Some(1_000), "6e23a3f1"),
        (replay, Some(300), "c67c941e"),
        (Profile::Hostile, None, "65f8f363"),
    ] {
        let build = |seed| {
            let settings = TrafficSettings { profile: profile.clone(), size, seed, ..with(|_| ()) };
            Traffic::build(&settings, Topics::Hub(&identity())).unwrap().facts().fingerprint
        };
        assert_eq!(build(7), fingerprint, "{profile:?} of {size:?} bytes");
        assert_ne!(build(8), fingerprint, "{profile:?} of {size:?} bytes");
    }
}
