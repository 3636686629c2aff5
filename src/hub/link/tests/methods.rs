//! Direct methods, and those that no answer can reach.

use super::*;
use crate::mqtt::connection::WRITE_HIGH_WATER_BYTES;

fn call(rid: &str) -> Packet {
    let topic = format!("$iothub/methods/POST/stats/?$rid={rid}");
    Packet::Publish(Publish::new(topic, QoS::AtMostOnce, ""))
}

/// A hub that calls and does not read is answered up to the high-water mark; once it has read that,
/// the next call is answered again.
#[tokio::test]
async fn methods_of_a_hub_that_does_not_read_are_not_answered() {
    const CALLS: usize = 2000;
    let (link, _stop, _wake) = link(1 << 20);
    let pipeline = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 4096);
    hub.start(25, 1).await;
    hub.answer_report().await;
    for _ in 0..CALLS {
        hub.send(call("unread")).await;
    }
    while pipeline.lock().counters.methods < CALLS as u64 {
        tokio::task::yield_now().await;
    }
    let withheld = usize::try_from(pipeline.lock().counters.unexpected).unwrap();
    let mut bytes = 0;
    for _ in withheld..CALLS {
        bytes += hub.next_publish().await.size();
    }
    // And one answer, and what the pipe has taken.
    let bound = WRITE_HIGH_WATER_BYTES..WRITE_HIGH_WATER_BYTES + 8192;
    assert!(withheld > 0 && bound.contains(&bytes), "{bytes} bytes, {withheld} withheld");
    hub.send(call("read")).await;
    assert!(hub.next_publish().await.topic.ends_with("rid=read"));
}

/// A request id that no answer's topic can carry, as it grows when encoded: the caller gets a
/// time-out, the connection lives, and the next call is answered.
#[tokio::test]
async fn a_method_whose_answer_has_no_room_is_not_answered() {
    let (link, _stop, _wake) = link(1 << 20);
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    hub.send(call(&"@".repeat(30_000))).await;
    hub.send(call("short")).await;
    assert!(hub.next_publish().await.topic.ends_with("rid=short"));
}

/// A method of every name is answered: `stats` with the counters, all others with 404.
#[tokio::test]
async fn direct_methods_are_answered() {
    let (link, _stop, _wake) = link(1 << 20);
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    hub.input(1, COLD).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)));
    for (name, status) in [("stats", 200), ("reboot", 404), ("a%20b", 404)] {
        let topic = format!("$iothub/methods/POST/{name}/?$rid=7f");
        hub.send(Packet::Publish(Publish::new(topic, QoS::AtMostOnce, ""))).await;
        let answer = hub.next_publish().await;
        assert_eq!(answer.topic, format!("$iothub/methods/res/{status}/?$rid=7f"));
        let body: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
        match status {
            200 => assert_eq!(body["counters"]["received"], 1, "{body}"),
            _ => assert!(body["error"].is_string(), "{body}"),
        }
    }
}
