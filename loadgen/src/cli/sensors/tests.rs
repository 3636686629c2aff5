use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use loadgen_hub::simulator::SimulatorSettings;

const PATIENCE: Duration = Duration::from_secs(20);

/// Records what is published and answers with a twin that the test sets.
#[derive(Clone, Default)]
struct Recorder {
    published: Arc<Mutex<Vec<(String, f64)>>>,
    desired: Arc<Mutex<Option<Value>>>,
    reported: Arc<Mutex<Vec<Value>>>,
    inputs: Arc<Mutex<VecDeque<(String, HubMessage)>>>,
}

impl Destination for Recorder {
    fn publish(&mut self, sensor: &str, temperature: f64, message: HubMessage) {
        assert_eq!(message.properties.get("$.ct"), Some(Some("application/json")));
        self.published.lock().unwrap().push((sensor.to_owned(), temperature));
    }

    fn desired(&mut self, _sensor: &str) -> Option<Value> {
        self.desired.lock().unwrap().clone()
    }

    fn report(&mut self, _sensor: &str, patch: Value) {
        self.reported.lock().unwrap().push(patch);
    }

    fn drain_inputs(&mut self, _sensor: &str, messages_max: usize) -> Vec<(String, HubMessage)> {
        let mut inputs = self.inputs.lock().unwrap();
        let count = inputs.len().min(messages_max);
        inputs.drain(..count).collect()
    }
}

impl Recorder {
    fn count(&self, sensor: &str) -> usize {
        self.published.lock().unwrap().iter().filter(|(name, _)| name == sensor).count()
    }

    fn last_temperature(&self) -> f64 {
        self.published.lock().unwrap().last().map_or(0.0, |(_, temperature)| *temperature)
    }

    /// How often the temperature fell as only a reset makes it fall: a cold sensor warms up again
    /// faster than a busy machine looks.
    fn resets(&self) -> usize {
        self.published
            .lock()
            .unwrap()
            .windows(2)
            .filter(|pair| pair[1].1 < pair[0].1 - 10.0)
            .count()
    }

