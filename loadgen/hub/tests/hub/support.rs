//! Hubs for tests.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use loadgen_hub::manifest::{Manifest, Variables};
use loadgen_hub::{Hub, HubConfig, HubCounters, HubHandle, HubMessage};
use sluicegate::azure::Properties;
use tempfile::TempDir;

use crate::client::PATIENCE;

/// Modules `source`, `filter` and `other`; the device `leaf`. What `source` sends to `out` goes to
/// `filter`'s `in`; to `both`, to `filter` and `other`; what `filter` sends, upstream.
const MANIFEST: &str = concat!(
    r#"{
  "devices": ["leaf"],
  "modulesContent": {
    "$edgeAgent": {"properties.desired": {"modules": {
      "source": {"settings": {"image": "x"}},
      "filter": {"settings": {"image": "x"}},
      "other": {"settings": {"image": "x"}}}}},
    "$edgeHub": {"properties.desired": {"routes": {
      "a": "FROM /messages/modules/source/outputs/out INTO "#,
    r#"BrokeredEndpoint(\"/modules/filter/inputs/in\")",
      "b": "FROM /messages/modules/source/outputs/both INTO "#,
    r#"BrokeredEndpoint(\"/modules/filter/inputs/in\")",
      "c": "FROM /messages/modules/source/outputs/both INTO "#,
    r#"BrokeredEndpoint(\"/modules/other/inputs/in 2\")",
      "d": "FROM /messages/modules/filter/* INTO $upstream",
      "e": "FROM /messages/events INTO $upstream"}}},
    "filter": {"properties.desired": {"level": 25}}}}"#
);

/// A hub and its state folder.
pub(crate) struct TestHub {
    pub(crate) hub: HubHandle,
    pub(crate) dir: TempDir,
}

impl std::ops::Deref for TestHub {
    type Target = HubHandle;
    fn deref(&self) -> &HubHandle {
        &self.hub
    }
}

pub(crate) fn manifest() -> Manifest {
    Manifest::parse(MANIFEST, &Variables::default()).unwrap()
}

pub(crate) fn config(dir: &Path) -> HubConfig {
    HubConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        state_dir: dir.to_owned(),
        manifest: manifest(),
        retry_backoff: Duration::from_millis(10),
        publish_timeout: PATIENCE,
        ..HubConfig::default()
    }
}

/// A hub whose device is nobody else's, so that its lines in the log can be told, and that device.
pub(crate) fn start_logged(change: impl FnOnce(&mut HubConfig)) -> (TestHub, String) {
    static DEVICES: AtomicUsize = AtomicUsize::new(0);
    crate::log::start();
    let device = format!("device-{}", DEVICES.fetch_add(1, Ordering::Relaxed));
    let hub = start_with(|config| {
        config.manifest.device.clone_from(&device);
        change(config);
    });
    (hub, device)
}

/// A hub with some settings changed.
pub(crate) fn start_with(change: impl FnOnce(&mut HubConfig)) -> TestHub {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    change(&mut config);
    TestHub { hub: Hub::start(config).unwrap(), dir }
}

pub(crate) fn start() -> TestHub {
    start_with(|_| {})
}

impl TestHub {
    /// Stops the hub and starts another one in the same folder.
    pub(crate) fn restart(self) -> TestHub {
        let Self { hub, dir } = self;
        hub.stop();
        TestHub { hub: Hub::start(config(dir.path())).unwrap(), dir }
    }

    /// Waits until the counters satisfy a condition.
    pub(crate) fn until(&self, condition: impl Fn(&HubCounters) -> bool) -> HubCounters {
        let mut last = self.counters();
        wait(|| {
            last = self.counters();
            condition(&last)
        });
        last
    }
}

/// Waits for a condition, as long as tests are patient.
pub(crate) fn wait(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "the condition did not come true");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A message with properties.
pub(crate) fn message(body: &str, properties: &[(&str, Option<&str>)]) -> HubMessage {
    let mut bag = Properties::new();
    for (name, value) in properties {
        bag.set(name, *value);
    }
    HubMessage { body: Bytes::copy_from_slice(body.as_bytes()), properties: bag }
}

/// Messages with the bodies "0", "1", ...
pub(crate) fn numbered(count: usize) -> Vec<HubMessage> {
    (0..count).map(|n| message(&n.to_string(), &[])).collect()
}
