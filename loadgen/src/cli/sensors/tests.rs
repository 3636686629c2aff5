use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::simulator::SimulatorSettings;

const PATIENCE: Duration = Duration::from_secs(20);

/// Records what is published and answers with a twin that the test sets.
#[derive(Clone, Default)]
struct Recorder {
    published: Arc<Mutex<Vec<(String, f64)>>>,
    desired: Arc<Mutex<Option<Value>>>,
}

impl Destination for Recorder {
    fn publish(&mut self, sensor: &str, temperature: f64, message: HubMessage) {
        assert_eq!(message.properties.get("$.ct"), Some(Some("application/json")));
        self.published.lock().unwrap().push((sensor.to_owned(), temperature));
    }

    fn desired(&mut self, _sensor: &str) -> Option<Value> {
        self.desired.lock().unwrap().clone()
    }
}

impl Recorder {
    fn count(&self, sensor: &str) -> usize {
        self.published.lock().unwrap().iter().filter(|(name, _)| name == sensor).count()
    }

    fn wait(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < deadline, "waited too long: {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn sensor(name: &str, interval_ms: u64, message_count: Option<u64>) -> Sensor {
    let message_delay = Duration::from_millis(interval_ms);
    let settings = SimulatorSettings { message_delay, message_count, ..Default::default() };
    Sensor { name: name.to_owned(), simulator: Simulator::new(settings, 1) }
}

#[test]
fn each_sensor_keeps_its_own_pace_and_count() {
    let recorder = Recorder::default();
    let sensors = vec![sensor("fast", 2, None), sensor("three", 1, Some(3))];
    let thread = SensorThread::start(sensors, recorder.clone()).unwrap();
    recorder.wait("30 messages", |r| r.count("fast") >= 30);
    thread.stop();
    assert_eq!(recorder.count("three"), 3);
    let count = recorder.count("fast");
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(recorder.count("fast"), count, "nothing is published after stop");
}

#[test]
fn reset_reaches_the_named_sensor() {
    let recorder = Recorder::default();
    let thread = SensorThread::start(vec![sensor("s", 1, None)], recorder.clone()).unwrap();
    let last = |r: &Recorder| r.published.lock().unwrap().last().map_or(0.0, |(_, t)| *t);
    recorder.wait("a warm sensor", |r| last(r) > 40.0);
    let control = thread.control();
    assert_eq!(control.method("s", "reset"), Some(200));
    assert_eq!(control.method("s", "explode"), Some(404));
    assert_eq!(control.method("other", "reset"), None);
    recorder.wait("a cold sensor", |r| last(r) < 25.0);
    recorder.wait("a warm sensor", |r| last(r) > 40.0);
    assert!(control.reset_all());
    recorder.wait("a cold sensor", |r| last(r) < 25.0);
    thread.stop();
}

#[test]
fn twins_are_obeyed() {
    let recorder = Recorder::default();
    *recorder.desired.lock().unwrap() = Some(json!({"SendData": false, "$version": 1}));
    let thread = SensorThread::start(vec![sensor("s", 1, None)], recorder.clone()).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(recorder.count("s"), 0, "SendData is false from the start");
    *recorder.desired.lock().unwrap() = Some(json!({"SendData": true, "$version": 2}));
    recorder.wait("messages", |r| r.count("s") > 3);
    thread.stop();
}
