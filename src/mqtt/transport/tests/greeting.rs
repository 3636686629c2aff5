//! The answer to CONNECT, in memory: however it comes, and nothing behind it is touched.

use super::*;
use crate::mqtt::packet::Packet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What `answer` is taken for; the peer hears CONNECT first, writes in parts of `part` bytes, and
/// hangs up. And what is left unread.
async fn greeted(answer: &[u8], part: usize) -> (io::Result<Greeting>, Vec<u8>) {
    let (mut ours, mut theirs) = tokio::io::duplex(4096);
    let hello = Connect::new("d/m");
    let peer = async {
        let mut heard = [0; 4096];
        assert!(theirs.read(&mut heard).await.unwrap() > 0);
        for part in answer.chunks(part) {
            theirs.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(theirs);
    };
    let (greeting, ()) = tokio::join!(greet(&mut ours, &hello), peer);
    let mut rest = Vec::new();
    ours.read_to_end(&mut rest).await.unwrap();
    (greeting, rest)
}

/// Each answer is told for what it is, in one part or byte by byte.
#[tokio::test]
async fn answers_are_distinguished_by_their_first_bytes() {
    use Greeting::{Accepted, Refused, Stranger as Other};
    let cases: [(&[u8], Greeting); 19] = [
        (b"\x20\x02\x00\x00", Accepted { session_present: false }),
        (b"\x20\x02\x01\x00", Accepted { session_present: true }),
        (b"\x20\x02\x00\x01", Refused(1)),
        (b"\x20\x02\x00\x05", Refused(5)),
        (b"\x20\x02\x00\x09", Refused(9)),
        (b"\x20\x02\x00\x84", Refused(0x84)),
        (b"\x20\x03\x00\x84\x00", Refused(0x84)),
        (b"\x20\x09\x00\x87\x06\x1f\x00\x03why", Refused(0x87)),
        (b"\x20\x03\x00\x00\x00", Other(Stranger::OtherConnack)),
        (b"\x20\x00", Other(Stranger::OtherConnack)),
        (b"\x20\x01\x00", Other(Stranger::OtherConnack)),
        (b"\x20\xff\xff\x7f", Other(Stranger::OtherConnack)),
        (b"\x15\x03\x01\x00\x02\x02\x46", Other(Stranger::Tls)),
        (b"\x16\x03\x03\x00\x7a\x02\x00", Other(Stranger::Tls)),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Other(Stranger::Http(Some(400)))),
        (b"HTTP/1.0 ", Other(Stranger::Http(None))),
        (b"HTTP/1.1 hunter2", Other(Stranger::Http(None))),
        (b"\x15\x00", Other(Stranger::Other(0x15))),
        (b"SSH-2.0-x\r\n", Other(Stranger::Other(b'S'))),
    ];
    for (answer, expected) in cases {
        for part in [1, answer.len()] {
            let (greeting, _) = greeted(answer, part).await;
            assert_eq!(greeting.unwrap(), expected, "{answer:x?} in parts of {part}");
        }
    }
}

/// Who hangs up in the middle of CONNACK, or before it, has not answered.
#[tokio::test]
async fn a_cut_connack_is_an_unexpected_end() {
    for answer in [&b""[..], b"\x20", b"\x20\x02", b"\x20\x02\x00"] {
        let (greeting, _) = greeted(answer, 4).await;
        assert_eq!(greeting.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{answer:x?}");
    }
}

/// Publishes right behind CONNACK are kept for the caller.
#[tokio::test]
async fn greet_keeps_what_follows_connack() {
    const PUBLISH: &[u8] = b"\x30\x06\x00\x03a/bx";
    let answer = [b"\x20\x02\x01\x00", PUBLISH].concat();
    let (greeting, rest) = greeted(&answer, answer.len()).await;
    assert_eq!(greeting.unwrap(), Greeting::Accepted { session_present: true });
    assert_eq!(rest, PUBLISH);
}

/// Another packet in place of CONNACK is against MQTT 3.1.1.
#[tokio::test]
async fn another_first_packet_is_no_connack() {
    let mut bytes = bytes::BytesMut::new();
    Packet::PingResp.write(&mut bytes, 1024).unwrap();
    let (greeting, _) = greeted(&bytes, 2).await;
    assert_eq!(greeting.unwrap(), Greeting::Stranger(Stranger::Other(0xd0)));
}

/// A stranger that stops in the middle of its first words is not waited for.
#[tokio::test(start_paused = true)]
async fn a_stranger_is_not_waited_for() {
    for (words, expected) in [
        (&b"H"[..], Stranger::Other(b'H')),
        (b"HTTP/1.1", Stranger::Http(None)),
        (b"\x15", Stranger::Other(0x15)),
    ] {
        let (mut ours, mut theirs) = tokio::io::duplex(4096);
        theirs.write_all(words).await.unwrap();
        let start = Instant::now();
        let greeting = greet(&mut ours, &Connect::new("d/m")).await.unwrap();
        assert_eq!(greeting, Greeting::Stranger(expected));
        let waited = start.elapsed().as_millis();
        assert!((250..=251).contains(&waited), "{words:?}: {waited} ms");
    }
}
