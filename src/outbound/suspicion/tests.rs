use super::*;

/// A broker that hangs up on some publishes, and the table of what waits: ids, oldest first.
struct Broker {
    hated: Vec<u16>,
    /// It answers in batches: PUBACKs of what came just before a hated one are lost.
    loses_pubacks: bool,
}

impl Broker {
    /// One connection on which everything in `waiting` is sent; gives the one that was given up.
    fn connection(&self, suspicion: &mut Suspicion, waiting: &mut Vec<u16>) -> Option<u16> {
        suspicion.reconnected(waiting.len());
        suspicion.answered();
        let mut unsent = waiting.clone();
        while !unsent.is_empty() {
            let mut batch = Vec::new();
            while suspicion.may_send() && !unsent.is_empty() {
                let id = unsent.remove(0);
                suspicion.sent(id);
                batch.push(id);
            }
            assert!(!batch.is_empty(), "nothing can be sent any more");
            let hated = batch.iter().position(|id| self.hated.contains(id));
            let good = hated.unwrap_or(batch.len());
            if hated.is_none() || !self.loses_pubacks {
                for id in &batch[..good] {
                    waiting.retain(|other| other != id);
                    suspicion.acknowledged(waiting.len());
                }
            }
            if hated.is_some() {
                return suspicion.hung_up();
            }
        }
        None
    }
}

/// Exactly the hated ones are given up, within a bounded number of connections, and all others
/// arrive.
#[test]
fn the_culprits_alone_are_given_up() {
    for hated in [vec![], vec![1], vec![5], vec![10], vec![2, 3, 9]] {
        for loses_pubacks in [false, true] {
            let broker = Broker { hated: hated.clone(), loses_pubacks };
            let mut suspicion = Suspicion::default();
            let mut waiting: Vec<u16> = (1..=10).collect();
            let (mut given_up, mut connections) = (Vec::new(), 0);
            while !waiting.is_empty() {
                connections += 1;
                assert!(connections <= 20, "{hated:?} {loses_pubacks}");
                if let Some(id) = broker.connection(&mut suspicion, &mut waiting) {
                    waiting.retain(|other| *other != id);
                    given_up.push(id);
                }
            }
            assert_eq!(given_up, hated);
            suspicion.reconnected(0);
            assert!(suspicion.may_send());
        }
    }
}

/// A connection that ends for other reasons is no word about a publish: not before the peer has
/// answered, nor when only one in three ends on it.
#[test]
fn a_bad_network_gives_nothing_up() {
    let mut suspicion = Suspicion::default();
    for _ in 0..20 {
        suspicion.reconnected(2);
        if suspicion.may_send() {
            suspicion.sent(1);
        }
        assert_eq!(suspicion.hung_up(), None, "the peer never answered");
    }
    for round in 0..20 {
        suspicion.reconnected(2);
        suspicion.answered();
        assert!(suspicion.may_send());
        // After a PUBACK for the one, another is sent alone.
        let id = if round % 3 == 2 { 2 } else { 1 };
        suspicion.sent(id);
        assert!(!suspicion.may_send(), "one at a time");
        assert_eq!(suspicion.hung_up(), None, "never three times in a row the same");
    }
}

/// Where now and then a PUBACK comes, everything goes on at full speed.
#[test]
fn progress_is_no_reason_for_suspicion() {
    let mut suspicion = Suspicion::default();
    for _ in 0..20 {
        suspicion.reconnected(3);
        for id in 1..=3 {
            assert!(suspicion.may_send());
            suspicion.sent(id);
        }
        suspicion.acknowledged(2);
        assert_eq!(suspicion.hung_up(), None);
    }
}
