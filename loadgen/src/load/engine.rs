//! The loop that sends, receives and verifies: one thread, all sockets, one clock.
//!
//! ```text
//!  feeder --> socket.out --write--> program under test --read--> socket.input --> ledger, recorder
//! ```
//!
//! A turn reads each socket once, adds the messages that are due, writes each socket once, and looks
//! at the clock once before that. When nothing is due for longer than [`SPIN_NS`], it sleeps until
//! shortly before; so it is on time, and takes up to one core for that.
//!
//! Bounded: connections by [`LANES_MAX`], buffers by the sockets, messages in flight by the window,
//! the wait for the program by [`START_WAIT`], the end by the drain.

use std::net::Shutdown;
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use super::board::{Board, Numbers};
use super::broker::Link;
use super::error::LoadError;
use super::feeder::Feeder;
use super::gateway::Event;
use super::inflight::{Acknowledged, Inflight};
use super::lane::{Lane, LaneError, Side};
use super::ledger::{Ledger, Returned};
use super::outcome::Counts;
use super::progress::Phase;
use super::recorder::Recorder;
use super::settings::{Pace, RunSettings};
use super::wire;

/// Connections at once; a further one is closed.
const LANES_MAX: usize = 1024;
/// How long the program under test may take until it has subscribed.
const START_WAIT: Duration = Duration::from_secs(60);
/// Before a message is due, so long is not slept but waited: a sleeper wakes up late.
const SPIN_NS: u64 = 100_000;
/// How often the less urgent is looked at.
const TICK_NS: u64 = 1_000_000;
/// Longest sleep.
const SLEEP_NS_MAX: u64 = 5_000_000;
/// After everything is back: how long for something more, which would be one too many.
const SILENCE_NS: u64 = 50_000_000;
/// A message that was due at the end of the measured part may be sent so much later.
const GRACE_NS: u64 = 5_000_000;

/// What one run found, before anything is made of it.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) counts: Counts,
    pub(super) recorder: Recorder,
    /// The measured part, shorter than asked when ended early.
    pub(super) measured_ns: Range<u64>,
    pub(super) measured_sent: u64,
    pub(super) measured_bytes: u64,
    pub(super) measured_alerts: u64,
    pub(super) held_back_ns: u64,
    pub(super) own_cpu_ns: u64,
    pub(super) ended_early: bool,
    pub(super) feeder: Feeder,
}

/// The loop and everything it holds.
pub(super) struct Engine {
    side: Side,
    lanes: Vec<Lane>,
    /// The lane that inputs go to, when this is the hub.
    inputs: Option<usize>,
    /// What was in flight when that lane was lost.
    orphans: Option<Inflight>,
    feeder: Feeder,
    ledger: Ledger,
    recorder: Recorder,
    counts: Counts,
    pace: Pace,
    qos: u8,
    window: u32,
    verify_properties: bool,
    cut_every_ns: Option<u64>,
    next_cut_ns: u64,
    measured_ns: Range<u64>,
    drain_ns: u64,
    start: Instant,
    board: Arc<Board>,
    phases: Sender<Phase>,
    phase: Phase,
    measured_sent: u64,
    measured_bytes: u64,
    measured_alerts: u64,
    alerts_back: u64,
    blocked_since: Option<u64>,
    unblocked_at: u64,
    held_back_ns: u64,
    cpu_at_begin_ns: u64,
    own_cpu_ns: u64,
    next_tick_ns: u64,
    settled_at: Option<u64>,
    ended_early: bool,
}

impl Engine {
    pub(super) fn new(
        settings: &RunSettings,
        side: Side,
        feeder: Feeder,
        board: Arc<Board>,
        phases: Sender<Phase>,
    ) -> Self {
        let begin = nanoseconds(settings.warm_up);
        let measured_ns = begin..begin + nanoseconds(settings.duration);
        let cut_every_ns = settings.cut_every.map(nanoseconds);
        Self {
            ledger: Ledger::new(feeder.traffic()),
            recorder: Recorder::new(measured_ns.clone()),
            side,
            lanes: Vec::new(),
            inputs: None,
            orphans: None,
            feeder,
            counts: Counts::default(),
            pace: settings.pace,
            qos: settings.traffic.qos,
            window: settings.window,
            verify_properties: settings.verify_properties,
            cut_every_ns,
            next_cut_ns: cut_every_ns.unwrap_or(u64::MAX),
            measured_ns,
            drain_ns: nanoseconds(settings.drain),
            start: Instant::now(),
            board,
            phases,
            phase: Phase::Starting,
            measured_sent: 0,
            measured_bytes: 0,
            measured_alerts: 0,
            alerts_back: 0,
            blocked_since: None,
            unblocked_at: 0,
            held_back_ns: 0,
            cpu_at_begin_ns: 0,
            own_cpu_ns: 0,
            next_tick_ns: 0,
            settled_at: None,
            ended_early: false,
        }
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The program under test never subscribed, or the broker went away.
    pub(super) fn run(mut self) -> Result<Report, LoadError> {
        // Sleeps end 50 us late by default; without the right to ask for less they still do.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        self.lanes = self.side.open_lanes(self.window)?;
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
            let heard = self.read(now)?;
            let sent = self.feed(now);
            self.write()?;
            if !heard && sent == 0 {
                self.rest(now)?;
            }
        }
        Ok(self.report())
    }

