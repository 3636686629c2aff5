//! What the program keeps resident while its alerts are not acknowledged: the real one, against a
//! scripted hub or broker.

mod far_end;
mod program;

use far_end::{Acknowledge, Item};
use program::{Way, peak_bytes};
use sluicegate::mqtt::QoS;
use sluicegate::mqtt::connection::PACKET_BYTES_MAX;

/// What the program may take besides what `held-bytes` allows: itself, the buffers of its
/// connections, tables, and memory that it keeps to be used again.
const BESIDES: usize = 16 << 20;
/// The least that may be set.
const HELD_BYTES: usize = 1 << 20;
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

fn check(way: Way, qos: QoS, mix: &Mix, held_bytes: usize) {
    let peak = peak_bytes(way, qos, held_bytes, &mix.items, mix.alerts, mix.acknowledge);
    let case = format!("{way:?} {qos:?} {}: {} KiB resident", mix.name, peak / 1024);
    eprintln!("{case}");
    assert!(peak < held_bytes + BESIDES, "{case}");
}

/// For each way, level and mix: what is resident stays below `held-bytes` and 16 MiB.
#[test]
fn what_is_resident_is_bounded_at_a_hub() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        mixes().iter().for_each(|mix| check(Way::Hub, qos, mix, HELD_BYTES));
    }
}

/// The same at a broker.
#[test]
fn what_is_resident_is_bounded_at_a_broker() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        mixes().iter().for_each(|mix| check(Way::Broker, qos, mix, HELD_BYTES));
    }
}

/// The same with what may be held by default, for alerts that lie in more chunks than that.
#[test]
fn what_is_resident_is_bounded_by_default() {
    let (items, acknowledge) = (vec![SMALL, OVERSIZED], Acknowledge::WhenIdle);
    let mix = Mix { name: "pictures", items, alerts: 1_000, acknowledge };
    for way in [Way::Hub, Way::Broker] {
        check(way, QoS::AtLeastOnce, &mix, super::HELD_BYTES);
    }
}
