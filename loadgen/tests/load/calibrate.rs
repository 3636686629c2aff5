//! The instrument measures itself.

use std::process::Command;

use loadgen_load::outcome::{Document, Finding};

use crate::support::{LOADGEN, alone};

/// Clock, punctuality and both drives are told, in a table and in a file, and hang together. How
/// fast it is depends on the machine and the build, and is no test's business.
#[test]
fn a_calibration_hangs_together() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calibration.json");
    let ran = Command::new(LOADGEN)
        .args(["calibrate", "--for", "300ms", "--json"])
        .arg(&file)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{stderr}");
    let stdout = String::from_utf8(ran.stdout).unwrap();
    for words in ["clock: steps of", "pauses of a busy thread", "QoS 0", "QoS 1"] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    let document: Document = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let Finding::Calibrate(found) = document.result else { panic!("{:?}", document.result) };
    assert!(found.clock_resolution_ns > 0 && found.clock_read_ns > 0.0, "{found:?}");
    // A sleep never ends early, and 300 ms hold at most 300 sleeps of 1 ms.
    assert!((1..=300).contains(&found.sleep_overrun.count), "{:?}", found.sleep_overrun);
    for drive in [found.qos0, found.qos1] {
        assert!(drive.rate > 1_000.0 && drive.own_cpu_ns_per_message > 1.0, "{drive:?}");
        let on_one_core = 1e9 / drive.own_cpu_ns_per_message;
        assert!((drive.rate_per_core / on_one_core - 1.0).abs() < 1e-6, "{drive:?}");
        // It cannot send more than its thread has time for.
        assert!(drive.rate <= drive.rate_per_core * 1.05, "{drive:?}");
        assert!(drive.sink_cpu_share > 0.0, "{drive:?}");
    }
}
