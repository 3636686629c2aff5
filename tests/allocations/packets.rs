//! What a scripted peer reads: packets of their own, in place of the product's batches.

use sluicegate::mqtt::packet::{Connect, Packet};
use sluicegate::mqtt::{ByteStream, Connection, ConnectionError, Inbox};
use tokio::sync::Notify;

/// One turn, whose packets are appended to `packets`.
///
/// # Errors
/// When the connection is over.
pub(crate) async fn turn<S: ByteStream>(
    connection: &mut Connection<S>,
    packets: &mut Vec<Packet>,
) -> Result<(), ConnectionError> {
    let mut inbox = Inbox::default();
    let result = connection.turn(&mut inbox, &Notify::new(), true).await;
    packets.extend(inbox.packets());
    result
}

/// The client's CONNECT. Nothing can be behind it, as the client waits for CONNACK.
pub(crate) async fn connect_of<S: ByteStream>(connection: &mut Connection<S>) -> Connect {
    let mut packets = Vec::new();
    while packets.is_empty() {
        turn(connection, &mut packets).await.unwrap();
    }
    match packets.pop() {
        Some(Packet::Connect(connect)) if packets.is_empty() => connect,
        other => panic!("CONNECT comes first and alone, not {packets:?} {other:?}"),
    }
}
