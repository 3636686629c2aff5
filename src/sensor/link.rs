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
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::sleep_until;
use tracing::{debug, error, info, warn};

use super::device::{Action, Device, Moment};
use super::settings::Settings;
use super::twin::Twin;
use crate::azure::dps::{self, Assignment, Registration};
use crate::azure::{Identity, sign_token};
use crate::credentials::expiry_unix_s;
use crate::limits::HEALTHY_AFTER;
use crate::logging::LineLimit;
use crate::mqtt::backoff::{AUTHENTICATION, Backoff, Bounds, TRANSIENT};
use crate::mqtt::packet::Connect;
use crate::mqtt::{Endpoint, Inflight, Route, transport};
use serve::Leave;

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
pub struct Counters {
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
pub struct Summary {
    /// Everything counted.
    pub counters: Counters,
    /// Telemetry messages that the hub has not acknowledged.
    pub telemetry_waiting: usize,
    /// Why the last attempt to register or to connect failed; `None` after a connection.
    pub failure: Option<String>,
}

/// The link, with everything that outlives a connection.
pub struct Link {
    settings: Settings,
    tls: Arc<rustls::ClientConfig>,
    wake: Arc<Notify>,
    stop: watch::Receiver<bool>,
    device: Device,
    twin: Twin,
    assignment: Option<Assignment>,
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
    counters: Counters,
    drop_lines: LineLimit,
    failure: Option<String>,
}

impl Link {
    /// A link that is not connected yet. `stop` turns true to quit, together with a notification on
    /// `wake`; `seed` decides what is measured.
    pub fn new(
        settings: Settings,
        tls: Arc<rustls::ClientConfig>,
        wake: Arc<Notify>,
        stop: watch::Receiver<bool>,
        seed: u64,
    ) -> Self {
        Self {
            device: Device::new(settings.interval, seed),
            settings,
            tls,
            wake,
            stop,
            twin: Twin::new(fastrand::u32(..)),
            assignment: None,
            is_new: false,
            refusals: 0,
            failures: 0,
            telemetry: VecDeque::new(),
            inflight: Inflight::default(),
            resend: VecDeque::new(),
            counters: Counters::default(),
            drop_lines: LineLimit::default(),
            failure: None,
        }
    }

    /// Registers, connects, serves, and does so again until told to stop.
    pub async fn run(mut self) -> Summary {
        let mut backoff = Backoff::default();
        while !self.is_stopping() {
            let assignment = self.assignment.clone().filter(|_| !self.is_stale());
            let failed = match assignment {
                None => self.register().await,
                Some(assignment) => self.attend(assignment, &mut backoff).await,
            };
            let Some(bounds) = failed else { continue };
            let wait = backoff.next(bounds, fastrand::f64());
            info!("next attempt in {} ms", wait.as_millis());
            self.while_running(tokio::time::sleep(wait)).await;
        }
        Summary {
            counters: self.counters,
            telemetry_waiting: self.telemetry.len() + self.inflight.waiting(),
            failure: self.failure,
        }
    }

    /// Registers once. How to back off where that failed; `None` to go on at once.
    async fn register(&mut self) -> Option<Bounds> {
        let Settings { enrollment, model_id, provisioning_host, .. } = &self.settings;
        let endpoint = self.endpoint(provisioning_host.clone(), self.settings.provisioning_port);
        info!("registering {} with {endpoint}", enrollment.registration_id);
        let mut hello = Connect::new(enrollment.registration_id.clone());
        let username = enrollment.username(&user_agent());
        let resource = enrollment.resource();
        self.log_in(&mut hello, username, &resource, Some(dps::POLICY));
        let registration = Registration::new(
            &enrollment.registration_id,
            model_id.as_deref(),
            fastrand::u32(..),
            Instant::now(),
        );
        let work = register::register(&endpoint, hello, registration);
        let registered = self.while_running(work).await?;
        self.refusals = 0;
        self.failures = 0;
        match registered {
            Ok(assignment) => {
                let Assignment { hub, device } = &assignment;
                info!("registration status: assigned; hub {hub}, device {device}");
                self.counters.registrations += 1;
                self.assigned(assignment);
                None
            }
            Err(refused) => {
                error!("the device could not register with {endpoint}: {refused}");
                let bounds = if refused.is_permanent() { AUTHENTICATION } else { TRANSIENT };
                self.failure = Some(refused.to_string());
                Some(bounds)
            }
        }
    }