    fn put(&self, input: &str, body: &str, count: usize) {
        let message = HubMessage { body: body.to_owned().into(), ..HubMessage::default() };
        let messages = std::iter::repeat_n((input.to_owned(), message), count);
        self.inputs.lock().unwrap().extend(messages);
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

/// Lets `time` pass for a schedule, in steps of a millisecond.
fn pass(schedule: &mut Schedule<Recorder>, now: &mut Instant, time: Duration) {
    let end = *now + time;
    while *now < end {
        *now += Duration::from_millis(1);
        schedule.look_around(*now);
        for _ in 0..schedule.sensors.len() {
            schedule.tick(*now);
        }
    }
}

#[test]
fn each_sensor_keeps_its_own_pace_and_count() {
    let recorder = Recorder::default();
    let sensors = vec![sensor("fast", 2, None), sensor("slow", 50, None), sensor("3", 1, Some(3))];
    let mut schedule = Schedule::new(sensors, recorder.clone());
    pass(&mut schedule, &mut Instant::now(), Duration::from_secs(1));
    assert_eq!(["fast", "slow", "3"].map(|name| recorder.count(name)), [501, 20, 3]);
}

/// The thread publishes until it is stopped, and has ended then: nobody else holds the recorder.
#[test]
fn nothing_is_published_after_stop() {
    let recorder = Recorder::default();
    let thread = SensorThread::start(vec![sensor("s", 2, None)], recorder.clone()).unwrap();
    recorder.wait("30 messages", |r| r.count("s") >= 30);
    thread.stop();
    assert_eq!(Arc::strong_count(&recorder.published), 1);
}

#[test]
fn reset_reaches_the_named_sensor() {
    let recorder = Recorder::default();
    let thread = SensorThread::start(vec![sensor("s", 1, None)], recorder.clone()).unwrap();
    recorder.wait("a warm sensor", |r| r.last_temperature() > 40.0);
    let control = thread.control();
    assert_eq!(control.method("s", "reset"), Some(200));
    assert_eq!(control.method("s", "explode"), Some(404));
    assert_eq!(control.method("other", "reset"), None);
    recorder.wait("a cold sensor", |r| r.resets() == 1);
    recorder.wait("a warm sensor", |r| r.last_temperature() > 40.0);
    assert!(control.reset_all());
    recorder.wait("a cold sensor", |r| r.resets() == 2);
    thread.stop();
}

/// `SendData` and `SendInterval` are obeyed from the start, and at each change.
#[test]
fn twins_are_obeyed() {
    let recorder = Recorder::default();
    let desire = |desired| *recorder.desired.lock().unwrap() = Some(desired);
    desire(json!({"SendData": false, "$version": 1}));
    let mut schedule = Schedule::new(vec![sensor("s", 1, None)], recorder.clone());
    let mut now = Instant::now();
    schedule.tick(now);
    assert_eq!(recorder.count("s"), 0, "before it looks around");
    let mut sent_in_10_s = || {
        let before = recorder.count("s");
        pass(&mut schedule, &mut now, Duration::from_secs(10));
        recorder.count("s") - before
    };
    assert_eq!(sent_in_10_s(), 0);
    desire(json!({"SendData": true, "$version": 2}));
    assert_eq!(sent_in_10_s(), 10_000);
    desire(json!({"SendData": true, "SendInterval": 2, "$version": 3}));
    assert!((5..=6).contains(&sent_in_10_s()));
    desire(json!({"SendData": false, "SendInterval": 2, "$version": 4}));
    assert_eq!(sent_in_10_s(), 0);
}

#[test]
fn changes_of_the_twin_are_reported() {
    let recorder = Recorder::default();
    *recorder.desired.lock().unwrap() = Some(json!({"SendInterval": 3600, "$version": 7}));
    let thread = SensorThread::start(vec![sensor("s", 1, None)], recorder.clone()).unwrap();
    // After this return any change is one to report, however late the thread runs.
    *recorder.desired.lock().unwrap() = Some(json!({"SendData": false, "$version": 8}));
    recorder.wait("a report", |r| !r.reported.lock().unwrap().is_empty());
    *recorder.desired.lock().unwrap() = Some(json!({"SendInterval": "soon", "$version": 9}));
    recorder.wait("a second report", |r| r.reported.lock().unwrap().len() > 1);
    thread.stop();
    let unchanged = json!({"SendData": false, "SendInterval": 3600});
    assert_eq!(*recorder.reported.lock().unwrap(), [unchanged.clone(), unchanged]);
}

#[test]
fn control_messages_reset_whatever_else_comes() {
    let recorder = Recorder::default();
    let thread = SensorThread::start(vec![sensor("s", 1, None)], recorder.clone()).unwrap();
    recorder.wait("a warm sensor", |r| r.last_temperature() > 40.0);
    recorder.put("elsewhere", r#"{"command":"reset"}"#, 1);
    recorder.put("control", "no command", 10_000);
    recorder.put("control", r#"[{"command":"reset"}]"#, 1);
    recorder.wait("a cold sensor", |r| r.resets() == 1);
    recorder.wait("nothing left", |r| r.inputs.lock().unwrap().is_empty());
    thread.stop();
}

/// What comes in before a tick acts on that tick, however slow the sensor; and a sensor that will
/// never tick again takes its messages all the same.
#[test]
fn inputs_are_taken_before_a_tick_and_without_one() {
    let recorder = Recorder::default();
    recorder.put("control", r#"{"command":"explode"}"#, 1);
    let thread = SensorThread::start(vec![sensor("s", 1, Some(1))], recorder.clone()).unwrap();
    recorder.wait("the one message", |r| r.count("s") == 1);
    assert!(recorder.inputs.lock().unwrap().is_empty(), "taken before the first tick");
    recorder.put("control", r#"{"command":"reset"}"#, 5000);
    recorder.wait("nothing left", |r| r.inputs.lock().unwrap().is_empty());
    thread.stop();
    assert_eq!(recorder.count("s"), 1);
}
