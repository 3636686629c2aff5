//! Who is shown what, without sockets.

use bytes::Bytes;
use sluicegate::azure::Properties;

use super::*;

fn message(number: u64, body_bytes: usize) -> UpstreamMessage {
    UpstreamMessage {
        device: String::new(),
        module: None,
        output: None,
        body: Bytes::from(vec![0; body_bytes]),
        properties: Properties::new(),
        received_at: std::time::Instant::now(),
        number,
    }
}

fn unread(keeps: bool, numbers: std::ops::Range<u64>) -> Arc<Unread> {
    let unread = Arc::new(Unread::new(keeps));
    for number in numbers {
        unread.push(message(number, 1));
    }
    unread
}

/// Takes what is there; numbers, and how many were lost.
async fn take(reader: &mut Reader, count: usize) -> (Vec<u64>, u64) {
    let (mut numbers, mut lost) = (Vec::new(), 0);
    while numbers.len() < count {
        match reader.next().await {
            Some(Next::Message(message)) => {
                numbers.push(message.number);
                reader.sent(&message);
            }
            Some(Next::Lost(count)) => lost += count,
            None => break,
        }
    }
    (numbers, lost)
}

#[tokio::test]
async fn a_monitor_begins_with_what_none_has_shown() {
    let unread = unread(true, 10..20);
    let (mut first, count, _) = unread.read(false);
    assert_eq!(count, 10);
    assert_eq!(take(&mut first, 8).await.0, (10..18).collect::<Vec<_>>());
    assert_eq!(first.shown(5), Some(14));
    // It was sent three more, and has gone without a word about them.
    drop(first);
    let (mut second, count, _) = unread.read(false);
    assert_eq!(count, 5);
    assert_eq!(take(&mut second, 5).await, ((15..20).collect(), 0));
    // Beside it a third begins there too; who is first to show a message releases it.
    let (mut third, ..) = unread.read(false);
    assert_eq!(take(&mut third, 5).await.0, (15..20).collect::<Vec<_>>());
    assert_eq!(second.shown(5), Some(19));
    assert_eq!(third.shown(3), None);
    unread.push(message(20, 1));
    assert_eq!(take(&mut third, 1).await.0, [20]);
    assert_eq!(third.shown(100), Some(20));
    drop((second, third));
    assert!(unread.list().messages.is_empty() && unread.list().bytes == 0);
}

#[tokio::test]
async fn only_new_passes_over_the_rest_for_good() {
    let unread = unread(true, 1..4);
    let (mut reader, count, last) = unread.read(true);
    assert_eq!((count, last), (0, Some(3)));
    unread.push(message(4, 1));
    assert_eq!(take(&mut reader, 1).await.0, [4]);
    unread.close();
    assert!(reader.next().await.is_none());
}

#[tokio::test]
async fn without_keeping_nothing_waits_for_a_monitor() {
    let unread = unread(false, 1..4);
    let (mut reader, count, _) = unread.read(false);
    assert_eq!(count, 0);
    unread.push(message(0, 1));
    assert_eq!(take(&mut reader, 1).await, (vec![0], 0));
    unread.push(message(0, 1));
    drop(reader);
    assert!(unread.list().messages.is_empty());
    assert_eq!(unread.read(false).1, 0);
}

/// A monitor that is slower than another one loses the oldest and learns how many.
#[tokio::test]
async fn a_slow_monitor_is_left_behind() {
    let unread = unread(true, 0..3000);
    let (mut slow, ..) = unread.read(false);
    let (mut fast, ..) = unread.read(false);
    assert_eq!(take(&mut fast, 3000).await.0.len(), 3000);
    assert_eq!(fast.shown(3000), Some(2999));
    assert_eq!(unread.list().messages.len(), 1024);
    let (numbers, lost) = take(&mut slow, 1024).await;
    assert_eq!((numbers[0], lost), (1976, 1976));
}

/// At its bounds the oldest goes, and its number is released.
#[test]
fn what_nobody_reads_is_bounded() {
    let unread = unread(true, 1..65_537);
    assert_eq!(unread.push(message(65_537, 1)), (Some(1), 1));
    assert_eq!(unread.push(message(65_538, 1)), (Some(2), 2));
    let unread = self::unread(true, 1..2);
    for number in 2..200 {
        let (gone, _) = unread.push(message(number, 1 << 20));
        assert!(unread.list().bytes <= 64 << 20);
        assert_eq!(gone, (number > 65).then(|| number - 64).or((number == 65).then_some(1)));
    }
}
