//! One connection to the broker after the other, until told to stop.

use std::time::Instant;

use rumqttc::mqttbytes::v4::{ConnAck, Connect};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::limits::HEALTHY_AFTER;
use crate::mqtt::backoff::{AUTHENTICATION, Backoff, Bounds, TRANSIENT};
use crate::mqtt::transport::connect;
use crate::mqtt::{ConnectError, Connection, ConnectionError, Endpoint, Stream};
use crate::pipeline::SharedPipeline;

/// Why one connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("the broker did not acknowledge the subscriptions in time")]
    NoSubAck,
    #[error("the broker answered {filters} subscriptions with {codes} codes, against MQTT 3.1.1")]
    BadSubAck { codes: usize, filters: usize },
    #[error("the broker refused the subscription to {0}: its access list must allow it")]
    SubscriptionRefused(String),
    #[error("all packet ids are taken by alerts without PUBACK")]
    NoPacketId,
    #[error(
        "the broker delivered another message again than it had delivered under that packet id (has \
         another program the same client id?): a new connection brings it once more"
    )]
    Mistaken,
}

impl End {
    /// Whether only a person can mend it.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::SubscriptionRefused(_))
    }

    /// Whether the broker, or what is between, hung up.
    pub(super) fn is_hang_up(&self) -> bool {
        matches!(self, Self::Connection(ConnectionError::Closed | ConnectionError::Io(_)))
    }
}

/// What makes the connections of one client id.
pub(super) struct Dial {
    endpoint: Endpoint,
    hello: Connect,
    stop: watch::Receiver<bool>,
    pipeline: SharedPipeline,
    backoff: Backoff,
    /// How long to wait before the next attempt; none before the first.
    bounds: Option<Bounds>,
    since: Instant,
}

impl Dial {
    pub(super) fn new(
        endpoint: Endpoint,
        hello: Connect,
        stop: watch::Receiver<bool>,
        pipeline: SharedPipeline,
    ) -> Self {
        let (backoff, since) = (Backoff::default(), Instant::now());
        Self { endpoint, hello, stop, pipeline, backoff, bounds: None, since }
    }

    /// Tries until there is a connection, with waits as for every reconnect; `None` when told to
    /// stop.
    pub(super) async fn connect(&mut self) -> Option<(Connection<Stream>, ConnAck)> {
        let client_id = self.hello.client_id.clone();
        loop {
            if let Some(bounds) = self.bounds.take() {
                let wait = self.backoff.next(bounds, fastrand::f64());
                info!("as {client_id}: next attempt in {} ms", wait.as_millis());
                self.while_running(tokio::time::sleep(wait)).await?;
            }
            let connecting = connect(&self.endpoint, self.hello.clone());
            match self.while_running(connecting).await? {
                Ok((connection, acknowledged)) => {
                    self.pipeline.lock().counters.connections += 1;
                    self.since = Instant::now();
                    info!(
                        "connected to {} as {client_id}, session present: {}",
                        self.endpoint, acknowledged.session_present
                    );
                    return Some((connection, acknowledged));
                }
                Err(refused) => {
                    error!("as {client_id}: {refused}{}", advice(&refused));
                    let is_refusal = refused.is_authentication();
                    self.bounds = Some(if is_refusal { AUTHENTICATION } else { TRANSIENT });
                }
            }
        }
    }

    /// The connection was lost.
    pub(super) fn lost(&mut self, end: &End) {
        if self.since.elapsed() >= HEALTHY_AFTER {
            self.backoff.reset();
        }
        warn!("connection to {} as {} lost: {end}", self.endpoint, self.hello.client_id);
        self.bounds = Some(if end.is_refusal() { AUTHENTICATION } else { TRANSIENT });
    }

    /// Something was achieved all the same: the next attempt need not wait long.
    pub(super) fn progressed(&mut self) {
        self.backoff.reset();
    }

    /// Makes the next attempt wait for half of `wait` at least.
    #[cfg(test)]
    pub(super) fn pause(&mut self, wait: std::time::Duration) {
        self.bounds = Some(Bounds { first: wait * 2, longest: wait * 2 });
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    async fn while_running<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut stop = self.stop.clone();
        tokio::select! {
            done = work => Some(done),
            _ = stop.wait_for(|stop| *stop) => None,
        }
    }
}

/// What to do about a failure, where it is a matter of this broker's settings.
fn advice(refused: &ConnectError) -> &'static str {
    if refused.is_untrusted() {
        return "; --broker-ca names the file of the broker's own root";
    }
    if refused.is_authentication() {
        return "; the user is part of --broker, the password is in SLUICEGATE_BROKER_PASSWORD or in \
                the file of --broker-password-file";
    }
    if refused.asks_for_certificate() {
        return "; the broker asks for a client certificate that it trusts: --broker-cert and \
                --broker-key";
    }
    ""
}

/// The clock of the runtime, which tests stop.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
