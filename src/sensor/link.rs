//! The sensor's link: registers, connects to the assigned hub, serves, and does all of it again
//! until told to stop. Owns everything that outlives a connection.
//!
//! - A lost connection is made again after a back-off; telemetry without PUBACK is sent again in
//!   the original order with DUP, reports without answer too, and the twin is read again.
//! - A token is renewed in time by DISCONNECT and CONNECT, at once and without back-off. Before
//!   that, as before quitting, nothing new is sent until everything sent is answered, for at most
//!   [`LEAVE_WAIT`]: so a renewal repeats nothing.
//! - A hub that refuses the identity [`REFUSALS_MAX`] times in a row, or cannot be reached
//!   [`FAILURES_MAX`] times, sends the device back to the provisioning service: it may have been
//!   assigned elsewhere. If that fails too, both are tried in turn.
//! - Bounded: [`TELEMETRY_HELD_MAX`] messages wait to be sent (then the oldest is dropped and
//!   counted), [`TELEMETRY_INFLIGHT_MAX`] wait for their PUBACK. While the socket does not take
//!   what is to be written, nothing is read.

mod register;
mod serve;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tracing::{debug, info, warn};

use super::device::{Action, Device, Moment};
use super::settings::{HUB_NAMES, PROVISIONING_NAMES, SensorSettings};
use super::twin::SensorTwin;
use crate::azure::dps::{self, Assignment, Registration};
use crate::azure::{Identity, Properties, sign_token, topics};
use crate::host::logging::LineLimit;
use crate::host::logging::outage::Outage;
use crate::host::utc;
use crate::host::utc::expiry_unix_s;
use crate::mqtt::packet::Connect;
use crate::mqtt::session::{self, Client, Connected, FailedAttempt, Leaving};
use crate::mqtt::{Answer, Endpoint, Inflight, Names, Peers, Route, transport};
use serve::DeviceLeave;

/// Most telemetry messages that wait to be sent: half an hour of them at the default interval.
pub const TELEMETRY_HELD_MAX: usize = 1024;
/// Most telemetry messages without PUBACK.
pub const TELEMETRY_INFLIGHT_MAX: usize = 64;
/// Refusals of the identity in a row, before the device registers again.
pub const REFUSALS_MAX: u32 = 2;
/// Other failures to connect in a row, before the device registers again.
pub const FAILURES_MAX: u32 = 10;
/// How long the device waits for what it has sent to be answered before it leaves a connection;
/// never more than a tenth of its token's life.
pub const LEAVE_WAIT: Duration = Duration::from_secs(1);
/// MQTT keep-alive, as the Python SDK has it.
pub const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// Everything counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SensorCounters {
    /// Assignments by the provisioning service.
    pub registrations: u64,
    /// Connections that the hub accepted.
    pub connections: u64,
    /// Telemetry messages that the hub acknowledged.
    pub telemetry_acknowledged: u64,
    /// Telemetry messages that were dropped, unsent, as too many waited.
    pub telemetry_dropped: u64,
    /// Commands that were answered, whatever the status.
    pub commands: u64,
    /// Desired values that were acted on.
    pub changes: u64,
}

/// What the link did, when it has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorSummary {
    /// Everything counted.
    pub counters: SensorCounters,
    /// Telemetry messages that the hub has not acknowledged.
    pub telemetry_waiting: usize,
    /// Why the last attempt to register or to connect failed; `None` after a connection.
    pub failure: Option<String>,
}

/// The link, with everything that outlives a connection.
pub struct DeviceLink {
    settings: SensorSettings,
    /// Of the provisioning service and of the hubs.
    peers: Peers,
    wake: Arc<Notify>,
    stop: watch::Receiver<bool>,
    device: Device,
    twin: SensorTwin,
    assignment: Option<Assignment>,
    /// Who it is on the connection, and how the log calls it.
    identity: Option<Identity>,
    client_id: String,
    telemetry_topic: String,
    /// When the token of the connection is to be replaced.
    renew_at: Instant,
    /// Why the connection is being left: nothing new is sent from then on.
    leaving: Option<Leaving<DeviceLeave>>,
    /// The assignment is new: what a device reports on start is to be reported.
    is_new: bool,
    /// Both since the hub last accepted a connection or the device last tried to register.
    refusals: u32,
    failures: u32,
    /// Bodies that wait to be sent, the oldest first.
    telemetry: VecDeque<String>,
    /// Bodies without PUBACK.
    inflight: Inflight<String>,
    /// Packet ids to send again before anything new.
    resend: VecDeque<u16>,
    counters: SensorCounters,
    drop_lines: LineLimit,
    /// What registrations wait for.
    progress: Outage,
    failure: Option<String>,
}