    fn report(mut self) -> Report {
        let found = self.ledger.close();
        let counts = Counts {
            unsent: self.feeder.unsent(),
            acknowledged: self.counts.acknowledged,
            unacknowledged: self.lanes.iter().map(|lane| lane.inflight.len()).sum::<u64>()
                + self.orphans.as_ref().map_or(0, Inflight::len),
            acknowledged_out_of_order: self.counts.acknowledged_out_of_order,
            resent: self.counts.resent,
            faults: self.counts.faults,
            ..found
        };
        Report {
            counts,
            recorder: self.recorder,
            measured_ns: self.measured_ns,
            measured_sent: self.measured_sent,
            measured_bytes: self.measured_bytes,
            measured_alerts: self.measured_alerts,
            held_back_ns: self.held_back_ns,
            own_cpu_ns: self.own_cpu_ns,
            ended_early: self.ended_early,
            feeder: self.feeder,
        }
    }

    fn now(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }

    fn wait_until_ready(&mut self) -> Result<(), LoadError> {
        loop {
            let now = self.now();
            self.accept()?;
            self.read(now)?;
            self.write()?;
            let ready = match &self.side {
                Side::Hub(_) => self.inputs.is_some(),
                Side::Broker { .. } => self.lanes.iter().all(|lane| lane.link == Link::Ready),
            };
            if ready {
                return Ok(());
            }
            if self.board.is_stopped() || now > nanoseconds(START_WAIT) {
                let text = format!("nobody subscribed to the inputs within {START_WAIT:?}");
                return Err(LoadError::Unavailable(text));
            }
            self.sleep(SLEEP_NS_MAX)?;
        }
    }

    /// What need not be done in every turn.
    fn tick(&mut self, now: u64) -> Result<(), LoadError> {
        self.next_tick_ns = now + TICK_NS;
        self.recorder.tick(now);
        self.accept()?;
        if self.board.is_stopped() && !self.ended_early {
            self.ended_early = true;
            self.feeder.stop(now);
            self.measured_ns.end = now.clamp(self.measured_ns.start, self.measured_ns.end);
        }
        if now >= self.measured_ns.end && self.phase != Phase::Draining {
            if self.phase == Phase::Measuring {
                self.own_cpu_ns = thread_cpu_ns() - self.cpu_at_begin_ns;
            }
            self.enter(Phase::Draining);
        } else if now >= self.measured_ns.start && self.phase == Phase::WarmUp {
            self.cpu_at_begin_ns = thread_cpu_ns();
            self.enter(Phase::Measuring);
        }
        if now >= self.next_cut_ns && self.phase != Phase::Draining {
            self.next_cut_ns = now + self.cut_every_ns.unwrap_or(u64::MAX - now);
            if let Some(lane) = self.inputs {
                // The lane ends when its socket is read next.
                self.lanes[lane].socket.shut_down(Shutdown::Both);
            }
        }
        self.board.write(Numbers {
            sent: self.feeder.sent(),
            alerts: self.alerts_back,
            failures: self.ledger.failures(),
            elapsed_ns: now,
            p99_ns: self.recorder.p99_ns(),
        });
        Ok(())
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        // The channel holds all phases; the caller may have gone.
        let _ = self.phases.try_send(phase);
    }

    /// Whether everything is back and nothing more comes, or the drain is over.
    fn is_over(&mut self, now: u64) -> bool {
        if self.phase != Phase::Draining {
            return false;
        }
        let settled = self.feeder.due(now).is_none()
            && self.ledger.is_settled()
            && self.orphans.is_none()
            && self.lanes.iter().all(|lane| lane.inflight.is_empty() && lane.socket.is_flushed());
        if !settled {
            self.settled_at = None;
        }
        let silent = settled && now - *self.settled_at.get_or_insert(now) >= SILENCE_NS;
        silent || now >= self.measured_ns.end + self.drain_ns
    }

