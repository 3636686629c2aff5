//! For tests: the peer that alerts are sent to, at a broker and at a hub, which hangs up on some.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use crate::mqtt::packet::{Packet, PubAck, Publish, SubAck, SubscribeReasonCode};
use crate::mqtt::{ByteStream, Connection, QoS};

/// How long it waits for a packet before it is idle.
const IDLE: Duration = Duration::from_millis(20);

/// What comes next.
pub(crate) enum Next {
    Send(Vec<Packet>),
    Leave,
}

/// A peer that answers everything.
pub(crate) struct Receiver {
    /// On which publishes it hangs up.
    pub(crate) hates: fn(&Publish) -> bool,
    /// It answers in batches: PUBACKs of what came just before a hated one are lost.
    pub(crate) is_lazy: bool,
    /// Topics and bodies of what it took.
    pub(crate) came: Vec<(String, Vec<u8>)>,
    pub(crate) hang_ups: usize,
}

impl Receiver {
    pub(crate) fn hating(hates: fn(&Publish) -> bool) -> Self {
        Self { hates, is_lazy: false, came: Vec::new(), hang_ups: 0 }
    }

    /// Serves one connection to its end; true when `each` has left it. `each` is asked when nothing
    /// has come for a while, and with each packet that is not answered here.
    pub(crate) async fn serve<S: ByteStream>(
        &mut self,
        mut connection: Connection<S>,
        mut each: impl FnMut(&Self, Option<Packet>) -> Next,
    ) -> bool {
        let mut pubacks = Vec::new();
        loop {
            let answers = match timeout(IDLE, connection.next_packet()).await {
                Err(_) => match each(self, None) {
                    Next::Send(packets) => pubacks.drain(..).chain(packets).collect(),
                    Next::Leave => return true,
                },
                Ok(Err(_)) => return false,
                Ok(Ok(Packet::Subscribe(subscribe))) => {
                    let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
                    let codes = vec![granted; subscribe.filters.len()];
                    vec![Packet::SubAck(SubAck::new(subscribe.pkid, codes))]
                }
                Ok(Ok(Packet::PingReq)) => vec![Packet::PingResp],
                Ok(Ok(Packet::Publish(publish))) if publish.qos == QoS::AtLeastOnce => {
                    if (self.hates)(&publish) {
                        self.hang_ups += 1;
                        return false;
                    }
                    pubacks.push(Packet::PubAck(PubAck::new(publish.pkid)));
                    self.came.push((publish.topic, publish.payload.to_vec()));
                    if self.is_lazy { Vec::new() } else { std::mem::take(&mut pubacks) }
                }
                Ok(Ok(packet)) => match each(self, Some(packet)) {
                    Next::Send(packets) => packets,
                    Next::Leave => return true,
                },
            };
            for packet in answers {
                connection.send(&packet).unwrap();
            }
            if connection.flush().await.is_err() {
                return false;
            }
        }
    }
}

/// The files of a folder with this ending: for each its first line and its body.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<(serde_json::Value, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let ours = paths.filter(|path| path.extension().is_some_and(|own| own == ending));
    ours.map(|path| {
        let bytes = std::fs::read(path).unwrap();
        let end = bytes.iter().position(|byte| *byte == b'\n').expect("a first line");
        (serde_json::from_slice(&bytes[..end]).unwrap(), bytes[end + 1..].to_vec())
    })
    .collect()
}