impl DeviceLink {
    /// A link that is not connected yet. `stop` turns true to quit, together with a notification on
    /// `wake`; `seed` decides what is measured.
    pub fn new(
        settings: SensorSettings,
        wake: Arc<Notify>,
        stop: watch::Receiver<bool>,
        seed: u64,
    ) -> Self {
        Self {
            device: Device::new(settings.interval, seed),
            client_id: settings.enrollment.registration_id.clone(),
            settings,
            peers: Peers::default(),
            wake,
            stop,
            twin: SensorTwin::new(fastrand::u32(..)),
            assignment: None,
            identity: None,
            telemetry_topic: String::new(),
            renew_at: session::now(),
            leaving: None,
            is_new: false,
            refusals: 0,
            failures: 0,
            telemetry: VecDeque::new(),
            inflight: Inflight::default(),
            resend: VecDeque::new(),
            counters: SensorCounters::default(),
            drop_lines: LineLimit::default(),
            progress: Outage::default(),
            failure: None,
        }
    }

    /// Registers, connects, serves, and does so again until told to stop.
    pub async fn run(mut self) -> SensorSummary {
        session::run(&mut self).await;
        SensorSummary {
            counters: self.counters,
            telemetry_waiting: self.telemetry.len() + self.inflight.waiting(),
            failure: self.failure,
        }
    }

    /// Reads key and roots again, where they are in files.
    ///
    /// # Errors
    /// One of the files is of no use now. It may be half written, so it is looked at again soon.
    fn read_again(&mut self) -> Result<(), FailedAttempt> {
        let SensorSettings { key, tls, .. } = &mut self.settings;
        let read = key.again().map(drop).and_then(|()| tls.again().map(drop));
        read.map_err(|text| {
            self.failure = Some(text.clone());
            FailedAttempt { text, answer: Some(Answer::Refusal) }
        })
    }

    /// Registers once.
    async fn register(&mut self) -> Result<Assignment, FailedAttempt> {
        let SensorSettings { enrollment, model_id, provisioning_host, .. } = &self.settings;
        let endpoint = self.endpoint(
            provisioning_host.clone(),
            self.settings.provisioning_port,
            &PROVISIONING_NAMES,
        );
        let line = format!("registering {} with {endpoint}", enrollment.registration_id);
        // What fails again and again is in the log by its failures.
        if self.failure.is_some() {
            debug!("{line}");
        } else {
            info!("{line}");
        }
        let mut hello = Connect::new(enrollment.registration_id.clone());
        let username = enrollment.username(&user_agent());
        let resource = enrollment.resource();
        self.log_in(&mut hello, username, &resource, Some(dps::POLICY));
        let registration = Registration::new(
            &enrollment.registration_id,
            model_id.as_deref(),
            fastrand::u32(..),
            session::now(),
        );
        // What the log has said of registrations outlives each of them.
        let mut progress = std::mem::take(&mut self.progress);
        let registering = register::register(&endpoint, hello, registration, &mut progress);
        let registered = self.idle(registering).await;
        self.progress = progress;
        (self.refusals, self.failures) = (0, 0);
        let assignment = registered.map_err(|refused| {
            let text = format!("the device could not register with {endpoint}: {refused}");
            self.failure = Some(refused.to_string());
            FailedAttempt { text, answer: Some(refused.answer()) }
        })?;
        let Assignment { hub, device } = &assignment;
        let line = format!("registration status: assigned; hub {hub}, device {device}");
        if self.failure.is_some() && self.assignment.as_ref() == Some(&assignment) {
            debug!("{line}");
        } else {
            info!("{line}");
        }
        self.counters.registrations += 1;
        self.assigned(assignment.clone());
        Ok(assignment)
    }

    /// The same assignment as before may be a new device of the same name, so everything is
    /// reported to it again.
    fn assigned(&mut self, assignment: Assignment) {
        self.twin.forget();
        self.is_new = true;
        if self.assignment.as_ref().is_some_and(|old| old.device != assignment.device) {
            // Their topics carry the old id.
            self.requeue();
        }
        self.assignment = Some(assignment);
    }

