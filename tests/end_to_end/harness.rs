//! What every end-to-end test shares: a hub in this process, modules as child processes, and
//! waiting on conditions with a deadline.
//!
//! Servers listen on port 0 of loopback. The SDKs cannot be told a port, so for them each hub
//! takes port 8883 of a loopback address of its own, and tests still run side by side.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use loadgen_hub::{Hub, HubConfig, HubHandle, HubMessage, UpstreamMessage};
use serde_json::{Value, json};
use sluicegate::azure::{ConnectionString, Key, Properties};
use tempfile::TempDir;

pub(crate) use gateway::{Gateway, SUBSCRIBE};
pub(crate) use program::Program;
pub(crate) use test_support::{
    Access, BROKER_PASSWORD, BROKER_USER, Mosquitto, Process, Way, Wire, nobody, patience,
    wait_until,
};

mod gateway;
mod program;

/// The module under test in every scene; the built-in manifest routes it upstream.
pub(crate) const MODULE: &str = "filter";
/// The input that the module filters.
pub(crate) const INPUT: &str = "input1";
/// The port that the SDKs dial, whatever the gateway.
const SDK_PORT: u16 = 8883;

/// A hub with a state folder of its own, both gone at the end of the test, and the program whose
/// modules and sensors it serves.
pub(crate) struct Scene {
    pub(crate) hub: HubHandle,
    program: Program,
    config: HubConfig,
    state: TempDir,
}

impl Scene {
    /// A hub that withholds acknowledgements rather than lose an upstream message.
    pub(crate) fn start(window: usize) -> Self {
        Self::start_with(|config| config.window = window)
    }

    /// As [`Scene::start`], with `change` applied to the configuration.
    pub(crate) fn start_with(change: impl FnOnce(&mut HubConfig)) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut config = HubConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state_dir: state.path().to_path_buf(),
            lossless: true,
            ..HubConfig::default()
        };
        change(&mut config);
        Self { hub: Hub::start(config.clone()).unwrap(), program: Program::host(), config, state }
    }

    /// The same with another build of the program under test.
    pub(crate) fn with_program(self, program: Program) -> Self {
        Self { program, ..self }
    }

    /// A hub where the SDKs find it: port 8883 of a loopback address of its own.
    pub(crate) fn start_for_sdk(window: usize) -> Self {
        Self::start_for_sdk_with(|config| config.window = window)
    }

    /// As [`Scene::start_for_sdk`], with `change` applied to the configuration.
    pub(crate) fn start_for_sdk_with(change: impl Fn(&mut HubConfig)) -> Self {
        // Another test may win the race for an address between the probe and the start.
        for last in 2..=250 {
            let address = IpAddr::from(Ipv4Addr::new(127, 0, 8, last));
            let listen = SocketAddr::from((address, SDK_PORT));
            if TcpListener::bind(listen).is_err() {
                continue;
            }
            let state = tempfile::tempdir().unwrap();
            let mut config = HubConfig {
                listen,
                host_name: address.to_string(),
                state_dir: state.path().to_path_buf(),
                lossless: true,
                ..HubConfig::default()
            };
            change(&mut config);
            if let Ok(hub) = Hub::start(config.clone()) {
                return Self { hub, program: Program::host(), config, state };
            }
        }
        panic!("port {SDK_PORT} is taken on every address from 127.0.8.2 to 127.0.8.250");
    }

    /// Stops the hub and starts another one with the same state folder at the same address.
    pub(crate) fn restart_hub(self) -> Self {
        self.restart_hub_with(|_| {})
    }

    /// As [`Scene::restart_hub`], with `change` applied to the configuration.
    pub(crate) fn restart_hub_with(self, change: impl FnOnce(&mut HubConfig)) -> Self {
        let Self { hub, program, mut config, state } = self;
        config.listen = hub.address();
        change(&mut config);
        hub.stop();
        Self { hub: Hub::start(config.clone()).unwrap(), program, config, state }
    }

    /// The program under test, with an empty environment and no arguments.
    pub(crate) fn program_command(&self) -> Command {
        self.program.command()
    }

    /// The command of `sluicegate run` with the environment that the hub gives the module.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.program_command();
        command
            .arg("run")
            .envs(self.hub.environment(MODULE).unwrap())
            .env("SLUICEGATE_GATEWAY_PORT", self.hub.address().port().to_string());
        command
    }

    /// The command of `sluicegate run` with the variables that the edge runtime sets, and nothing
    /// else but the port.
    pub(crate) fn runtime_command(&self) -> Command {
        let mut command = self.program_command();
        command
            .arg("run")
            .envs(self.hub.runtime_environment(MODULE).unwrap())
            .env("SLUICEGATE_GATEWAY_PORT", self.hub.address().port().to_string());
        command
    }

    /// The module's key, which the hub holds.
    pub(crate) fn module_key(&self) -> Key {
        let text = self.hub.connection_string(MODULE).unwrap();
        text.parse::<ConnectionString>().unwrap().key
    }

    /// Starts the module and waits until it has subscribed to its inputs and twin.
    pub(crate) fn filter(&self) -> Process {
        let module = Process::spawn("sluicegate", &mut self.command());
        self.wait_until_subscribed(&module);
        module
    }

    /// Waits until the module has subscribed; fails at once when its process has ended.
    pub(crate) fn wait_until_subscribed(&self, module: &Process) {
        wait_until("the module has subscribed", || {
            assert!(module.is_running(), "{} ended before it subscribed", module.name());
            self.hub.is_subscribed(MODULE)
        });
    }

    /// Sets the desired threshold and waits until the module has reported on that version.
    pub(crate) fn set_threshold(&self, value: Value) -> Value {
        let version = self.hub.set_desired(MODULE, json!({ "TemperatureThreshold": value }));
        self.wait_for_report(version.unwrap())
    }

    /// Waits until the module reported on desired version `version`; gives what it reported.
    pub(crate) fn wait_for_report(&self, version: u64) -> Value {
        let mut report = Value::Null;
        wait_until(&format!("the module reports on desired version {version}"), || {
            let twin = self.hub.twin(MODULE).unwrap();
            report = twin["reported"]["TemperatureThreshold"].clone();
            report["av"] == json!(version)
        });
        report
    }

    /// One of the counters that the module's method `stats` answers with.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        // While the module reconnects there is nobody to answer.
        let deadline = Instant::now() + patience();
        loop {
            match self.hub.call_method(MODULE, "stats", Value::Null, Duration::from_secs(1)) {
                Ok((200, stats)) => return stats["counters"][name].as_u64().expect("a counter"),
                other => assert!(Instant::now() < deadline, "no statistics: {other:?}"),
            }
        }
    }

    /// Delivers messages to the filtered input.
    pub(crate) fn deliver(&self, messages: Vec<HubMessage>) {
        self.hub.deliver(MODULE, INPUT, messages).unwrap();
    }

    /// Waits until the module has acknowledged every input message.
    pub(crate) fn wait_until_all_acknowledged(&self) {
        wait_until("every input message is acknowledged", || self.stored() == 0);
    }

    /// Input messages that the module has not acknowledged, delivered or not.
    pub(crate) fn stored(&self) -> usize {
        self.hub.stored(MODULE)
    }

    /// Whether the module is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.hub.is_connected(MODULE)
    }

    /// The next `count` messages that go upstream.
    pub(crate) fn take(&self, count: usize) -> Vec<UpstreamMessage> {
        let upstream = self.hub.upstream();
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            match upstream.recv_timeout(patience()) {
                Ok(message) => taken.push(message),
                Err(error) => panic!("{error} after {} of {count} upstream messages", taken.len()),
            }
        }
        taken
    }

    /// Fails if a message is on its way upstream although every input is acknowledged.
    pub(crate) fn assert_nothing_more_upstream(&self) {
        self.wait_until_all_acknowledged();
        // An input is acknowledged after its forward was, so nothing can still be under way.
        let extra = self.hub.upstream().try_recv();
        assert!(extra.is_err(), "an unexpected message went upstream: {extra:?}");
    }
}

