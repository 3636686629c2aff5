use super::*;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::Publish;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, join};
use tokio::time::Instant;

mod chunks;
mod exactly_once;
mod packets;

fn publish(topic: &str, id: u16, size: usize) -> Publish {
    let mut publish = Publish::new(topic, QoS::AtLeastOnce, vec![b'x'; size]);
    publish.pkid = id;
    publish
}

fn pair(buffer: usize) -> (Connection<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(buffer);
    (Connection::new(ours, Duration::from_secs(60)), theirs)
}

fn encode(packets: &[Packet]) -> BytesMut {
    let mut bytes = BytesMut::new();
    for packet in packets {
        packet.write(&mut bytes, PACKET_BYTES_MAX).unwrap();
    }
    bytes
}

/// However the stream is cut, the same packets come out in the same order.
#[tokio::test]
async fn packets_survive_any_chunking() {
    let sent: Vec<_> =
        (1..40).map(|id| Packet::Publish(publish("t/1", id, usize::from(id) * 37))).collect();
    let bytes = encode(&sent);
    for chunk in [1, 2, 3, 7, 64, 1000, bytes.len()] {
        let (mut connection, mut peer) = pair(chunk.max(16));
        let bytes = bytes.clone();
        let writer = tokio::spawn(async move {
            for part in bytes.chunks(chunk) {
                peer.write_all(part).await.unwrap();
            }
            peer
        });
        let mut inbox = Vec::new();
        while inbox.len() < sent.len() {
            connection.turn_packets(&mut inbox, &Notify::new(), true).await.unwrap();
        }
        assert_eq!(inbox, sent, "chunks of {chunk}");
        drop(writer.await.unwrap());
    }
}

/// A peer that never reads does not stop us from reading, and the write buffer says it is full.
#[tokio::test]
async fn reading_goes_on_while_writing_is_blocked() {
    let (mut connection, mut peer) = pair(1024);
    while connection.is_writable() {
        connection.publish(&publish("out", 1, 1000)).unwrap();
    }
    // More than the pipe takes, so that the mark stays passed.
    connection.publish(&publish("out", 1, 4000)).unwrap();
    peer.write_all(&encode(&[Packet::Publish(publish("in", 9, 10))])).await.unwrap();
    let mut inbox = Vec::new();
    while inbox.is_empty() {
        connection.turn_packets(&mut inbox, &Notify::new(), true).await.unwrap();
    }
    assert_eq!(inbox.len(), 1);
    assert!(!connection.is_writable());
}

#[tokio::test]
async fn a_turn_without_reading_leaves_the_bytes_in_the_socket() {
    let (mut connection, mut peer) = pair(4096);
    peer.write_all(&encode(&[Packet::PingResp])).await.unwrap();
    let wake = Notify::new();
    wake.notify_one();
    let mut inbox = Vec::new();
    connection.turn_packets(&mut inbox, &wake, false).await.unwrap();
    assert!(inbox.is_empty());
    connection.turn_packets(&mut inbox, &wake, true).await.unwrap();
    assert_eq!(inbox, [Packet::PingResp]);
}

/// Takes all that is written, and notes how much came with each write.
#[derive(Default)]
struct Writes(Vec<usize>);

impl AsyncWrite for Writes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.0.push(bytes.len());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Everything that was queued before a turn leaves in one write, and so it does with `flush`.
#[tokio::test]
async fn one_write_per_batch() {
    let (silent, _peer) = duplex(1);
    let stream = join(silent, Writes::default());
    let mut connection = Connection::new(stream, Duration::from_secs(60));
    let queue = |connection: &mut Connection<_>| {
        for id in 1..=100 {
            connection.acknowledge(id);
            connection.publish(&publish("alert", id, 87)).unwrap();
        }
    };
    queue(&mut connection);
    connection.turn(&mut Inbox::default(), &Notify::new(), true).await.unwrap();
    queue(&mut connection);
    connection.flush().await.unwrap();
    assert_eq!(connection.stream.writer().0, [10_200; 2]);
}

#[tokio::test]
async fn packets_before_the_end_of_the_stream_are_delivered_first() {
    let (mut connection, mut peer) = pair(4096);
    peer.write_all(&encode(&[Packet::PingResp])).await.unwrap();
    drop(peer);
    let mut inbox = Vec::new();
    connection.turn_packets(&mut inbox, &Notify::new(), true).await.unwrap();
    assert_eq!(inbox.len(), 1);
    let end = connection.turn_packets(&mut inbox, &Notify::new(), true).await;
    assert!(matches!(end, Err(ConnectionError::Closed)), "{end:?}");
}

