//! A schedule: how things are set up, and what happens one after the other. It is data, so that it
//! can be drawn at random, made smaller on failure, printed and read back ([`text`](super::text)).

use proptest::collection::vec;
use proptest::prelude::*;

/// What is connected to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topology {
    /// The link to a hub, in both directions.
    Hub,
    /// Messages of a broker and of the hub; alerts leave by the hub.
    Both,
    /// Source and outlet of a broker.
    Broker,
}

/// What is the same during a whole schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) topology: Topology,
    /// Larger batches are judged by a pool, whose results come when the schedule says so.
    pub(super) pool: bool,
    /// Little may be held.
    pub(super) tight: bool,
    /// Tokens are renewed every few seconds.
    pub(super) renews: bool,
    /// The receiver hangs up each time that it gets an alert of [`REFUSED`], until all faults end.
    pub(super) refuses: bool,
    /// A broker delivers at QoS 2.
    pub(super) exactly_once: bool,
    /// A hub gives every delivery the packet id 1, as edgeHub does.
    pub(super) ones: bool,
    /// Messages that a source delivers ahead of their acknowledgements.
    pub(super) window: u8,
    /// Of waits, for all of the schedule.
    pub(super) jitter: u8,
}

/// Which connection: the one that messages of the first source come on, or the one that alerts
/// leave by. At a hub alone both are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Input,
    Output,
}

/// Whose message: where there are a broker and a hub, the first one is the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    First,
    Second,
}

/// Which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the module.
    In,
    /// To the peer.
    Out,
    Both,
}

/// What the twin, or the control topic, says next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Set(u8),
    Removed,
    Bad,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many messages of one temperature each, of about so many bytes.
    Input { from: From, count: u8, value: u8, bytes: u16 },
    /// A message at QoS 0.
    Unacknowledged { from: From, value: u8 },
    /// Alerts are acknowledged at once from now on, or kept waiting.
    Acks { prompt: bool },
    /// One of the PUBACKs that wait is sent, so many times.
    Ack { which: u8, times: u8 },
    /// All of them are sent.
    AckAll { reversed: bool },
    /// A PUBACK for an id that was never sent.
    StrayAck { end: End },
    /// All that is asked is answered at once from now on, or kept waiting.
    Answers { prompt: bool },
    /// One of the answers that wait is sent.
    Answer { which: u8 },
    /// The next answers about the twin have this status.
    Trouble { status: u16, times: u8 },
    /// Nothing passes any more, but so many bytes to the module.
    Stall { end: End, way: Way, after: u16 },
    /// All passes again.
    Flow { end: End },
    /// What comes to the module is cut into reads of so many bytes.
    Cut { end: End, bytes: u16 },
    /// The peer hangs up; it keeps the session or not.
    HangUp { end: End, reset: bool, lost: bool },
    /// The next attempts to connect fail.
    Refuse { end: End, times: u8, answered: bool },
    /// The threshold is changed.
    Patch(Change),
    /// One of the batches that the pool has is judged, and comes back.
    Judge { which: u8 },
    /// Time passes.
    Wait { ms: u16 },
    /// The process is killed, and started again.
    Kill,
    /// The process is stopped, and started again.
    Stop,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) setup: Setup,
    pub(super) steps: Vec<Step>,
}

/// Temperatures below, between and above all thresholds that there are.
const VALUES: [u8; 5] = [1, 30, 50, 99, REFUSED];
/// That of alerts which a receiver may refuse.
pub(super) const REFUSED: u8 = 98;
/// The default of 25 is one as well.
const THRESHOLDS: [u8; 3] = [25, 40, 60];

fn setup() -> impl Strategy<Value = Setup> {
    let topology = prop_oneof![Just(Topology::Hub), Just(Topology::Broker), Just(Topology::Both)];
    let rarely = || prop::bool::weighted(0.15);
    let window = prop_oneof![Just(100u8), Just(1), 2u8..20];
    let kinds = (rarely(), rarely(), rarely());
    let others = (prop::bool::weighted(0.07), rarely(), any::<bool>());
    (topology, kinds, others, window, any::<u8>()).prop_map(
        |(topology, (pool, tight, renews), (refuses, exactly_once, ones), window, jitter)| Setup {
            topology,
            pool,
            tight,
            renews,
            refuses,
            exactly_once,
            ones,
            window,
            jitter,
        },
    )
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Output), Just(End::Input)]
}

