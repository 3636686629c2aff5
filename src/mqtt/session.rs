//! The life of an MQTT client: connect, subscribe, serve turn after turn, leave or be cut off,
//! wait, and connect again. Every client of the product is one [`Client`], but for a registration,
//! which is one connection ([`Serve`]); the loops are [`run`] and [`serve`], and nowhere else.
//!
//! ```text
//!        ┌──────────── wait (reconnect) ◄─────────────┐ failed
//!        ▼                                            │
//!   Client::connect ──► CONNACK ──► SUBSCRIBE ──► Serve::turn, again and again ──► left
//!                                       │             │
//!                                       └─ SUBACK ────┘ checked against what was asked for
//! ```
//!
//! - In: what the client decides in its turns. Out: connections, each to its end, and log lines
//!   about both. Runs on the thread of its caller.
//! - Bounded: SUBACK within [`SUBACK_WAIT`](crate::mqtt::limits::SUBACK_WAIT), a PUBACK within the
//!   client's [`puback_timeout`](Serve::puback_timeout), waits between connections as
//!   [`reconnect`] has them. A wait counts only time in which the connection was read.
//! - One clock, that of the runtime ([`now`]): tests stop it.

mod hint;
mod leaving;
mod life;
mod overdue;
mod reconnect;
mod subscription;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout_at;

use super::{Answer, ByteStream, Connection, ConnectionError, Inbox, Names, Stream};
use crate::host::files::reread::Watch;
use crate::host::logging::outage::STEADY_AFTER;
use crate::mqtt::linger;
pub(crate) use hint::Course;
pub(crate) use leaving::Leaving;
use life::{Life, log_once_lasting, pause};
use overdue::{Overdue, Progress};
use reconnect::Loss;
pub(crate) use subscription::Subscription;

/// The clock of the runtime, which tests stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Why a connection ended that nobody left.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The connection failed, or the peer closed it.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// No SUBACK came.
    #[error("the peer did not acknowledge the subscriptions in time")]
    NoSubAck,
    /// A SUBACK that does not answer what was asked.
    #[error("the peer answered {filters} subscriptions with {codes} codes, against MQTT 3.1.1")]
    BadSubAck {
        /// Codes in the SUBACK.
        codes: usize,
        /// Filters in the SUBSCRIBE.
        filters: usize,
    },
    /// A SUBACK came that refuses this filter.
    #[error("the peer refused the subscription to {0}: its access list must allow it")]
    SubscriptionRefused(String),
    /// None is left for the SUBSCRIBE.
    #[error("all packet ids are taken by publishes without PUBACK")]
    NoPacketId,
    /// What came again under a packet id was another message than the one that it was taken for.
    #[error(
        "the peer delivered another message again than it had delivered under that packet id (has \
         another program the same client id?): a new connection brings it once more"
    )]
    Mistaken,
    /// The oldest publish has waited too long.
    #[error("no PUBACK for the oldest publish within {0:?}, although the peer is there")]
    NoPubAck(Duration),
}

impl End {
    /// Whether the peer, or what is between, hung up.
    pub(crate) fn is_hang_up(&self) -> bool {
        matches!(self, Self::Connection(ConnectionError::Closed | ConnectionError::Io(_)))
    }

