//! One connection to the provisioning service, from CONNECT to the assignment.
//!
//! Bounded by [`Registration`]; nothing outlives the connection, as the service keeps no session
//! and a registration may be begun anew at any time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tracing::{info, warn};

use crate::azure::dps::{
    Assignment, RESPONSES, Registration, RegistrationError, RegistrationProgress, Request,
};
use crate::host::logging::outage::{Away, Lasting, Notice, Outage};
use crate::mqtt::limits::PUBACK_TIMEOUT_DEFAULT;
use crate::mqtt::packet::{Connect, Packet, Publish};
use crate::mqtt::session::{self, Ask, End, Serve, Session, Step, Wait};
use crate::mqtt::{
    Answer, ByteStream, ConnectError, Connection, ConnectionError, Endpoint, QoS, transport,
};

/// Why a registration failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegisterError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{end}{hint}")]
    Lost { end: End, hint: String },
    #[error(transparent)]
    Registration(#[from] RegistrationError),
}

impl RegisterError {
    /// What the service had to do with it.
    pub(super) fn answer(&self) -> Answer {
        match self {
            Self::Connect(error) => error.answer(),
            Self::Registration(error) if error.is_permanent() => Answer::Identity,
            Self::Lost { end: End::SubscriptionRefused(_), .. } => Answer::Identity,
            Self::Registration(_) | Self::Lost { .. } => Answer::Refusal,
        }
    }
}

/// Connects, registers and disconnects. `progress` has what the log said of earlier ones.
pub(super) async fn register(
    endpoint: &Endpoint,
    hello: Connect,
    registration: Registration,
    progress: &mut Outage,
) -> Result<Assignment, RegisterError> {
    let client_id = hello.client_id.clone();
    let (connection, _) = transport::connect(endpoint, hello).await?;
    let wake = Arc::default();
    let mut talk = Talk { wake, registration, progress, packet_id: 0 };
    let served = session::serve(&mut talk, connection, false).await;
    let registered = served.end.map_err(|end| {
        let hint = served.course.hint(&end, &client_id, endpoint.names);
        RegisterError::Lost { end, hint }
    })?;
    Ok(registered?)
}

struct Talk<'a> {
    /// Nobody wakes it.
    wake: Arc<Notify>,
    registration: Registration,
    progress: &'a mut Outage,
    /// The last one given out; a registration sends fewer requests than there are ids.
    packet_id: u16,
}

impl Serve for Talk<'_> {
    type Leave = Result<Assignment, RegistrationError>;

    fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }

    fn puback_timeout(&self) -> Duration {
        PUBACK_TIMEOUT_DEFAULT
    }

    fn open(&mut self, _session_present: bool, _now: Instant) -> Result<Ask, End> {
        Ok(Ask { packet_id: self.next_packet_id(), filters: vec![RESPONSES.to_owned()] })
    }

    fn turn<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        now: Instant,
    ) -> Result<Step<Self::Leave>, End> {
        let Session { connection, inbox, subscription, .. } = session;
        for packet in inbox.packets() {
            match packet {
                Packet::Publish(publish) => match self.answered(&publish, connection, now) {
                    Ok(None) => {}
                    Ok(Some(assignment)) => return Ok(Step::Leave(Ok(assignment))),
                    Err(refused) => return Ok(Step::Leave(Err(refused))),
                },
                Packet::SubAck(ack) => {
                    subscription.acknowledged(&ack)?;
                }
                _ => {}
            }
        }
        let mut until = None;
        if subscription.is_answered() {
            match self.registration.next_request(now) {
                Ok(request) => self.ask(request, connection)?,
                Err(exhausted) => return Ok(Step::Leave(Err(exhausted))),
            }
            until = Some(self.registration.deadline());
        }
        Ok(Step::Wait(Wait { read: true, until, ..Wait::default() }))
    }
}

/// The line to tell, if there is one.
fn folded(notice: Notice, text: &str) -> Option<String> {
    match notice {
        Notice::Full => Some(text.to_owned()),
        Notice::Still(Away { failures, time }) => {
            Some(format!("{text}, after {failures} answers in {}", Lasting(time)))
        }
        Notice::Nothing => None,
    }
}

impl Talk<'_> {
    fn ask<S: ByteStream>(
        &mut self,
        request: Option<Request>,
        connection: &mut Connection<S>,
    ) -> Result<(), ConnectionError> {
        let Some(request) = request else { return Ok(()) };
        let mut publish = Publish::new(request.topic, QoS::AtLeastOnce, request.body);
        publish.pkid = self.next_packet_id();
        connection.publish(&publish)
    }

    fn answered<S: ByteStream>(
        &mut self,
        publish: &Publish,
        connection: &mut Connection<S>,
        now: Instant,
    ) -> Result<Option<Assignment>, RegistrationError> {
        if publish.qos != QoS::AtMostOnce {
            connection.acknowledge(publish.pkid);
        }
        match self.registration.response(&publish.topic, &publish.payload, now)? {
            RegistrationProgress::Assigned(assignment) => return Ok(Some(assignment)),
            RegistrationProgress::Assigning(wait) => {
                // It is no failure, so the log says more of it.
                const ASSIGNING: &str = "registration status: assigning";
                if let Some(line) = folded(self.progress.cut(ASSIGNING, now), ASSIGNING) {
                    info!("{line}; asking again in {} ms", wait.as_millis());
                }
            }
            RegistrationProgress::Busy(status, wait) => {
                let busy = format!("provisioning service busy ({status})");
                if let Some(line) = folded(self.progress.failed(&busy, now), &busy) {
                    warn!("{line}; again in {} ms", wait.as_millis());
                }
            }
            RegistrationProgress::Ignored => {}
        }
        Ok(None)
    }

    fn next_packet_id(&mut self) -> u16 {
        self.packet_id = self.packet_id % u16::MAX + 1;
        self.packet_id
    }
}
