//! What the environmental sensor does: a state machine without clock, socket or log.
//!
//! - In: commands, desired values and the time. Out: answers, and what is to be sent at that time:
//!   telemetry, reported properties, notes for the log.
//! - Nothing here waits for anything: each telemetry message, property change and diagnostic run
//!   has an instant of its own, so none delays another.
//! - Bounded: one pending change per writable property, as a newer value supersedes one that is not
//!   in force yet (which is then never acknowledged), and one refusal behind it, which says what is
//!   in force; [`DIAGNOSTICS_MAX`] diagnostic runs, beyond
//!   which the command is answered 429. Telemetry that was missed (a suspended machine) is not made
//!   up for.

use std::time::{Duration, Instant, SystemTime};

use humantime::format_rfc3339_seconds;
use serde_json::{Value, json};

use super::template::{Command, HUMID, RUN_DIAGNOSTICS, STATE, TEMP, Writable};
use crate::azure::conventions::{self, Acceptance, Form};

/// Most diagnostic runs at a time.
pub const DIAGNOSTICS_MAX: usize = 8;
/// Steps of a diagnostic run.
pub const DIAGNOSTICS_STEPS: u32 = 3;
/// How long a step takes.
pub const DIAGNOSTICS_STEP: Duration = Duration::from_secs(2);

/// The two clocks, read together: one to wait by, one to write down.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Monotonic.
    pub instant: Instant,
    /// Of the world.
    pub utc: SystemTime,
}