    /// Whether only a person can mend it.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::SubscriptionRefused(_))
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct FailedAttempt {
    /// What failed, and what to do about it.
    pub(crate) text: String,
    /// What the peer has to do with it; `None`: try again at once.
    pub(crate) answer: Option<Answer>,
}

/// What a client wants to be subscribed to.
pub(crate) struct Ask {
    /// The packet id of the SUBSCRIBE.
    pub(crate) packet_id: u16,
    /// The filters, all at QoS 1.
    pub(crate) filters: Vec<String>,
}

/// How a turn of a client ended.
pub(crate) enum Step<L> {
    /// The connection is left: DISCONNECT, and the end.
    Leave(L),
    /// The next turn comes with packets, a wake-up, room to write, or
    /// [`TICK`](super::connection::TICK).
    Wait(Wait),
}

/// What is waited for.
#[derive(Default)]
pub(crate) struct Wait {
    /// Whether the connection is read.
    pub(crate) read: bool,
    /// Whether to pause first, for messages to come together.
    pub(crate) pause: Option<Duration>,
    /// The latest end of the wait.
    pub(crate) until: Option<Instant>,
    /// What has waited longest for the peer: the packet id of the oldest publish without PUBACK. Or
    /// at a source, that waits for others, what tells its oldest message from the one behind it.
    pub(crate) oldest: Option<u16>,
}

/// One connection, from its CONNACK on.
pub(crate) struct Session<S> {
    /// The connection.
    pub(crate) connection: Connection<S>,
    /// What the last turn brought.
    pub(crate) inbox: Inbox,
    /// The subscriptions, made anew on every connection: one that the peer has lost would go
    /// unnoticed for ever.
    pub(crate) subscription: Subscription,
    /// Something was acknowledged on this connection, in either direction.
    has_worked: bool,
}

impl<S> Session<S> {
    /// Something was acknowledged on this connection, in either direction: it is one that works.
    pub(crate) fn worked(&mut self) {
        self.has_worked = true;
    }
}

/// What is done with one connection.
pub(crate) trait Serve {
    /// Why a connection is left in good order.
    type Leave;

    /// What ends waits.
    fn wake(&self) -> &Arc<Notify>;

    /// How long the oldest publish may be without PUBACK.
    fn puback_timeout(&self) -> Duration;

    /// A connection begins: nothing of the last one counts any more.
    ///
    /// # Errors
    /// When nothing can be subscribed to.
    fn open(&mut self, session_present: bool, now: Instant) -> Result<Ask, End>;

    /// Takes what came in the inbox, and says what there is to say.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    fn turn<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        now: Instant,
    ) -> Result<Step<Self::Leave>, End>;
}

/// A client that connects again and again.
pub(crate) trait Client: Serve {
    /// What its connections run on.
    type Stream: ByteStream;

    /// Its name in the log.
    fn client_id(&self) -> &str;

    /// Turns true for the end of all connections, together with a notification on
    /// [`wake`](Serve::wake).
    fn stop(&self) -> &watch::Receiver<bool>;

    /// What [`connect`](Self::connect) reads each time: a change of it ends the wait before the
    /// next attempt.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Makes a connection. May be dropped at any await.
    async fn connect(&mut self) -> Result<Connected<Self::Stream>, FailedAttempt>;

    /// Runs `work` to its end, and meanwhile lets the client do what needs no connection.
    async fn idle<T>(&mut self, work: impl Future<Output = T>) -> T {
        work.await
    }

    /// The connection was left. Whether to connect again, at once.
    fn left(&mut self, why: Self::Leave) -> bool;

    /// The connection was lost: what is known of the cause.
    fn lost(&mut self, end: &End) -> Cause;
}

/// What a client knows of the cause of a lost connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing.
    Unknown,
    /// The peer refuses what was sent: it is not the link.
    Refused,
    /// Another client of this name has acknowledged what this one has not.
    Shared,
}

/// A connection that was made.
pub(crate) struct Connected<S = Stream> {
    /// The connection.
    pub(crate) connection: Connection<S>,
    /// Whether the peer had kept the session.
    pub(crate) session_present: bool,
    /// Where to, and how.
    pub(crate) endpoint: String,
    /// What the settings are called that it comes from.
    pub(crate) names: &'static Names,
}

/// Connects, serves, and connects again until told to stop.
pub(crate) async fn run<C: Client>(client: &mut C) {
    let mut life = Life::default();
    let mut stop = client.stop().clone();
    loop {
        let attempt = async {
            if let Some(wait) = life.wait.take() {
                client.idle(pause(wait, &life.files)).await;
            }
            // As they are before they are read.
            life.files = Watch::over(client.files());
            client.connect().await
        };
        let connected = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            connected = attempt => connected,
        };
        match connected {
            Ok(connected) => {
                if attend(client, connected, &mut life).await.is_break() {
                    return;
                }
            }
            Err(failed) => life.failed(client.client_id(), &failed),
        }
    }
}

