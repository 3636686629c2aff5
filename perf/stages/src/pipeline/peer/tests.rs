use std::sync::Arc;

use sluicegate::pipeline::Pipeline;
use sluicegate::pipeline::parse::JsonPath;

use super::*;

/// A hub that has sent one message, an alert; and the alert as it is to come.
fn peer() -> (Peer, Vec<u8>) {
    let (wakes, outlet) = (Default::default(), Arc::default());
    let pipeline =
        Pipeline::start(&wakes, &outlet, 0, &JsonPath::default(), 1 << 20, Arc::default());
    let pipeline = SharedPipeline::new(pipeline.expect("no threads"));
    let mut peer = Peer::new(Ring::new(1, 1), pipeline);
    peer.is_started = true;
    assert_eq!(peer.begin(5), 1);
    read(&mut peer);
    let Alert { head, body, .. } = &peer.alerts[0];
    let alert = [&head[..], &[0, 9], &body[..]].concat();
    (peer, alert)
}

fn read(peer: &mut Peer) -> Vec<u8> {
    let mut memory = vec![0; 1000];
    let mut buffer = ReadBuf::new(&mut memory);
    peer.give(&mut buffer);
    buffer.filled().to_vec()
}

/// However the writes are cut.
#[test]
fn an_alert_is_answered_and_then_acknowledged() {
    for at in [1, 2, 100, 200] {
        let (mut peer, alert) = peer();
        assert_eq!(peer.take(&alert[..at]), Ok(()));
        assert_eq!(peer.take(&alert[at..]), Ok(()));
        assert_eq!(read(&mut peer), [0x40, 2, 0, 9]);
        assert_eq!(peer.take(&[0x40]), Ok(()));
        assert!(!peer.is_done());
        assert_eq!(peer.take(&[2, 0, 1]), Ok(()));
        assert!(peer.is_done());
        assert_eq!(peer.work().writes, 4);
    }
}

/// A message whose alert has no PUBACK yet would be lost with the connection.
#[test]
fn an_early_acknowledgement_is_wrong() {
    let (mut peer, alert) = peer();
    assert!(peer.take(&[0x40, 2, 0, 1]).is_err());
    let (mut early, _) = self::peer();
    assert!(early.take(&[&alert[..], &[0x40, 2, 0, 1]].concat()).is_err());
}

#[test]
fn other_packets_are_wrong() {
    for place in [0, 10, 200] {
        let (mut peer, mut alert) = peer();
        alert[place] ^= 0x80;
        assert!(peer.take(&alert).is_err(), "{place}");
    }
    let (mut peer, alert) = peer();
    assert!(peer.take(&[&alert[..], &alert[..], &[0; 300]].concat()).is_err(), "twice");
}
