//! From an accepted socket to a seated connection: TLS, the first packet, credentials.
//!
//! Bounded by one deadline from accept to CONNECT. A refusal is logged without what was offered
//! as a password.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::authentication::{
    Clock, NO_USERNAME, Refusal, Username, require_password, verify_token,
};
use super::config::{READ_BYTES, REFUSAL_WAIT};
use super::connection::{self, Admission};
use super::fault::{self, HubFault};
use super::lobby::Place;
use super::registration::{self, admission::Registrant};
use super::state::HubState;
use super::stream::{self, Door, Stream};
use super::strict::{self, First, Violation};

/// Characters of a refused client id that the log shows.
const CLIENT_CHARS: usize = 200;

/// Who has been let in.
enum Guest {
    /// A module or device.
    Peer(Admission),
    /// A device that registers, and when its token ends.
    Registrant(Registrant),
}

/// Serves one accepted socket until it closes.
pub(super) async fn serve(
    hub: Rc<RefCell<HubState>>,
    socket: TcpStream,
    tls: TlsAcceptor,
    door: Door,
) {
    let mut place = Place::take(&hub.borrow().lobby);
    let arrival = tokio::select! {
        biased;
        () = place.shed() => return,
        arrival = arrive(&hub, socket, tls, door) => arrival,
    };
    drop(place);
    let Some((stream, input, connect, guest)) = arrival else { return };
    match guest {
        Guest::Peer(admission) => connection::run(hub, stream, input, connect, admission).await,
        Guest::Registrant(registrant) => {
            let deadline =
                registrant.expiry_unix_s.and_then(|expiry| hub.borrow().token_deadline(expiry));
            let (id, keep_alive_s) = (registrant.registration_id, connect.keep_alive);
            registration::session::run(hub, stream, input, id, keep_alive_s, deadline).await;
        }
    }
}

/// Up to the answer to CONNECT; `None` when the connection is over.
async fn arrive(
    hub: &RefCell<HubState>,
    socket: TcpStream,
    tls: TlsAcceptor,
    door: Door,
) -> Option<(Stream, BytesMut, Connect, Guest)> {
    let deadline = tokio::time::Instant::now() + hub.borrow().config.connect_timeout;
    let opened = timeout_at(deadline, open(hub, socket, tls, door)).await;
    let Ok(Some((stream, input, connect))) = opened else {
        hub.borrow_mut().counters.connect_failures += 1;
        return None;
    };
    let admitted = if registration::admission::is_for_service(&connect) {
        let hub = hub.borrow();
        hub.admit_registrant(&connect, hub.clock()).map(Guest::Registrant)
    } else {
        hub.borrow_mut().admit(&connect).map(Guest::Peer)
    };
    match admitted {
        Ok(guest) => Some((stream, input, connect, guest)),
        Err(refusal) => {
            refuse(hub, stream, &connect, refusal).await;
            None
        }
    }
}

/// TLS handshake and first packet; `None` when they fail.
async fn open(
    hub: &RefCell<HubState>,
    socket: TcpStream,
    tls: TlsAcceptor,
    door: Door,
) -> Option<(Stream, BytesMut, Connect)> {
    // Without it a lone answer may wait for the client's delayed acknowledgement.
    socket.set_nodelay(true).ok()?;
    let from = socket.peer_addr().ok()?;
    let mut tls = match tls.accept(BufReader::with_capacity(READ_BYTES, socket)).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%from, %error, "TLS handshake failed");
            return None;
        }
    };
    let fault = hub.borrow().config.fault;
    if fault == Some(HubFault::EarlyConnect) && door == Door::Mqtt {
        let bytes = fault::lose_early_data(&mut tls).ok()?;
        if bytes > 0 {
            hub.borrow_mut().counters.early_lost += 1;
            tracing::warn!(bytes, "fault early-connect: bytes after the TLS handshake lost");
        }
    }
    let mut stream = match Stream::open(tls, door).await {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%from, %error, "WebSocket handshake failed");
            return None;
        }
    };
    let (input, first) = match first_packet(&mut stream).await {
        Ok(found) => found?,
        Err(violation) => {
            hub.borrow_mut().counters.protocol_errors += 1;
            tracing::warn!(%from, "closed by the hub: {violation}");
            return None;
        }
    };
    match first {
        First::Connect(connect) => Some((stream, input, connect)),
        First::Unwelcome(unwelcome) => {
            tracing::warn!(%from, code = unwelcome.code() as u8, "connection refused: {unwelcome}");
            write_refusal(&mut stream, unwelcome.code()).await;
            None
        }
    }
}

