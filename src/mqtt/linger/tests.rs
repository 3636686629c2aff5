//! A simulated module: a turn costs a wake-up and something for each message, and takes all that
//! has come by then.

use super::*;
use proptest::prelude::*;

const WAKE: Duration = Duration::from_micros(12);
const MESSAGE: Duration = Duration::from_nanos(300);
/// How late a sleep ends.
const LATE: Duration = Duration::from_micros(15);
const LONGEST: Duration = Duration::from_micros(200);

/// What a simulation found.
#[derive(Debug, Default)]
struct Run {
    turns: u32,
    pauses: u32,
    messages: u32,
    longest_pause: Duration,
    time: Duration,
}

impl Run {
    fn messages_per_turn(&self) -> f64 {
        f64::from(self.messages) / f64::from(self.turns)
    }

    fn rate(&self) -> f64 {
        f64::from(self.messages) / self.time.as_secs_f64()
    }
}

/// Messages arrive at the instants that `arrivals` yields, whatever the module does.
fn open_loop(longest: Duration, mut arrivals: impl Iterator<Item = Duration>, turns: u32) -> Run {
    let (start, mut linger, mut run) = (Instant::now(), Linger::new(longest), Run::default());
    let mut now = Duration::ZERO;
    let mut next = arrivals.next();
    for _ in 0..turns {
        now = now.max(next.unwrap_or(now)) + WAKE;
        let mut messages = 0;
        while let Some(arrival) = next.filter(|arrival| *arrival <= now) {
            next = arrivals.next().map(|next| next.max(arrival));
            messages += 1;
        }
        now += finish(&mut run, &mut linger, start + now, messages);
    }
    run.time = now;
    run
}

/// A sender with `window` messages under way, each followed by the next once it is acknowledged.
fn closed_loop(longest: Duration, window: u32, turns: u32) -> Run {
    const ROUND_TRIP: Duration = Duration::from_micros(8);
    let (start, mut linger, mut run) = (Instant::now(), Linger::new(longest), Run::default());
    let mut now = Duration::ZERO;
    for _ in 0..turns {
        // All are acknowledged by the write before, and on their way back to us.
        now += ROUND_TRIP + WAKE;
        now += finish(&mut run, &mut linger, start + now, window);
    }
    run.time = now;
    run
}

fn finish(run: &mut Run, linger: &mut Linger, now: Instant, messages: u32) -> Duration {
    run.turns += 1;
    run.messages += messages;
    let pause = linger.pause(now, u64::from(messages));
    run.pauses += u32::from(pause.is_some());
    run.longest_pause = run.longest_pause.max(pause.unwrap_or_default());
    MESSAGE * messages + pause.map_or(Duration::ZERO, |pause| pause + LATE)
}

/// Evenly, but for a hiccup of the machine now and then.
fn steady(rate: u32) -> impl Iterator<Item = Duration> {
    let interval = Duration::from_secs(1) / rate;
    (0u32..).map(move |index| {
        let hiccup = if index % 500 < 3 { interval * 3 } else { Duration::ZERO };
        interval * index + hiccup
    })
}

/// Arrivals that know nothing of each other, from a seed.
fn poisson(rate: u32, seed: u64) -> impl Iterator<Item = Duration> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut at = Duration::ZERO;
    std::iter::repeat_with(move || {
        at += Duration::from_secs_f64(-(1.0 - random.f64()).ln() / f64::from(rate));
        at
    })
}

/// At the rates that it is for, several messages share a wake-up.
#[test]
fn messages_that_come_one_by_one_share_wake_ups() {
    for rate in [35_000, 50_000, 70_000] {
        let without = open_loop(Duration::ZERO, steady(rate), 20_000);
        let with = open_loop(LONGEST, steady(rate), 20_000);
        assert!(without.messages_per_turn() < 1.3, "{rate}: {without:?}");
        assert!(with.messages_per_turn() > 3.0, "{rate}: {with:?}");
        assert!(with.longest_pause <= LONGEST, "{with:?}");
        assert_eq!(with.longest_pause == LONGEST, rate == 35_000, "eight take longer: {with:?}");
    }
}

/// Slow streams are not paused for: nothing would come meanwhile.
#[test]
fn slow_streams_are_left_alone() {
    for rate in [1, 1000, 10_000] {
        assert_eq!(open_loop(LONGEST, steady(rate), 20_000).pauses, 0, "{rate}");
    }
    let run = open_loop(LONGEST, poisson(1000, 1), 20_000);
    assert_eq!(run.pauses, 0, "{run:?}");
}

