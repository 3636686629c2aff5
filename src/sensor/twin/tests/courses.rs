//! Courses of any kind: patches that come or are lost, documents, reconnects, and any bytes.

use super::*;

/// A hub's side of the twin, and a device that acknowledges at once.
#[derive(Default)]
struct Hub {
    version: u64,
    desired: Map<String, Value>,
    reported: Map<String, Value>,
    /// Asked for and not answered: the request id, and the document at that time.
    asked: Option<(String, Vec<u8>)>,
    acted: Vec<Wanted>,
}

impl Hub {
    fn document(&self) -> Vec<u8> {
        let mut desired = self.desired.clone();
        desired.insert("$version".to_owned(), json!(self.version));
        json!({ "desired": desired, "reported": self.reported }).to_string().into_bytes()
    }

    /// The patch that sets a property.
    fn set(&mut self, property: Writable, value: u64) -> Vec<u8> {
        self.version += 1;
        self.desired.insert(property.name().to_owned(), json!(value));
        json!({ property.name(): value, "$version": self.version }).to_string().into_bytes()
    }

    fn take(&mut self, wanted: Result<Vec<Wanted>, String>) {
        for wanted in wanted.expect("well-formed") {
            let raw = wanted.raw.as_deref().unwrap_or("null");
            let value: Value = serde_json::from_str(raw).expect("JSON");
            // A value that the template does not take is refused.
            let (value, code) = match wanted.property.check(raw) {
                Ok(value) => (value, 200),
                Err(_) => (json!({ "not": value }), 400),
            };
            let report = json!({ "value": value, "ac": code, "av": wanted.version });
            self.reported.insert(wanted.property.name().to_owned(), report);
            self.acted.push(wanted);
        }
    }

    fn receive(&mut self, bench: &mut Bench) {
        if let Some((topic, _)) = bench.request() {
            self.asked = Some((Bench::rid(&topic), self.document()));
        }
    }

    fn answer(&mut self, bench: &mut Bench) {
        if let Some((rid, document)) = self.asked.take() {
            let wanted = bench.twin.response(200, &rid, &document, bench.now);
            self.take(wanted);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Set(usize),
    Lose(usize),
    Receive,
    TwinAnswer,
    Reconnect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..2usize).prop_map(Step::Set),
        (0..2usize).prop_map(Step::Lose),
        Just(Step::Receive),
        Just(Step::TwinAnswer),
        Just(Step::Reconnect),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    /// Whatever is lost, overtaken or cut off: after a reconnect whose GET is answered the device
    /// has acted last on what the twin says, and on no version of a property twice.
    #[test]
    fn the_device_ends_where_the_twin_is(steps in steps()) {
        let (mut bench, mut hub) = (bench(), Hub { version: 1, ..Hub::default() });
        for (value, step) in (0..).zip(steps) {
            match step {
                Step::Set(index) => {
                    let patch = hub.set(Writable::ALL[index], value);
                    let wanted = bench.twin.patch(None, &patch);
                    hub.take(wanted);
                }
                Step::Lose(index) => drop(hub.set(Writable::ALL[index], value)),
                Step::Receive => hub.receive(&mut bench),
                Step::TwinAnswer => hub.answer(&mut bench),
                Step::Reconnect => {
                    hub.asked = None;
                    bench.twin.connected();
                }
            }
        }
        hub.asked = None;
        bench.twin.connected();
        hub.receive(&mut bench);
        hub.answer(&mut bench);
        for property in Writable::ALL {
            let acted: Vec<_> =
                hub.acted.iter().filter(|wanted| wanted.property == property).collect();
            let last = acted.last().and_then(|wanted| wanted.raw.clone());
            prop_assert_eq!(last, hub.desired.get(property.name()).map(Value::to_string));
            prop_assert!(acted.windows(2).all(|pair| pair[0].version < pair[1].version));
        }
    }

    /// For any bytes from the hub there is no panic, and the twin can still be read.
    #[test]
    fn any_bytes_leave_it_usable(bodies in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let mut bench = started();
        for body in bodies {
            let _ = bench.twin.patch(None, &body);
            if let Some((topic, _)) = bench.request() {
                let _ = bench.twin.response(200, &Bench::rid(&topic), &body, bench.now);
            }
            bench.now += TWIN_ANSWER_WAIT_MAX;
        }
        bench.twin.connected();
        let wanted = bench.document(r#"{"desired":{"name":"a","$version":2}}"#);
        prop_assert_eq!(wanted, [name(json!("a"), 2)]);
    }
}
