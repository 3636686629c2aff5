//! Plays a schedule in virtual time, and looks after each step whether a promise is broken.

use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use tracing::debug;

use super::model::Check;
use super::module::{DRAIN, Module};
use super::pipe::Shared;
use super::script::{From, Script, Step};
use super::seen::Seen;
use super::world::World;

/// Time passes only once all has been done that can be done, so behind this nothing is under way
/// but what waits for a time.
const MOMENT: Duration = Duration::from_millis(1);
/// After the last fault all is delivered within this time.
const RECOVERY: Duration = Duration::from_secs(10);
/// The longest wait before an attempt to connect, behind many that failed, and time for suspects.
const LONG_RECOVERY: Duration = Duration::from_secs(240);
/// Failures of one connection, below which no wait is longer than the recovery allows.
const FAILURES_MAX: u32 = 5;
/// Until all was told that is looked at now and then.
const STEP: Duration = Duration::from_millis(50);

/// How a schedule went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Course {
    /// Of all that the module wrote.
    pub(super) digest: u64,
    /// Steps of virtual time.
    pub(super) virtual_ms: u128,
    /// What all its processes counted.
    pub(super) seen: Seen,
}

/// Plays `script`.
///
/// # Errors
/// Which promise is broken.
pub(super) fn play(script: &Script) -> Result<Course, String> {
    fastrand::seed(script.setup.jitter.into());
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without sockets");
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let world = Shared::new(World::new(script.setup));
        let folder = script.setup.refuses.then(folder);
        let module = Module::start(script.setup, &world, folder.as_ref().map(TempDir::path));
        let begun = Instant::now();
        let mut play = Play { world, module, script, folder, seen: Seen::default() };
        play.run().await?;
        let (digest, virtual_ms) = (play.world.lock().digest(), begun.elapsed().as_millis());
        Ok(Course { digest, virtual_ms, seen: play.seen })
    })
}

/// In memory where the system has such a place: thousands of schedules write files.
fn folder() -> TempDir {
    let in_memory = TempDir::new_in("/dev/shm");
    in_memory.or_else(|_| TempDir::new()).expect("a temporary folder")
}

struct Play<'a> {
    world: Shared,
    module: Module,
    script: &'a Script,
    /// Where alerts go that are refused.
    folder: Option<TempDir>,
    seen: Seen,
}

