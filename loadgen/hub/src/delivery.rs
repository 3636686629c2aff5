//! What goes into a connection's write buffer: the hub's own publishes, then stored inputs.

use std::time::Instant;

use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{PubAck, Publish};

use super::close::CloseReason;
use super::config::{CONTROL_MAX, DELIVERY_BYTES_HIGH};
use super::peer::{Control, Link, Peer, Seat};
use super::session::InputInterest;
use super::state::HubState;
use super::transcript::Exchange;

impl HubState {
    /// Fills a write buffer with control packets, then with inputs. `Some` ends the connection.
    pub(super) fn fill(
        &mut self,
        seat: Seat,
        out: &mut BytesMut,
        now: Instant,
    ) -> Option<CloseReason> {
        let peer = &mut self.peers[seat.peer];
        let link = peer.link.as_mut().filter(|link| link.generation == seat.generation)?;
        if link.overrun {
            let why = format!("more than {CONTROL_MAX} answers not read");
            return Some(CloseReason::Protocol(why));
        }
        if let Some(durable) = &self.durable {
            while let Some((_, id)) = link.owed.pop_front_if(|(t, _)| durable.is_stored(*t)) {
                if let Err(error) = PubAck::new(id).write(out) {
                    return Some(CloseReason::Protocol(error.to_string()));
                }
            }
        }
        while out.len() < DELIVERY_BYTES_HIGH {
            let Some(link) = &mut peer.link else { break };
            let Some(control) = link.control.pop_front() else { break };
            let patch = control.patch;
            let (identity, Control { topic, body, .. }) = (&peer.identity, &control);
            self.transcript.add(|| Exchange::answered(identity.client_id(), topic, body));
            if let Err(reason) = write_control(link, control, peer.inputs.oldest_id(), out) {
                return Some(reason);
            }
            if let Some(version) = patch {
                peer.note_patch(version);
            }
        }
        self.fill_inputs(seat.peer, out, now);
        None
    }

    fn fill_inputs(&mut self, index: usize, out: &mut BytesMut, now: Instant) {
        let Peer { inputs, interest, link, inputs_written, .. } = &mut self.peers[index];
        let Some(link) = link else { return };
        if matches!(interest.inputs, InputInterest::None) {
            return;
        }
        let decide = |topic: &str| interest.inputs.decide(topic);
        let delivered = inputs.deliver(out, DELIVERY_BYTES_HIGH, &mut link.ids, now, decide);
        *inputs_written += delivered.fresh + delivered.again;
        self.counters.inputs_delivered += delivered.fresh;
        self.counters.inputs_redelivered += delivered.again;
        self.counters.inputs_rejected += delivered.rejected;
        self.counters.inputs_acked += delivered.completed;
        if delivered.completed + delivered.rejected > 0 {
            self.note_done(index);
            self.announce_room_of(index);
        }
    }
}

fn write_control(
    link: &mut Link,
    control: Control,
    oldest_input: u16,
    out: &mut BytesMut,
) -> Result<(), CloseReason> {
    let mut publish = Publish::from_bytes(control.topic, QoS::AtMostOnce, control.body);
    if control.qos > 0 {
        publish.qos = QoS::AtLeastOnce;
        publish.pkid = link.ids.next_control(oldest_input).ok_or_else(|| {
            CloseReason::Protocol(format!("more than {CONTROL_MAX} publishes not acknowledged"))
        })?;
    }
    publish.write(out).map_err(|error| CloseReason::Protocol(error.to_string()))?;
    Ok(())
}
