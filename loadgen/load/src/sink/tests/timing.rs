//! Faults in time. What must not be early is asserted of every answer. A busy machine makes some
//! answers late at any moment, so promptness is asserted of the promptest.

use super::*;

/// How late the promptest answer may be.
const LATE_MAX: Duration = Duration::from_millis(10);

fn sleep_until(instant: Instant) {
    std::thread::sleep(instant.saturating_duration_since(Instant::now()));
}

#[test]
fn each_answer_is_delayed_by_the_same() {
    let (mut peer, stop, sink) = start(Faults { delay: Some(MS(5)), ..Faults::default() });
    let mut promptest = Duration::MAX;
    for number in 1..=50 {
        let sent = Instant::now();
        peer.send(&input(number, 30));
        peer.expect_alert(number, 30);
        let took = sent.elapsed();
        peer.expect_ack(number);
        assert!(took >= MS(5), "{took:?}");
        promptest = promptest.min(took);
    }
    assert!(promptest < MS(5) + LATE_MAX, "{promptest:?}");
    stop.stop();
    let (counts, ended) = sink.join().unwrap();
    ended.unwrap();
    let Lateness { p50, p99, max } = counts.late_ns;
    assert!(0 < p50 && p50 <= p99 && p99 <= max, "{counts:?}");
}

/// Inputs that come while others wait are delayed from their own instants.
#[test]
fn delays_overlap() {
    let (mut peer, stop, sink) = start(Faults { delay: Some(MS(50)), ..Faults::default() });
    let began = Instant::now();
    for number in 1..=40 {
        sleep_until(began + MS(u64::from(number)));
        peer.send(&input(number, 20));
    }
    let mut lateness = Vec::new();
    for number in 1..=40 {
        peer.expect_ack(number);
        let due = began + MS(u64::from(number)) + MS(50);
        assert!(Instant::now() >= due, "answer {number} is early");
        lateness.push(due.elapsed());
    }
    assert!(*lateness.iter().min().unwrap() < LATE_MAX, "{lateness:?}");
    assert!(began.elapsed() < MS(40 * 50), "one after the other");
    stop.stop();
    sink.join().unwrap().1.unwrap();
}

#[test]
fn pauses_hold_up_what_comes_within_them() {
    let stall = Some(Stall { pause: MS(60), period: MS(200) });
    let (mut peer, stop, sink) = start(Faults { stall, ..Faults::default() });
    let began = Instant::now();
    peer.send(&input(1, 20));
    peer.expect_ack(1);
    // The sink's periods began somewhere in between.
    let uncertain = began.elapsed();
    let (mut promptest_within, mut promptest_after) = (Duration::MAX, Duration::MAX);
    for period in 1..=4u16 {
        let start = began + MS(200) * u32::from(period);
        sleep_until(start + uncertain + MS(5));
        peer.send(&input(2 * period, 20));
        let within = Instant::now() < start + MS(60);
        peer.expect_ack(2 * period);
        // Unless this test itself was kept from running.
        if within {
            assert!(
                Instant::now() >= start + MS(60),
                "answered {:?} into a pause",
                start.elapsed()
            );
            promptest_within = promptest_within.min((start + MS(60)).elapsed());
        }
        sleep_until(start + MS(100));
        let sent = Instant::now();
        peer.send(&input(2 * period + 1, 20));
        peer.expect_ack(2 * period + 1);
        promptest_after = promptest_after.min(sent.elapsed());
    }
    assert!(promptest_within < uncertain + LATE_MAX, "{promptest_within:?} after the pause");
    assert!(promptest_after < LATE_MAX, "{promptest_after:?} outside of pauses");
    stop.stop();
    sink.join().unwrap().1.unwrap();
}

#[test]
fn a_limited_rate_is_even() {
    const RATE: u32 = 2000;
    let (mut peer, stop, sink) =
        start(Faults { limit_rate: Some(f64::from(RATE)), ..Faults::default() });
    for round in 0..2 {
        // Idle time between the rounds is not saved up.
        std::thread::sleep(MS(50));
        let began = Instant::now();
        let inputs: Vec<u8> = (1..=400).flat_map(|number| input(number, 20)).collect();
        peer.send(&inputs);
        let mut promptest = Duration::MAX;
        for number in 1..=400u16 {
            peer.expect_ack(number);
            let due = began + Duration::from_secs(u64::from(number) - 1) / RATE;
            assert!(Instant::now() >= due, "answer {number} of round {round} is early");
            promptest = promptest.min(due.elapsed());
        }
        assert!(promptest < LATE_MAX, "{promptest:?}");
    }
    stop.stop();
    assert_eq!(sink.join().unwrap().0.inputs, 800);
}

/// Whatever the sink waits for, a stop ends it.
#[test]
fn a_stop_ends_every_wait() {
    let stall = Some(Stall { pause: MS(3_599_000), period: MS(3_600_000) });
    for faults in [
        Faults { delay: Some(MS(3_600_000)), ..Faults::default() },
        Faults { limit_rate: Some(0.01), ..Faults::default() },
        Faults { stall, limit_rate: Some(0.01), ..Faults::default() },
    ] {
        let (mut peer, stop, sink) = start(faults);
        peer.send(&[input(1, 20), input(2, 20), input(3, 20)].concat());
        let began = Instant::now();
        stop.stop();
        sink.join().unwrap().1.unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