/// The `sluicegate` program of these sources: see [`Program::command`].
pub(crate) fn sluicegate() -> Command {
    Program::host().command()
}

/// The folder where `tests/run tools` puts the SDKs.
pub(crate) fn tools_dir() -> PathBuf {
    test_support::root().join("target/interop")
}

/// A message for an input.
pub(crate) fn message(body: impl Into<Bytes>, properties: &[(&str, &str)]) -> HubMessage {
    let mut bag = Properties::default();
    for (name, value) in properties {
        bag.set(name, Some(value));
    }
    HubMessage { body: body.into(), properties: bag }
}

/// A body in the shape of the simulated temperature sensor.
pub(crate) fn reading(temperature: impl std::fmt::Display) -> String {
    format!(
        concat!(
            r#"{{"machine":{{"temperature":{temperature},"pressure":1.5}}"#,
            r#","ambient":{{"temperature":20.7,"humidity":25}}"#,
            r#","timeCreated":"2020-06-01T12:00:00.1234567Z"}}"#
        ),
        temperature = temperature
    )
}

/// A sensor reading that carries its number as the property `n`.
pub(crate) fn numbered(n: usize, temperature: impl std::fmt::Display) -> HubMessage {
    message(reading(temperature), &[("n", &n.to_string())])
}

/// The numbers of messages made by [`numbered`], in the order of arrival.
pub(crate) fn numbers(messages: &[UpstreamMessage]) -> Vec<usize> {
    messages.iter().map(number).collect()
}

/// The number of a message made by [`numbered`].
pub(crate) fn number(message: &UpstreamMessage) -> usize {
    property(message, "n").expect("a number").parse().unwrap()
}

/// A property of an upstream message.
pub(crate) fn property<'a>(message: &'a UpstreamMessage, name: &str) -> Option<&'a str> {
    message.properties.get(name).flatten()
}

/// Takes upstream messages until every number in `expected` was seen at least once; gives all.
pub(crate) fn take_until_seen(scene: &Scene, expected: &BTreeSet<usize>) -> Vec<usize> {
    let mut missing = expected.clone();
    let mut seen = Vec::new();
    while !missing.is_empty() {
        let n = number(&scene.take(1)[0]);
        missing.remove(&n);
        seen.push(n);
    }
    seen
}