/// Something to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send this body as telemetry.
    Telemetry(String),
    /// Report this value for this property.
    Report(&'static str, Value),
    /// Tell the person who watches.
    Note(String),
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandResponse {
    /// HTTP-like status.
    pub status: u32,
    /// `None` for no body.
    pub body: Option<Value>,
}

impl CommandResponse {
    fn error(status: u32, text: String) -> Self {
        Self { status, body: Some(json!({ "error": text })) }
    }
}

/// A writable property on its way to a new value, or a refusal of one that is not reported yet.
#[derive(Debug)]
struct PendingChange {
    property: Writable,
    form: Form,
    /// The new value, or why it is none.
    value: Result<Value, String>,
    version: u64,
    due: Instant,
}

/// A diagnostic run; `done` of its steps are.
#[derive(Debug)]
struct Diagnostics {
    done: u32,
    due: Instant,
}

/// The sensor.
#[derive(Debug)]
pub struct Device {
    interval: Duration,
    random: fastrand::Rng,
    /// `None` until it was started.
    telemetry_due: Option<Instant>,
    changes: Vec<PendingChange>,
    /// By [`Writable`]: the value in force, once one was set.
    in_force: [Option<Value>; Writable::ALL.len()],
    diagnostics: Vec<Diagnostics>,
}

impl Device {
    /// A sensor that sends telemetry every `interval`; the same seed gives the same measurements.
    pub fn new(interval: Duration, seed: u64) -> Self {
        Self {
            interval,
            random: fastrand::Rng::with_seed(seed),
            telemetry_due: None,
            changes: Vec::with_capacity(2 * Writable::ALL.len()),
            in_force: Default::default(),
            diagnostics: Vec::with_capacity(DIAGNOSTICS_MAX),
        }
    }

    /// Begins to measure, unless it does already; what a device reports on start.
    pub fn start(&mut self, now: Instant) -> Action {
        self.telemetry_due.get_or_insert(now);
        Action::Report(STATE, json!("true"))
    }

    /// Carries out a command, or begins to; the answer is sent at once.
    pub fn command(&mut self, name: &str, payload: &[u8], now: Instant) -> CommandResponse {
        let done = CommandResponse { status: 200, body: None };
        match Command::named(name) {
            Some(Command::Blink) => blink(payload),
            Some(Command::TurnOn | Command::TurnOff) => done,
            Some(Command::RunDiagnostics) if self.diagnostics.len() == DIAGNOSTICS_MAX => {
                let problem = format!("{DIAGNOSTICS_MAX} diagnostic runs are under way");
                CommandResponse::error(429, problem)
            }
            Some(Command::RunDiagnostics) => {
                self.diagnostics.push(Diagnostics { done: 0, due: now + DIAGNOSTICS_STEP });
                CommandResponse { status: 202, body: None }
            }
            None => {
                let known = Command::ALL.map(Command::name).join(", ");
                CommandResponse::error(404, format!("unknown command {name:?}; there are: {known}"))
            }
        }
    }

    /// The twin tells what an earlier process has brought into force; what this one has counts.
    pub fn was_in_force(&mut self, property: Writable, value: &Value) {
        self.in_force[property as usize].get_or_insert_with(|| value.clone());
    }

    /// A desired value of a property arrived, by its text in the twin; `None` when it was removed,
    /// which withdraws a change that is not in force yet.
    ///
    /// A value that is refused changes nothing: one that is on its way goes on, and the refusal is
    /// told behind it, with what is in force then.
    pub fn desired(&mut self, property: Writable, raw: Option<&str>, version: u64, now: Instant) {
        let wanted = raw.map(|raw| {
            let (form, value) = conventions::desired(raw);
            (form, property.check(value))
        });
        let is_refused = wanted.as_ref().is_some_and(|(_, value)| value.is_err());
        let goes_on = |change: &PendingChange| is_refused && change.value.is_ok();
        self.changes.retain(|change| change.property != property || goes_on(change));
        let Some((form, value)) = wanted else { return };
        let due = if is_refused {
            let under_way = self.changes.iter().find(|change| change.property == property);
            under_way.map_or(now, |change| change.due)
        } else {
            now + property.settling_time()
        };
        self.changes.push(PendingChange { property, form, value, version, due });
    }

    /// When [`due`](Self::due) has something to do; `None` when never.
    pub fn deadline(&self) -> Option<Instant> {
        let changes = self.changes.iter().map(|change| change.due);
        let diagnostics = self.diagnostics.iter().map(|run| run.due);
        changes.chain(diagnostics).chain(self.telemetry_due).min()
    }

    /// Appends to `actions` everything whose instant has come.
    pub fn due(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.deadline().is_none_or(|deadline| now.instant < deadline) {
            return;
        }
        self.measure(now.instant, actions);
        self.changes.retain(|change| {
            let is_due = change.due <= now.instant;
            if is_due {
                let in_force = &mut self.in_force[change.property as usize];
                settle(change, in_force, actions);
            }
            !is_due
        });
        self.diagnostics.retain_mut(|run| !run.advance(now, actions));
    }

    fn measure(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let Some(due) = self.telemetry_due.filter(|due| *due <= now) else { return };
        let temperature = self.random.u32(1..=74);
        let humidity = self.random.u32(30..=98);
        // Written out, as the members' order is part of what people read in a log.
        actions.push(Action::Telemetry(format!(
            "{{\"{TEMP}\":{temperature},\"{HUMID}\":{humidity}}}"
        )));
        // On schedule, unless the schedule was missed.
        let next = due + self.interval;
        self.telemetry_due = Some(if next > now { next } else { now + self.interval });
    }
}

impl Diagnostics {
    /// Takes all steps whose instant has come; true when that was the last.
    fn advance(&mut self, now: Moment, actions: &mut Vec<Action>) -> bool {
        while self.due <= now.instant {
            self.done += 1;
            actions.push(Action::Note(format!(
                "diagnostics: step {} of {DIAGNOSTICS_STEPS}",
                self.done
            )));
            if self.done == DIAGNOSTICS_STEPS {
                let text = format!("Diagnostics run complete at {}.", seconds(now.utc));
                actions.push(Action::Report(RUN_DIAGNOSTICS, conventions::command_result(&text)));
                return true;
            }
            self.due += DIAGNOSTICS_STEP;
        }
        false
    }
}

fn settle(change: &PendingChange, in_force: &mut Option<Value>, actions: &mut Vec<Action>) {
    let PendingChange { property, form, value, version, .. } = change;
    let name = property.name();
    let (verdict, note) = match value {
        Ok(value) => {
            *in_force = Some(value.clone());
            (Acceptance::Completed, format!("{name} is {value}"))
        }
        Err(why) => (Acceptance::Rejected(why.clone()), format!("{name} stays: {why}")),
    };
    actions.push(Action::Note(note));
    let value = in_force.clone().unwrap_or_else(|| property.default_value());
    let report = conventions::acknowledgement(*form, &value, &verdict, *version);
    actions.push(Action::Report(name, report));
}

/// The interval is a number, or a text as some tools send it; it is repeated as it came.
fn blink(payload: &[u8]) -> CommandResponse {
    let interval = match serde_json::from_slice(payload) {
        Ok(Value::Number(seconds)) => seconds.to_string(),
        Ok(Value::String(seconds)) if seconds.trim().parse::<f64>().is_ok() => seconds,
        _ => return CommandResponse::error(400, "blink wants a number of seconds".to_owned()),
    };
    let text = format!("Blinking LED every {interval} seconds");
    CommandResponse { status: 200, body: Some(json!({ "description": text })) }
}

fn seconds(utc: SystemTime) -> impl std::fmt::Display {
    format_rfc3339_seconds(utc)
}

#[cfg(test)]
mod tests;
