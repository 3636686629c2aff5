//! What a connection begins with, a trusted peer and a fresh token, and the renewal of that token.
//!
//! MQTT 3.1.1 cannot authenticate anew on a living connection, so a renewal is a DISCONNECT and a
//! CONNECT. Everything that can fail or wait is done before: the new token is at hand, and work in
//! flight is acknowledged in both directions (see [`serve`](super::serve)).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::{HubLink, LinkSettings};
use crate::host::logging::outage::{Notice, Outage};
use crate::hub::credentials::Credentials;
use crate::hub::limits::{RENEWAL_JITTER, RENEWAL_SHARE};
use crate::hub::trust::TrustError;
use crate::hub::workload::WorkloadError;
use crate::mqtt::backoff::{Backoff, TRANSIENT};
use crate::mqtt::packet::Connect;
use crate::mqtt::session::{self, Connected, FailedAttempt};
use crate::mqtt::transport::{self, Endpoint};
use crate::mqtt::{Answer, ConnectError, Names, Peer};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error("no trusted roots: {0}")]
    Trust(#[from] TrustError),
    #[error("no token: {0}")]
    Token(#[from] WorkloadError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl LoginError {
    /// What to make of it.
    pub(super) fn failure(&self) -> FailedAttempt {
        let answer = match self {
            Self::Connect(refused) => refused.answer(),
            Self::Trust(TrustError::Workload(error)) | Self::Token(error) if error.is_silence() => {
                Answer::Nothing
            }
            Self::Trust(_) | Self::Token(_) => Answer::Refusal,
        };
        FailedAttempt { text: self.to_string(), answer: Some(answer) }
    }
}

/// A token, and when it is to be replaced. Has no `Debug`: it is a secret.
pub(crate) struct TokenPassword {
    token: String,
    pub(super) renew_at: Instant,
}

/// How long a token is used that lives for `lifetime`; `jitter` is uniform in 0..1, so that
/// modules which started together do not renew together.
pub(super) fn use_time(lifetime: Duration, jitter: f64) -> Duration {
    lifetime.mul_f64(RENEWAL_SHARE + RENEWAL_JITTER * (2.0 * jitter.clamp(0.0, 1.0) - 1.0))
}

/// What asks for tokens.
struct TokenSource {
    credentials: Credentials,
    resource: String,
    lifetime: Duration,
}

impl TokenSource {
    fn new(settings: &LinkSettings) -> Self {
        Self {
            credentials: settings.credentials.clone(),
            resource: settings.identity.resource(),
            lifetime: settings.token_lifetime,
        }
    }

    async fn password(&self) -> Result<TokenPassword, WorkloadError> {
        let renew_at = session::now() + use_time(self.lifetime, fastrand::f64());
        let token = self.credentials.password(&self.resource, self.lifetime).await?;
        Ok(TokenPassword { token, renew_at })
    }

    /// Tries until there is one. The old connection lives on meanwhile, until its own token ends.
    async fn persist(&self) -> TokenPassword {
        let (mut backoff, mut outage) = (Backoff::default(), Outage::default());
        loop {
            let error = match self.password().await {
                Ok(password) => {
                    if let Some(away) = outage.works(session::now()) {
                        info!("there is a new token, after {away}");
                    }
                    return password;
                }
                Err(error) => error.to_string(),
            };
            let wait = backoff.next(TRANSIENT, fastrand::f64());
            let still = match outage.failed(&error, session::now()) {
                Notice::Full => Some(String::new()),
                Notice::Still(away) => Some(format!("still, after {away}: ")),
                Notice::Nothing => None,
            };
            if let Some(still) = still {
                warn!(
                    "token not renewed: {still}{error}; next attempt in {} ms, the connection \
                     lasts until the old token ends",
                    wait.as_millis()
                );
            }
            tokio::time::sleep(wait).await;
        }
    }
}

/// Fetches the next token in the background; ends with the connection that it belongs to.
pub(super) struct Renewal {
    password: oneshot::Receiver<TokenPassword>,
    task: JoinHandle<()>,
}

impl Renewal {
    /// Begins to fetch at `renew_at`, and notifies `wake` when there is a token.
    pub(super) fn start(settings: &LinkSettings, renew_at: Instant, wake: &Arc<Notify>) -> Self {
        let (done, password) = oneshot::channel();
        let (source, wake) = (TokenSource::new(settings), Arc::clone(wake));
        let task = tokio::spawn(async move {
            tokio::time::sleep_until(renew_at.into()).await;
            // Nobody listens only when the connection has ended.
            let _ = done.send(source.persist().await);
            wake.notify_one();
        });
        Self { password, task }
    }

    /// The new token, once.
    pub(super) fn ready(&mut self) -> Option<TokenPassword> {
        self.password.try_recv().ok()
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HubLink {
    /// Connects with the token that a renewal has left, or with a new one.
    pub(super) async fn log_in(&mut self) -> Result<Connected, LoginError> {
        let tls = self.settings.trust.tls().await?;
        let password = self.next_password().await?;
        let LinkSettings { identity, port, route, .. } = &self.settings;
        let (host, route) = (identity.gateway.clone(), route.clone());
        let peers = self.peers.clone();
        let names = names(&self.settings.credentials);
        let endpoint = Endpoint { host, port: *port, route, tls, peers, names };
        let connected = transport::connect(&endpoint, self.hello(password)).await;
        let (connection, acknowledged) = connected.inspect_err(|refused| {
            if refused.is_untrusted() {
                self.settings.trust.doubt();
            }
        })?;
        self.pipeline.lock().counters.connections += 1;
        let session_present = acknowledged.session_present;
        let endpoint = endpoint.to_string();
        Ok(Connected { connection, session_present, endpoint, names })
    }

    /// The token that a renewal has left, or a new one: the one to be renewed next.
    pub(crate) async fn next_password(&mut self) -> Result<TokenPassword, WorkloadError> {
        let password = match self.password.take() {
            Some(password) => password,
            None => TokenSource::new(&self.settings).password().await?,
        };
        self.renew_at = password.renew_at;
        Ok(password)
    }

    fn hello(&self, password: TokenPassword) -> Connect {
        let LinkSettings { identity, keep_alive, .. } = &self.settings;
        let mut hello = Connect::new(identity.client_id());
        hello.clean_session = false;
        hello.keep_alive = u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX);
        hello.set_login(identity.username(&user_agent(), None), password.token);
        hello
    }
}

/// What the settings of the hub are called: outside of the edge runtime, and inside.
pub(super) fn names(credentials: &Credentials) -> &'static Names {
    const OUTSIDE: Names = Names {
        peer: Peer::EdgeHub,
        host: "GatewayHostName in EdgeHubConnectionString",
        port: "SLUICEGATE_GATEWAY_PORT",
        way: "SLUICEGATE_WEBSOCKET, SLUICEGATE_PLAIN",
        identity: "EdgeHubConnectionString",
        client_id: "EdgeHubConnectionString",
        keep_alive: "SLUICEGATE_KEEP_ALIVE",
        roots: "EdgeModuleCACertificateFile",
        certificate: "",
        proxy: "HTTPS_PROXY, NO_PROXY",
    };
    const INSIDE: Names = Names {
        host: "IOTEDGE_GATEWAYHOSTNAME",
        identity: "the module's identity in the deployment",
        client_id: "the module's identity in the deployment",
        roots: "the trust bundle of the edge runtime",
        ..OUTSIDE
    };
    match credentials {
        Credentials::Key(_) => &OUTSIDE,
        Credentials::Workload(_) => &INSIDE,
    }
}

fn user_agent() -> String {
    let (version, os, cpu) =
        (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    format!("sluicegate/{version} ({os}; {cpu})")
}
