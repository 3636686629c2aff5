//! The module under test: the connection owners as they are, with the pipeline behind them. In
//! place of sockets they get pipes, and in place of the pool's threads the schedule judges.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::pipe::{Pipe, Shared};
use super::script::{Setup, Topology};
use super::world::Role;
use crate::azure::{Identity, Key};
use crate::broker::settings::{BrokerSettings, Standalone};
use crate::broker::{Context, Login, Outlet, Source};
use crate::hub::credentials::Credentials;
use crate::hub::link::{End, HubLink, LinkSettings};
use crate::hub::trust::{Trust, trusting};
use crate::mqtt::session::{
    self, Ask, Cause, Client, Connected, FailedAttempt, Serve, Session, Step,
};
use crate::mqtt::tls::TlsSettings;
use crate::mqtt::{ByteStream, Connection, Names, Route, Stream};
use crate::outbound::dead_letters::DeadLetters;
use crate::pipeline::message::{Batch, SourceId};
use crate::pipeline::parse::JsonPath;
use crate::pipeline::pool::{Pool, Worker};
use crate::pipeline::threshold::{Setting, Threshold, ThresholdCell};
use crate::pipeline::{Pipeline, SharedPipeline};
use crate::testing::broker::{CONTROL, REPORTED};

const KEEP_ALIVE: Duration = Duration::from_secs(60);
const PUBACK_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a stop waits for acknowledgements.
pub(super) const DRAIN: Duration = Duration::from_secs(5);
/// What may be held, where little may and where much may.
const TIGHT_BYTES: usize = 60_000;
const HELD_BYTES: usize = 64 * 1024 * 1024;
/// What one read may bring beyond the bound: a chunk that is counted whole, and what is in it; once
/// more for each patch that parts what it brought.
const OVERDRAFT_BYTES: usize = 2 * crate::mqtt::connection::CHUNK_BYTES_MAX;

/// A connection owner whose connections are pipes.
struct Over<C> {
    client: C,
    role: Role,
    world: Shared,
}

/// What an owner does besides, before it connects.
trait LogIn: Client {
    async fn log_in(&mut self) {}
}

impl LogIn for HubLink {
    async fn log_in(&mut self) {
        // A key never fails.
        let _ = self.next_password().await;
    }
}

impl LogIn for Source {}

impl LogIn for Outlet {}

impl<C: Client> Serve for Over<C> {
    type Leave = C::Leave;

    fn wake(&self) -> &Arc<Notify> {
        self.client.wake()
    }

    fn puback_timeout(&self) -> Duration {
        self.client.puback_timeout()
    }

    fn open(&mut self, session_present: bool, now: Instant) -> Result<Ask, End> {
        self.client.open(session_present, now)
    }

    fn turn<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        now: Instant,
    ) -> Result<Step<C::Leave>, End> {
        self.client.turn(session, now)
    }
}

impl<C: LogIn<Stream = Stream>> Client for Over<C> {
    type Stream = Pipe;

    fn client_id(&self) -> &str {
        self.client.client_id()
    }

    fn stop(&self) -> &watch::Receiver<bool> {
        self.client.stop()
    }

    async fn connect(&mut self) -> Result<Connected<Pipe>, FailedAttempt> {
        self.client.log_in().await;
        let dialled = self.world.lock().dial(self.role);
        let (session_present, generation) = dialled.map_err(|answer| FailedAttempt {
            text: "as the schedule has it".to_owned(),
            answer: Some(answer),
        })?;
        let pipe = Pipe { world: self.world.clone(), role: self.role, generation };
        Ok(Connected {
            connection: Connection::new(pipe, KEEP_ALIVE),
            session_present,
            endpoint: "memory".to_owned(),
            names: &Names::NONE,
        })
    }

    async fn idle<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.client.idle(work).await
    }

    fn left(&mut self, why: C::Leave) -> bool {
        self.client.left(why)
    }

    fn lost(&mut self, end: &End) -> Cause {
        self.client.lost(end)
    }
}

/// What the pool has, in the hands of the schedule.
struct Hand {
    incoming: Receiver<Batch>,
    waiting: Vec<Batch>,
    worker: Worker,
}

/// A process.
pub(super) struct Module {
    pub(super) clients: Vec<JoinHandle<()>>,
    pub(super) pipeline: SharedPipeline,
    stop: watch::Sender<bool>,
    wakes: [Arc<Notify>; 3],
    hand: Option<Hand>,
    held_bytes_max: usize,
}