/// The first packet and what has been read behind it; `None` when the client goes before it.
async fn first_packet(stream: &mut Stream) -> Result<Option<(BytesMut, First)>, Violation> {
    let mut input = BytesMut::with_capacity(READ_BYTES);
    loop {
        if let Some(first) = strict::first(&mut input)? {
            return Ok(Some((input, first)));
        }
        match stream.read_buf(&mut input).await {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => return stream::violation_of(&error).map_or(Ok(None), Err),
        }
    }
}

impl HubState {
    /// Checks credentials and identity, and seats the connection.
    pub(super) fn admit(&mut self, connect: &Connect) -> Result<Admission, Refusal> {
        let login = connect.login.as_ref().ok_or(Refusal::NotAuthorized(NO_USERNAME.into()))?;
        let clock = self.clock();
        let username = Username::parse(&login.username, clock)?;
        require_password(&login.password)?;
        let peer = self
            .peer_of_client(&connect.client_id)
            .ok_or(Refusal::NotAuthorized("the client id is not in the manifest".into()))?;
        let identity = &self.peers[peer].identity;
        if username.device != identity.device || username.module != identity.module {
            return Err(Refusal::NotAuthorized("the username names another identity".into()));
        }
        if ![&identity.hub, &identity.gateway].iter().any(|h| h.eq_ignore_ascii_case(&username.hub))
        {
            return Err(Refusal::NotAuthorized("the username names another hub".into()));
        }
        let key = &self.peers[peer].key;
        let expiry = verify_token(&login.password, identity, key, clock)?;
        let token_deadline = self.token_deadline(expiry);
        let (seat, session_present) = self.attach(peer, connect.clean_session);
        self.save();
        if session_present {
            self.warn_unserved_session(peer);
        }
        Ok(Admission { seat, session_present, token_deadline })
    }

    /// The time against which tokens are judged.
    fn clock(&self) -> Clock {
        let now_unix_s =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Clock { now_unix_s, skew_s: self.config.token_skew.as_secs() }
    }

    /// When a connection is closed for its token; `None` when it never is.
    fn token_deadline(&self, expiry_unix_s: u64) -> Option<Instant> {
        let Clock { now_unix_s, skew_s } = self.clock();
        let lifetime = expiry_unix_s.saturating_add(skew_s).saturating_sub(now_unix_s);
        let deadline = Instant::now().checked_add(Duration::from_secs(lifetime));
        deadline.filter(|_| self.config.close_on_token_expiry)
    }
}

async fn refuse(hub: &RefCell<HubState>, mut stream: Stream, connect: &Connect, refusal: Refusal) {
    let (code, why) = match &refusal {
        Refusal::Unavailable(why) => (ConnectReturnCode::ServiceUnavailable, why),
        Refusal::NotAuthorized(why) => (ConnectReturnCode::NotAuthorized, why),
    };
    // Whoever it is chose this text: it must not forge a line, nor fill the log.
    let client: String = connect.client_id.escape_debug().take(CLIENT_CHARS).collect();
    tracing::warn!(%client, code = code as u8, "connection refused: {why}");
    {
        let counters = &mut hub.borrow_mut().counters;
        match refusal {
            Refusal::NotAuthorized(_) => counters.auth_failures += 1,
            _ => counters.connect_failures += 1,
        }
    }
    write_refusal(&mut stream, code).await;
}

async fn write_refusal(stream: &mut Stream, code: ConnectReturnCode) {
    let mut out = BytesMut::new();
    if ConnAck::new(code, false).write(&mut out).is_ok() {
        let farewell = async {
            stream.write_all(&out).await?;
            stream.shutdown().await
        };
        // A client that is gone already has no need of the answer.
        let _ = timeout(REFUSAL_WAIT, farewell).await;
    }
}
