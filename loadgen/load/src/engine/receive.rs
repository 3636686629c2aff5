//! What comes in: acknowledgements, alerts, everything else a client says, and lost connections.

use super::super::error::LoadError;
use super::super::gateway::Event;
use super::super::inflight::Acknowledged;
use super::super::lane::{Lane, LaneError};
use super::super::lanes::Lanes;
use super::super::ledger::Returned;
use super::super::progress::Phase;
use super::super::wire;
use super::{Disturbance, Engine, nanoseconds};

impl Engine {
    /// Reads each socket once; `true` when anything came.
    pub(super) fn read(&mut self) -> Result<bool, LoadError> {
        let mut heard = false;
        let mut index = 0;
        while index < self.lanes.all.len() {
            match self.read_lane(index) {
                Ok(came) => {
                    heard |= came;
                    index += 1;
                }
                Err(LaneError::Load(error)) => return Err(error),
                Err(error) => self.lose(index, &error)?,
            }
        }
        Ok(heard)
    }

    fn read_lane(&mut self, index: usize) -> Result<bool, LaneError> {
        let Lanes { side, all, .. } = &mut self.lanes;
        let Lane { socket, inflight, guest, link } = &mut all[index];
        if !socket.read()? {
            return Ok(false);
        }
        let now = nanoseconds(self.start.elapsed());
        let is_receiver = side.is_receiver(index);
        let traffic = self.feeder.traffic();
        let mut event = Event::None;
        socket.frames(|frame, out| {
            let is_open = link.is_ready() || guest.client_id.is_some();
            if frame.first == wire::PUBACK && is_open {
                match inflight.acknowledge(frame.puback()?) {
                    Acknowledged::InOrder => self.counts.acknowledged += 1,
                    Acknowledged::OutOfOrder => {
                        self.counts.acknowledged += 1;
                        self.counts.acknowledged_out_of_order += 1;
                    }
                    Acknowledged::Unknown => self.counts.acknowledged_unknown += 1,
                }
                return Ok(());
            }
            if frame.is_publish() && is_open {
                let publish = frame.publish()?;
                if let Some(bag) = side.alert(frame, &publish, is_receiver) {
                    if let Some(id) = publish.packet_id {
                        wire::write_puback(out, id);
                    }
                    let Returned::Alert { slot, intended_ns } =
                        self.ledger.returned(traffic, publish.body)
                    else {
                        return Ok(());
                    };
                    self.meter.alert(intended_ns, now);
                    let lower_qos = self.qos > 0 && publish.packet_id.is_none();
                    let wrong = self.verify_properties && !side.is_right(bag, slot, traffic);
                    if lower_qos || wrong {
                        self.ledger.wrong_properties();
                    }
                    return Ok(());
                }
            }
            match side.control(frame, guest, link, is_receiver, out)? {
                Event::None => {}
                other => event = other,
            }
            Ok::<(), LaneError>(())
        })?;
        match event {
            Event::None => {}
            Event::Disconnected => return Err(self.goodbye()),
            Event::Connected => {
                self.evict_older(index)?;
            }
            Event::NoInputs => self.lanes.orphan_inputs(index),
            Event::Inputs(qos) if qos < self.qos => {
                return Err(LaneError::Load(LoadError::Setting(
                    "the program under test subscribes to its inputs at QoS 0: measure it with \
                     --qos 0"
                        .to_owned(),
                )));
            }
            Event::Inputs(_) => {
                let index = self.evict_older(index)?;
                self.lanes.give_inputs(index);
            }
        }
        Ok(true)
    }

    /// Closes an older connection of the same client id, and gives where this one now is.
    fn evict_older(&mut self, index: usize) -> Result<usize, LaneError> {
        let Some(older) = self.lanes.older_of(index) else { return Ok(index) };
        self.lose(older, &LaneError::Goodbye).map_err(LaneError::Load)?;
        Ok(index - 1)
    }

    /// A connection is over: a fault, once the run has begun.
    pub(super) fn lose(&mut self, index: usize, why: &LaneError) -> Result<(), LoadError> {
        // Its last answer may say why.
        let _ = self.lanes.all[index].socket.write();
        let oldest = self.lanes.oldest_in_flight();
        let running = !matches!(self.phase, Phase::Starting | Phase::Ending);
        if self.lanes.lose(index, why)? && running {
            self.counts.faults += 1;
            // Alerts of the last second may be sent again too: for all the program under test
            // knows, we have not got them. At QoS 0 nothing may.
            let recent = if self.qos == 0 { self.feeder.sent() } else { self.sent_before };
            // What a fault held up for longer than that as well.
            let held_up = self.disturbance.as_ref().and_then(Disturbance::repeats_since);
            let recent = held_up.map_or(recent, |since| since.min(recent));
            self.ledger.fault(oldest.map_or(recent, |oldest| oldest.min(recent)), oldest);
        }
        Ok(())
    }
}