/// Serves a connection to its end, and logs how it began and ended. `Break`: it was the last one.
async fn attend<C: Client>(
    client: &mut C,
    connected: Connected<C::Stream>,
    life: &mut Life,
) -> ControlFlow<()> {
    let Connected { mut connection, session_present, endpoint, names } = connected;
    let client_id = client.client_id().to_owned();
    connection.answers_within(life.reconnect.answer_wait());
    let holds = life.connected(&endpoint, &client_id, session_present);
    let served = log_once_lasting(serve(client, connection, session_present), holds).await;
    if served.course.lived >= STEADY_AFTER {
        life.forget_outage();
    }
    match served.end {
        Ok(why) => {
            life.reconnect.left();
            life.forget_outage();
            if client.left(why) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }
        Err(end) => {
            let hint = served.course.hint(&end, &client_id, names);
            let text = format!("connection to {endpoint} lost: {end}{hint}");
            let cause = client.lost(&end);
            let loss = Loss {
                lived: served.course.lived,
                has_worked: served.has_worked,
                cause,
                is_refusal: end.is_refusal(),
                is_unanswered: matches!(end, End::Connection(ConnectionError::Unanswered(_))),
                is_unacknowledged: matches!(end, End::NoPubAck(_) | End::NoSubAck),
                is_hang_up: served.is_subscribed && end.is_hang_up(),
            };
            life.lost(&client_id, &loss, &text);
            ControlFlow::Continue(())
        }
    }
}

/// How a connection went.
pub(crate) struct Served<L> {
    /// Why it was left, or how it was lost.
    pub(crate) end: Result<L, End>,
    /// Something was acknowledged on it.
    pub(crate) has_worked: bool,
    /// The SUBACK had come.
    is_subscribed: bool,
    /// For what may be behind its end.
    pub(crate) course: Course,
}

/// Serves one connection to its end.
pub(crate) async fn serve<C: Serve, S: ByteStream>(
    client: &mut C,
    mut connection: Connection<S>,
    session_present: bool,
) -> Served<C::Leave> {
    let since = now();
    let course = |connection: &Connection<S>| Course {
        lived: now().saturating_duration_since(since),
        silence: connection.silence(),
        keep_alive: connection.keep_alive_interval(),
    };
    let opened = client
        .open(session_present, since)
        .and_then(|ask| Subscription::ask(&mut connection, ask.packet_id, ask.filters));
    let subscription = match opened {
        Ok(subscription) => subscription,
        Err(end) => {
            let course = course(&connection);
            return Served { end: Err(end), has_worked: false, is_subscribed: false, course };
        }
    };
    let inbox = Inbox::default();
    let mut session = Session { connection, inbox, subscription, has_worked: false };
    let end = turns(client, &mut session).await;
    let Session { connection, subscription, has_worked, .. } = session;
    let course = course(&connection);
    if end.is_ok() {
        connection.close().await;
    }
    Served { end, has_worked, is_subscribed: subscription.is_answered(), course }
}

/// Turn after turn, until the client leaves or the connection is lost.
async fn turns<C: Serve, S: ByteStream>(
    client: &mut C,
    session: &mut Session<S>,
) -> Result<C::Leave, End> {
    let wake = Arc::clone(client.wake());
    let puback_timeout = client.puback_timeout();
    let mut overdue = Overdue::new(now());
    let mut was_read = false;
    loop {
        let now = now();
        let wait = match client.turn(session, now)? {
            Step::Leave(why) => return Ok(why),
            Step::Wait(wait) => wait,
        };
        session.subscription.check(now, was_read)?;
        let is_asking = || session.connection.is_asking();
        match overdue.check(now, was_read, is_asking, wait.oldest, puback_timeout) {
            Progress::Fine => {}
            Progress::Slow => session.connection.ask(),
            Progress::None => return Err(End::NoPubAck(puback_timeout)),
        }
        was_read = wait.read;
        if let Some(pause) = wait.pause.filter(|_| wait.read) {
            session.connection.write_now().await?;
            linger::pause(pause).await;
        }
        let turn = session.connection.turn(&mut session.inbox, &wake, wait.read);
        match wait.until {
            // Past that moment the next turn of the client sees that it is.
            Some(until) => timeout_at(until.into(), turn).await.unwrap_or(Ok(()))?,
            None => turn.await?,
        }
    }
}

#[cfg(test)]
mod tests;
