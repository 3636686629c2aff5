//! The sensors' and the receiver's side of an MQTT broker.
//!
//! The connections that the sensors share publish; one more subscribes to the alerts. All have a
//! clean session and no keep-alive: a broker that vanishes is noticed by TCP, and ends the run.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode, Packet, Subscribe, SubscribeReasonCode};

use super::error::LoadError;
use super::socket::Socket;
use super::wire::{self, Frame};

/// The port of MQTT without TLS (IANA: mqtt).
const PORT: u16 = 1883;
/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// The packet id of the one SUBSCRIBE.
const SUBSCRIBE_ID: u16 = 1;

/// A broker, and what is published and received there.
#[derive(Debug)]
pub(super) struct Broker {
    address: SocketAddr,
    url: String,
    alerts_topic: String,
    qos: u8,
}

/// How far a connection to the broker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// CONNECT is sent.
    Connecting,
    /// SUBSCRIBE is sent.
    Subscribing,
    /// It can be used.
    Ready,
}

impl Broker {
    /// Reads and resolves `mqtt://host[:port]`; alerts are expected on `alerts_topic`, in which
    /// `{topic}` stands for the topic of the message.
    ///
    /// # Errors
    /// The URL is of another form, or names no host that there is.
    pub(super) fn new(url: &str, alerts_topic: &str, qos: u8) -> Result<Self, LoadError> {
        let refused =
            || LoadError::Setting(format!("--broker {url}: write it as mqtt://host:port"));
        let rest = url.strip_prefix("mqtt://").ok_or_else(refused)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.is_empty() || authority.contains(['/', '@', '?', '#']) {
            return Err(refused());
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(host, port)| {
            !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && !host.is_empty()
        });
        let target = if has_port { authority.to_owned() } else { format!("{authority}:{PORT}") };
        let mut found = target
            .to_socket_addrs()
            .map_err(|error| LoadError::Unavailable(format!("--broker {url}: {error}")))?;
        let address = found.next().ok_or_else(|| {
            LoadError::Unavailable(format!("--broker {url}: the name has no address"))
        })?;
        Ok(Self { address, url: url.to_owned(), alerts_topic: alerts_topic.to_owned(), qos })
    }

    /// Connects as client `number` of this run and sends CONNECT.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(super) fn open(&self, number: u32) -> Result<Socket, LoadError> {
        let unavailable = |error: std::io::Error| {
            LoadError::Unavailable(format!("{} cannot be reached: {error}", self.url))
        };
        let tcp = TcpStream::connect_timeout(&self.address, CONNECT_WAIT).map_err(unavailable)?;
        let mut socket = Socket::plain(tcp).map_err(unavailable)?;
        let mut connect = Connect::new(format!("loadgen-{}-{number}", std::process::id()));
        connect.keep_alive = 0;
        connect.clean_session = true;
        append(socket.out(), |buffer| connect.write(buffer));
        Ok(socket)
    }

    /// Handles a packet that is neither an alert nor an acknowledgement. The receiver subscribes.
    ///
    /// # Errors
    /// The broker refuses, in words for people.
    pub(super) fn control(
        &self,
        frame: Frame<'_>,
        link: Link,
        is_receiver: bool,
        out: &mut Vec<u8>,
    ) -> Result<Link, LoadError> {
        let refused = |why: String| LoadError::Unavailable(format!("{} {why}", self.url));
        let mut bytes = BytesMut::from(frame.whole);
        let packet = Packet::read(&mut bytes, wire::PACKET_BYTES_MAX)
            .map_err(|error| refused(format!("does not speak MQTT 3.1.1: {error}")))?;
        match (packet, link) {
            (Packet::ConnAck(ack), Link::Connecting) => match ack.code {
                ConnectReturnCode::Success if is_receiver => {
                    let filter = self.alerts_topic.replace("{topic}", "#");
                    let qos = if self.qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
                    let mut subscribe = Subscribe::new(filter, qos);
                    subscribe.pkid = SUBSCRIBE_ID;
                    append(out, |buffer| subscribe.write(buffer));
                    Ok(Link::Subscribing)
                }
                ConnectReturnCode::Success => Ok(Link::Ready),
                code => Err(refused(format!("refuses the connection: {code:?}"))),
            },
            (Packet::SubAck(ack), Link::Subscribing) => {
                if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                    return Err(refused(format!("refuses to give {}", self.alerts_topic)));
                }
                Ok(Link::Ready)
            }
            (Packet::PingResp, link) => Ok(link),
            (_, _) => Err(refused(format!("sent an unexpected packet ({:#04x})", frame.first))),
        }
    }

    /// Whether an alert whose message had `topic` came on the topic that it must.
    #[inline]
    pub(super) fn is_alerts_topic(&self, received: &[u8], topic: &[u8]) -> bool {
        match self.alerts_topic.split_once("{topic}") {
            Some((before, after)) => received
                .strip_prefix(before.as_bytes())
                .and_then(|rest| rest.strip_suffix(after.as_bytes()))
                .is_some_and(|rest| rest == topic),
            None => received == self.alerts_topic.as_bytes(),
        }
    }
}

/// Appends what the codec writes.
fn append(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut BytesMut) -> Result<usize, rumqttc::mqttbytes::Error>,
) {
    let mut buffer = BytesMut::new();
    // Such packets are far below the codec's bounds.
    if write(&mut buffer).is_ok() {
        out.extend_from_slice(&buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for good in
            ["mqtt://127.0.0.1:1883", "mqtt://127.0.0.1", "mqtt://127.0.0.1/", "mqtt://[::1]:7"]
        {
            assert!(Broker::new(good, "alerts/{topic}", 1).is_ok(), "{good}");
        }
        for bad in
            ["127.0.0.1", "mqtts://127.0.0.1", "mqtt://", "mqtt://u:p@127.0.0.1", "mqtt://h/x"]
        {
            let error = Broker::new(bad, "alerts/{topic}", 1).unwrap_err();
            assert!(
                matches!(&error, LoadError::Setting(text) if text.contains("mqtt://host")),
                "{bad}"
            );
        }
    }

    #[test]
    fn alerts_topics() {
        let broker = Broker::new("mqtt://127.0.0.1", "a/{topic}", 1).unwrap();
        assert!(broker.is_alerts_topic(b"a/sensors/1", b"sensors/1"));
        assert!(!broker.is_alerts_topic(b"a/sensors/2", b"sensors/1"));
        assert!(!broker.is_alerts_topic(b"sensors/1", b"sensors/1"));
        let fixed = Broker::new("mqtt://127.0.0.1", "alarm", 1).unwrap();
        assert!(fixed.is_alerts_topic(b"alarm", b"sensors/1"));
    }
}