    fn accept(&mut self) -> Result<(), LoadError> {
        let Side::Hub(gateway) = &self.side else { return Ok(()) };
        let accepted = gateway
            .accept()
            .map_err(|error| LoadError::Internal(format!("cannot accept a connection: {error}")))?;
        if let Some(socket) = accepted.filter(|_| self.lanes.len() < LANES_MAX) {
            self.lanes.push(Lane::new(socket, self.window));
        }
        Ok(())
    }

    /// Reads each socket once; `true` when anything came.
    fn read(&mut self, now: u64) -> Result<bool, LoadError> {
        let mut heard = false;
        let mut index = 0;
        while index < self.lanes.len() {
            match self.read_lane(index, now) {
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

    fn read_lane(&mut self, index: usize, now: u64) -> Result<bool, LaneError> {
        let Lane { socket, inflight, guest, link } = &mut self.lanes[index];
        if !socket.read()? {
            return Ok(false);
        }
        let is_receiver = self.side.is_receiver(index);
        let traffic = self.feeder.traffic();
        let mut event = Event::None;
        socket.frames(|frame, out| {
            let is_open = *link == Link::Ready || guest.client_id.is_some();
            if frame.first == wire::PUBACK && is_open {
                match inflight.acknowledge(frame.puback()?) {
                    Acknowledged::InOrder => self.counts.acknowledged += 1,
                    Acknowledged::OutOfOrder => {
                        self.counts.acknowledged += 1;
                        self.counts.acknowledged_out_of_order += 1;
                    }
                    Acknowledged::Unknown => {}
                }
                return Ok(());
            }
            if frame.is_publish() && is_open {
                let publish = frame.publish()?;
                if let Some(bag) = self.side.alert(&publish, is_receiver) {
                    if let Some(id) = publish.packet_id {
                        wire::write_puback(out, id);
                    }
                    let Returned::Alert { slot, intended_ns } =
                        self.ledger.returned(traffic, publish.body)
                    else {
                        return Ok(());
                    };
                    self.recorder.alert(intended_ns, now);
                    self.alerts_back += 1;
                    self.measured_alerts += u64::from(self.measured_ns.contains(&now));
                    if self.verify_properties && !self.side.is_right(bag, slot, traffic) {
                        self.ledger.wrong_properties();
                    }
                    return Ok(());
                }
            }
            match self.side.control(frame, guest, link, is_receiver, out)? {
                Event::None => {}
                other => event = other,
            }
            Ok::<(), LaneError>(())
        })?;
        match event {
            Event::None => {}
            Event::Disconnected => return Err(LaneError::Goodbye),
            Event::Connected => {
                self.evict_older(index)?;
            }
            Event::Inputs(qos) => {
                let index = self.evict_older(index)?;
                self.give_inputs(index, qos)?;
            }
        }
        Ok(true)
    }

    /// Closes an older connection of the same client id (MQTT 3.1.1 §3.1.4), and gives where this
    /// one now is.
    fn evict_older(&mut self, index: usize) -> Result<usize, LaneError> {
        let client_id = self.lanes[index].guest.client_id.clone();
        let older = self.lanes[..index].iter().position(|lane| lane.guest.client_id == client_id);
        match older {
            Some(older) => {
                self.lose(older, &LaneError::Goodbye).map_err(LaneError::Load)?;
                Ok(index - 1)
            }
            None => Ok(index),
        }
    }

    fn give_inputs(&mut self, index: usize, qos: u8) -> Result<(), LaneError> {
        if qos < self.qos {
            return Err(LaneError::Load(LoadError::Setting(
                "the program under test subscribes to its inputs at QoS 0: measure it with --qos 0"
                    .to_owned(),
            )));
        }
        let orphans = match self.inputs {
            Some(former) if former != index => Some(std::mem::replace(
                &mut self.lanes[former].inflight,
                Inflight::new(self.window),
            )),
            Some(_) => None,
            None => self.orphans.take(),
        };
        if let Some(mut orphans) = orphans {
            orphans.restart();
            self.lanes[index].inflight = orphans;
        }
        self.inputs = Some(index);
        Ok(())
    }

    /// A connection is over.
    fn lose(&mut self, index: usize, why: &LaneError) -> Result<(), LoadError> {
        let lane = self.lanes.remove(index);
        let Side::Hub(gateway) = &mut self.side else {
            return Err(LoadError::Unavailable(format!("a connection to the broker ended: {why}")));
        };
        gateway.left(&lane.guest);
        if lane.guest.client_id.is_none() {
            tracing::warn!(%why, "a connection ended before it was one");
        } else if self.phase != Phase::Starting {
            // Its last answer says why, when it was refused for a fault of its own.
            tracing::info!(%why, "the program under test lost its connection");
            self.counts.faults += 1;
            self.ledger.fault();
        }
        match self.inputs {
            Some(inputs) if inputs == index => {
                self.inputs = None;
                self.orphans = Some(lane.inflight);
            }
            Some(inputs) if inputs > index => self.inputs = Some(inputs - 1),
            _ => {}
        }
        Ok(())
    }

    /// Adds the messages that are due, as far as they are taken; gives how many.
    fn feed(&mut self, now: u64) -> u64 {
        let before = self.feeder.sent();
        for lane in self.lanes.iter_mut().filter(|lane| lane.inflight.is_resending()) {
            self.counts.resent += lane.resend(&self.feeder);
        }
        let mut blocked = false;
        while let Some(due) = self.feeder.due(now).filter(|due| *due <= now) {
            let Some(index) = self.side.lane_of(self.feeder.sensor(), self.inputs) else {
                blocked = true;
                break;
            };
            let lane = &mut self.lanes[index];
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
            self.recorder.sent(sent);
        }
        self.account(blocked, now);
        sent
    }

    #[inline]
    fn send(&mut self, index: usize, due: u64, now: u64) {
        let lane = &mut self.lanes[index];
        let id = (self.qos > 0).then(|| lane.inflight.push(self.feeder.sent()));
        let out = lane.socket.out();
        let length = out.len();
        let is_alert = self.feeder.write(out, id);
        if self.measured_ns.contains(&due) && now < self.measured_ns.end + GRACE_NS {
            self.measured_sent += 1;
            self.measured_bytes += (out.len() - length) as u64;
        }
        self.ledger.sent(is_alert, due);
        if matches!(self.pace, Pace::Open { .. }) {
            self.recorder.lag(due, now - due.max(self.unblocked_at).min(now));
        }
    }

    /// Books the time in which messages were due and the program under test took none.
    fn account(&mut self, blocked: bool, now: u64) {
        match (blocked, self.blocked_since) {
            (true, None) => self.blocked_since = Some(now),
            (false, Some(since)) => {
                let from = since.clamp(self.measured_ns.start, self.measured_ns.end);
                let to = now.clamp(self.measured_ns.start, self.measured_ns.end);
                self.held_back_ns += to - from;
                self.blocked_since = None;
                self.unblocked_at = now;
            }
            _ => {}
        }
    }

    fn write(&mut self) -> Result<(), LoadError> {
        let mut index = 0;
        while index < self.lanes.len() {
            match self.lanes[index].socket.write() {
                Ok(()) => index += 1,
                Err(error) => self.lose(index, &LaneError::Io(error))?,
            }
        }
        Ok(())
    }

    /// Nothing to do: spins when a message is due soon, sleeps otherwise.
    fn rest(&mut self, now: u64) -> Result<(), LoadError> {
        let due = match (self.pace, self.blocked_since) {
            (Pace::Open { .. }, None) => self.feeder.due(now).unwrap_or(u64::MAX),
            _ => u64::MAX,
        };
        let Some(time) = due.saturating_sub(now).checked_sub(SPIN_NS).filter(|time| *time > 0)
        else {
            std::hint::spin_loop();
            return Ok(());
        };
        self.sleep(time.min(SLEEP_NS_MAX))
    }

    /// Until something comes, a full socket has room, or the time is over.
    fn sleep(&self, time_ns: u64) -> Result<(), LoadError> {
        let mut fds = Vec::with_capacity(self.lanes.len() + 1);
        for lane in &self.lanes {
            let mut flags = PollFlags::IN;
            if lane.socket.is_full() {
                flags |= PollFlags::OUT;
            }
            fds.push(PollFd::from_borrowed_fd(lane.socket.as_fd(), flags));
        }
        if let Side::Hub(gateway) = &self.side {
            fds.push(PollFd::from_borrowed_fd(gateway.listener().as_fd(), PollFlags::IN));
        }
        let time = Timespec { tv_sec: 0, tv_nsec: i64::try_from(time_ns).unwrap_or(1_000_000) };
        match poll(&mut fds, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(LoadError::Internal(format!("cannot wait for sockets: {error}"))),
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
    match (qos, pace) {
        (0, Pace::Closed) => {
            // Without acknowledgements and alerts, TCP alone holds back.
            feeder.traffic().alerts() == 0 || feeder.sent() - ledger.last_back() < u64::from(window)
        }
        (0, Pace::Open { .. }) => true,
        _ => lane.inflight.has_room(),
    }
}

/// CPU time of this thread.
pub(super) fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// A duration in nanoseconds; centuries are cut.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
