//! The loop that sends, receives and verifies: one thread, all sockets, one clock.
//!
//! ```text
//!  feeder --> socket.out --write--> program under test --read--> socket.input --> ledger, recorder
//! ```
//!
//! A turn reads each socket once, adds the messages that are due, and writes each socket once. It
//! looks at the clock first, and again after a read that brought something: what came while this
//! thread was kept from running must not seem to have come before. When nothing is due for longer
//! than [`SPIN_NS`], it sleeps until shortly before; so it is on time, and takes up to one core for
//! that.
//!
//! Bounded: connections by `lanes`, buffers by the sockets, messages in flight by the window,
//! the wait for the program by the settings, the end by the drain and [`LATE_NS_MAX`].

use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::board::{Board, Numbers};
use super::error::LoadError;
use super::feeder::Feeder;
use super::lane::LaneError;
use super::lanes::Lanes;
use super::ledger::Ledger;
use super::meter::Meter;
use super::outcome::Counts;
use super::progress::Phase;
use super::settings::{Pace, RunSettings};
use super::side::Side;

/// How long before a message's instant the thread spins in place of sleeping: a sleeper wakes up
/// late.
const SPIN_NS: u64 = 100_000;
/// How often the less urgent is looked at.
const TICK_NS: u64 = 1_000_000;
/// How often the progress is told a percentile, which takes a while to find.
const GLANCE_NS: u64 = 100_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// In a closed loop: an alert that is waited for counts as lost when nothing at all has come back
/// for so long, and then the next one.
const PASS_OVER_NS: u64 = 2 * SECOND_NS;
/// The drain of a run that is ended early, at most.
const DRAIN_EARLY_NS: u64 = 2 * SECOND_NS;
/// How long the program under test is served while it ends.
const LINGER_NS: u64 = 15 * SECOND_NS;
/// Longest sleep.
const SLEEP_NS_MAX: u64 = 5_000_000;
/// After everything is back: how long for something more, which would be one too many.
const SILENCE_NS: u64 = 50_000_000;
/// When the drain is over nothing more is sent. What was sent counts as lost when nothing at all
/// has come back for so long: a slow program with full buffers has lost nothing.
const LATE_SILENCE_NS: u64 = 1_000_000_000;
/// How long after the drain even that ends.
const LATE_NS_MAX: u64 = 60_000_000_000;

mod disturb;
mod receive;
mod send;

pub(super) use disturb::{Disturbance, Found};

/// What one run found, before anything is made of it.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) counts: Counts,
    pub(super) meter: Meter,
    pub(super) ended_early: bool,
    /// When the inputs were subscribed to.
    pub(super) ready: Instant,
    pub(super) feeder: Feeder,
    /// Of a run that was disturbed.
    pub(super) found: Found,
}

/// The loop and everything it holds.
pub(super) struct Engine {
    lanes: Lanes,
    feeder: Feeder,
    ledger: Ledger,
    meter: Meter,
    /// What is counted here; the ledger counts the rest.
    counts: Counts,
    pace: Pace,
    qos: u8,
    window: u32,
    verify_properties: bool,
    cut_every_ns: Option<u64>,
    next_cut_ns: u64,
    drain_ns: u64,
    start_wait: Duration,
    start: Instant,
    board: Arc<Board>,
    phases: Sender<Phase>,
    phase: Phase,
    next_tick_ns: u64,
    next_glance_ns: u64,
    p99_ns: u64,
    next_second_ns: u64,
    /// Messages sent up to one second ago, or two.
    sent_before: u64,
    sent_at_second: u64,
    drain_end_ns: u64,
    settled_at: Option<u64>,
    /// When anything came last.
    heard_at: u64,
    /// When an alert was last given up.
    passed_over_at: u64,
    ended_early: bool,
    disturbance: Option<Disturbance>,
}

