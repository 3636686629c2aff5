//! Packets of their own, for all tests of this package: the product takes batches.

use std::future::poll_fn;
use std::task::Poll;

use rumqttc::mqttbytes::v4::Packet;
use tokio::sync::Notify;

use crate::mqtt::connection::{ByteStream, Connection, ConnectionError};
use crate::mqtt::inbox::Inbox;

impl<S: ByteStream> Connection<S> {
    /// [`turn`](Self::turn), whose packets are appended to `packets`, each of its own.
    pub(crate) async fn turn_packets(
        &mut self,
        packets: &mut Vec<Packet>,
        wake: &Notify,
        read: bool,
    ) -> Result<(), ConnectionError> {
        let mut inbox = Inbox::default();
        let result = self.turn(&mut inbox, wake, read).await;
        packets.extend(inbox.packets());
        result
    }

    /// The next packet alone; what came behind it waits for the next turn. Bound it with a
    /// time-out.
    pub(crate) async fn next_packet(&mut self) -> Result<Packet, ConnectionError> {
        let mut inbox = Inbox::default();
        loop {
            poll_fn(|cx| {
                self.poll_write(cx)?;
                let done = self.poll_read(cx, &mut inbox, 1)?;
                if done { Poll::Ready(Ok::<_, ConnectionError>(())) } else { Poll::Pending }
            })
            .await?;
            if let Some(packet) = inbox.packets().next() {
                return Ok(packet);
            }
        }
    }
}
