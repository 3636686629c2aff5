//! The module's own way through the hub link, everything but sockets: decode, sort, ledger, judge,
//! order, alerts, PUBACKs in both directions, batched reads and writes. Its peer lives in memory.
//!
//! The link is a future that is polled by hand within a runtime that never turns, so no timer ever
//! fires: nothing hangs on how long anything takes.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sluicegate::azure::Key;
use sluicegate::hub::credentials::Credentials;
use sluicegate::hub::link::{HubLink, LinkSettings};
use sluicegate::hub::trust::{Trust, trusting};
use sluicegate::mqtt::{Connection, Route};
use sluicegate::pipeline::parse::JsonPath;
use sluicegate::pipeline::{Pipeline, SharedPipeline};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, watch};

use crate::stage::{Runner, Work};
use crate::traffic::{Ring, identity};
use peer::{Peer, Wire};

mod peer;

/// Eight reads of 64 KiB.
const MESSAGES: u32 = 2_000;
/// Laps until every table and buffer has its size.
const WARM_UP_LAPS: u32 = 2;
const HELD_BYTES: usize = 64 << 20;
/// Polls of the link that are allowed for one lap; the link asks for another one whenever it stops
/// although there is more to read.
const POLLS_MAX: u32 = 1_000;

/// With every `alert_every`-th message an alert.
pub(crate) fn prepare(alert_every: u32) -> Runner {
    over(Ring::new(MESSAGES, alert_every))
}

fn over(ring: Ring) -> Runner {
    let warm_up = WARM_UP_LAPS * u32::try_from(ring.messages.len()).unwrap_or_default();
    let mut module = Module::start(ring).and_then(|mut module| {
        module.run(warm_up)?;
        Ok(module)
    });
    Box::new(move |messages| match &mut module {
        Ok(module) => module.run(messages),
        Err(wrong) => Err(wrong.clone()),
    })
}

struct Module {
    /// Ends with why it ended.
    link: Pin<Box<dyn Future<Output = String>>>,
    peer: Rc<RefCell<Peer>>,
    /// What the link's timers and tasks belong to.
    runtime: Runtime,
    /// Stops the link when it is dropped.
    _stop: watch::Sender<bool>,
}

impl Module {
    /// A link that is subscribed and has its twin.
    fn start(ring: Ring) -> Result<Self, String> {
        let runtime = Builder::new_current_thread().enable_time().build().map_err(text)?;
        let wake = Arc::new(Notify::new());
        let wakes = [Arc::clone(&wake), Arc::default()];
        let pipeline =
            Pipeline::start(&wakes, &wake, 0, &JsonPath::default(), HELD_BYTES, Arc::default());
        let pipeline = SharedPipeline::new(pipeline.map_err(text)?);
        let peer = Rc::new(RefCell::new(Peer::new(ring, pipeline.clone())));
        let (stop, stopped) = watch::channel(false);
        let settings = settings()?;
        // Request ids begin with a number that is drawn; it has leading zeros or not.
        fastrand::seed(1);
        let entered = runtime.enter();
        let keep_alive = settings.keep_alive;
        let mut link = HubLink::new(settings, pipeline, wake, stopped);
        let connection = Connection::new(Wire(Rc::clone(&peer)), keep_alive);
        let link = Box::pin(async move {
            match link.serve_over(connection).await {
                Ok(()) => "the link left".to_owned(),
                Err(end) => format!("the link ended: {end}"),
            }
        });
        drop(entered);
        let mut module = Self { link, peer, runtime, _stop: stop };
        module.drive()?;
        Ok(module)
    }

    fn run(&mut self, messages: u32) -> Result<Work, String> {
        self.peer.borrow_mut().begin_run();
        let mut left = usize::try_from(messages).map_err(text)?;
        while left > 0 {
            left -= self.peer.borrow_mut().begin(left);
            self.drive()?;
        }
        Ok(self.peer.borrow().work())
    }

    /// Polls the link until its peer has all that it waits for.
    fn drive(&mut self) -> Result<(), String> {
        let _entered = self.runtime.enter();
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..POLLS_MAX {
            let polled = self.link.as_mut().poll(&mut context);
            let peer = self.peer.borrow();
            if let Some(wrong) = peer.wrong() {
                return Err(wrong.to_owned());
            }
            if let Poll::Ready(end) = polled {
                return Err(end);
            }
            if peer.is_done() {
                return Ok(());
            }
        }
        Err(format!("no end: {}", self.peer.borrow().state()))
    }
}

fn settings() -> Result<LinkSettings, String> {
    Ok(LinkSettings {
        identity: identity(),
        credentials: Credentials::Key(Key::from_base64("a2V5").map_err(text)?),
        trust: Trust::Fixed(trusting([]).map_err(text)?),
        port: 1,
        route: Route::Plain,
        keep_alive: Duration::from_secs(60),
        // Due at once, though no task ever runs to renew it: to add a share of an hour that is
        // drawn to the time of day takes more or fewer steps.
        token_lifetime: Duration::ZERO,
        puback_timeout: Duration::from_secs(60),
        drain_timeout: Duration::ZERO,
        linger: Duration::ZERO,
        judge_own_alerts: false,
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use sluicegate::mqtt::connection::READ_BYTES;

    use super::*;

    /// Whatever is asked for goes the whole way; writes carry a read's worth of answers.
    #[test]
    fn every_message_is_answered_and_every_alert_comes() {
        for alert_every in [1, 10] {
            let mut runner = prepare(alert_every);
            for count in [1, 399, 1600, 2000] {
                let work = runner(count).expect("right answers");
                let reads = 1 + u64::from(count) * 260 / READ_BYTES as u64;
                assert!((1..=2 * reads + 2).contains(&work.writes), "{count}: {work:?}");
                assert!(work.queued_bytes > 0, "{work:?}");
            }
        }
    }

    #[test]
    fn a_wrong_answer_is_noticed() {
        // An alert more, an alert less, another id, another body.
        for plant in [
            |ring: &mut Ring| ring.messages[3].is_alert = true,
            |ring: &mut Ring| ring.messages[10].is_alert = false,
            |ring: &mut Ring| ring.messages[5].publish.pkid = 7,
            |ring: &mut Ring| {
                let mut body = ring.messages[10].publish.payload.to_vec();
                body[100] ^= 1;
                ring.messages[10].publish.payload = body.into();
            },
        ] {
            let mut ring = Ring::new(30, 10);
            plant(&mut ring);
            let wrong = over(ring)(30).expect_err("a planted fault");
            assert!(!wrong.is_empty());
        }
    }
}
