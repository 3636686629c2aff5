//! Faults of the hub, changes of the threshold, and how long the program takes to recover.
//!
//! Orders come from the calling thread, which knows when; what became of each fault goes into a
//! list, bounded by the plan. Recovered means: a connection takes inputs, nothing that is due
//! waits, and everything that was sent until then is acknowledged.

use std::time::Duration;

use crossbeam_channel::Receiver;
use rustix::net::sockopt::set_socket_linger;

use super::super::error::LoadError;
use super::super::fault::{FaultKind, Order};
use super::super::lane::{Lane, LaneError};
use super::super::ledger::Between;
use super::super::outcome::Fault;
use super::super::plan::FAULTS_MAX;
use super::super::progress::Phase;
use super::super::side::Side;
use super::{Engine, SECOND_NS, nanoseconds};

/// How far behind its schedule the sending may be and still be on time.
const BEHIND_NS: u64 = 5_000_000;
/// The hub listens again at its own address, which somebody else might have taken meanwhile: how
/// long that is tried.
const REOPEN_NS: u64 = 10 * SECOND_NS;
/// Longest sleep while nothing is read: the clock is looked at in between.
const BLIND_SLEEP_NS: u64 = 1_000_000;

/// What disturbs a run, and what came of it.
#[derive(Debug)]
pub(in super::super) struct Disturbance {
    orders: Receiver<Order>,
    /// The lower and the higher threshold, and whether the higher one is in force.
    thresholds: Option<[f64; 2]>,
    is_high: bool,
    open: Option<Open>,
    /// Nothing is read, written or accepted until then.
    stalled_until: Option<u64>,
    /// Nobody is let in until then.
    closed_until: Option<u64>,
    pub(in super::super) found: Found,
}

/// What came of it.
#[derive(Debug, Default)]
pub(in super::super) struct Found {
    pub(in super::super) faults: Vec<Fault>,
    pub(in super::super) patches: u64,
    /// Those that the program was told at once.
    pub(in super::super) patches_told: u64,
    /// Connections that the program itself ended.
    pub(in super::super) renewals: u64,
    /// Faults that were recovered from.
    pub(in super::super) recovered: u64,
}

/// The fault that is not recovered from.
#[derive(Debug, Clone, Copy)]
struct Open {
    kind: FaultKind,
    began: u64,
    /// When it ended.
    over: Option<u64>,
    /// Inputs that had gone to another connection when it began.
    handed: u64,
    /// Messages that must be acknowledged: those sent when the sending was on time again.
    behind: Option<u64>,
    /// Messages that may come back twice if the connection goes: those sent since here.
    since: u64,
}

impl Disturbance {
    /// By these orders, with these two thresholds in turn.
    pub(in super::super) fn new(orders: Receiver<Order>, thresholds: Option<[f64; 2]>) -> Self {
        Self {
            orders,
            thresholds,
            is_high: false,
            open: None,
            stalled_until: None,
            closed_until: None,
            found: Found::default(),
        }
    }

    /// The first message that may come back twice on account of the fault under way.
    pub(super) fn repeats_since(&self) -> Option<u64> {
        self.open.map(|open| open.since)
    }
}

impl Engine {
    /// Whether the hub does nothing now.
    pub(super) fn is_stalled(&self) -> bool {
        self.disturbance.as_ref().is_some_and(|it| it.stalled_until.is_some())
    }

    /// A turn of a hub that does nothing.
    pub(super) fn stand_still(&mut self, now: u64) {
        self.meter.blocked(true, now);
        std::thread::sleep(Duration::from_nanos(BLIND_SLEEP_NS));
    }

    /// What must become of messages between the two thresholds that are sent now.
    pub(super) fn look_at_threshold(&mut self) {
        let Some(disturbance) = &self.disturbance else { return };
        let Side::Hub(gateway) = &self.lanes.side else { return };
        let knows_desired = self
            .lanes
            .inputs
            .is_some_and(|index| gateway.knows_desired(&self.lanes.all[index].guest));
        self.ledger.set_between(match (knows_desired, disturbance.is_high) {
            (false, _) if disturbance.found.patches > 0 => Between::Either,
            (true, true) => Between::Silence,
            _ => Between::Alert,
        });
    }

    /// Ends what is over, does what is ordered, and looks whether the program has recovered.
    pub(super) fn disturb(&mut self, now: u64) -> Result<(), LoadError> {
        if self.disturbance.is_none() {
            return Ok(());
        }
        self.end_stall(now);
        self.reopen(now)?;
        while let Some(order) = self.disturbance.as_ref().and_then(|it| it.orders.try_recv().ok()) {
            match order {
                Order::Fault(kind, length) => self.make(kind, nanoseconds(length), now)?,
                Order::Begun(kind) => self.begin_fault(kind, now),
                Order::Over => self.end_fault(now),
                Order::Patch => self.patch(),
            }
        }
        self.look_at_recovery(now);
        Ok(())
    }

    /// The program ended its connection itself.
    pub(super) fn goodbye(&mut self) -> LaneError {
        if self.phase == Phase::Measuring {
            self.set(|it| it.found.renewals += 1);
        }
        LaneError::Goodbye
    }

