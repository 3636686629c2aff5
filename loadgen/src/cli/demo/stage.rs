//! The demo's hub and sensors, with the ledger between them.
//!
//! Two threads meet at one lock: the sensors' thread enters a message in the ledger before it hands
//! it to the hub, and the demo's own thread enters what comes back. The lock is held for a map
//! look-up, and for one question to the hub at each change of the threshold.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use super::ledger::Ledger;
use super::plan::{Plan, THRESHOLD_START};
use super::{FILTER, sensor_name, set_threshold};
use crate::cli::CommandError;
use crate::cli::sensors::{Destination, Sensor, SensorControl, SensorThread, clock_seed};
use loadgen_hub::simulator::{OUTPUT, Simulator, SimulatorSettings};
use loadgen_hub::{HubHandle, HubMessage, UpstreamMessage};

/// Property that carries a message's number through the module, as any custom property travels.
const NUMBER: &str = "demoNumber";

/// What both threads share.
#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    /// Last temperature of each sensor.
    temperatures: BTreeMap<String, f64>,
    /// Messages that the hub did not take.
    unpublished: u64,
}

/// Hub, sensors and ledger.
pub(super) struct Stage {
    hub: Arc<HubHandle>,
    sensors: Option<SensorThread>,
    control: SensorControl,
    shared: Arc<Mutex<Shared>>,
}

/// A change of the threshold that the module has not reported yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) threshold: f64,
    version: u64,
    pub(super) ordered_at: Instant,
}

impl Stage {
    /// Starts the sensors on this hub.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn open(hub: HubHandle, plan: &Plan) -> io::Result<Self> {
        let shared = Shared {
            ledger: Ledger::new(THRESHOLD_START),
            temperatures: BTreeMap::new(),
            unpublished: 0,
        };
        let (hub, shared) = (Arc::new(hub), Arc::new(Mutex::new(shared)));
        let destination = Recorder { hub: Arc::clone(&hub), shared: Arc::clone(&shared) };
        let thread = SensorThread::start(sensors(plan), destination)?;
        let control = thread.control();
        Ok(Self { hub, sensors: Some(thread), control, shared })
    }

    /// The hub.
    pub(super) fn hub(&self) -> &HubHandle {
        &self.hub
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }

    /// Runs a closure on the ledger.
    pub(super) fn ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.shared().ledger)
    }

    /// The hottest sensor now, °C.
    pub(super) fn hottest(&self) -> Option<f64> {
        self.shared().temperatures.values().copied().reduce(f64::max)
    }

    /// Messages that the hub did not take.
    pub(super) fn unpublished(&self) -> u64 {
        self.shared().unpublished
    }

    /// Orders a new threshold through the twin.
    ///
    /// # Errors
    /// The hub has stopped.
    pub(super) fn order_threshold(&self, threshold: f64) -> Result<Change, CommandError> {
        let mut shared = self.shared();
        let stored = self.hub.stored(FILTER);
        // While the lock is held no message is entered, so all that may still be judged are those
        // in the hub's store and the one that is on its way into it.
        shared.ledger.begin_change(threshold, stored as u64 + 1);
        let version = set_threshold(&self.hub, threshold)?;
        Ok(Change { threshold, version, ordered_at: Instant::now() })
    }

    /// Whether the module has reported the change; then the ledger knows it.
    pub(super) fn confirm(&self, change: Change) -> bool {
        let reported = self.reported_threshold();
        let confirmed = reported["av"].as_u64() == Some(change.version)
            && reported["ac"].as_u64() == Some(200)
            && reported["value"].as_f64() == Some(change.threshold);
        if confirmed {
            self.ledger(Ledger::end_change);
        }
        confirmed
    }

    /// The threshold in force, as the module reports it.
    pub(super) fn threshold(&self) -> Option<f64> {
        self.reported_threshold()["value"].as_f64()
    }

    fn reported_threshold(&self) -> Value {
        let twin = self.hub.twin(FILTER).unwrap_or_default();
        twin["reported"]["TemperatureThreshold"].clone()
    }

    /// Takes every sensor back to its coldest.
    pub(super) fn reset_sensors(&self) {
        // Not taken only when sixty-four commands wait already, resets among them.
        let _ = self.control.reset_all();
    }

    /// Enters a message that came back; gives when it was published, if it is a right alert.
    pub(super) fn arrive(&self, message: &UpstreamMessage) -> Option<Instant> {
        let property = |name| message.properties.get(name).flatten();
        let number = property(NUMBER).and_then(|number| number.parse().ok());
        let is_alert = property("MessageType") == Some("Alert");
        self.ledger(|ledger| match number {
            Some(number) if is_alert => ledger.arrive(number, &message.body),
            _ => {
                ledger.arrive_unknown();
                None
            }
        })
    }

    /// Ends the sensors after the message at hand.
    pub(super) fn stop_sensors(&mut self) {
        if let Some(sensors) = self.sensors.take() {
            sensors.stop();
        }
    }

    /// Whether nothing is on its way any more: every message acknowledged, every alert due there.
    pub(super) fn is_settled(&self) -> bool {
        self.hub.stored(FILTER) == 0 && self.ledger(|ledger| ledger.final_tally().missing == 0)
    }
}

impl Drop for Stage {
    /// The sensors hold the hub: without this an early end would leave both running.
    fn drop(&mut self) {
        self.stop_sensors();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sensors(plan: &Plan) -> Vec<Sensor> {
    let seed = clock_seed();
    let settings =
        SimulatorSettings { message_delay: plan.message_delay, ..SimulatorSettings::default() };
    let numbers = (0..plan.sensors).zip(0u64..);
    numbers
        .map(|(number, offset)| Sensor {
            name: sensor_name(number),
            simulator: Simulator::new(settings.clone(), seed.wrapping_add(offset)),
        })
        .collect()
}

/// Enters each message in the ledger, then publishes it.
struct Recorder {
    hub: Arc<HubHandle>,
    shared: Arc<Mutex<Shared>>,
}

impl Destination for Recorder {
    fn publish(&mut self, sensor: &str, temperature: f64, mut message: HubMessage) {
        let number = {
            let mut shared = lock(&self.shared);
            match shared.temperatures.get_mut(sensor) {
                Some(slot) => *slot = temperature,
                None => drop(shared.temperatures.insert(sensor.to_owned(), temperature)),
            }
            shared.ledger.publish(temperature, &message.body, Instant::now())
        };
        message.properties.set(NUMBER, Some(&number.to_string()));
        if self.hub.publish_as(sensor, OUTPUT, vec![message]).is_err() {
            lock(&self.shared).unpublished += 1;
        }
    }

    fn desired(&mut self, _sensor: &str) -> Option<Value> {
        None
    }

    fn report(&mut self, _sensor: &str, _patch: Value) {}

    fn drain_inputs(&mut self, _sensor: &str, _messages_max: usize) -> Vec<(String, HubMessage)> {
        // No route of the demo leads into a sensor.
        Vec::new()
    }
}
