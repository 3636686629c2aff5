//! Peers that lose a CONNECT which comes too early.
//!
//! edgeHub 1.6.0 and 1.6.1 lose what they read together with the end of the TLS handshake: TLS
//! stands, and a CONNECT that was in it is never answered. The faster the client, the surer.
//!
//! ```text
//! TLS 1.3           client's Finished, CONNECT | server's session tickets, CONNACK
//! TLS 1.2, resumed  client's Finished, CONNECT | CONNACK
//! TLS 1.2           client's Finished | server's Finished | CONNECT
//! ```
//! In a full handshake of TLS 1.2 the server has the last word, so nothing can come with the
//! client's. In the other two the client cannot know that its Finished was read, unless the server
//! says something more.
//!
//! So a connection without an answer in [`FIRST_ANSWER_WAIT`] is made again, and what is said first
//! is held back until the peer's first record, or for [`HOLD_BACK_MAX`]. Where that brings an
//! answer in time, it is done from then on. Where the answer is as late all the same, the peer is
//! slow: nothing is held back, and it is given more time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ProtocolVersion;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use super::{CONNECT_TIMEOUT, Endpoint, Failure};

/// How long a peer with which TLS stands may take for its first answer, before the connection is
/// made again with CONNECT held back.
pub const FIRST_ANSWER_WAIT: Duration = Duration::from_secs(2);
/// How long CONNECT is held back at most.
pub const HOLD_BACK_MAX: Duration = Duration::from_millis(50);
/// Peers whose habits are remembered; the oldest is forgotten first.
pub const PEERS_MAX: usize = 16;

/// What connections have learnt of their peers; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Habits(Arc<Mutex<Vec<EarlyPeer>>>);

#[derive(Debug)]
struct EarlyPeer {
    host: String,
    port: u16,
    habit: Habit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Answers in this time.
    Answers(Duration),
    /// Loses what comes with the end of the handshake.
    LosesEarly,
}

impl Habits {
    #[cfg(test)]
    pub(super) fn are_those_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn habit(&self, endpoint: &Endpoint) -> Habit {
        let peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = peers.iter().find(|peer| peer.is_at(endpoint));
        known.map_or(Habit::Answers(FIRST_ANSWER_WAIT), |peer| peer.habit)
    }

    /// Remembers `habit` in place of the old one, which it returns.
    fn learn(&self, endpoint: &Endpoint, habit: Habit) -> Option<Habit> {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = peers.iter_mut().find(|peer| peer.is_at(endpoint)) {
            return Some(std::mem::replace(&mut known.habit, habit));
        }
        if peers.len() == PEERS_MAX {
            peers.remove(0);
        }
        peers.push(EarlyPeer { host: endpoint.host.clone(), port: endpoint.port, habit });
        None
    }

    /// `habit` brought the first answer after `took`, with what was said first held back.
    fn answered(&self, endpoint: &Endpoint, version: &str, habit: Habit, took: Duration) {
        match habit {
            Habit::LosesEarly => {}
            Habit::Answers(_) if took >= FIRST_ANSWER_WAIT => {
                self.learn(endpoint, Habit::Answers((took * 2).min(CONNECT_TIMEOUT)));
            }
            Habit::Answers(_) => {
                // Another connection may have learnt it meanwhile.
                if self.learn(endpoint, Habit::LosesEarly) != Some(Habit::LosesEarly) {
                    warn!(
                        "{}:{} loses a CONNECT that comes with the end of the TLS handshake, as \
                         edgeHub 1.6.0 and 1.6.1 do: from now on it is sent behind the peer's \
                         first record, or {HOLD_BACK_MAX:?} later ({version}, sluicegate {})",
                        endpoint.host,
                        endpoint.port,
                        env!("CARGO_PKG_VERSION"),
                    );
                }
            }
        }
    }
}

impl EarlyPeer {
    fn is_at(&self, endpoint: &Endpoint) -> bool {
        (self.port, &self.host) == (endpoint.port, &endpoint.host)
    }
}

/// The first answer over TLS. `shake_hands` makes the connection, with its TLS version; it holds
/// back where its caller says so. `say` sends what comes first, and waits for the answer; `silence`
/// is the error when none comes.
pub(super) async fn first_answer<S, T, H, A>(
    endpoint: &Endpoint,
    shake_hands: impl Fn(bool) -> H,
    say: impl Fn(S) -> A,
    silence: Failure,
) -> Result<T, Failure>
where
    H: Future<Output = Result<(S, &'static str), Failure>>,
    A: Future<Output = Result<T, Failure>>,
{
    let habit = endpoint.peers.habits.habit(endpoint);
    if let Habit::Answers(wait) = habit {
        let (stream, version) = shake_hands(false).await?;
        match timeout(wait, say(stream)).await {
            Ok(answered) => return answered,
            Err(_) => debug!("{endpoint}: no answer in {wait:?} over {version}; once more, later"),
        }
    }
    let (stream, version) = shake_hands(true).await?;
    let asked = Instant::now();
    let answered = timeout(CONNECT_TIMEOUT, say(stream)).await.map_err(|_| silence)?;
    // A refusal is an answer, too.
    if matches!(answered, Ok(_) | Err(Failure::Refused { .. })) {
        endpoint.peers.habits.answered(endpoint, version, habit, asked.elapsed());
    }
    answered
}

/// Waits until the peer has said something after the handshake, but not for long. Nothing is read,
/// and a failure shows when something is.
pub(super) async fn hold_back(tcp: &TcpStream) {
    let _ = timeout(HOLD_BACK_MAX, tcp.peek(&mut [0])).await;
}

/// The version of TLS in words.
pub(super) fn version(tls: &rustls::ClientConnection) -> &'static str {
    match tls.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    }
}
