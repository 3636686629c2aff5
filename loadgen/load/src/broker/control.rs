//! What a broker says besides messages and acknowledgements, and how a connection to it ends.

use std::io;

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{ConnectReturnCode, Packet, SubAck, Subscribe, SubscribeReasonCode};

use super::Broker;
use crate::error::LoadError;
use crate::lane::LaneError;
use crate::link::{Link, LinkStage};
use crate::wire::{self, Frame, WireError, append};

/// The packet id of the one SUBSCRIBE.
const SUBSCRIBE_ID: u16 = 1;

impl Broker {
    /// Handles a packet that is neither an alert of this run nor an acknowledgement. The receiver
    /// subscribes.
    ///
    /// # Errors
    /// The broker refuses, in words for people.
    pub(crate) fn control(
        &mut self,
        frame: Frame<'_>,
        link: &mut Link,
        is_receiver: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), LoadError> {
        let mut bytes = BytesMut::from(frame.whole);
        let packet = Packet::read(&mut bytes, wire::PACKET_BYTES_MAX).map_err(|error| {
            self.unavailable(format_args!("does not speak MQTT 3.1.1: {error}"))
        })?;
        match (packet, link.stage) {
            (Packet::ConnAck(ack), LinkStage::Connecting) => {
                self.accepted(ack.code)?;
                link.stage = if is_receiver { LinkStage::Subscribing } else { LinkStage::Ready };
                if is_receiver {
                    self.subscribe(out);
                }
            }
            (Packet::SubAck(ack), LinkStage::Subscribing) => {
                self.subscribed(&ack)?;
                link.stage = LinkStage::Ready;
            }
            (Packet::PingResp, _) => link.pinged = false,
            // The first may come before the subscription is acknowledged (MQTT 3.1.1 §3.8.4).
            (Packet::Publish(stray), LinkStage::Subscribing | LinkStage::Ready) if is_receiver => {
                self.quiet.strays += 1;
                match stray.qos {
                    QoS::AtMostOnce => {}
                    QoS::AtLeastOnce => wire::write_puback(out, stray.pkid),
                    QoS::ExactlyOnce => {
                        return Err(
                            self.unavailable(format_args!("sent {}", WireError::ExactlyOnce))
                        );
                    }
                }
            }
            (_, _) => {
                let text = format_args!("sent an unexpected packet ({:#04x})", frame.first);
                return Err(self.unavailable(text));
            }
        }
        Ok(())
    }

    /// Whether the one subscription is granted as it was asked for (MQTT 3.1.1 §3.9.3). At a lower
    /// QoS alerts may be lost, which would be blamed on the program.
    fn subscribed(&self, ack: &SubAck) -> Result<(), LoadError> {
        let filter = self.alerts.filter();
        match (ack.pkid, ack.return_codes.as_slice()) {
            (SUBSCRIBE_ID, [SubscribeReasonCode::Failure]) => {
                Err(self.unavailable(format_args!("refuses the subscription to {filter}")))
            }
            (SUBSCRIBE_ID, [SubscribeReasonCode::Success(granted)]) => {
                let granted = *granted as u8;
                if granted == self.qos {
                    return Ok(());
                }
                Err(self.unavailable(format_args!(
                    "grants QoS {granted} to the subscription to {filter}, which asks for {}: \
                     measure it with --qos {granted}, or let it grant more",
                    self.qos
                )))
            }
            (id, codes) => Err(self.unavailable(format_args!(
                "answers one SUBSCRIBE with the packet id {SUBSCRIBE_ID} and one filter by {} \
                 codes for the packet id {id}",
                codes.len()
            ))),
        }
    }

    fn accepted(&self, code: ConnectReturnCode) -> Result<(), LoadError> {
        let why = match code {
            ConnectReturnCode::Success => return Ok(()),
            ConnectReturnCode::RefusedProtocolVersion => "it does not take MQTT 3.1.1",
            ConnectReturnCode::BadClientId => "it does not take the client id or the keep-alive",
            ConnectReturnCode::ServiceUnavailable => "it is not available",
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
                match self.login.url.user() {
                    Some(_) => {
                        "user name or password are wrong: the user stands in the URL, the password \
                         in LOADGEN_BROKER_PASSWORD or in the file of --broker-password-file"
                    }
                    None => "it wants a user: write mqtt://user@host, or mqtts://",
                }
            }
        };
        Err(self.unavailable(format_args!("refuses the connection: {why}")))
    }

    fn subscribe(&self, out: &mut Vec<u8>) {
        let qos = if self.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut subscribe = Subscribe::new(self.alerts.filter(), qos);
        subscribe.pkid = SUBSCRIBE_ID;
        append(out, |buffer| subscribe.write(buffer));
    }

    /// Why the run ends when a connection does.
    pub(crate) fn lost(&self, link: Link, why: &LaneError) -> LoadError {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        let tls = if self.tls.is_some() { "with TLS" } else { "without TLS" };
        let is_closed = matches!(why, LaneError::Io(error)
            if matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof));
        match (why, link.stage) {
            (LaneError::Wire(error), _) => {
                self.unavailable(format_args!("does not speak MQTT 3.1.1 {tls}: {error}"))
            }
            (LaneError::Io(error), _) if is_untrusted(error) => {
                let words = sluicegate::mqtt::tls::words(error).unwrap_or_default();
                self.unavailable(format_args!(
                    "cannot be trusted: {words}; name its CA, or its own certificate, with \
                     --broker-ca FILE, and the host as the certificate does"
                ))
            }
            (_, LinkStage::Connecting) if is_closed => {
                self.unavailable(format_args!("hung up on CONNECT: is it MQTT there, {tls}?"))
            }
            (_, LinkStage::Connecting) => self.unavailable(format_args!("did not connect: {why}")),
            _ if is_closed => self.unavailable(format_args!("closed a connection")),
            _ => self.unavailable(format_args!("broke a connection: {why}")),
        }
    }
}

/// Whether TLS failed for want of trust.
fn is_untrusted(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
}