impl Engine {
    pub(super) fn new(
        settings: &RunSettings,
        side: Side,
        feeder: Feeder,
        board: Arc<Board>,
        phases: Sender<Phase>,
        disturbance: Option<Disturbance>,
    ) -> Self {
        let begin = nanoseconds(settings.warm_up);
        let cut_every_ns = settings.cut_every.map(nanoseconds);
        Self {
            lanes: Lanes::new(side, settings.window),
            ledger: Ledger::new(feeder.traffic()),
            feeder,
            meter: Meter::new(begin..begin + nanoseconds(settings.duration)),
            counts: Counts::default(),
            pace: settings.pace,
            qos: settings.traffic.qos,
            window: settings.window,
            verify_properties: settings.verify_properties,
            cut_every_ns,
            next_cut_ns: cut_every_ns.unwrap_or(u64::MAX),
            drain_ns: nanoseconds(settings.drain),
            start_wait: settings.start_wait,
            start: Instant::now(),
            board,
            phases,
            phase: Phase::Starting,
            next_tick_ns: 0,
            next_glance_ns: 0,
            p99_ns: 0,
            next_second_ns: 0,
            sent_before: 0,
            sent_at_second: 0,
            drain_end_ns: u64::MAX,
            settled_at: None,
            heard_at: 0,
            passed_over_at: 0,
            ended_early: false,
            disturbance,
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The program under test never subscribed, or the broker went away.
    pub(super) fn run(mut self) -> Result<Report, LoadError> {
        // Sleeps end 50 us late by default; without the right to ask for less they still do.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        self.lanes.open()?;
        self.wait_until_ready()?;
        self.start = Instant::now();
        self.next_tick_ns = 0;
        self.enter(Phase::WarmUp);
        loop {
            let now = self.now();
            if now >= self.next_tick_ns {
                self.tick(now)?;
                if self.is_over(now) {
                    break;
                }
            }
            if self.is_stalled() {
                self.stand_still(now);
                continue;
            }
            let heard = self.read()?;
            // Reading took time, and what is sent now is that much later.
            let now = if heard { self.now() } else { now };
            let sent = self.feed(now);
            if sent > 0 {
                // Before the system takes it: on loopback that call delivers it and wakes the
                // reader, which is part of the latency already.
                self.meter.handed_over(self.now());
            }
            self.write()?;
            if heard {
                self.heard_at = now;
            } else if sent == 0 {
                self.rest(now)?;
            }
        }
        self.lanes.leave();
        self.linger()?;
        Ok(self.report())
    }

    /// Serves the program under test until it has ended, as a hub would.
    fn linger(&mut self) -> Result<(), LoadError> {
        if matches!(self.lanes.side, Side::Broker { .. }) {
            return Ok(());
        }
        self.enter(Phase::Ending);
        let end = self.now() + LINGER_NS;
        while !self.board.is_abandoned() && self.now() < end {
            self.lanes.accept()?;
            self.read()?;
            self.write()?;
            self.sleep(SLEEP_NS_MAX)?;
        }
        Ok(())
    }

    fn report(mut self) -> Report {
        let counts = Counts {
            unsent: self.feeder.unsent(),
            acknowledged: self.counts.acknowledged,
            unacknowledged: self.lanes.unacknowledged(),
            acknowledged_out_of_order: self.counts.acknowledged_out_of_order,
            acknowledged_unknown: self.counts.acknowledged_unknown,
            resent: self.counts.resent,
            faults: self.counts.faults,
            ..self.ledger.close()
        };
        let (meter, ended_early) = (self.meter, self.ended_early);
        let found = self.disturbance.map(|disturbance| disturbance.found).unwrap_or_default();
        // The messages' time begins when the inputs are subscribed to.
        Report { counts, meter, ended_early, ready: self.start, feeder: self.feeder, found }
    }

    fn now(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }

    fn wait_until_ready(&mut self) -> Result<(), LoadError> {
        loop {
            let now = self.now();
            self.lanes.accept()?;
            self.read()?;
            self.write()?;
            if self.lanes.are_ready(now, self.start_wait)? {
                self.lanes.begin();
                return Ok(());
            }
            if self.board.is_stopped() {
                let text = "ended before anybody subscribed to the inputs".to_owned();
                return Err(LoadError::Unavailable(text));
            }
            self.sleep(SLEEP_NS_MAX)?;
        }
    }

    /// What need not be done in every turn.
    fn tick(&mut self, now: u64) -> Result<(), LoadError> {
        self.next_tick_ns = now + TICK_NS;
        self.meter.recorder.tick(now);
        self.disturb(now)?;
        if !self.is_stalled() {
            self.lanes.accept()?;
            self.lanes.keep_alive(now)?;
        }
        if self.board.is_stopped() && !self.ended_early {
            self.ended_early = true;
            self.feeder.stop(now);
            self.meter.cut_short(now);
            self.drain_ns = self.drain_ns.min(DRAIN_EARLY_NS);
        }
        if now >= self.next_second_ns {
            self.next_second_ns = now + SECOND_NS;
            (self.sent_before, self.sent_at_second) = (self.sent_at_second, self.feeder.sent());
        }
        let silent_since = self.heard_at.max(self.passed_over_at);
        if self.pace == Pace::Closed
            && self.meter.is_blocked()
            && now.saturating_sub(silent_since) > PASS_OVER_NS
        {
            self.passed_over_at = now;
            self.ledger.pass_over();
        }
        let over = now >= self.meter.measured_ns.end || self.ended_early;
        if over && self.phase != Phase::Draining {
            if self.phase == Phase::Measuring {
                self.meter.end(now);
            }
            self.drain_end_ns = now.saturating_add(self.drain_ns);
            self.enter(Phase::Draining);
        } else if now >= self.meter.measured_ns.start && self.phase == Phase::WarmUp {
            self.meter.begin();
            self.enter(Phase::Measuring);
        }
        if now >= self.next_cut_ns && self.phase != Phase::Draining {
            self.next_cut_ns = now + self.cut_every_ns.unwrap_or(u64::MAX - now);
            if let Some(lane) = self.lanes.inputs {
                // The lane ends when its socket is read next.
                self.lanes.all[lane].socket.shut_down(Shutdown::Both);
            }
        }
        if now >= self.next_glance_ns {
            self.next_glance_ns = now + GLANCE_NS;
            self.p99_ns = self.meter.recorder.p99_ns();
        }
        self.board.write(Numbers {
            sent: self.feeder.sent(),
            alerts: self.meter.alerts_back,
            failures: self.ledger.failures(),
            elapsed_ns: now,
            p99_ns: self.p99_ns,
            recovered: self.disturbance.as_ref().map_or(0, |it| it.found.recovered),
        });
        Ok(())
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        // The channel holds all phases; the caller may have gone.
        let _ = self.phases.try_send(phase);
    }

    /// Whether everything is back and nothing more comes, or the drain is over and nothing comes
    /// back any more.
    fn is_over(&mut self, now: u64) -> bool {
        if self.board.is_abandoned() {
            return true;
        }
        if self.phase != Phase::Draining {
            return false;
        }
        let settled =
            self.feeder.due(now).is_none() && self.ledger.is_settled() && self.lanes.are_settled();
        if !settled {
            self.settled_at = None;
        }
        let silent = settled && now - *self.settled_at.get_or_insert(now) >= SILENCE_NS;
        let end = self.drain_end_ns;
        if now >= end {
            self.feeder.close();
        }
        silent || now >= end.max(self.heard_at + LATE_SILENCE_NS) || now >= end + LATE_NS_MAX
    }

    fn write(&mut self) -> Result<(), LoadError> {
        let mut index = 0;
        while index < self.lanes.all.len() {
            match self.lanes.all[index].socket.write() {
                Ok(()) => index += 1,
                Err(error) => self.lose(index, &LaneError::Io(error))?,
            }
        }
        Ok(())
    }

    /// Nothing to do: spins when a message is due soon, sleeps otherwise.
    fn rest(&mut self, now: u64) -> Result<(), LoadError> {
        let due = match (self.pace, self.meter.is_blocked()) {
            (Pace::Open { .. }, false) => self.feeder.due(now).unwrap_or(u64::MAX),
            _ => u64::MAX,
        };
        let Some(time) = due.saturating_sub(now).checked_sub(SPIN_NS).filter(|time| *time > 0)
        else {
            std::hint::spin_loop();
            return Ok(());
        };
        self.sleep(time.min(SLEEP_NS_MAX))?;
        let now = self.now();
        self.meter.awoke(now);
        Ok(())
    }

    /// Until something comes, a full socket has room, or the time is over.
    fn sleep(&self, time_ns: u64) -> Result<(), LoadError> {
        let mut fds = Vec::with_capacity(self.lanes.all.len() + 1);
        for lane in &self.lanes.all {
            let mut flags = PollFlags::IN;
            if lane.socket.is_full() {
                flags |= PollFlags::OUT;
            }
            fds.push(PollFd::from_borrowed_fd(lane.socket.as_fd(), flags));
        }
        if let Side::Hub(gateway) = &self.lanes.side
            && let Some(listener) = gateway.listener()
        {
            fds.push(PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN));
        }
        let time = Timespec { tv_sec: 0, tv_nsec: i64::try_from(time_ns).unwrap_or(1_000_000) };
        match poll(&mut fds, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(LoadError::Internal(format!("cannot wait for sockets: {error}"))),
        }
    }
}

/// A duration in nanoseconds; centuries are cut.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
