//! Simulated sensors that publish inside the hub's process, on one thread of their own.
//!
//! Simulators go in, messages go to the hub as if the sensors' modules had sent them. When the
//! hub's stores are full the thread waits (bounded by the hub) and the schedule slips: sensors
//! never pile up messages.
//!
//! A sensor here has no connection, but does what the module does: it obeys `SendData` and
//! `SendInterval` of its twin and reports both after a change, and takes `reset` from the direct
//! method and from its input `control`. It looks for changes of its twin once in
//! [`TWIN_INTERVAL`] (changes in between are one), and for input messages then and before its
//! ticks: a reset acts at the next tick anyway.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use serde_json::Value;
use sluicegate::azure::Properties;

use loadgen_hub::HubMessage;
use loadgen_hub::simulator::{SensorReading, Simulator, utc_text};

mod mailbox;

use mailbox::Mailbox;

/// Commands waiting for the thread; a further one is refused.
const COMMANDS_MAX: usize = 64;
/// Shortest time between two messages of one sensor, whatever its twin asks.
const INTERVAL_MIN: Duration = Duration::from_millis(1);
/// How far behind its schedule a sensor may be before the missed ticks are given up.
const LAG_MAX: Duration = Duration::from_secs(1);
/// How often the desired properties of the sensors are looked at.
const TWIN_INTERVAL: Duration = Duration::from_secs(1);

/// Where the sensors' messages go.
pub(crate) trait Destination: Send + 'static {
    /// Publishes one message of a sensor; an error is the caller's to count and show.
    fn publish(&mut self, sensor: &str, temperature: f64, message: HubMessage);

    /// The desired properties of a sensor, when its twin is to be obeyed.
    fn desired(&mut self, sensor: &str) -> Option<Value>;

    /// Merges a patch into the reported properties of a sensor; an error is the caller's to show.
    fn report(&mut self, sensor: &str, patch: Value);

    /// Takes the oldest messages of a sensor's inputs, at most this many, with their inputs' names.
    fn drain_inputs(&mut self, sensor: &str, messages_max: usize) -> Vec<(String, HubMessage)>;
}

/// One sensor: its module's name and its model.
pub(crate) struct Sensor {
    pub(crate) name: String,
    pub(crate) simulator: Simulator,
}

#[derive(Debug)]
enum SensorCommand {
    Reset(Option<String>),
    Stop,
}

/// Sends commands to a running thread of sensors.
#[derive(Debug, Clone)]
pub(crate) struct SensorControl {
    names: Vec<String>,
    commands: Sender<SensorCommand>,
}

impl SensorControl {
    /// Answers a direct method of a sensor: `reset` gives 200, anything else 404. `None` when there
    /// is no such sensor here.
    pub(crate) fn method(&self, sensor: &str, method: &str) -> Option<u32> {
        if !self.names.iter().any(|name| name == sensor) {
            return None;
        }
        if method != "reset" {
            return Some(404);
        }
        let sent = self.commands.try_send(SensorCommand::Reset(Some(sensor.to_owned())));
        Some(if sent.is_ok() { 200 } else { 429 })
    }

    /// Takes every sensor back to its minimum temperature at its next tick. Whether the command
    /// was taken: the thread may be waiting for the hub with its queue full.
    pub(crate) fn reset_all(&self) -> bool {
        self.commands.try_send(SensorCommand::Reset(None)).is_ok()
    }
}

/// The running thread.
pub(crate) struct SensorThread {
    control: SensorControl,
    thread: JoinHandle<()>,
}

impl SensorThread {
    /// Starts to publish. The sensors' first ticks are spread evenly over one interval. The twins
    /// of this moment are obeyed and, as by the module, not answered by a report; whatever changes
    /// after the return is.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start(
        sensors: Vec<Sensor>,
        destination: impl Destination,
    ) -> std::io::Result<Self> {
        let (commands, inbox) = bounded(COMMANDS_MAX);
        let names = sensors.iter().map(|sensor| sensor.name.clone()).collect();
        let schedule = Schedule::new(sensors, destination);
        let thread = std::thread::Builder::new()
            .name("sensors".to_owned())
            .spawn(move || schedule.run(&inbox))?;
        Ok(Self { control: SensorControl { names, commands }, thread })
    }

    /// A handle for commands.
    pub(crate) fn control(&self) -> SensorControl {
        self.control.clone()
    }

    /// Ends the thread after the message at hand; waits as long as the hub takes for that one.
    pub(crate) fn stop(self) {
        let mut command = SensorCommand::Stop;
        while let Err(TrySendError::Full(back)) = self.control.commands.try_send(command) {
            command = back;
            std::thread::sleep(INTERVAL_MIN);
        }
        // A panic in the thread was already printed by the panic hook.
        let _ = self.thread.join();
    }
}