fn from() -> impl Strategy<Value = From> {
    prop_oneof![Just(From::First), Just(From::Second)]
}

fn value() -> impl Strategy<Value = u8> {
    prop::sample::select(VALUES.as_slice())
}

fn input() -> impl Strategy<Value = Step> {
    let count = prop_oneof![15 => Just(1u8), 9 => 2u8..6, 1 => 60u8..90];
    let bytes = prop_oneof![6 => Just(0u16), 2 => 0u16..400, 1 => 8_000u16..10_000];
    (from(), count, value(), bytes).prop_map(|(from, count, value, bytes)| {
        // Many, or large.
        let bytes = if count > 10 { bytes.min(400) } else { bytes };
        Step::Input { from, count, value, bytes }
    })
}

fn change() -> impl Strategy<Value = Change> {
    let set = prop::sample::select(THRESHOLDS.as_slice()).prop_map(Change::Set);
    prop_oneof![6 => set, 1 => Just(Change::Removed), 1 => Just(Change::Bad)]
}

fn of_alerts() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<bool>().prop_map(|prompt| Step::Acks { prompt }),
        3 => (any::<u8>(), 1u8..3).prop_map(|(which, times)| Step::Ack { which, times }),
        2 => any::<bool>().prop_map(|reversed| Step::AckAll { reversed }),
        1 => end().prop_map(|end| Step::StrayAck { end }),
    ]
}

fn of_answers() -> impl Strategy<Value = Step> {
    let status = prop::sample::select([400u16, 429, 500].as_slice());
    prop_oneof![
        3 => any::<bool>().prop_map(|prompt| Step::Answers { prompt }),
        3 => any::<u8>().prop_map(|which| Step::Answer { which }),
        1 => (status, 1u8..3).prop_map(|(status, times)| Step::Trouble { status, times }),
    ]
}

fn of_links() -> impl Strategy<Value = Step> {
    let way = prop_oneof![Just(Way::In), Just(Way::Out), Just(Way::Both)];
    let after = prop_oneof![Just(0u16), 0u16..300];
    prop_oneof![
        2 => (end(), way, after).prop_map(|(end, way, after)| Step::Stall { end, way, after }),
        2 => end().prop_map(|end| Step::Flow { end }),
        2 => (end(), 1u16..100).prop_map(|(end, bytes)| Step::Cut { end, bytes }),
        4 => (end(), any::<bool>(), prop::bool::weighted(0.3))
            .prop_map(|(end, reset, lost)| Step::HangUp { end, reset, lost }),
        1 => (end(), 1u8..3, any::<bool>())
            .prop_map(|(end, times, answered)| Step::Refuse { end, times, answered }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let ms = prop_oneof![
        40 => 1u16..300,
        40 => 300u16..1_500,
        6 => 1_500u16..12_000,
        1 => 60_000u16..65_000,
    ];
    prop_oneof![
        20 => input(),
        10 => of_alerts(),
        10 => of_links(),
        6 => ms.prop_map(|ms| Step::Wait { ms }),
        4 => of_answers(),
        4 => change().prop_map(Step::Patch),
        3 => any::<u8>().prop_map(|which| Step::Judge { which }),
        2 => (from(), value()).prop_map(|(from, value)| Step::Unacknowledged { from, value }),
        1 => Just(Step::Kill),
        1 => Just(Step::Stop),
    ]
}

/// Any schedule of at most so many steps.
pub(super) fn scripts(steps_max: usize) -> impl Strategy<Value = Script> {
    (setup(), vec(step(), 1..=steps_max)).prop_map(|(setup, steps)| Script { setup, steps })
}
