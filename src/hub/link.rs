//! The link to the hub: the ingest thread, which owns the connection in both directions.
//!
//! One loop, one turn after the other: packets read in this turn are sorted in order of arrival
//! (inputs and PUBACKs to the [`Pipeline`](crate::pipeline), twin patches to the threshold at
//! once), then alerts and acknowledgements are added to the one write of the next turn.
//!
//! - Bounded: see [`limits`](crate::pipeline::limits). The loop waits for the socket alone, never
//!   for a later stage, so the two directions cannot block each other.
//! - Connecting, waiting and reading are those of `mqtt::session`. The state is here; a turn is in
//!   `serve`, what a connection begins with in `login`.

mod dispatch;
mod login;
mod serve;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use crate::azure::{Identity, topics};
use crate::hub::credentials::Credentials;
use crate::hub::trust::Trust;
use crate::mqtt::linger::Linger;
use crate::mqtt::session::{self, Leaving};
use crate::mqtt::{ByteStream, Connection, Peers, Route};
use crate::outbound::Outbound;
use crate::outbound::dead_letters::DeadLetters;
use crate::outbound::naming::HubOutput;
use crate::pipeline::SharedPipeline;
use crate::pipeline::message::SourceId;
use crate::twin::Twin;
use login::{Renewal, TokenPassword};
use serve::HubLeave;

pub use crate::mqtt::session::End;

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
    /// Longest wait for the PUBACK of an alert, on a connection that is alive.
    pub puback_timeout: Duration,
    /// Longest wait for outstanding acknowledgements at shutdown.
    pub drain_timeout: Duration,
    /// Longest pause for messages to come together.
    pub linger: Duration,
    /// Whether the module's own alerts are judged when a route brings them back.
    pub judge_own_alerts: bool,
}

/// The link, with everything that outlives a connection.
pub struct HubLink {
    settings: LinkSettings,
    client_id: String,
    peers: Peers,
    pipeline: SharedPipeline,
    wake: Arc<Notify>,
    stop: watch::Receiver<bool>,
    twin: Twin,
    outbound: Outbound<HubOutput>,
    inputs_prefix: String,
    /// The token for the next connection, where a renewal has left one.
    password: Option<TokenPassword>,
    /// When the token of the connection is to be replaced.
    renew_at: Instant,
    /// What fetches the token of the next connection.
    renewal: Option<Renewal>,
    /// Why the connection is being left: nothing that arrives from then on is acknowledged on it.
    leaving: Option<Leaving<HubLeave>>,
    /// Until then inputs wait for the first twin document.
    hold_until: Instant,
    linger: Linger,
    started: Instant,
}

impl HubLink {
    /// A link that is not connected yet: the source [`SourceId::Hub`] of `pipeline`, and its
    /// outlet. `wake` is this link's in the pipeline; `stop` turns true for shutdown, together with
    /// a notification on `wake`.
    pub fn new(
        settings: LinkSettings,
        pipeline: SharedPipeline,
        wake: Arc<Notify>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let cell = Arc::clone(pipeline.lock().cell());
        let default = cell.load().threshold;
        let now = session::now();
        let output = HubOutput::new(&settings.identity, OUTPUT);
        let output = output.judging_own_alerts(settings.judge_own_alerts);
        Self {
            client_id: settings.identity.client_id(),
            twin: Twin::new(cell, default, fastrand::u32(..)),
            outbound: Outbound::new(output),
            inputs_prefix: topics::inputs_prefix(&settings.identity),
            password: None,
            renew_at: now + login::use_time(settings.token_lifetime, fastrand::f64()),
            renewal: None,
            leaving: None,
            hold_until: now,
            linger: Linger::new(settings.linger),
            started: now,
            settings,
            peers: Peers::default(),
            pipeline,
            wake,
            stop,
        }
    }

    /// The same with `peers`, which other connections of the process share.
    #[must_use]
    pub fn with_peers(mut self, peers: Peers) -> Self {
        self.peers = peers;
        self
    }

    /// Puts alerts that the hub does not take into files, and tries those of earlier runs again.
    #[must_use]
    pub fn parking_in(mut self, dead_letters: DeadLetters) -> Self {
        self.outbound.park_in(dead_letters, session::now());
        self
    }

    /// Connects, serves, and connects again until told to stop.
    pub async fn run(mut self) {
        session::run(&mut self).await;
    }

    /// Serves one connection whose CONNACK has come, whatever it runs on, until there is a reason
    /// to leave it: what [`run`](Self::run) does with each connection that it makes.
    ///
    /// # Errors
    /// Why the connection ended otherwise.
    pub async fn serve_over(&mut self, connection: Connection<impl ByteStream>) -> Result<(), End> {
        session::serve(self, connection, true).await.end.map(drop)
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }
}

#[cfg(test)]
mod tests;
