//! The link by itself: what it keeps, and what it makes of packet ids.

use super::*;

/// A link that is never run.
fn still_link() -> DeviceLink {
    let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (_stop, stopped) = watch::channel(false);
    let settings = settings(1, HOUR, made.cert.der().clone());
    DeviceLink::new(settings, Arc::default(), stopped, 7)
}

/// At the bound the oldest telemetry goes, and each that went is counted.
#[test]
fn telemetry_that_waits_is_bounded() {
    let mut link = still_link();
    for number in 0..TELEMETRY_HELD_MAX + 5 {
        link.act(Action::Telemetry(number.to_string()));
    }
    assert_eq!(link.telemetry.len(), TELEMETRY_HELD_MAX);
    assert_eq!(link.telemetry.front().map(String::as_str), Some("5"));
    assert_eq!(link.counters.telemetry_dropped, 5);
}

/// A hub that acknowledges all publishes but the oldest uses up the packet ids; the next connection
/// starts over, with what is unacknowledged in its order.
#[test]
fn packet_ids_that_ran_out_start_over() {
    let mut link = still_link();
    for number in 1..=crate::mqtt::inflight::WINDOW_MAX {
        let id = link.inflight.push(number.to_string()).expect("there is room");
        if id > 2 {
            link.inflight.complete(id);
        }
    }
    link.telemetry.push_back("new".to_owned());
    assert_eq!(link.inflight.room(), 0);
    assert_eq!(link.reserve_packet_id(), 1);
    assert_eq!(link.telemetry, ["1", "2", "new"]);
    assert_eq!(link.inflight.waiting(), 0);
}

/// A PUBACK for telemetry of an earlier connection that is still to be sent on this one, or for the
/// SUBSCRIBE, ends nothing.
#[test]
fn a_puback_for_what_was_not_sent_yet_ends_nothing() {
    let mut link = still_link();
    for number in 1..=2 {
        link.inflight.push(number.to_string()).expect("there is room");
    }
    link.resend = link.inflight.resend();
    let subscribe = link.reserve_packet_id();
    link.resend.pop_front();
    assert!(!link.acknowledged(2) && !link.acknowledged(subscribe));
    assert!(link.acknowledged(1), "it was sent");
    link.resend.pop_front();
    assert!(link.acknowledged(2) && !link.acknowledged(subscribe));
    assert_ne!(link.reserve_packet_id(), subscribe);
}
