//! One connection to the provisioning service, from CONNECT to the assignment.
//!
//! Bounded by [`Registration`]; nothing outlives the connection, as the service keeps no session
//! and a registration may be begun anew at any time.

use std::time::Instant;

use tokio::sync::Notify;
use tokio::time::timeout_at;
use tracing::{info, warn};

use crate::azure::dps::{Assignment, Progress, RESPONSES, Registration, RegistrationError};
use crate::limits::SUBACK_WAIT;
use crate::mqtt::packet::{Connect, Packet, Publish, Subscribe, SubscribeReasonCode};
use crate::mqtt::{
    ConnectError, Connection, ConnectionError, Endpoint, Inbox, QoS, Stream, transport,
};

/// Why a registration failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegisterError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    #[error("the provisioning service did not acknowledge the subscription in time")]
    NoSubAck,
    #[error("the provisioning service refused the subscription to its answers")]
    SubscriptionRefused,
}

impl RegisterError {
    /// Whether only a person can mend it.
    pub(super) fn is_permanent(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_authentication(),
            Self::Registration(error) => error.is_permanent(),
            Self::Connection(_) | Self::NoSubAck | Self::SubscriptionRefused => false,
        }
    }
}

/// Connects, registers and disconnects.
pub(super) async fn register(
    endpoint: &Endpoint,
    hello: Connect,
    registration: Registration,
) -> Result<Assignment, RegisterError> {
    let (connection, _) = transport::connect(endpoint, hello).await?;
    let mut talk = Talk { connection, registration, subscribed: false, packet_id: 0 };
    let result = talk.run().await;
    talk.connection.close().await;
    result
}

struct Talk {
    connection: Connection<Stream>,
    registration: Registration,
    subscribed: bool,
    /// The last one given out; a registration sends fewer requests than there are ids.
    packet_id: u16,
}

impl Talk {
    async fn run(&mut self) -> Result<Assignment, RegisterError> {
        let mut subscribe = Subscribe::new(RESPONSES, QoS::AtLeastOnce);
        subscribe.pkid = self.next_packet_id();
        let subscription = subscribe.pkid;
        self.connection.send(&Packet::Subscribe(subscribe))?;
        let subscribed_by = Instant::now() + SUBACK_WAIT;
        let never = Notify::new();
        let mut inbox = Inbox::default();
        loop {
            for packet in inbox.packets() {
                match packet {
                    Packet::Publish(publish) => {
                        if let Some(assignment) = self.answered(&publish)? {
                            return Ok(assignment);
                        }
                    }
                    Packet::SubAck(ack) if ack.pkid == subscription => {
                        if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                            return Err(RegisterError::SubscriptionRefused);
                        }
                        self.subscribed = true;
                    }
                    _ => {}
                }
            }
            let now = Instant::now();
            if !self.subscribed && now >= subscribed_by {
                return Err(RegisterError::NoSubAck);
            }
            self.ask(now)?;
            let due = if self.subscribed { self.registration.deadline() } else { subscribed_by };
            let turn = self.connection.turn(&mut inbox, &never, true);
            timeout_at(due.into(), turn).await.unwrap_or(Ok(()))?;
        }
    }

    fn ask(&mut self, now: Instant) -> Result<(), RegisterError> {
        if !self.subscribed {
            return Ok(());
        }
        if let Some(request) = self.registration.next_request(now)? {
            let mut publish = Publish::new(request.topic, QoS::AtLeastOnce, request.body);
            publish.pkid = self.next_packet_id();
            self.connection.publish(&publish)?;
        }
        Ok(())
    }

    fn answered(&mut self, publish: &Publish) -> Result<Option<Assignment>, RegisterError> {
        if publish.qos != QoS::AtMostOnce {
            self.connection.acknowledge(publish.pkid);
        }
        let now = Instant::now();
        match self.registration.response(&publish.topic, &publish.payload, now)? {
            Progress::Assigned(assignment) => return Ok(Some(assignment)),
            Progress::Assigning(wait) => {
                info!("registration status: assigning; asking again in {} ms", wait.as_millis());
            }
            Progress::Busy(status, wait) => {
                warn!("provisioning service busy ({status}); again in {} ms", wait.as_millis());
            }
            Progress::Ignored => {}
        }
        Ok(None)
    }

    fn next_packet_id(&mut self) -> u16 {
        self.packet_id = self.packet_id % u16::MAX + 1;
        self.packet_id
    }
}