#[tokio::test]
async fn an_oversized_packet_is_an_error_not_an_allocation() {
    let (mut connection, mut peer) = pair(4096);
    peer.write_all(&[0x90, 0xff, 0xff, 0xff, 0x7f]).await.unwrap();
    let end = connection.turn_packets(&mut Vec::new(), &Notify::new(), true).await;
    assert!(matches!(end, Err(ConnectionError::Protocol(_))), "{end:?}");
    let bytes = connection.read_buffer.capacity();
    assert!(bytes <= CHUNK_BYTES, "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn silence_is_answered_with_pingreq_and_then_with_an_error() {
    let (mut connection, mut peer) = pair(4096);
    let mut inbox = Vec::new();
    let start = Instant::now();
    let end = loop {
        match connection.turn_packets(&mut inbox, &Notify::new(), true).await {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(end, ConnectionError::KeepAlive(_)), "{end:?}");
    let silence = start.elapsed();
    assert!((60..63).contains(&silence.as_secs()), "{silence:?}");
    let mut ping = [0; 2];
    peer.read_exact(&mut ping).await.unwrap();
    assert_eq!(ping, [0xc0, 0]);
}

/// Sending into a connection that is dead does not keep it: the peer must be heard.
#[tokio::test(start_paused = true)]
async fn a_connection_that_only_sends_is_found_dead() {
    let (mut connection, peer) = pair(1 << 20);
    let mut inbox = Vec::new();
    let start = Instant::now();
    let end = loop {
        connection.publish(&publish("report", 1, 10)).unwrap();
        match connection.turn_packets(&mut inbox, &Notify::new(), true).await {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(end, ConnectionError::Unanswered(_)), "{end:?}");
    assert!((8..10).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    drop(peer);
}

proptest::proptest! {
    /// Any bytes from the peer end in packets or an error, never in a panic.
    #[test]
    fn any_bytes_decode_without_panic(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut connection, mut peer) = pair(4096);
            peer.write_all(&bytes).await.unwrap();
            drop(peer);
            let mut inbox = Vec::new();
            while connection.turn_packets(&mut inbox, &Notify::new(), true).await.is_ok() {}
        });
    }
}

/// What came before the end of the stream is handed over first, however the stream ends.
#[tokio::test]
async fn packets_before_the_end_are_not_lost() {
    use tokio::io::ReadBuf;

    /// Yields its bytes, and from then on an error, as TLS does without close_notify.
    struct Cut(BytesMut);
    impl AsyncRead for Cut {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            if self.0.is_empty() {
                return Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into()));
            }
            let bytes = self.0.split();
            buffer.put_slice(&bytes);
            Poll::Ready(Ok(()))
        }
    }
    impl AsyncWrite for Cut {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    let last = Packet::Publish(publish("in", 1, 10));
    let stream = Cut(encode(std::slice::from_ref(&last)));
    let mut connection = Connection::new(stream, Duration::from_secs(60));
    let mut inbox = Vec::new();
    connection.turn_packets(&mut inbox, &Notify::new(), true).await.expect("the packet first");
    assert_eq!(inbox, [last]);
    let end = connection.turn_packets(&mut inbox, &Notify::new(), true).await;
    assert!(matches!(end, Err(ConnectionError::Io(_))), "{end:?}");
}

