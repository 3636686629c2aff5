//! The link to the hub: the ingest thread, which owns the connection in both directions.
//!
//! One loop, one turn after the other: packets read in this turn are sorted in order of arrival
//! (inputs and PUBACKs to the [`Pipeline`](crate::pipeline), twin patches to the threshold at once),
//! then alerts and acknowledgements are added to the one write of the next turn.
//!
//! - Bounded: see [`limits`](crate::limits). The loop waits for the socket alone, never for a later
//!   stage, so the two directions cannot block each other.
//! - State that outlives a connection is here; what belongs to one connection is in `serve`, what
//!   it begins with in `login`.

mod dispatch;
mod login;
mod serve;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tracing::{error, info, warn};

use crate::azure::{Identity, topics};
use crate::credentials::Credentials;
use crate::dead_letters::DeadLetters;
use crate::forward::HubOutput;
use crate::limits::HEALTHY_AFTER;
use crate::message::SourceId;
use crate::mqtt::backoff::{AUTHENTICATION, Backoff, TRANSIENT};
use crate::mqtt::{ByteStream, Connection, ConnectionError, Route};
use crate::outbound::Outbound;
use crate::pipeline::SharedPipeline;
use crate::threshold::{Threshold, ThresholdCell};
use crate::trust::Trust;
use crate::twin::Twin;
use serve::Leave;

/// The output that alerts leave by.
const OUTPUT: &str = "output1";
const HUB: SourceId = SourceId::Hub;

/// What a link needs to know.
pub struct LinkSettings {
    /// Who the module is, and the host that it connects to.
    pub identity: Identity,
    /// What it proves that with.
    pub credentials: Credentials,
    /// Whom it trusts.
    pub trust: Trust,
    /// Port of the gateway.
    pub port: u16,
    /// The way to the gateway.
    pub route: Route,
    /// MQTT keep-alive.
    pub keep_alive: Duration,
    /// Life of a SAS token; it is renewed before its end.
    pub token_lifetime: Duration,
    /// Longest wait for outstanding acknowledgements at shutdown.
    pub drain_timeout: Duration,
    /// Longest pause for messages to come together.
    pub linger: Duration,
}

/// Why one connection ended.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The connection failed, or the hub closed it.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// No SUBACK came.
    #[error("the hub did not acknowledge the subscriptions in time")]
    NoSubAck,
    /// A SUBACK came that refuses this filter.
    #[error("the hub refused the subscription to {0}")]
    SubscriptionRefused(String),
    /// None is left for the SUBSCRIBE.
    #[error("all packet ids are taken by alerts without PUBACK")]
    NoPacketId,
}

/// The link, with everything that outlives a connection.
pub struct Link {
    settings: LinkSettings,
    pipeline: SharedPipeline,
    wake: Arc<Notify>,
    stop: watch::Receiver<bool>,
    cell: Arc<ThresholdCell>,
    twin: Twin,
    outbound: Outbound<HubOutput>,
    inputs_prefix: String,
    /// The threshold in force for what arrives now.
    threshold: Threshold,
    /// When the token of the connection is to be replaced.
    renew_at: Instant,
    /// The connection is being left: nothing that arrives from now on is acknowledged on it.
    leaving: bool,
    /// It is left because the hub sent more than may be held.
    overrun: bool,
    /// Until then inputs wait for the first twin document.
    hold_until: Instant,
    started: Instant,
}

impl Link {
    /// A link that is not connected yet: the source [`SourceId::Hub`] of `pipeline`, and its outlet. `wake` is
    /// this link's in the pipeline; `stop` turns true for shutdown, together with a notification on
    /// `wake`.
    pub fn new(
        settings: LinkSettings,
        pipeline: SharedPipeline,
        wake: Arc<Notify>,
        stop: watch::Receiver<bool>,
        cell: Arc<ThresholdCell>,
    ) -> Self {
        let default = cell.load().threshold;
        Self {
            twin: Twin::new(Arc::clone(&cell), default, fastrand::u32(..)),
            outbound: Outbound::new(HubOutput::new(&settings.identity, OUTPUT)),
            inputs_prefix: topics::inputs_prefix(&settings.identity),
            renew_at: Instant::now() + login::use_time(settings.token_lifetime, fastrand::f64()),
            leaving: false,
            overrun: false,
            hold_until: Instant::now(),
            started: Instant::now(),
            settings,
            pipeline,
            wake,
            stop,
            cell,
            threshold: default,
        }
    }

    /// Puts alerts that the hub does not take into files, and tries those of earlier runs again.
    #[must_use]
    pub fn parking_in(mut self, dead_letters: DeadLetters) -> Self {
        self.outbound.park_in(dead_letters, now());
        self
    }

    /// Connects, serves, and connects again until told to stop.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut password = None;
        while !self.is_stopping() {
            let mut bounds = TRANSIENT;
            match self.connect(password.take()).await {
                None => break,
                Some(Ok(connection)) => {
                    let since = Instant::now();
                    let end = self.serve(connection).await;
                    if since.elapsed() >= HEALTHY_AFTER {
                        backoff.reset();
                    }
                    match end {
                        Ok(Leave::Stop) => break,
                        Ok(Leave::Renew(fresh)) => {
                            password = Some(fresh);
                            continue;
                        }
                        Ok(Leave::Overrun) => continue,
                        Err(end) => {
                            let client_id = self.settings.identity.client_id();
                            warn!("connection to {} as {client_id} lost: {end}", self.peer());
                            if self.hung_up(&end) {
                                backoff.reset();
                            }
                        }
                    }
                }
                Some(Err(refused)) => {
                    if refused.is_authentication() {
                        bounds = AUTHENTICATION;
                    }
                    error!("as {}: {refused}", self.settings.identity.client_id());
                }
            }
            let wait = backoff.next(bounds, fastrand::f64());
            info!("next attempt in {} ms", wait.as_millis());
            let mut stop = self.stop.clone();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    /// Serves one connection whose CONNACK has come, whatever it runs on, until there is a reason to
    /// leave it: what [`run`](Self::run) does with each connection that it makes.
    ///
    /// # Errors
    /// Why the connection ended otherwise.
    pub async fn serve_over(&mut self, connection: Connection<impl ByteStream>) -> Result<(), End> {
        self.serve(connection).await.map(drop)
    }

    /// Tells what was under way that the hub has ended the connection, if it has. Whether a publish
    /// is the cause, and not the link.
    fn hung_up(&mut self, end: &End) -> bool {
        let End::Connection(ConnectionError::Closed | ConnectionError::Io(_)) = end else {
            return false;
        };
        let pipeline = &mut *self.pipeline.lock();
        let outcome = self.outbound.hung_up(now(), pipeline);
        pipeline.wake_others(&self.wake);
        outcome.is_explained
    }

    fn peer(&self) -> String {
        format!("{}:{}", self.settings.identity.gateway, self.settings.port)
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }
}

/// The clock of the runtime, which tests stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests;