impl Module {
    /// Starts a process, which puts alerts that are refused into `folder`.
    pub(super) fn start(setup: Setup, world: &Shared, folder: Option<&Path>) -> Self {
        let wakes: [Arc<Notify>; 3] = Default::default();
        let [link_wake, source_wake, outlet_wake] = &wakes;
        let path = JsonPath::default();
        let sources = [Arc::clone(link_wake), Arc::clone(source_wake)];
        let by_broker = setup.topology == Topology::Broker;
        let outlet = if by_broker { outlet_wake } else { link_wake };
        let held_bytes_max = if setup.tight { TIGHT_BYTES } else { HELD_BYTES };
        let setting = Setting { threshold: Threshold::DEFAULT, version: None };
        let cell = Arc::new(ThresholdCell::new(setting));
        let pipeline = Pipeline::start(&sources, outlet, 0, &path, held_bytes_max, cell);
        let mut pipeline = pipeline.expect("no threads");
        let mut hand = None;
        if setup.pool {
            let (pool, incoming, worker) = Pool::by_hand(&path, &sources);
            pipeline = pipeline.judging_by(pool);
            hand = Some(Hand { incoming, waiting: Vec::new(), worker });
        }
        let pipeline = SharedPipeline::new(pipeline);
        let (stop, stopped) = watch::channel(false);
        let context = Context {
            pipeline: pipeline.clone(),
            stop: stopped.clone(),
            puback_timeout: PUBACK_TIMEOUT,
            drain_timeout: DRAIN,
        };
        let mut clients = Vec::new();
        let world = || world.clone();
        if !by_broker {
            let mut client = link(setup, &context, Arc::clone(link_wake));
            if let Some(folder) = folder {
                client = client.parking_in(dead_letters(folder));
            }
            clients.push(spawn(Over { client, role: Role::Link, world: world() }));
        }
        if setup.topology != Topology::Hub {
            let (login, settings) = login();
            let wake = Arc::clone(source_wake);
            let none = Duration::ZERO;
            let client = Source::new(login, &settings.filters, context.clone(), wake, none);
            clients.push(spawn(Over { client, role: Role::Source, world: world() }));
        }
        if by_broker {
            let (login, settings) = login();
            let topics = settings.standalone.as_ref().expect("a broker alone");
            let mut client = Outlet::new(login, topics, context, Arc::clone(outlet_wake));
            if let Some(folder) = folder {
                client = client.parking_in(dead_letters(folder));
            }
            clients.push(spawn(Over { client, role: Role::Outlet, world: world() }));
        }
        Self { clients, pipeline, stop, wakes, hand, held_bytes_max }
    }

    /// As the module does at a signal.
    pub(super) fn stop(&self) {
        let _ = self.stop.send(true);
        self.wakes.iter().for_each(|wake| wake.notify_one());
    }

    /// Lets one batch be judged that the pool has; false where it has none.
    pub(super) fn judge(&mut self, which: u8) -> bool {
        let Some(hand) = &mut self.hand else { return false };
        hand.waiting.extend(hand.incoming.try_iter());
        if hand.waiting.is_empty() {
            return false;
        }
        let batch = hand.waiting.swap_remove(usize::from(which) % hand.waiting.len());
        hand.worker.work(batch);
        true
    }

    /// Whether the pool has anything.
    pub(super) fn is_judging(&self) -> bool {
        self.hand.as_ref().is_some_and(|hand| !hand.waiting.is_empty() || !hand.incoming.is_empty())
    }

    /// What is held beyond the bound, if anything is, where so many patches may come in one read.
    pub(super) fn excess(&self, patches: usize) -> Option<String> {
        let overdraft = OVERDRAFT_BYTES * (1 + patches);
        let pipeline = self.pipeline.lock();
        SourceId::ALL.into_iter().find_map(|source| {
            let held = pipeline.held(source);
            let is_within = held.bytes <= self.held_bytes_max + overdraft;
            (!is_within).then(|| format!("{source:?} holds {held:?}"))
        })
    }
}

fn spawn<C>(mut client: Over<C>) -> JoinHandle<()>
where
    C: LogIn<Stream = Stream> + Send + 'static,
    Over<C>: Client,
{
    tokio::task::spawn_local(async move { session::run(&mut client).await })
}

fn dead_letters(folder: &Path) -> DeadLetters {
    DeadLetters::new(folder, "memory".to_owned())
}

fn link(setup: Setup, context: &Context, wake: Arc<Notify>) -> HubLink {
    static TRUST: OnceLock<Trust> = OnceLock::new();
    let trust = TRUST.get_or_init(|| Trust::Fixed(trusting([]).expect("ring speaks TLS")));
    let Trust::Fixed(roots) = trust else { unreachable!("it was made so") };
    let settings = LinkSettings {
        identity: Identity {
            hub: "h.net".to_owned(),
            gateway: "localhost".to_owned(),
            device: "d".to_owned(),
            module: Some("m".to_owned()),
        },
        credentials: Credentials::Key(Key::from_base64("a2V5").expect("base64")),
        trust: Trust::Fixed(Arc::clone(roots)),
        port: 1,
        route: Route::Direct,
        keep_alive: KEEP_ALIVE,
        token_lifetime: Duration::from_secs(if setup.renews { 4 } else { 86_400 }),
        puback_timeout: PUBACK_TIMEOUT,
        drain_timeout: DRAIN,
        linger: Duration::ZERO,
        judge_own_alerts: false,
    };
    let Context { pipeline, stop, .. } = context.clone();
    HubLink::new(settings, pipeline, wake, stop)
}

fn login() -> &'static (Login, BrokerSettings) {
    static LOGIN: OnceLock<(Login, BrokerSettings)> = OnceLock::new();
    LOGIN.get_or_init(|| {
        let settings = BrokerSettings {
            host: "broker".to_owned(),
            port: 1883,
            route: Route::Tcp,
            tls: TlsSettings::from(trusting([]).expect("ring speaks TLS")).into(),
            user: None,
            password: None,
            client_id: Some("gate".to_owned()),
            random_id: String::new(),
            filters: vec!["sensors/#".parse().expect("a filter")],
            standalone: Some(Standalone {
                alerts: "alerts/{topic}".parse().expect("a template"),
                control: CONTROL.to_owned(),
                reported: REPORTED.to_owned(),
            }),
        };
        (Login::new(&settings, KEEP_ALIVE), settings)
    })
}
