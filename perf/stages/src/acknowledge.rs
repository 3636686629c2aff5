//! From receipts to PUBACKs, through the ledger: a read's worth of messages is received and judged,
//! one in ten is an alert and is settled behind all others.

use sluicegate::mqtt::wire::write_puback;
use sluicegate::pipeline::ledger::Ledger;

use crate::stage::{Runner, Work};

/// Messages that one read brings.
const BATCH: u32 = 250;

pub(crate) fn prepare() -> Runner {
    over(BATCH, write_puback)
}

fn over(batch: u32, write: fn(&mut Vec<u8>, u16)) -> Runner {
    let mut ledger = Ledger::default();
    let mut written = Vec::new();
    let mut next_id = 1;
    Box::new(move |messages| {
        let mut left = messages;
        while left > 0 {
            let count = left.min(batch);
            left -= count;
            let first = ledger.next_receipt();
            let mut id = next_id;
            for _ in 0..count {
                ledger.receive(id);
                id = following(id);
            }
            let receipts = first..ledger.next_receipt();
            ledger.settle_range(receipts.clone(), receipts.clone().step_by(10));
            let early = ledger.release(|id| write(&mut written, id));
            for alert in receipts.step_by(10) {
                ledger.settle(alert);
            }
            let released = ledger.release(|id| write(&mut written, id));
            if (early, released) != (0, u64::from(count)) || ledger.messages() != 0 {
                return Err(format!("{early}, then {released} released of {count}"));
            }
            next_id = check(&written, next_id, count)?;
            written.clear();
        }
        Ok(Work::default())
    })
}

/// There is a PUBACK for each id, in order. Gives the id of the next message.
fn check(written: &[u8], first: u16, count: u32) -> Result<u16, String> {
    let (packets, rest) = written.as_chunks::<4>();
    let mut id = first;
    for packet in packets {
        let [high, low] = id.to_be_bytes();
        if *packet != [0x40, 2, high, low] {
            return Err(format!("{packet:x?} is not the PUBACK of {id}"));
        }
        id = following(id);
    }
    if packets.len() as u64 != u64::from(count) || !rest.is_empty() {
        return Err(format!("{} PUBACKs for {count} messages", packets.len()));
    }
    Ok(id)
}

/// Packet ids go round, and 0 is none.
fn following(id: u16) -> u16 {
    if id == u16::MAX { 1 } else { id + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_acknowledged_in_order() {
        let mut runner = prepare();
        for count in [1, 249, 66_000] {
            assert_eq!(runner(count), Ok(Work::default()));
        }
    }

    #[test]
    fn a_wrong_acknowledgement_is_noticed() {
        let missing: fn(&mut Vec<u8>, u16) = |written, id| {
            if id != 7 {
                write_puback(written, id);
            }
        };
        let wrong: fn(&mut Vec<u8>, u16) = |written, id| write_puback(written, id.max(2));
        for write in [missing, wrong] {
            assert!(over(BATCH, write)(10).is_err());
        }
    }
}
