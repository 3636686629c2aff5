//! How long a connection waits, in virtual time.

use super::*;

/// What is left has a second to take the DISCONNECT and to close, whether it reads or not.
#[tokio::test(start_paused = true)]
async fn a_peer_has_a_second_to_close() {
    for (buffer, closes, waited_ms) in [(4096, true, 0), (4096, false, 1000), (1, false, 1000)] {
        let (connection, mut peer) = pair(buffer);
        let peer = async move {
            if buffer > 1 {
                let mut disconnect = [0; 2];
                peer.read_exact(&mut disconnect).await.unwrap();
                assert_eq!(disconnect, [0xe0, 0]);
            }
            (!closes).then_some(peer)
        };
        let start = Instant::now();
        let close = async {
            connection.close().await;
            start.elapsed()
        };
        let (took, _peer) = tokio::join!(close, peer);
        let took_ms = took.as_millis();
        assert!((waited_ms..=waited_ms + 1).contains(&took_ms), "{buffer}, {closes}: {took:?}");
    }
}

/// Whatever a peer still says behind the DISCONNECT is read, until it closes: a socket with unread
/// bytes would be reset, and the peer might lose our last words.
#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_on_talking_is_read_until_it_closes() {
    let (connection, mut peer) = pair(1024);
    let peer = async move {
        let mut disconnect = [0; 2];
        peer.read_exact(&mut disconnect).await.unwrap();
        for _ in 0..100 {
            peer.write_all(&[0; 1000]).await.expect("it is read");
            tokio::time::sleep(Duration::from_millis(9)).await;
        }
    };
    let start = Instant::now();
    let close = async {
        connection.close().await;
        start.elapsed()
    };
    let (took, ()) = tokio::join!(close, peer);
    assert!(took >= Duration::from_millis(900), "{took:?}");
}

/// A turn in which nothing comes ends with the tick, twice a second.
#[tokio::test(start_paused = true)]
async fn an_idle_turn_ends_with_the_tick() {
    let (mut connection, _peer) = pair(4096);
    let (mut inbox, never) = (Inbox::default(), Notify::new());
    connection.turn(&mut inbox, &never, true).await.unwrap();
    for _ in 0..4 {
        let start = Instant::now();
        connection.turn(&mut inbox, &never, true).await.unwrap();
        assert!((500..=501).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    }
}

/// What was written a moment ago ends a silence, before the next tick notes it.
#[tokio::test(start_paused = true)]
async fn a_silence_ends_with_what_is_written_now() {
    let (mut connection, mut peer) = pair(4096);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(connection.silence(), Duration::from_secs(10));
    connection.acknowledge(1);
    connection.write_now().await.unwrap();
    assert_eq!(connection.silence(), Duration::ZERO);
    let mut written = [0; 4];
    peer.read_exact(&mut written).await.unwrap();
    assert_eq!(written, [0x40, 2, 0, 1]);
}

/// What the socket has taken waits no more: it counts neither against room to write nor for a peer
/// that takes nothing.
#[tokio::test]
async fn what_the_socket_took_does_not_count_as_waiting() {
    let (mut connection, _peer) = pair(WRITE_HIGH_WATER_BYTES / 2);
    connection.publish(&publish("out", 1, WRITE_HIGH_WATER_BYTES + 1000)).unwrap();
    assert!(!connection.is_writable());
    connection.write_now().await.unwrap();
    assert!(connection.written > 0 && connection.is_writable());

    let (mut connection, _peer) = pair(WRITE_BYTES_MAX / 2);
    for _ in 0..(WRITE_BYTES_MAX + 1000) / 4 {
        connection.acknowledge(1);
    }
    connection.write_now().await.unwrap();
    assert!(connection.written > 0);
}
