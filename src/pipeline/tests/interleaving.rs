//! The pipeline against a model, with every order in which connections and parsers can take turns.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// One thing that connections do with the pipeline.
#[derive(Debug, Clone)]
enum Step {
    /// A read brought these temperatures; with so many bytes more each the pool may judge them.
    Receive(SourceId, Vec<i32>, usize),
    Advance,
    TakeAlerts(usize),
    /// The PUBACK of one of those that were taken.
    PubAck(prop::sample::Index),
    Release(SourceId),
}

fn step() -> impl Strategy<Value = Step> {
    let source = || prop::sample::select(SourceId::ALL.to_vec());
    let temperatures = prop::collection::vec(prop::sample::select(vec![9, 25, 26, 99]), 1..12);
    prop_oneof![
        3 => (source(), temperatures, prop::sample::select(vec![0, 9_000]))
            .prop_map(|(source, temperatures, pad)| Step::Receive(source, temperatures, pad)),
        3 => Just(Step::Advance),
        2 => (1usize..9).prop_map(Step::TakeAlerts),
        4 => any::<prop::sample::Index>().prop_map(Step::PubAck),
        2 => source().prop_map(Step::Release),
    ]
}

/// What the pipeline did, and all that it may do.
#[derive(Default)]
struct Model {
    /// By source: packet ids in order of receipt, those of alerts, and what became of them.
    received: [Vec<u16>; 2],
    hot: [Vec<u16>; 2],
    left: [Vec<u16>; 2],
    released: [Vec<u16>; 2],
    /// Settled by a PUBACK.
    forwarded: [HashSet<u16>; 2],
    /// Taken and without PUBACK.
    taken: Vec<Alert>,
}

impl Model {
    fn apply(&mut self, rig: &mut Rig, step: Step) {
        match step {
            Step::Receive(source, temperatures, pad) => {
                let received = &mut self.received[source as usize];
                let first = u16::try_from(received.len() + 1).unwrap();
                let messages: Vec<_> = (first..).zip(temperatures).collect();
                received.extend(messages.iter().map(|(id, _)| id));
                let hot = messages.iter().filter(|(_, temperature)| *temperature > 25);
                self.hot[source as usize].extend(hot.map(|(id, _)| id));
                rig.receive(source, &messages, pad);
            }
            Step::Advance => rig.advance(),
            Step::TakeAlerts(count) => {
                for alert in std::iter::from_fn(|| rig.pipeline.next_alert()).take(count) {
                    self.left[alert.source as usize].push(alert.origin().parse().unwrap());
                    self.taken.push(alert);
                }
            }
            Step::PubAck(_) if self.taken.is_empty() => {}
            Step::PubAck(pick) => {
                let alert = self.taken.swap_remove(pick.index(self.taken.len()));
                rig.pipeline.forwarded(&alert);
                let id = alert.origin().parse().unwrap();
                assert!(self.forwarded[alert.source as usize].insert(id), "{id} left twice");
            }
            Step::Release(source) => {
                let ids = rig.released(source);
                for id in &ids {
                    let is_hot = self.hot[source as usize].contains(id);
                    let is_forwarded = self.forwarded[source as usize].contains(id);
                    assert!(!is_hot || is_forwarded, "{id} was released before its PUBACK");
                }
                self.released[source as usize].extend(ids);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// However the connections take turns, whatever the pool judges when, and in whatever order
    /// PUBACKs come: every alert leaves once and in order of its source, and every packet id is
    /// released once, in order of receipt, never before the PUBACK of its alert.
    #[test]
    fn everything_leaves_once_and_in_order(steps in prop::collection::vec(step(), 1..120)) {
        let mut rig = rig(2, usize::MAX);
        let mut model = Model::default();
        for step in steps {
            model.apply(&mut rig, step);
        }
        let deadline = Instant::now() + PATIENCE;
        while !(rig.pipeline.is_drained() && model.taken.is_empty()) {
            prop_assert!(Instant::now() < deadline, "{:?}", rig.pipeline.held_in_all());
            model.apply(&mut rig, Step::Advance);
            model.apply(&mut rig, Step::TakeAlerts(usize::MAX));
            for alert in model.taken.drain(..) {
                rig.pipeline.forwarded(&alert);
                let id = alert.origin().parse().unwrap();
                prop_assert!(model.forwarded[alert.source as usize].insert(id));
            }
            std::thread::yield_now();
        }
        for source in SourceId::ALL {
            model.apply(&mut rig, Step::Release(source));
        }
        prop_assert_eq!(&model.left, &model.hot);
        prop_assert_eq!(&model.released, &model.received);
        prop_assert_eq!(rig.pipeline.held_in_all(), Held::default());
        prop_assert_eq!(rig.pipeline.stop().unacknowledged, 0);
    }
}