    /// Telemetry without PUBACK becomes telemetry that was never sent.
    fn requeue(&mut self) {
        let mut bodies = VecDeque::new();
        for id in self.inflight.resend() {
            bodies.extend(self.inflight.complete(id));
        }
        bodies.append(&mut self.telemetry);
        self.telemetry = bodies;
        self.inflight = Inflight::default();
        self.resend.clear();
    }

    /// A packet id for the subscriptions. Ids run out only where a hub never acknowledged an old
    /// publish but all those after it; then everything unacknowledged starts over.
    fn reserve_packet_id(&mut self) -> u16 {
        if self.inflight.room() == 0 {
            self.requeue();
        }
        self.inflight.reserve().expect("there is room, at the latest in a new table")
    }

    /// Connects to the assigned hub once.
    async fn attend(&mut self, assignment: Assignment) -> Result<Connected, FailedAttempt> {
        let Assignment { hub, device } = assignment;
        let endpoint = self.endpoint(hub.clone(), self.settings.hub_port, &HUB_NAMES);
        let identity = Identity { gateway: hub.clone(), hub, device, module: None };
        let mut hello = Connect::new(identity.client_id());
        hello.clean_session = false;
        let username = identity.username(&user_agent(), self.settings.model_id.as_deref());
        self.renew_at = self.log_in(&mut hello, username, &identity.resource(), None);
        let connected = self.idle(transport::connect(&endpoint, hello)).await;
        let (connection, acknowledged) = connected.map_err(|refused| {
            let text = format!("the device could not connect to {endpoint}: {refused}");
            let answer = refused.answer();
            self.failure = Some(refused.to_string());
            let is_refusal = answer == Answer::Identity;
            let count = if is_refusal { &mut self.refusals } else { &mut self.failures };
            *count += 1;
            // Where to connect to comes first; waiting comes after.
            FailedAttempt { text, answer: (!self.is_stale()).then_some(answer) }
        })?;
        self.counters.connections += 1;
        (self.refusals, self.failures, self.failure) = (0, 0, None);
        self.progress.forget();
        self.telemetry_topic = topics::telemetry(&identity, &Properties::new());
        self.client_id = identity.client_id();
        self.identity = Some(identity);
        let session_present = acknowledged.session_present;
        let endpoint = endpoint.to_string();
        Ok(Connected { connection, session_present, endpoint, names: &HUB_NAMES })
    }

    /// Completes CONNECT by keep-alive, username and a new token; when that is to be renewed.
    fn log_in(
        &self,
        hello: &mut Connect,
        username: String,
        resource: &str,
        policy: Option<&str>,
    ) -> Instant {
        let lifetime = self.settings.token_lifetime;
        let token = sign_token(self.settings.key.last(), resource, expiry_unix_s(lifetime), policy);
        hello.keep_alive = u16::try_from(KEEP_ALIVE.as_secs()).unwrap_or(u16::MAX);
        hello.set_login(username, token);
        // A fleet that started in the same instant shall not renew in the same instant.
        session::now() + lifetime.mul_f64(0.75 + 0.05 * fastrand::f64())
    }

    /// Takes from the device what it has to send now.
    fn tick(&mut self) {
        let mut actions = Vec::new();
        self.device.due(Moment { instant: session::now(), utc: utc::now() }, &mut actions);
        for action in actions {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Report(property, value) => {
                debug!("reporting {property}: {value}");
                self.twin.report(property, value);
            }
            Action::Note(text) => info!("{text}"),
            Action::Telemetry(body) => {
                self.telemetry.push_back(body);
                while self.telemetry.len() > TELEMETRY_HELD_MAX {
                    self.telemetry.pop_front();
                    self.dropped();
                }
            }
        }
    }

    fn dropped(&mut self) {
        self.counters.telemetry_dropped += 1;
        if let Some(suppressed) = self.drop_lines.allow(session::now(), 1) {
            warn!("telemetry dropped: {TELEMETRY_HELD_MAX} wait (and {suppressed} more dropped)");
        }
    }

    fn endpoint(&self, host: String, port: u16, names: &'static Names) -> Endpoint {
        Endpoint {
            host,
            port,
            route: Route::Direct,
            tls: self.settings.tls.last().config(),
            peers: self.peers.clone(),
            names,
        }
    }

    /// Whether the assignment is to be asked for again.
    fn is_stale(&self) -> bool {
        self.refusals >= REFUSALS_MAX || self.failures >= FAILURES_MAX
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }
}

fn user_agent() -> String {
    let (version, os, cpu) =
        (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    format!("sluicegate/{version} ({os}; {cpu})")
}

#[cfg(test)]
mod tests;
