//! What goes out: messages that are due, as far as socket and window take them.

use super::super::feeder::Feeder;
use super::super::lane::Lane;
use super::super::ledger::Ledger;
use super::super::settings::Pace;
use super::Engine;

impl Engine {
    /// Adds the messages that are due, as far as they are taken; gives how many.
    pub(super) fn feed(&mut self, now: u64) -> u64 {
        let before = self.feeder.sent();
        for lane in self.lanes.all.iter_mut().filter(|lane| lane.inflight.is_resending()) {
            self.counts.resent += lane.resend(&self.feeder);
        }
        self.look_at_threshold();
        let mut blocked = false;
        while let Some(due) = self.feeder.due(now).filter(|due| *due <= now) {
            let Some(index) = self.lanes.side.lane_of(self.feeder.sensor(), self.lanes.inputs)
            else {
                blocked = true;
                break;
            };
            let lane = &self.lanes.all[index];
            if !lane.socket.has_room() {
                blocked = lane.socket.is_full();
                break;
            }
            if !has_window(self.qos, self.pace, self.window, lane, &self.feeder, &self.ledger) {
                blocked = true;
                break;
            }
            self.send(index, due, now);
        }
        let sent = self.feeder.sent() - before;
        if sent > 0 {
            self.meter.recorder.sent(sent);
        }
        self.meter.blocked(blocked, now);
        sent
    }

    #[inline]
    fn send(&mut self, index: usize, due: u64, now: u64) {
        let lane = &mut self.lanes.all[index];
        let id = (self.qos > 0).then(|| lane.inflight.push(self.feeder.sent()));
        let out = lane.socket.out();
        let length = out.len();
        let is_alert = self.feeder.write(out, id);
        self.meter.message(due, now, out.len() - length);
        self.ledger.sent(is_alert, due);
        if matches!(self.pace, Pace::Open { .. }) {
            self.meter.added(due);
        }
    }
}

/// Whether one more message may be in flight.
#[inline]
fn has_window(
    qos: u8,
    pace: Pace,
    window: u32,
    lane: &Lane,
    feeder: &Feeder,
    ledger: &Ledger,
) -> bool {
    let has_room = qos == 0 || lane.inflight.has_room();
    // In a closed loop the window reaches from end to end: a program that acknowledges before it
    // has forwarded is held back all the same. Without alerts and acknowledgements TCP alone does.
    has_room
        && (pace != Pace::Closed
            || ledger.waits_for().is_none_or(|place| feeder.sent() - place < u64::from(window)))
}