/// The thread's state: which sensor is due when.
struct Schedule<D> {
    sensors: Vec<Sensor>,
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    desired_versions: Vec<Option<u64>>,
    mailboxes: Vec<Mailbox>,
    twins_due: Instant,
    destination: D,
}

impl<D: Destination> Schedule<D> {
    fn new(sensors: Vec<Sensor>, destination: D) -> Self {
        let now = Instant::now();
        let mut schedule = Self {
            due: BinaryHeap::with_capacity(sensors.len()),
            desired_versions: vec![None; sensors.len()],
            mailboxes: sensors.iter().map(|_| Mailbox::default()).collect(),
            twins_due: now,
            sensors,
            destination,
        };
        let count = u32::try_from(schedule.sensors.len()).unwrap_or(u32::MAX).max(1);
        for index in 0..schedule.sensors.len() {
            schedule.obey_twin(index);
            let share = u32::try_from(index).unwrap_or(0);
            let offset = schedule.sensors[index].simulator.send_interval() / count * share;
            schedule.due.push(Reverse((now + offset, index)));
        }
        schedule
    }

    fn run(mut self, inbox: &Receiver<SensorCommand>) {
        loop {
            let next = self.due.peek().map_or(self.twins_due, |Reverse((at, _))| *at);
            match inbox.recv_deadline(next.min(self.twins_due)) {
                Ok(SensorCommand::Stop) => return,
                Ok(SensorCommand::Reset(name)) => self.reset(name.as_deref()),
                Err(error) if error.is_disconnected() => return,
                Err(_) => {
                    let now = Instant::now();
                    if now >= self.twins_due {
                        self.look_around(now);
                        self.twins_due = now + TWIN_INTERVAL;
                    }
                    self.tick(now);
                }
            }
        }
    }

    /// Publishes for the sensor that is due, if any is.
    fn tick(&mut self, now: Instant) {
        let Some(&Reverse((at, index))) = self.due.peek() else { return };
        if at > now {
            return;
        }
        self.due.pop();
        if self.mailboxes[index].is_due(now) {
            self.look_for_inputs(index, now);
        }
        let sensor = &mut self.sensors[index];
        if let Some(reading) = sensor.simulator.tick(&utc_text(wall_clock())) {
            let temperature = sensor.simulator.temperature();
            self.destination.publish(&sensor.name, temperature, to_message(reading));
        }
        if !sensor.simulator.is_finished() {
            let interval = sensor.simulator.send_interval().max(INTERVAL_MIN);
            // The schedule is fixed; a thread that was held up catches up a little, then lets go.
            let next = (at + interval).max(now.checked_sub(LAG_MAX).unwrap_or(now));
            self.due.push(Reverse((next, index)));
        }
    }

    fn reset(&mut self, name: Option<&str>) {
        for sensor in &mut self.sensors {
            if name.is_none_or(|name| name == sensor.name) {
                sensor.simulator.reset();
            }
        }
    }

    /// Looks at twins and inputs of all sensors, those that send nothing too.
    fn look_around(&mut self, now: Instant) {
        for index in 0..self.sensors.len() {
            if let Some(reported) = self.obey_twin(index) {
                self.destination.report(&self.sensors[index].name, reported);
            }
            self.look_for_inputs(index, now);
        }
    }

    fn look_for_inputs(&mut self, index: usize, now: Instant) {
        self.mailboxes[index].look(&mut self.sensors[index], &mut self.destination, now);
    }

    /// Obeys a twin that has changed, and gives what to report.
    fn obey_twin(&mut self, index: usize) -> Option<Value> {
        let sensor = &mut self.sensors[index];
        let desired = self.destination.desired(&sensor.name)?;
        let version = desired["$version"].as_u64();
        if self.desired_versions[index] == version {
            return None;
        }
        self.desired_versions[index] = version;
        Some(sensor.simulator.apply_desired(&desired))
    }
}

fn to_message(reading: SensorReading) -> HubMessage {
    let mut properties = Properties::new();
    for (name, value) in &reading.properties {
        properties.set(name, Some(value));
    }
    HubMessage { body: reading.body.into(), properties }
}

/// Time since 1970-01-01 UTC; zero when the clock is before that.
fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A seed that differs from run to run.
pub(crate) fn clock_seed() -> u64 {
    let now = wall_clock();
    now.as_secs() << 30 | u64::from(now.subsec_nanos())
}

#[cfg(test)]
mod tests;
