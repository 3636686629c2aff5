//! An even stream of messages through a module, which goes on while faults are injected.
//!
//! One thread gives what is due, takes what came, and looks at conditions: each turn of it is short
//! and bounded. What is given is loadgen's traffic, and what comes back is booked in its ledger.

use std::time::{Duration, Instant};

use test_support::{Process, Wire, patience};

use crate::books::{ALERTS, Books, Message};
use crate::trial::Trial;

/// Messages a second.
const RATE: f64 = 1_000.0;
/// How long a turn without work pauses.
const PAUSE: Duration = Duration::from_millis(2);
/// Most messages of a turn: behind a fault the stream catches up, and a condition is still looked
/// at.
const TURN_MESSAGES: u64 = 200;

/// Messages sent behind a fault that must be back, too, before it counts as over: at least one of
/// them is an alert.
const FRESH: u64 = 20;

/// A way through the module: a source that keeps what is not acknowledged, and where alerts come
/// out.
pub(crate) trait Way {
    /// Hands messages over, in order. The source has them from now on.
    fn give(&mut self, messages: Vec<Message>);
    /// What came out since the last call.
    fn take(&mut self) -> Vec<Vec<u8>>;
    /// Messages that were handed over, and that nobody has acknowledged.
    fn unacknowledged(&mut self) -> u64;
    /// Whether the source keeps as much as it can.
    fn is_full(&mut self) -> bool {
        false
    }
    /// The place from which on alerts may come again when a fault begins now: of the first message
    /// that is not acknowledged for certain. `sent` is the next place, and below `settled`
    /// everything was back at the last settling.
    fn may_come_again_since(&mut self, sent: u64, settled: u64) -> u64 {
        let _ = settled;
        sent - self.unacknowledged()
    }
}

/// A way with a wire between the module and its peer.
pub(crate) trait Wired: Way + Sized {
    /// One whose module has subscribed.
    fn start() -> Self;
    fn wire(&self) -> &Wire;
    fn module(&mut self) -> &mut Process;
    /// Starts the module anew, and does not wait for it.
    fn start_module(&mut self);
    /// Waits until the module has subscribed; fails at once when its process has ended.
    fn wait_until_ready(&mut self);
}

/// The stream through one way.
pub(crate) struct Stream<W> {
    pub(crate) way: W,
    pub(crate) books: Books,
    rate: f64,
    /// When it began, or went on, and what was sent by then.
    since: (Instant, u64),
    /// What is given from this place on may come again, for a fault is on.
    fault: Option<u64>,
    /// Below this place everything was back at the last settling.
    settled: u64,
    /// What came back, whatever it was.
    came: u64,
}

impl<W: Way> Stream<W> {
    /// A stream at the usual rate.
    pub(crate) fn new(way: W, trial: &mut Trial) -> Self {
        Self::of(way, trial, RATE, None)
    }

    /// A stream of so many messages a second, with bodies of so many bytes.
    pub(crate) fn of(way: W, trial: &mut Trial, rate: f64, body_bytes: Option<usize>) -> Self {
        let books = Books::new(trial.random.u64(..), body_bytes);
        Self { way, books, rate, since: (Instant::now(), 0), fault: None, settled: 0, came: 0 }
    }

    /// Goes on for a time.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        self.go_on();
        while Instant::now() < end {
            self.turn(true);
        }
    }

    /// Goes on until a condition holds.
    #[track_caller]
    pub(crate) fn run_until(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        self.go_on();
        self.turn_until(what, true, &mut condition);
    }

    /// Waits until all is back and acknowledged; nothing is sent meanwhile.
    #[track_caller]
    pub(crate) fn settle(&mut self) {
        self.turn_until("all is back and acknowledged", false, &mut |stream| {
            stream.books.oldest_out().is_none() && stream.way.unacknowledged() == 0
        });
        // What was sent twice came before what acknowledged it; but it may not be taken yet.
        self.turn(false);
        self.fault = None;
        self.settled = self.books.sent();
    }

    /// Injects a fault in mid-stream, notes how soon behind its end all was back and new messages
    /// came through as well, and settles.
    /// `inject` returns when the fault is over. It may let the stream go on meanwhile.
    #[track_caller]
    pub(crate) fn inject(&mut self, trial: &mut Trial, inject: impl FnOnce(&mut Self, &mut Trial)) {
        self.begin(trial, inject);
        let (ended, end) = (Instant::now(), self.books.sent() + FRESH);
        self.run_until("all that was sent before the fault's end, and more, is back", |stream| {
            stream.books.sent() >= end && stream.books.is_back_up_to(end)
        });
        trial.recovered(ended.elapsed());
        self.settle();
    }

    /// The same where so much comes together that its end says how fast this machine is: notes how
    /// soon alerts came again at the rate at which they are due.
    #[track_caller]
    pub(crate) fn inject_flood(
        &mut self,
        trial: &mut Trial,
        inject: impl FnOnce(&mut Self, &mut Trial),
    ) {
        self.begin(trial, inject);
        self.rate = RATE;
        let (ended, mut second) = (Instant::now(), (Instant::now(), self.came));
        self.run_until("alerts come at full rate", |stream| {
            if second.0.elapsed() < Duration::from_secs(1) {
                return false;
            }
            let came = stream.came - second.1;
            second = (Instant::now(), stream.came);
            came as f64 >= RATE * ALERTS
        });
        trial.recovered(ended.elapsed());
        self.settle();
    }

    #[track_caller]
    fn begin(&mut self, trial: &mut Trial, inject: impl FnOnce(&mut Self, &mut Trial)) {
        // Taken before: what is acknowledged meanwhile makes it no smaller.
        self.fault = Some(self.way.may_come_again_since(self.books.sent(), self.settled));
        inject(self, trial);
    }

    /// Settles and closes the books.
    #[track_caller]
    pub(crate) fn finish(mut self, trial: &mut Trial) -> W {
        self.settle();
        trial.close(&self.books.close());
        self.way
    }

    fn go_on(&mut self) {
        self.since = (Instant::now(), self.books.sent());
    }

    #[track_caller]
    fn turn_until(
        &mut self,
        what: &str,
        sends: bool,
        condition: &mut dyn FnMut(&mut Self) -> bool,
    ) {
        let deadline = Instant::now() + patience();
        while !condition(self) {
            let out = self.books.oldest_out();
            assert!(
                Instant::now() < deadline,
                "waited {:?} in vain until {what}: {} sent, {} not acknowledged, oldest {out:?}",
                patience(),
                self.books.sent(),
                self.way.unacknowledged(),
            );
            self.turn(sends);
        }
    }

    fn turn(&mut self, sends: bool) {
        if sends {
            self.give();
        }
        if let Some(since) = self.fault {
            self.books.may_come_again(since);
        }
        let taken = self.way.take();
        self.came += taken.len() as u64;
        if taken.is_empty() {
            std::thread::sleep(PAUSE);
        }
        for body in taken {
            self.books.returned(&body);
        }
    }

    fn give(&mut self) {
        let (since, before) = self.since;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few messages of a test"
        )]
        let due = before + (since.elapsed().as_secs_f64() * self.rate) as u64;
        let count = due.saturating_sub(self.books.sent()).min(TURN_MESSAGES);
        if count > 0 && !self.way.is_full() {
            let messages = (0..count).map(|_| self.books.next()).collect();
            self.way.give(messages);
        }
    }
}
