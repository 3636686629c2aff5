//! The instrument's own decoders: its frames against rumqttc's, its stamps, its sink in pieces.

use bytes::BytesMut;
use loadgen_load::fuzzing::{BareSink, are_of_alert};
use loadgen_load::traffic::{LAP_TEXT_BYTES, LAPS_MAX, STAMP_BYTES, identify, lap_text};
use loadgen_load::wire::{PACKET_BYTES_MAX, WireError, frame};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::Packet;

use crate::input::first;

/// The first byte of `data` says how the sink gets the rest; it is a body and a bag, too.
pub fn check(data: &[u8]) {
    let (how, bytes) = first(data);
    check_frame(bytes);
    check_sink(usize::from(how), bytes);
    check_stamp(bytes);
    let bag = String::from_utf8_lossy(bytes);
    if are_of_alert(bytes, "1") {
        assert!(bag.contains("Alert") || bag.contains('%'), "{bag}");
        assert!(!are_of_alert(bytes, "2"));
    }
}

/// What both read as a packet is the same to both.
fn check_frame(bytes: &[u8]) {
    let mut rest = BytesMut::from(bytes);
    let theirs = Packet::read(&mut rest, PACKET_BYTES_MAX);
    let frame = match frame(bytes) {
        Ok(Some(frame)) => frame,
        Ok(None) => return assert!(theirs.is_err()),
        Err(WireError::Length | WireError::TooLarge(_)) => return assert!(theirs.is_err()),
        Err(other) => panic!("a header cannot be {other}"),
    };
    match theirs {
        Ok(Packet::Publish(theirs)) => match frame.publish() {
            Ok(ours) => {
                assert_eq!(ours.topic, theirs.topic.as_bytes());
                assert_eq!(ours.packet_id.unwrap_or(0), theirs.pkid);
                assert_eq!(ours.body, theirs.payload);
                assert_eq!(frame.is_retained(), theirs.retain);
            }
            Err(error) => {
                assert_eq!(error, WireError::ExactlyOnce);
                assert_eq!(theirs.qos, QoS::ExactlyOnce);
            }
        },
        // It reads over what stands behind the id.
        Ok(Packet::PubAck(theirs)) if frame.rest.len() == 2 => {
            assert_eq!(frame.puback(), Ok(theirs.pkid));
        }
        Ok(_) => assert!(!frame.is_publish()),
        // It refuses more: names that are no UTF-8, an id of 0.
        Err(_) => {}
    }
}

/// The sink answers the same, however its input is cut.
fn check_sink(step: usize, bytes: &[u8]) {
    let (mut whole, mut cut) = (Vec::new(), Vec::new());
    let at_once = BareSink::new().feed(bytes, &mut whole).is_ok();
    let mut sink = BareSink::new();
    let in_pieces = bytes.chunks(step.max(1)).all(|piece| sink.feed(piece, &mut cut).is_ok());
    assert_eq!((at_once, whole), (in_pieces, cut));
}

/// What is somebody's stamp is the text of that lap and slot.
fn check_stamp(body: &[u8]) {
    let Some((lap, slot)) = identify(body) else { return };
    assert!(lap < LAPS_MAX && slot < 1_000_000);
    let stamp = &body[body.len() - STAMP_BYTES..];
    assert_eq!(stamp[..LAP_TEXT_BYTES], lap_text(lap));
    assert!(stamp[LAP_TEXT_BYTES + 1..].starts_with(format!("{slot:06}").as_bytes()));
}
