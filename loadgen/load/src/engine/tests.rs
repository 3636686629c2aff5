//! How long a run waits, told the time: nothing runs, and an alert is out that does not come back.

use super::super::example;
use super::super::fault::{FaultKind, Order};
use super::super::gateway::Gateway;
use super::super::outcome::Fault;
use super::super::traffic::{Topics, Traffic};
use super::*;

/// An engine behind its start, which ends at 6 s and then drains for 10 s, and its board.
fn engine(pace: Pace) -> (Engine, Arc<Board>) {
    let settings = RunSettings { pace, ..example::settings(1000.0, "program") };
    let gateway = Gateway::open(([127, 0, 0, 1], 0).into(), true, 25.0).unwrap();
    let traffic = Traffic::build(&settings.traffic, Topics::Hub(gateway.identity())).unwrap();
    let feeder = Feeder::new(traffic, None, nanoseconds(settings.warm_up + settings.duration));
    let (phases, _) = crossbeam_channel::bounded(8);
    let board = Arc::new(Board::default());
    let side = Side::Hub(Box::new(gateway));
    let mut engine = Engine::new(&settings, side, feeder, Arc::clone(&board), phases, None);
    engine.enter(Phase::WarmUp);
    engine.ledger.sent(true, 0);
    (engine, board)
}

/// Whether a run is over at `end`, and not before.
fn assert_ends_at(engine: &mut Engine, end: u64) {
    assert!(!engine.is_over(end - 1), "before {end}");
    assert!(engine.is_over(end), "at {end}");
}

/// What is not back by the end of the drain is missing, unless something comes back each second,
/// and then a minute later.
#[test]
fn a_drain_ends_in_time() {
    const END: u64 = 16 * SECOND_NS;
    let (mut engine, _board) = engine(Pace::Closed);
    for second in 0..=6 {
        assert!(!engine.is_over(END), "it has not begun to drain");
        engine.tick(second * SECOND_NS).unwrap();
    }
    assert_ends_at(&mut engine, END);
    engine.heard_at = END - 1;
    assert_ends_at(&mut engine, END - 1 + SECOND_NS);
    engine.heard_at = END + 60 * SECOND_NS - 1;
    assert_ends_at(&mut engine, END + 60 * SECOND_NS);
}

/// A run that is ended early drains for 2 s.
#[test]
fn a_run_ended_early_drains_for_2_s() {
    let (mut engine, board) = engine(Pace::Closed);
    board.stop();
    engine.tick(3 * SECOND_NS).unwrap();
    assert_ends_at(&mut engine, 5 * SECOND_NS);
}

/// Where everything is back, what comes once too often has 50 ms.
#[test]
fn a_run_that_is_settled_ends_after_a_silence() {
    let (mut engine, board) = engine(Pace::Closed);
    engine.ledger = Ledger::new(engine.feeder.traffic());
    board.stop();
    engine.tick(3 * SECOND_NS).unwrap();
    assert!(!engine.is_over(3 * SECOND_NS));
    assert_ends_at(&mut engine, 3 * SECOND_NS + SILENCE_NS);
}

/// In a closed loop an alert is passed over behind 2 s in which nothing comes, once in 2 s.
#[test]
fn a_lost_alert_is_passed_over_after_2_s() {
    let (mut engine, _board) = engine(Pace::Closed);
    engine.meter.blocked(true, 0);
    engine.heard_at = SECOND_NS;
    for lost_since in [1, 3] {
        let due = (lost_since + 2) * SECOND_NS;
        engine.tick(due).unwrap();
        assert!(engine.ledger.waits_for().is_some(), "{lost_since}");
        // A tick later than the one on which it is due, for it is looked at no more often.
        engine.tick(due + 1).unwrap();
        assert_eq!(engine.ledger.waits_for(), None, "{lost_since}");
        engine.passed_over_at = due;
        engine.ledger.sent(true, 0);
    }
}

/// Nobody subscribes: the start is waited for as long as the setting says.
#[test]
fn nobody_is_waited_for_longer_than_the_start_wait() {
    let (mut engine, _board) = engine(Pace::Closed);
    let wait = engine.start_wait;
    let end = nanoseconds(wait);
    assert_eq!(engine.lanes.are_ready(end, wait), Ok(false));
    let error = engine.lanes.are_ready(end + 1, wait).unwrap_err().to_string();
    assert!(error.contains("nobody subscribed to the inputs within 60s"), "{error}");
}

/// As [`engine`], in a soak whose orders come from here.
fn soaked() -> (Engine, crossbeam_channel::Sender<Order>) {
    let (mut engine, _board) = engine(Pace::Closed);
    let (orders, receiver) = crossbeam_channel::bounded(8);
    engine.disturbance = Some(Disturbance::new(receiver, None));
    engine.enter(Phase::Measuring);
    (engine, orders)
}

fn faults(engine: &Engine) -> &[Fault] {
    &engine.disturbance.as_ref().unwrap().found.faults
}

/// The hub does nothing for as long as it was ordered, and no longer.
#[test]
fn a_stall_lasts_its_time() {
    let (mut engine, orders) = soaked();
    orders.send(Order::Fault(FaultKind::Stall, Duration::from_secs(2))).unwrap();
    engine.tick(3 * SECOND_NS).unwrap();
    assert!(engine.is_stalled());
    engine.tick(5 * SECOND_NS - 1).unwrap();
    assert!(engine.is_stalled());
    engine.tick(5 * SECOND_NS).unwrap();
    assert!(!engine.is_stalled());
    let expected = Fault { kind: FaultKind::Stall, at_s: 2.0, length_s: 2.0, recovery_s: None };
    assert_eq!(faults(&engine), [expected], "nobody takes inputs, so nobody has recovered");
}

/// While somebody else has its address the hub tries again, for 10 s.
#[test]
fn a_hub_that_cannot_listen_again_ends_the_run() {
    let (mut engine, orders) = soaked();
    let Side::Hub(gateway) = &engine.lanes.side else { panic!("it is a hub") };
    let address = gateway.listener().unwrap().local_addr().unwrap();
    orders.send(Order::Fault(FaultKind::Restart, Duration::from_secs(1))).unwrap();
    engine.tick(SECOND_NS).unwrap();
    let other = std::net::TcpListener::bind(address).unwrap();
    engine.tick(2 * SECOND_NS).unwrap();
    engine.tick(12 * SECOND_NS - 1).unwrap();
    let error = engine.tick(12 * SECOND_NS).unwrap_err().to_string();
    assert!(error.starts_with("cannot listen again where the hub did"), "{error}");
    drop(other);
    engine.tick(12 * SECOND_NS).unwrap();
    let Side::Hub(gateway) = &engine.lanes.side else { panic!("it is a hub") };
    assert_eq!(gateway.listener().unwrap().local_addr().unwrap(), address);
    assert_eq!(faults(&engine)[0].length_s.to_bits(), 11f64.to_bits());
}
