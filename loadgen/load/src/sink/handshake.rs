//! CONNECT and SUBSCRIBE, once at the start.

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, Packet, Subscribe};

use super::buffer::ReadBuffer;
use super::transport::Transport;
use super::{SinkError, SinkSettings};
use crate::wire;

/// Most bytes of one read while the answer is awaited.
const READ_BYTES: usize = 4096;

/// Connects and asks for the inputs. Only the answer to CONNECT is awaited; what came with it stays
/// in `buffer`.
///
/// # Errors
/// The peer refuses, breaks the protocol or ends the connection.
pub(super) fn shake_hands(
    transport: &mut Transport,
    buffer: &mut ReadBuffer,
    settings: &SinkSettings,
) -> Result<(), SinkError> {
    transport.write_all(&connect(settings))?;
    loop {
        if let Some(frame) = wire::frame(buffer.unused())? {
            let length = frame.whole.len();
            let answer = Packet::read(&mut BytesMut::from(frame.whole), wire::PACKET_BYTES_MAX);
            match answer {
                Ok(Packet::ConnAck(ConnAck { code: ConnectReturnCode::Success, .. })) => {
                    buffer.consume(length);
                    break;
                }
                Ok(Packet::ConnAck(ack)) => return Err(SinkError::Refused(ack.code)),
                _ => return Err(SinkError::NoAnswer),
            }
        }
        match transport.read(buffer.room(READ_BYTES))? {
            0 => return Err(SinkError::Closed),
            count => buffer.filled(count),
        }
    }
    transport.write_all(&subscribe(settings))?;
    Ok(())
}

fn connect(settings: &SinkSettings) -> BytesMut {
    let mut connect = Connect::new(settings.client_id.as_str());
    connect.keep_alive = u16::try_from(settings.keep_alive.as_secs()).unwrap_or(u16::MAX);
    if !settings.username.is_empty() {
        connect.set_login(settings.username.as_str(), settings.password.as_str());
    }
    let mut bytes = BytesMut::new();
    connect.write(&mut bytes).expect("a buffer that grows takes any packet");
    bytes
}

fn subscribe(settings: &SinkSettings) -> BytesMut {
    let mut subscribe = Subscribe::new(settings.subscribe.as_str(), QoS::AtLeastOnce);
    subscribe.pkid = 1;
    let mut bytes = BytesMut::new();
    subscribe.write(&mut bytes).expect("a buffer that grows takes any packet");
    bytes
}