    fn make(&mut self, kind: FaultKind, length: u64, now: u64) -> Result<(), LoadError> {
        self.begin_fault(kind, now);
        match kind {
            FaultKind::Cut => {
                if let Some(index) = self.lanes.inputs {
                    // The lane ends when its socket is read next.
                    self.lanes.all[index].socket.shut_down(std::net::Shutdown::Both);
                }
                self.end_fault(now);
            }
            FaultKind::Reset => {
                if let Some(index) = self.lanes.inputs {
                    self.reset(index)?;
                }
                self.end_fault(now);
            }
            FaultKind::Stall => self.set(|it| it.stalled_until = Some(now + length)),
            FaultKind::Restart => {
                if let Side::Hub(gateway) = &mut self.lanes.side {
                    gateway.close();
                }
                while let Some(index) = self.lanes.all.len().checked_sub(1) {
                    self.reset(index)?;
                }
                self.set(|it| it.closed_until = Some(now + length));
            }
            // Made by the calling thread.
            FaultKind::Stop | FaultKind::Kill => {}
        }
        Ok(())
    }

    /// Closes a connection with RST, as a system does whose process was killed.
    fn reset(&mut self, index: usize) -> Result<(), LoadError> {
        let Lane { socket, .. } = &self.lanes.all[index];
        // Where it is refused, the peer sees another end of its connection.
        let _ = set_socket_linger(socket, Some(Duration::ZERO));
        self.lose(index, &LaneError::Goodbye)
    }

    fn begin_fault(&mut self, kind: FaultKind, now: u64) {
        let (handed, since) = (self.lanes.handed, self.sent_before);
        let begin_ns = self.meter.measured_ns.start;
        self.set(|it| {
            it.open = Some(Open { kind, began: now, over: None, handed, behind: None, since });
            if it.found.faults.len() < FAULTS_MAX {
                let at_s = seconds(now) - seconds(begin_ns);
                it.found.faults.push(Fault { kind, at_s, length_s: 0.0, recovery_s: None });
            }
        });
    }

    fn end_fault(&mut self, now: u64) {
        self.set(|it| {
            let Some(open) = &mut it.open else { return };
            open.over = Some(now);
            if let Some(fault) = it.found.faults.last_mut() {
                fault.length_s = seconds(now - open.began);
            }
        });
    }

    fn end_stall(&mut self, now: u64) {
        let until = self.disturbance.as_ref().and_then(|it| it.stalled_until);
        if until.is_some_and(|until| now >= until) {
            self.set(|it| it.stalled_until = None);
            self.end_fault(now);
        }
    }

    /// Listens again when it is time.
    fn reopen(&mut self, now: u64) -> Result<(), LoadError> {
        let until = self.disturbance.as_ref().and_then(|it| it.closed_until);
        let Some(until) = until.filter(|until| now >= *until) else { return Ok(()) };
        if let Side::Hub(gateway) = &mut self.lanes.side
            && let Err(error) = gateway.reopen()
        {
            if now >= until + REOPEN_NS {
                let text = format!("cannot listen again where the hub did: {error}");
                return Err(LoadError::Unavailable(text));
            }
            return Ok(());
        }
        self.set(|it| it.closed_until = None);
        self.end_fault(now);
        Ok(())
    }

    fn patch(&mut self) {
        let Some(it) = &mut self.disturbance else { return };
        let Some([low, high]) = it.thresholds else { return };
        it.is_high = !it.is_high;
        it.found.patches += 1;
        let threshold = if it.is_high { high } else { low };
        let Side::Hub(gateway) = &mut self.lanes.side else { return };
        let lane = self.lanes.inputs.map(|index| &mut self.lanes.all[index]);
        let told = gateway.patch(threshold, lane.map(|it| (&mut it.guest, it.socket.out())));
        self.set(|it| it.found.patches_told += u64::from(told));
    }

    fn look_at_recovery(&mut self, now: u64) {
        let Some(Open { over: Some(over), kind, handed, behind, .. }) =
            self.disturbance.as_ref().and_then(|it| it.open)
        else {
            return;
        };
        let Some(behind) = behind else {
            let is_back = !kind.ends_connection() || self.lanes.handed > handed;
            if is_back && self.is_on_time(now) {
                let sent = self.feeder.sent();
                self.set(|it| it.open = it.open.map(|open| Open { behind: Some(sent), ..open }));
            }
            return;
        };
        if self.lanes.oldest_in_flight().is_none_or(|place| place >= behind) {
            self.set(|it| {
                it.open = None;
                it.found.recovered += 1;
                if let Some(fault) = it.found.faults.last_mut() {
                    fault.recovery_s = Some(seconds(now - over));
                }
            });
        }
    }

    /// Whether somebody takes inputs and nothing that is due waits.
    fn is_on_time(&self, now: u64) -> bool {
        let takes = self.lanes.inputs.is_some_and(|index| {
            let lane = &self.lanes.all[index];
            !lane.inflight.is_resending()
        });
        let waits = self.feeder.due(now).is_some_and(|due| due + BEHIND_NS < now);
        takes && !self.is_stalled() && !waits
    }

    fn set(&mut self, change: impl FnOnce(&mut Disturbance)) {
        if let Some(disturbance) = &mut self.disturbance {
            change(disturbance);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a day in nanoseconds is below 2^53")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
