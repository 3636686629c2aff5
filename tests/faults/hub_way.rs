//! Through a module of a local hub: this process has the hub, and a wire stands before it.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use loadgen_hub::{Hub, HubConfig, HubHandle, HubMessage};
use sluicegate::azure::Properties;
use tempfile::TempDir;
use test_support::{Process, Wire, program, wait_until};

use crate::books::Message;
use crate::stream::{Way, Wired};

/// The module under test; the built-in manifest routes it upstream.
pub(crate) const MODULE: &str = "filter";
/// The input that it filters.
const INPUT: &str = "input1";
/// Messages that the hub may have under way.
pub(crate) const WINDOW: usize = 200;

/// A hub, a wire to it, and a module that dials the wire.
pub(crate) struct HubWay {
    module: Process,
    wire: Wire,
    pub(crate) hub: HubHandle,
    /// Nobody takes what comes out.
    pub(crate) is_stalled: bool,
    /// Messages that the hub keeps at most.
    pub(crate) kept_max: usize,
    variables: Vec<(String, String)>,
    _state: TempDir,
}

impl HubWay {
    /// With more variables of the module, and `change` applied to the hub's configuration.
    pub(crate) fn start_with(
        variables: &[(&str, &str)],
        change: impl FnOnce(&mut HubConfig),
    ) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut config = HubConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            state_dir: state.path().to_path_buf(),
            lossless: true,
            window: WINDOW,
            ..HubConfig::default()
        };
        change(&mut config);
        let hub = Hub::start(config).unwrap();
        let wire = Wire::before(hub.address().port());
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = variables.iter().map(owned).collect();
        let module = Process::spawn("sluicegate", &mut command(&hub, &wire, &variables));
        let kept_max = usize::MAX;
        let is_stalled = false;
        let mut way = Self { module, wire, hub, is_stalled, kept_max, variables, _state: state };
        way.wait_until_ready();
        way
    }

    /// The command of the module, with the environment that the hub gives it.
    pub(crate) fn command(&self) -> Command {
        command(&self.hub, &self.wire, &self.variables)
    }
}

fn command(hub: &HubHandle, wire: &Wire, variables: &[(String, String)]) -> Command {
    let mut command = Command::new(program("sluicegate"));
    command.env_clear().arg("run");
    command
        .envs(hub.environment(MODULE).unwrap())
        .env("SLUICEGATE_GATEWAY_PORT", wire.port().to_string())
        .envs(variables.iter().cloned());
    command
}

impl Way for HubWay {
    fn give(&mut self, messages: Vec<Message>) {
        let of_hub = |message: Message| HubMessage {
            body: message.body.into(),
            properties: Properties::default(),
        };
        let messages = messages.into_iter().map(of_hub).collect();
        self.hub.deliver(MODULE, INPUT, messages).unwrap();
    }

    fn take(&mut self) -> Vec<Vec<u8>> {
        if self.is_stalled {
            return Vec::new();
        }
        self.hub.upstream().try_iter().map(|message| message.body.to_vec()).collect()
    }

    fn is_full(&mut self) -> bool {
        self.kept_max < usize::MAX && self.hub.stored(MODULE) >= self.kept_max
    }

    fn unacknowledged(&mut self) -> u64 {
        self.hub.stored(MODULE) as u64
    }
}

impl Wired for HubWay {
    fn start() -> Self {
        Self::start_with(&[], |_| {})
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn module(&mut self) -> &mut Process {
        &mut self.module
    }

    fn start_module(&mut self) {
        self.module = Process::spawn("sluicegate", &mut self.command());
    }

    fn wait_until_ready(&mut self) {
        wait_until("the module has subscribed", || {
            assert!(self.module.is_running(), "the module ended before it subscribed");
            self.hub.is_subscribed(MODULE)
        });
    }
}