/// While the caller does not read on purpose, the peer still hears from us within one and a half
/// keep-alives, again and again (MQTT 3.1.1 §3.1.2.10).
#[tokio::test(start_paused = true)]
async fn pings_go_on_while_not_reading() {
    let (mut connection, mut peer) = pair(4096);
    let mut inbox = Inbox::default();
    let start = Instant::now();
    let (mut last, mut longest) = (start, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(300) {
        connection.turn(&mut inbox, &Notify::new(), false).await.unwrap();
        let mut bytes = [0; 64];
        let heard = tokio::time::timeout(Duration::ZERO, peer.read(&mut bytes)).await;
        if matches!(heard, Ok(Ok(1..))) {
            last = Instant::now();
        }
        longest = longest.max(last.elapsed());
    }
    assert!(longest < Duration::from_secs(90), "the peer heard nothing for {longest:?}");
}

/// A peer that hangs up behind its last words has them heard, although our write fails first.
#[tokio::test]
async fn last_words_are_heard_although_writing_fails() {
    let (mut connection, mut peer) = pair(4096);
    peer.write_all(&encode(&[Packet::PingResp])).await.unwrap();
    drop(peer);
    connection.acknowledge(1);
    let mut inbox = Vec::new();
    connection.turn_packets(&mut inbox, &Notify::new(), true).await.unwrap();
    assert_eq!(inbox, [Packet::PingResp]);
    let end = connection.turn_packets(&mut inbox, &Notify::new(), true).await;
    assert!(end.is_err());
}

/// What grew for a peer that took nothing for a while is given back once it took all.
#[tokio::test]
async fn a_write_buffer_gives_its_memory_back() {
    let (mut connection, mut peer) = pair(1 << 16);
    for _ in 0..WRITE_BYTES_KEPT / 2 {
        connection.acknowledge(1);
    }
    assert!(connection.write_buffer.capacity() > WRITE_BYTES_KEPT);
    let reading =
        tokio::spawn(async move { tokio::io::copy(&mut peer, &mut tokio::io::sink()).await });
    connection.flush().await.unwrap();
    assert!(connection.write_buffer.capacity() <= WRITE_BYTES_KEPT);
    reading.abort();
}

/// However small packets are, a turn hands over a bounded number of them, and the next one the
/// rest, without waiting for anything.
#[tokio::test(start_paused = true)]
async fn a_turn_is_bounded_in_packets() {
    let (mut connection, mut peer) = pair(1 << 16);
    let count = READ_BYTES / 2;
    peer.write_all(&[0xd0, 0].repeat(count)).await.unwrap();
    let (mut inbox, never, mut packets) = (Inbox::default(), Notify::new(), 0);
    let start = Instant::now();
    while packets < count {
        connection.turn(&mut inbox, &never, true).await.unwrap();
        assert!((1..=TURN_PACKETS_MAX).contains(&inbox.len()), "{}", inbox.len());
        packets += inbox.drain().1.count();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// As soon as a peer has taken enough, there is room for more, and its caller is told.
#[tokio::test(start_paused = true)]
async fn room_to_write_ends_a_turn_at_once() {
    let (mut connection, mut peer) = pair(1024);
    let (mut inbox, never) = (Inbox::default(), Notify::new());
    // The first one ends with the first tick.
    connection.turn(&mut inbox, &never, true).await.unwrap();
    while connection.is_writable() {
        connection.publish(&publish("out", 1, 1000)).unwrap();
    }
    // More than the pipe takes, so that the mark stays passed.
    connection.publish(&publish("out", 1, 4000)).unwrap();
    let start = Instant::now();
    let taking =
        tokio::spawn(async move { tokio::io::copy(&mut peer, &mut tokio::io::sink()).await });
    connection.turn(&mut inbox, &never, true).await.unwrap();
    assert!(connection.is_writable());
    assert_eq!(start.elapsed(), Duration::ZERO);
    taking.abort();
}

/// A peer that asks and asks and takes no answer is not answered for ever.
#[tokio::test]
async fn a_peer_that_takes_no_answers_is_left() {
    let (mut connection, _peer) = pair(64);
    for _ in 0..WRITE_BYTES_MAX / 4 + 100 {
        connection.acknowledge(1);
    }
    let wake = Notify::new();
    wake.notify_one();
    let end = connection.turn(&mut Inbox::default(), &wake, false).await;
    assert!(matches!(end, Err(ConnectionError::Deaf(_))), "{end:?}");
}

mod deadlines;
mod oversized;

/// Silence is what has passed since anything was sent or heard.
#[tokio::test(start_paused = true)]
async fn silence_is_measured_from_what_was_sent_or_heard_last() {
    let (mut connection, mut peer) = pair(4096);
    assert_eq!(connection.keep_alive_interval(), Duration::from_secs(60));
    let mut inbox = Vec::new();
    for (hears, wait_s) in [(true, 20), (false, 2)] {
        if hears {
            peer.write_all(&encode(&[Packet::PingResp])).await.unwrap();
        } else {
            connection.acknowledge(1);
        }
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(wait_s) {
            connection.turn_packets(&mut inbox, &Notify::new(), true).await.unwrap();
        }
        let silence = connection.silence();
        assert!((wait_s - 1..=wait_s).contains(&silence.as_secs()), "{silence:?}");
    }
    drop(peer);
    assert!(connection.turn_packets(&mut inbox, &Notify::new(), true).await.is_err());
    assert!(connection.silence() >= Duration::from_secs(1), "the end is no sign of life");
}
