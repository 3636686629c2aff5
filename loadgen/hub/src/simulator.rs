//! Model of the SimulatedTemperatureSensor module of the tutorials.
//!
//! Seed and time text go in, message bodies come out. Pure: no clock, no I/O, no thread; the caller
//! ticks it. Same seed and same time texts give the same bytes.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use sluicegate::azure::members;

mod settings;
mod time;

pub use settings::SimulatorSettings;
pub use time::utc_text;

/// Most commands taken from one `control` message; the rest are ignored.
pub const CONTROL_COMMANDS_LIMIT: usize = 64;

/// Output that the readings are sent to.
pub const OUTPUT: &str = "temperatureOutput";
/// Input that takes `reset` commands.
pub const CONTROL_INPUT: &str = "control";

/// One message to send to [`OUTPUT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorReading {
    /// JSON text, UTF-8.
    pub body: Vec<u8>,
    /// Property bag in order, content type and encoding first.
    pub properties: Vec<(&'static str, String)>,
}

/// The sensor's state between two ticks.
#[derive(Debug, Clone)]
pub struct Simulator {
    settings: SimulatorSettings,
    random: Random,
    batch_id: String,
    sequence_number: u64,
    temperature: f64,
    reset_requested: bool,
    send_data: bool,
    send_interval: Duration,
}

#[derive(Serialize)]
struct Body<'a> {
    machine: Machine,
    ambient: Ambient,
    #[serde(rename = "timeCreated")]
    time_created: &'a str,
}

#[derive(Serialize)]
struct Machine {
    temperature: f64,
    pressure: f64,
}

#[derive(Serialize)]
struct Ambient {
    temperature: f64,
    humidity: u64,
}

impl Simulator {
    /// A sensor at its minimum temperature; `seed` fixes everything it will ever send.
    pub fn new(settings: SimulatorSettings, seed: u64) -> Self {
        let mut random = Random(seed);
        let batch_id = random.guid();
        Self {
            random,
            batch_id,
            sequence_number: 0,
            temperature: settings.machine_temperature_min,
            reset_requested: false,
            send_data: true,
            send_interval: settings.message_delay,
            settings,
        }
    }

    /// Time between two ticks: `MessageDelay` until a twin's `SendInterval` changes it.
    pub fn send_interval(&self) -> Duration {
        self.send_interval
    }

    /// Machine temperature of the last tick, in °C.
    pub fn temperature(&self) -> f64 {
        self.temperature
    }

    /// True once `MessageCount` messages were sent; such a sensor stays alive and silent.
    pub fn is_finished(&self) -> bool {
        self.settings.message_count.is_some_and(|count| self.sequence_number >= count)
    }

    /// Advances the model by one tick. `None` while `SendData` is false and after the last message;
    /// the sequence number counts only messages that are sent.
    pub fn tick(&mut self, time_created: &str) -> Option<SensorReading> {
        if self.is_finished() {
            return None;
        }
        self.advance();
        if !self.send_data {
            return None;
        }
        self.sequence_number += 1;
        Some(SensorReading { body: self.body(time_created), properties: self.properties() })
    }

    fn advance(&mut self) {
        if std::mem::take(&mut self.reset_requested) {
            self.temperature = self.settings.machine_temperature_min;
        }
        let uniform = self.random.uniform();
        self.temperature += if self.temperature > self.settings.machine_temperature_max {
            uniform - 0.5
        } else {
            -0.25 + 1.5 * uniform
        };
    }

    fn body(&mut self, time_created: &str) -> Vec<u8> {
        let settings = &self.settings;
        let slope = (settings.machine_pressure_max - settings.machine_pressure_min)
            / (settings.machine_temperature_max - settings.machine_temperature_min);
        let above_min = self.temperature - settings.machine_temperature_min;
        let machine = Machine {
            temperature: self.temperature,
            pressure: settings.machine_pressure_min + above_min * slope,
        };
        let ambient = Ambient {
            temperature: settings.ambient_temperature + self.random.uniform() - 0.5,
            humidity: 24 + self.random.next() % 3,
        };
        serde_json::to_vec(&Body { machine, ambient, time_created })
            .expect("numbers and a text always serialize into memory")
    }

    fn properties(&self) -> Vec<(&'static str, String)> {
        vec![
            ("$.ct", "application/json".to_owned()),
            ("$.ce", "utf-8".to_owned()),
            ("sequenceNumber", self.sequence_number.to_string()),
            ("batchId", self.batch_id.clone()),
        ]
    }

    /// Takes a message of the input [`CONTROL_INPUT`]: `{"command":"reset"}` or an array of such.
    /// A reset takes effect at the next tick.
    ///
    /// # Errors
    /// A text that says what was expected; nothing changes.
    pub fn control(&mut self, body: &[u8]) -> Result<(), String> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| format!("the control message {}", members::problem(&error)))?;
        let commands = match &value {
            Value::Array(commands) => commands.as_slice(),
            single => std::slice::from_ref(single),
        };
        let commands: Result<Vec<bool>, String> =
            commands.iter().take(CONTROL_COMMANDS_LIMIT).map(is_reset).collect();
        self.reset_requested |= commands?.contains(&true);
        Ok(())
    }

    /// Asks for a reset at the next tick, as the direct method `reset` does.
    pub fn reset(&mut self) {
        self.reset_requested = true;
    }

    /// Takes `SendData` and `SendInterval` (whole seconds) of the desired properties and gives the
    /// properties to report. A value of another type changes nothing.
    pub fn apply_desired(&mut self, desired: &Value) -> Value {
        if let Some(send_data) = desired["SendData"].as_bool() {
            self.send_data = send_data;
        }
        if let Some(seconds) = desired["SendInterval"].as_u64() {
            self.send_interval = Duration::from_secs(seconds);
        }
        json!({ "SendData": self.send_data, "SendInterval": self.send_interval.as_secs() })
    }
}

/// `reset` is 0 and `noOperation` is 1, by name in any letter case or by number.
fn is_reset(command: &Value) -> Result<bool, String> {
    let refused = || format!("expected {{\"command\":\"reset\"}}, not {command}");
    match &command["command"] {
        Value::String(name) if name.eq_ignore_ascii_case("reset") => Ok(true),
        Value::String(name) if name.eq_ignore_ascii_case("noOperation") => Ok(false),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(true),
        Value::Number(number) if number.as_u64() == Some(1) => Ok(false),
        _ => Err(refused()),
    }
}

/// SplitMix64: small, and its bytes will never change under us.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1) with 53 bits.
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A version 4 GUID.
    fn guid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let time = high >> 32;
        let (mid, version) = ((high >> 16) & 0xffff, (high & 0x0fff) | 0x4000);
        let (variant, node) = (((low >> 48) & 0x3fff) | 0x8000, low & 0xffff_ffff_ffff);
        format!("{time:08x}-{mid:04x}-{version:04x}-{variant:04x}-{node:012x}")
    }
}

/// Whether a manifest's module is this sensor: its image's name, or its own, says so.
pub fn is_simulated_sensor(name: &str, image: &str) -> bool {
    // `registry/azureiotedge-simulated-temperature-sensor:1.0`, `tempsensor` images of old
    // templates, and the module names that the tutorials use.
    let image_name = image.rsplit('/').next().unwrap_or(image).to_ascii_lowercase();
    image_name.starts_with("azureiotedge-simulated-temperature-sensor")
        || name.eq_ignore_ascii_case("SimulatedTemperatureSensor")
        || name.eq_ignore_ascii_case("tempSensor")
}

#[cfg(test)]
mod tests;