    /// The same assignment as before may be a new device of the same name: it is told everything.
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

    /// Connects to the assigned hub once and serves. How to back off after that; `None` to go on at
    /// once.
    async fn attend(&mut self, assignment: Assignment, backoff: &mut Backoff) -> Option<Bounds> {
        let Assignment { hub, device } = assignment;
        let endpoint = self.endpoint(hub.clone(), self.settings.hub_port);
        let identity = Identity { gateway: hub.clone(), hub, device, module: None };
        let mut hello = Connect::new(identity.client_id());
        hello.clean_session = false;
        let username = identity.username(&user_agent(), self.settings.model_id.as_deref());
        let renew_at = self.log_in(&mut hello, username, &identity.resource(), None);
        let connecting = transport::connect(&endpoint, hello);
        let (connection, _) = match self.while_running(connecting).await? {
            Ok(connected) => connected,
            Err(refused) => {
                error!("the device could not connect to {endpoint}: {refused}");
                let is_refusal = refused.is_authentication();
                self.failure = Some(refused.to_string());
                let count = if is_refusal { &mut self.refusals } else { &mut self.failures };
                *count += 1;
                if self.is_stale() {
                    // Where to connect to comes first; waiting comes after.
                    return None;
                }
                return Some(if is_refusal { AUTHENTICATION } else { TRANSIENT });
            }
        };
        info!("connected to {endpoint} as {}", identity.client_id());
        self.counters.connections += 1;
        (self.refusals, self.failures, self.failure) = (0, 0, None);
        let since = Instant::now();
        let left = self.serve(connection, &identity, renew_at).await;
        if left.is_ok() || since.elapsed() >= HEALTHY_AFTER {
            backoff.reset();
        }
        match left {
            Ok(Leave::Stop) => None,
            Ok(Leave::Renewal) => {
                info!("renewing the token");
                None
            }
            Err(end) => {
                warn!("connection to {endpoint} lost: {end}");
                Some(TRANSIENT)
            }
        }
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
        let token = sign_token(&self.settings.key, resource, expiry_unix_s(lifetime), policy);
        hello.keep_alive = u16::try_from(KEEP_ALIVE.as_secs()).unwrap_or(u16::MAX);
        hello.set_login(username, token);
        // A fleet that started in the same instant shall not renew in the same instant.
        Instant::now() + lifetime.mul_f64(0.75 + 0.05 * fastrand::f64())
    }

    /// Awaits `work` while the device goes on; `None` when told to stop first.
    async fn while_running<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut stop = self.stop.clone();
        loop {
            self.tick();
            let due = self.device.deadline();
            let device = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                done = &mut work => return Some(done),
                _ = stop.wait_for(|stop| *stop) => return None,
                () = device => {}
            }
        }
    }

    /// Takes from the device what is due.
    fn tick(&mut self) {
        let mut actions = Vec::new();
        self.device.due(Moment { instant: Instant::now(), utc: Timestamp::now() }, &mut actions);
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
        if let Some(suppressed) = self.drop_lines.allow(Instant::now(), 1) {
            warn!("telemetry dropped: {TELEMETRY_HELD_MAX} wait (and {suppressed} more dropped)");
        }
    }

    fn endpoint(&self, host: String, port: u16) -> Endpoint {
        Endpoint { host, port, route: Route::Direct, tls: Arc::clone(&self.tls) }
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
