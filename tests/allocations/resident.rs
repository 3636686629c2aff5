//! What the program keeps resident while its alerts are not acknowledged: the real one, against a
//! scripted hub or broker.

mod far_end;
mod program;

use far_end::{Acknowledge, Item};
use program::{Run, Way, peak_bytes};
use sluicegate::mqtt::QoS;
use sluicegate::mqtt::connection::PACKET_BYTES_MAX;

/// What the program may take besides what `held-bytes` allows: itself, the buffers of its
/// connections, tables, and memory that it keeps to be used again.
const BESIDES: usize = 16 << 20;
/// The least that may be set.
const HELD_BYTES: usize = 1 << 20;
/// The largest size by chance: with all that is around it, below 256 KiB.
const SIZE_MAX: u32 = 256 * 1024 - 200;
/// A picture on the same broker: passed over.
const OVERSIZED: Item = Item::Cold(PACKET_BYTES_MAX + 12_000);
/// The smallest alert there is.
const SMALL: Item = Item::Alert(0);

/// One mix of traffic; what is in `items` comes over and over.
struct Mix {
    name: &'static str,
    items: Vec<Item>,
    alerts: usize,
    acknowledge: Acknowledge,
}

/// Mixes in which alerts are a small part of what is read, or of what they lie among, or are more
/// than may be held.
fn mixes() -> Vec<Mix> {
    let mix = |name, items: &[Item], alerts| Mix {
        name,
        items: items.to_vec(),
        alerts,
        acknowledge: Acknowledge::WhenIdle,
    };
    let few = |name, items: &[Item], alerts| Mix {
        acknowledge: Acknowledge::AllBut(500),
        ..mix(name, items, alerts)
    };
    let controls = |count| [SMALL, Item::Pings(count), Item::SubAcks(count), Item::Cold(60_000)];
    let sizes = [SMALL, Item::Alert(250_000), Item::Alert(3_000), Item::Alert(70_000)];
    vec![
        mix("pictures", &[SMALL, OVERSIZED], 200),
        mix("controls", &controls(2_000), 200),
        mix("larger messages", &[[SMALL].as_slice(), &[Item::Cold(8_000); 15]].concat(), 200),
        mix("small alerts alone", &[SMALL], 15_000),
        mix("large alerts alone", &[Item::Alert(250_000)], 30),
        mix("alerts of many sizes", &[sizes.as_slice(), &[OVERSIZED]].concat(), 60),
        few("small ones, few of which stay", &[SMALL, SMALL, Item::Cold(2_000)], 30_000),
        few("all sizes, few of which stay", &[sizes.as_slice(), &[SMALL; 200]].concat(), 5_000),
    ]
}

fn check(run: Run, mix: &Mix) {
    let peak = peak_bytes(run, &mix.items, mix.alerts, mix.acknowledge);
    let case = format!("{run:?} {}: {} KiB resident", mix.name, peak / 1024);
    eprintln!("{case}");
    assert!(peak < run.held_bytes + BESIDES, "{case}");
}

/// For each way, level and mix: what is resident stays below `held-bytes` and 16 MiB.
#[test]
fn what_is_resident_is_bounded_at_a_hub() {
    each_mix(Way::Hub, &mixes());
}

/// The same at a broker.
#[test]
fn what_is_resident_is_bounded_at_a_broker() {
    each_mix(Way::Broker, &mixes());
}

fn each_mix(way: Way, mixes: &[Mix]) {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let run = Run { way, qos, workers: 0, held_bytes: HELD_BYTES };
        mixes.iter().for_each(|mix| check(run, mix));
    }
}

/// The same for mixes by chance, with parser threads and without: nothing is added for a thread.
#[test]
fn what_is_resident_is_bounded_for_mixes_by_chance_at_a_hub() {
    each_number_of_workers(Way::Hub);
}

/// The same at a broker.
#[test]
fn what_is_resident_is_bounded_for_mixes_by_chance_at_a_broker() {
    each_number_of_workers(Way::Broker);
}

fn each_number_of_workers(way: Way) {
    let seed = seed();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        for workers in [0, 2, 8] {
            check(Run { way, qos, workers, held_bytes: HELD_BYTES }, &by_chance(seed));
        }
    }
}

/// The same with what may be held by default, for alerts that lie in more chunks than that.
#[test]
fn what_is_resident_is_bounded_by_default() {
    let (items, acknowledge) = (vec![SMALL, OVERSIZED], Acknowledge::WhenIdle);
    let mix = Mix { name: "pictures", items, alerts: 1_000, acknowledge };
    let (qos, held_bytes) = (QoS::AtLeastOnce, super::HELD_BYTES);
    for way in [Way::Hub, Way::Broker] {
        check(Run { way, qos, workers: 0, held_bytes }, &mix);
    }
}

/// The same for a mix by chance that fills what may be held by default, with parser threads.
#[test]
fn what_is_resident_is_bounded_for_a_mix_by_chance_by_default() {
    let mix = Mix { alerts: 8_000, acknowledge: Acknowledge::AllBut(2), ..by_chance(seed()) };
    let (qos, held_bytes) = (QoS::AtLeastOnce, super::HELD_BYTES);
    for way in [Way::Hub, Way::Broker] {
        check(Run { way, qos, workers: 8, held_bytes }, &mix);
    }
}

/// The seed of mixes by chance. It is printed, and `MIX_SEED` repeats it.
fn seed() -> u64 {
    let given = std::env::var("MIX_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("MIX_SEED={seed}");
    seed
}

/// Alerts of all sizes, of which each 50th stays, with all else between them; some are nested so
/// deeply that the parser's usual way declines them.
fn by_chance(seed: u64) -> Mix {
    let mut random = fastrand::Rng::with_seed(seed);
    let items = (0..2_000).map(|_| item(&mut random)).collect();
    Mix { name: "by chance", items, alerts: 1_500, acknowledge: Acknowledge::AllBut(50) }
}

fn item(random: &mut fastrand::Rng) -> Item {
    match random.u32(..100) {
        0..60 => Item::Alert(log_uniform(random)),
        60..75 => Item::Nested(log_uniform(random)),
        75..94 => Item::Cold(log_uniform(random)),
        94..97 => OVERSIZED,
        97 | 98 => Item::Pings(random.usize(1..2_000)),
        _ => Item::SubAcks(random.usize(1..2_000)),
    }
}

/// From 1 byte to nearly 256 KiB, each power of two as often as any other.
fn log_uniform(random: &mut fastrand::Rng) -> usize {
    let size = (random.f64() * f64::from(SIZE_MAX).ln()).exp();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small positive number"
    )]
    let size = size as usize;
    size
}
