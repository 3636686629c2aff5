//! What is written is what was found.

use loadgen_load::outcome::{Document, FORMAT};
use loadgen_load::settings::{Arrivals, Pace, Profile, Target};

use crate::support::{LOADGEN, alone, assert_clean, loadgen_run, sink};

/// The file of a run over TLS with everything that can be asked is read back as it was written.
#[test]
fn a_file_reads_back_as_it_was_written() {
    let _alone = alone();
    let flags = ["--rate", "5k", "--arrivals", "poisson", "--burst", "100ms/500ms", "--for", "1s"];
    let more = ["--warm-up", "200ms", "--size", "300", "--seed", "7", "--sensors", "3"];
    let ran = loadgen_run(&[&flags[..], &more].concat(), &sink(&[]));
    let outcome = ran.outcome();
    assert_clean(&outcome.counts);
    assert_eq!(ran.exit_code(), i32::from(outcome.verdict.standing.exit_code()), "{}", ran.stderr);

    let document = ran.document.as_ref().unwrap();
    assert_eq!((document.format, document.loadgen.as_str()), (FORMAT, env!("CARGO_PKG_VERSION")));
    let text = serde_json::to_string(document).unwrap();
    assert_eq!(&serde_json::from_str::<Document>(&text).unwrap(), document);

    let settings = &outcome.settings;
    let Target::Hub { plain: false, command, .. } = &settings.target else {
        panic!("{settings:?}")
    };
    assert_eq!(command, &[LOADGEN, "sink"]);
    let Pace::Open { rate: 5000.0, arrivals: Arrivals::Poisson, burst: Some(burst) } =
        settings.pace
    else {
        panic!("{settings:?}")
    };
    assert_eq!((burst.on.as_millis(), burst.period.as_millis()), (100, 500));
    let traffic = &settings.traffic;
    assert_eq!((traffic.seed, traffic.sensors, &traffic.profile), (7, 3, &Profile::Simulated));

    assert!((outcome.traffic.body_bytes_mean - 300.0).abs() < 1e-9, "{:?}", outcome.traffic);
    let latency = outcome.latency.as_ref().unwrap();
    let sent_in_seconds: u64 = outcome.series.iter().map(|second| second.sent).sum();
    assert_eq!(sent_in_seconds, outcome.counts.sent);
    assert!(latency.count > 0 && latency.count < outcome.counts.alerts_correct);
    let cost = outcome.cost.as_ref().unwrap();
    assert!(cost.cpu_ns_per_message > 0.0 && cost.rss_peak_kib > 1000 && cost.threads > 0);
    assert!(outcome.startup_ms.is_some_and(|ms| ms > 0.0 && ms < 60_000.0), "{outcome:?}");
}
