//! Packets that are larger than is taken.

use super::*;

async fn shown(sent: &[u8]) -> Result<Vec<String>, ConnectionError> {
    let (mut connection, mut peer) = pair(1 << 16);
    let sent = sent.to_vec();
    let writer = tokio::spawn(async move {
        peer.write_all(&sent).await.unwrap();
        peer
    });
    let mut inbox = Inbox::default();
    let mut shown = Vec::new();
    let start = Instant::now();
    while shown.last().map(String::as_str) != Some("end") {
        connection.turn(&mut inbox, &Notify::new(), true).await?;
        let (block, packets) = inbox.drain();
        shown.extend(packets.map(|packet| match packet {
            Incoming::Publish(publish) => {
                String::from_utf8_lossy(publish.topic(&block)).into_owned()
            }
            Incoming::TooLarge { packet_id, bytes, topic } => {
                format!("{packet_id:?} of {bytes} on {} bytes of topic", topic.len())
            }
            other => format!("{other:?}"),
        }));
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "by a stopped clock");
    drop(writer.await.unwrap());
    Ok(shown)
}

/// A publish that is too large is passed over and told of, in its place among the others.
#[tokio::test(start_paused = true)]
async fn an_oversized_publish_is_passed_over() {
    for size in [PACKET_BYTES_MAX, PACKET_BYTES_MAX + 70_000, 3 << 20] {
        let mut sent = BytesMut::new();
        for packet in [publish("one", 1, 9), publish("large", 2, size), publish("end", 3, 9)] {
            packet.write(&mut sent).unwrap();
        }
        let wire_bytes = publish("large", 2, size).size();
        let shown = shown(&sent).await.unwrap();
        assert_eq!(
            shown,
            [
                "one".to_owned(),
                format!("Some(2) of {wire_bytes} on 5 bytes of topic"),
                "end".to_owned()
            ]
        );
    }
}

/// Its topic may be as long as a topic can be; at QoS 0 there is no id.
#[tokio::test(start_paused = true)]
async fn an_oversized_publish_with_a_long_topic_is_passed_over() {
    let topic = "t".repeat(65_535);
    let mut sent = BytesMut::new();
    publish(&topic, 9, PACKET_BYTES_MAX).write(&mut sent).unwrap();
    let mut at_most_once = Publish::new(topic, QoS::AtMostOnce, vec![0; PACKET_BYTES_MAX]);
    at_most_once.pkid = 0;
    at_most_once.write(&mut sent).unwrap();
    publish("end", 3, 9).write(&mut sent).unwrap();
    let shown = shown(&sent).await.unwrap();
    assert!(shown[0].starts_with("Some(9) of ") && shown[1].starts_with("None of "), "{shown:?}");
    assert!(
        shown[..2].iter().all(|shown| shown.ends_with(" on 65535 bytes of topic")),
        "{shown:?}"
    );
}

/// Any other packet of such a length is an attack, and ends the connection before it is read.
#[tokio::test(start_paused = true)]
async fn other_oversized_packets_end_the_connection() {
    for first in [0x90, 0x40, 0x36] {
        let end = shown(&[first, 0xff, 0xff, 0xff, 0x7f, 0, 1, b't', 0, 1]).await;
        assert!(matches!(end, Err(ConnectionError::Protocol(_))), "{first:#x}: {end:?}");
    }
}