/// Nor are fast ones, whose turns bring enough.
#[test]
fn fast_streams_need_no_pause() {
    for rate in [100_000, 300_000, 2_000_000] {
        let run = open_loop(LONGEST, steady(rate), 20_000);
        assert_eq!(run.pauses, 0, "{rate}: {run:?}");
    }
}

/// However fast it is, a window of one is never paused for.
#[test]
fn a_window_of_one_never_waits() {
    let run = closed_loop(LONGEST, 1, 1_000_000);
    assert_eq!(run.pauses, 0, "{run:?}");
}

/// A burst that ends: the messages after it come alone, and are not paused for.
#[test]
fn a_lone_message_after_a_burst_does_not_wait() {
    let burst = (0..1000).map(|index| Duration::from_micros(20) * index);
    let alone = (1..).map(|index| Duration::from_millis(20 * index));
    let mut run = Run::default();
    let mut linger = Linger::new(LONGEST);
    let start = Instant::now();
    for (at, messages) in burst.zip([1, 2].into_iter().cycle()) {
        finish(&mut run, &mut linger, start + at, messages);
    }
    let in_burst = run.pauses;
    assert!(in_burst > 100, "{run:?}");
    for at in alone.take(1000) {
        finish(&mut run, &mut linger, start + at, 1);
    }
    assert!(run.pauses <= in_burst + 1, "one, before the end of the burst was known: {run:?}");
}

/// Turns that come one by one, of which some bring two messages, until one of them ends with a
/// pause; gives how many did not.
fn turns_until_a_pause(linger: &mut Linger, now: &mut Instant) -> u32 {
    for turns in 0.. {
        *now += Duration::from_micros(20);
        if linger.pause(*now, if turns % 8 == 0 { 2 } else { 1 }).is_some() {
            return turns;
        }
    }
    unreachable!("an endless loop")
}

/// Pauses that bring nothing are followed by a rest, each time twice as long, up to a bound; a row
/// of pauses that pay makes the next rest as short as the first.
#[test]
fn rests_double_until_pauses_pay() {
    let (mut linger, mut now) = (Linger::new(LONGEST), Instant::now());
    turns_until_a_pause(&mut linger, &mut now);
    let mut rest = |pays: bool| {
        if pays {
            for _ in 1..PAUSES_IN_A_ROW {
                now += LONGEST;
                assert!(linger.pause(now, 12).is_some());
            }
            now += LONGEST;
            assert_eq!(linger.pause(now, 12), None, "it looks again");
            turns_until_a_pause(&mut linger, &mut now);
        }
        now += Duration::from_millis(1);
        assert_eq!(linger.pause(now, 0), None);
        turns_until_a_pause(&mut linger, &mut now) - LOOK_TURNS
    };
    for expected in [256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 65_536] {
        assert_eq!(rest(false), expected);
    }
    assert_eq!([rest(true), rest(false), rest(true)], [256, 512, 256]);
}

#[test]
fn zero_switches_it_off() {
    assert_eq!(open_loop(Duration::ZERO, steady(50_000), 20_000).pauses, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A sender that waits for us loses next to nothing, whatever its window.
    #[test]
    fn windows_keep_their_rate(window in 1u32..200) {
        let without = closed_loop(Duration::ZERO, window, 200_000).rate();
        let with = closed_loop(LONGEST, window, 200_000).rate();
        prop_assert!(with > 0.98 * without, "{window}: {with} of {without}");
    }

    /// Irregular arrivals are handled like regular ones, and no pause is longer than it may be.
    #[test]
    fn irregular_streams_share_wake_ups_too(rate in 40_000u32..65_000, seed: u64) {
        let without = open_loop(Duration::ZERO, poisson(rate, seed), 20_000);
        let with = open_loop(LONGEST, poisson(rate, seed), 20_000);
        let twice = 2.0 * without.messages_per_turn();
        prop_assert!(with.messages_per_turn() > twice, "{with:?} {without:?}");
        prop_assert!(with.longest_pause <= LONGEST);
    }
}

/// Pauses that do not pay are found after the time of 16 messages, and each rest is twice as long
/// as the last.
#[test]
fn what_does_not_pay_rests_twice_as_long_each_time() {
    let mut linger = Linger::new(LONGEST);
    let interval = Duration::from_micros(10);
    let row = |time| Row { turns: 1, messages: 0, time };
    let judged = interval * JUDGED_FROM;
    let soon = linger.paused(row(judged - Duration::from_nanos(1)), interval);
    assert!(matches!(soon, Phase::Pausing(..)));
    for rest in [REST_TURNS, 2 * REST_TURNS, 4 * REST_TURNS] {
        let phase = linger.paused(row(judged), interval);
        assert!(matches!(phase, Phase::Resting(turns) if turns == rest), "{rest}");
    }
}
