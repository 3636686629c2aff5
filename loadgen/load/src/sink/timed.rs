//! The loop with faults in time: nothing in it waits but for the next instant or the socket.
//!
//! Instants are times since the loop's beginning. Close before an answer is due, the loop spins and
//! goes on reading, so that neither the answer nor the next input's instant is late.

use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::PollFlags;

use super::answers::Answers;
use super::buffer::ReadBuffer;
use super::faults::{Limiter, Stall};
use super::filter::Filter;
use super::transport::Transport;
use super::{HOLD_MAX, Lateness, SinkError, SinkSettings, Stop};

/// Most bytes of one read: little enough that working on them makes no answer late.
const READ_BYTES: usize = 16 * 1024;
/// How long before an answer is due the loop spins: what a wait may be late on a busy machine.
const SPIN: Duration = Duration::from_micros(60);

/// The largest lateness of an answer that is recorded; a larger one counts as this.
const LATE_NS_MAX: u64 = 60_000_000_000;

/// One connection with faults in time.
pub(super) struct Timed<'a> {
    transport: &'a mut Transport,
    buffer: &'a mut ReadBuffer,
    filter: &'a mut Filter,
    answers: Answers,
    idle_max: Duration,
    delay: Duration,
    stall: Option<Stall>,
    limiter: Option<Limiter>,
    /// Whether the rate let through all it could, so that inputs may have been left.
    limited: bool,
    /// Whether there was nothing more to read.
    idle: bool,
    began: Instant,
    /// When the first input was taken.
    first_input: Option<Duration>,
    read: Duration,
    written: Duration,
    /// Of delayed answers, in nanoseconds.
    late: Histogram<u64>,
}

impl<'a> Timed<'a> {
    pub(super) fn new(
        transport: &'a mut Transport,
        buffer: &'a mut ReadBuffer,
        filter: &'a mut Filter,
        settings: &SinkSettings,
    ) -> Self {
        let faults = &settings.faults;
        let late = Histogram::new_with_bounds(1, LATE_NS_MAX, 3).expect("valid bounds");
        Self {
            transport,
            buffer,
            filter,
            answers: Answers::default(),
            idle_max: settings.idle_max(),
            delay: faults.delay.unwrap_or_default(),
            stall: faults.stall,
            limiter: faults.limit_rate.map(Limiter::new),
            limited: false,
            idle: true,
            began: Instant::now(),
            first_input: None,
            read: Duration::ZERO,
            written: Duration::ZERO,
            late,
        }
    }

    /// Answers until it is stopped, until all inputs asked for are answered, or until the
    /// connection ends, which is an error.
    pub(super) fn serve(&mut self, stop: &Stop) -> Result<(), SinkError> {
        self.transport.set_nonblocking()?;
        // Waits may otherwise be 50 µs late by design; without the permission they are.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        while !stop.is_asked() {
            let now = self.began.elapsed();
            if let Some(pause) = self.pause(now) {
                self.transport.wait(PollFlags::empty(), pause)?;
                continue;
            }
            self.take(now)?;
            let blocked = self.write(now)?;
            if self.filter.is_finished() && self.answers.is_empty() && !blocked {
                return Ok(());
            }
            if !self.read()? {
                self.rest(blocked)?;
            }
        }
        Ok(())
    }

    /// How late delayed answers were so far.
    pub(super) fn lateness(&self) -> Lateness {
        let at = |quantile| self.late.value_at_quantile(quantile);
        Lateness { p50: at(0.5), p99: at(0.99), max: self.late.max() }
    }

    /// How long the pause still is that `now` falls into.
    fn pause(&self, now: Duration) -> Option<Duration> {
        let first = self.first_input?;
        let end = self.stall?.end(now.saturating_sub(first))?;
        Some((first + end).saturating_sub(now))
    }

    /// Answers what was read, as far as the rate allows.
    fn take(&mut self, now: Duration) -> Result<(), SinkError> {
        let inputs_max = self.limiter.as_mut().map_or(u64::MAX, |limiter| limiter.available(now));
        let inputs_before = self.filter.counts().inputs;
        let out = self.answers.bytes();
        let used = self.filter.take(self.buffer.unused(), inputs_max, out)?;
        self.buffer.consume(used);
        let inputs = self.filter.counts().inputs - inputs_before;
        if inputs > 0 {
            self.first_input.get_or_insert(now);
            if let Some(limiter) = &mut self.limiter {
                limiter.spend(inputs);
            }
        }
        self.limited = inputs >= inputs_max;
        if self.filter.is_finished() {
            self.filter.release(self.answers.bytes());
        }
        self.answers.seal(now + self.delay);
        Ok(())
    }

    /// Sends what is due; whether the peer takes no more.
    fn write(&mut self, now: Duration) -> Result<bool, SinkError> {
        loop {
            let due = self.answers.next();
            let ready = self.answers.ready(now);
            let result = if ready.is_empty() {
                self.transport.flush().map(|()| None)
            } else {
                self.transport.write(ready).map(Some)
            };
            match result {
                Ok(None) => return Ok(false),
                Ok(Some(count)) => {
                    self.answers.sent(count);
                    self.written = self.began.elapsed();
                    if let Some(due) = due.filter(|due| *due <= now && !self.delay.is_zero()) {
                        let late = self.written.saturating_sub(due).as_nanos();
                        self.late.saturating_record(u64::try_from(late).unwrap_or(u64::MAX));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether inputs may be read: at a bound TCP holds the peer back.
    fn may_read(&self) -> bool {
        !self.limited && !self.filter.is_finished() && self.answers.has_room()
    }

    /// Reads what is there; whether anything was.
    fn read(&mut self) -> Result<bool, SinkError> {
        if !self.may_read() {
            return Ok(false);
        }
        match self.transport.read(self.buffer.room(READ_BYTES)) {
            Ok(0) => Err(SinkError::Closed),
            Ok(count) => {
                self.buffer.filled(count);
                self.read = self.began.elapsed();
                if std::mem::take(&mut self.idle)
                    && let Some(limiter) = &mut self.limiter
                {
                    limiter.idle(self.read);
                }
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.idle = true;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Does what there is to do when idle, and waits for what comes next.
    fn rest(&mut self, blocked: bool) -> Result<(), SinkError> {
        let now = self.began.elapsed();
        if self.filter.holds() && now >= self.read + HOLD_MAX {
            self.filter.release(self.answers.bytes());
            self.answers.seal(now);
        }
        if self.answers.is_empty() && now >= self.written + self.idle_max {
            self.filter.ping(self.answers.bytes())?;
            self.answers.seal(now);
        }
        let mut until = now + self.idle_max;
        if self.filter.holds() {
            until = until.min(self.read + HOLD_MAX);
        }
        if let Some(limiter) = &self.limiter
            && self.limited
        {
            until = until.min(limiter.next());
        }
        if let Some(due) = self.answers.next() {
            until = until.min(due.saturating_sub(SPIN));
        }
        let Some(timeout) = until.checked_sub(now).filter(|timeout| !timeout.is_zero()) else {
            return Ok(());
        };
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, self.may_read());
        events.set(PollFlags::OUT, blocked);
        Ok(self.transport.wait(events, timeout)?)
    }
}