impl Play<'_> {
    async fn run(&mut self) -> Check {
        self.settle().await?;
        for (at, step) in self.script.steps.iter().enumerate() {
            let done = match self.act(*step).await {
                Ok(()) => self.settle().await,
                Err(why) => Err(why),
            };
            done.map_err(|why| format!("step {}: {why}", at + 1))?;
        }
        self.recover().await?;
        self.probe().await?;
        self.end().await.map_err(|why| format!("at the end: {why}"))
    }

    async fn act(&mut self, step: Step) -> Check {
        let world = &self.world;
        world.lock().begin_step();
        debug!("{step}");
        match step {
            Step::Input { from, count, value, bytes } => {
                world.lock().input(from, count, value, bytes)
            }
            Step::Unacknowledged { from, value } => {
                world.lock().unacknowledged_input(from, value);
            }
            Step::Acks { prompt } => world.lock().set_acks(prompt),
            Step::Ack { which, times } => world.lock().ack_one(which, times),
            Step::AckAll { reversed } => world.lock().ack_waiting(reversed),
            Step::StrayAck { end } => world.lock().stray_ack(end),
            Step::Answers { prompt } => world.lock().set_answers(prompt),
            Step::Answer { which } => {
                world.lock().answer_one(which);
            }
            Step::Trouble { status, times } => world.lock().trouble(status, times),
            Step::Stall { end, way, after } => world.lock().stall(end, way, after),
            Step::Flow { end } => world.lock().flow(end),
            Step::Cut { end, bytes } => world.lock().cut(end, bytes),
            Step::HangUp { end, reset, lost } => world.lock().hang_up(end, reset, lost),
            Step::Refuse { end, times, answered } => world.lock().refuse(end, times, answered),
            Step::Patch(change) => world.lock().patch(change),
            Step::Judge { which } => {
                self.module.judge(which);
            }
            Step::Wait { ms } => sleep(Duration::from_millis(ms.into())).await,
            Step::Kill => self.kill().await,
            Step::Stop => {
                self.stop().await?;
                self.start();
            }
        }
        Ok(())
    }

    /// Lets all happen that can, and looks what came of it.
    async fn settle(&mut self) -> Check {
        sleep(MOMENT).await;
        self.check()?;
        if self.module.is_judging() {
            return Ok(());
        }
        self.world.lock().stuck().map_or(Ok(()), Err)
    }

    fn check(&mut self) -> Check {
        if let Some(failure) = self.world.lock().failure.take() {
            return Err(failure);
        }
        if self.module.clients.iter().any(|client| client.is_finished()) {
            return Err("a connection owner has ended".to_owned());
        }
        let is_patch = |step: &&Step| matches!(step, Step::Patch(_));
        let patches = self.script.steps.iter().filter(is_patch).count();
        self.module.excess(patches).map_or(Ok(()), Err)
    }

    async fn kill(&mut self) {
        for client in self.module.clients.drain(..) {
            client.abort();
            let _ = client.await;
        }
        self.note();
        self.start();
    }

    fn note(&mut self) {
        self.seen.add(&self.module.pipeline.lock().counters);
    }

    fn start(&mut self) {
        self.world.lock().restarted();
        let folder = self.folder.as_ref().map(TempDir::path);
        self.module = Module::start(self.script.setup, &self.world, folder);
    }

    /// The process ends in its time, whatever its peers do.
    async fn stop(&mut self) -> Check {
        self.module.stop();
        let latest = DRAIN + Duration::from_secs(2);
        for client in self.module.clients.drain(..) {
            match timeout(latest, client).await {
                Ok(Ok(())) => {}
                Ok(Err(panic)) => return Err(format!("a connection owner panicked: {panic}")),
                Err(_) => return Err(format!("not stopped within {latest:?}")),
            }
        }
        self.note();
        self.world.lock().failure.take().map_or(Ok(()), Err)
    }

    async fn judge_all(&mut self) {
        while self.module.judge(0) {
            sleep(MOMENT).await;
        }
    }

    /// All faults end, and all is delivered in time.
    async fn recover(&mut self) -> Check {
        self.world.lock().calm();
        let begun = Instant::now();
        let is_long = {
            let world = self.world.lock();
            world.failures() > FAILURES_MAX || world.model.may_suspect()
        };
        let longest = if is_long { LONG_RECOVERY } else { RECOVERY };
        let mut wait = MOMENT;
        loop {
            sleep(wait).await;
            self.judge_all().await;
            self.check().map_err(|why| format!("after the last fault: {why}"))?;
            let is_holding = self.module.pipeline.lock().is_holding();
            let held = is_holding.then(|| "messages wait for the first threshold".to_owned());
            let Some(missing) = held.or_else(|| self.world.lock().missing()) else {
                return Ok(());
            };
            if begun.elapsed() > longest {
                return Err(format!("{longest:?} after the last fault: {missing}"));
            }
            wait = STEP;
        }
    }

    /// Where nothing is wrong, a message is done with at once.
    async fn probe(&mut self) -> Check {
        if self.script.setup.renews {
            return Ok(());
        }
        for from in [From::First, From::Second] {
            for value in [1, 99] {
                self.world.lock().input(from, 1, value, 0);
                self.settle().await.map_err(|why| format!("a last message: {why}"))?;
                if let Some(missing) = self.world.lock().missing() {
                    return Err(format!("a last message waits for a tick: {missing}"));
                }
            }
        }
        Ok(())
    }

    async fn end(&mut self) -> Check {
        self.stop().await?;
        let held = self.module.pipeline.lock().held_in_all();
        if held.messages > 0 && !self.script.setup.renews {
            return Err(format!("{held:?} although all was acknowledged"));
        }
        Ok(())
    }
}
