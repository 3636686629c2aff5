//! Through a module of `loadgen hub --durable`, which is a process: a source publishes to the
//! module's input, and its output goes to a sink.
//!
//! The source keeps what has no PUBACK of the hub. What has one is the hub's to keep.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rumqttc::mqttbytes::v4::{Connect, Login, Packet};
use rustls::ClientConfig;
use sluicegate::azure::{ConnectionString, sign_token};
use tempfile::TempDir;
use test_support::{Client, Process, Wire, program, tls_trusting, wait_until};

use crate::books::Message;
use crate::source::Source;
use crate::stream::{Way, Wired};

/// What `source` sends goes to `filter`, what that lets through to `sink`.
const MANIFEST: &str = concat!(
    r#"{"modulesContent": {
    "$edgeAgent": {"properties.desired": {"modules": {
      "source": {"settings": {"image": "x"}}, "sink": {"settings": {"image": "x"}},
      "filter": {"settings": {"image": "x"}}}}},
    "$edgeHub": {"properties.desired": {"routes": {
      "a": "FROM /messages/modules/source/outputs/out INTO "#,
    r#"BrokeredEndpoint(\"/modules/filter/inputs/input1\")",
      "b": "FROM /messages/modules/filter/outputs/* INTO "#,
    r#"BrokeredEndpoint(\"/modules/sink/inputs/in\")"}}}}}"#
);
/// Messages that the hub may have under way.
const WINDOW: &str = "200";
/// What was acknowledged to the hub, and is not on its disk yet: more than it writes at once here.
const IN_DOUBT: u64 = 2_000;
/// How long a look for alerts takes.
const LOOK: Duration = Duration::from_millis(1);
const CONNECTION_STRING: &str = "EdgeHubConnectionString";

/// A module of the hub: who it is and whom it trusts.
struct Peer {
    identity: ConnectionString,
    tls: Arc<ClientConfig>,
    port: u16,
}

impl Peer {
    fn of(state: &Path, name: &str, port: u16) -> Self {
        let variables = variables(state, name);
        let identity = variables[CONNECTION_STRING].parse().unwrap();
        Self { identity, tls: tls_trusting(&state.join("ca.pem")), port }
    }

    fn topic(&self, rest: &str) -> String {
        let identity = &self.identity.identity;
        let module = identity.module.as_deref().unwrap();
        format!("devices/{}/modules/{module}/{rest}", identity.device)
    }

    /// A connection with a kept session, past CONNACK.
    fn connect(&self) -> io::Result<Client> {
        let ConnectionString { identity, key, .. } = &self.identity;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut connect = Connect::new(identity.client_id());
        connect.clean_session = false;
        connect.keep_alive = 120;
        let password = sign_token(key, &identity.resource(), now + 3600, None);
        connect.login = Some(Login::new(identity.username("test", None), password));
        Client::connect(self.port, Some(&self.tls), connect)
    }

    fn listen(&self) -> io::Result<Client> {
        let mut client = self.connect()?;
        client.subscribe(&self.topic("inputs/#"))?;
        Ok(client)
    }
}

/// What `loadgen env` says of a module.
fn variables(state: &Path, name: &str) -> BTreeMap<String, String> {
    let mut command = Command::new(program("loadgen"));
    let output = command.args(["env", name, "--state"]).arg(state).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let pair = |line: &str| {
        let (name, value) = line.trim_start_matches("export ").split_once('=')?;
        Some((name.to_owned(), value.trim_matches('\'').to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// A hub, a wire to it, a module that dials the wire, and both its neighbours.
pub(crate) struct DurableWay {
    module: Process,
    wire: Wire,
    pub(crate) hub: Process,
    port: u16,
    variables: BTreeMap<String, String>,
    source: Source,
    sender: Peer,
    sink: Peer,
    receiver: Option<Client>,
    folder: TempDir,
}

impl DurableWay {
    /// Kills the hub, if it still runs, and starts it again.
    pub(crate) fn restart_hub(&mut self) {
        if self.hub.is_running() {
            self.hub.kill();
        }
        self.hub = start_hub(self.folder.path(), self.port);
    }
}

fn start_hub(folder: &Path, port: u16) -> Process {
    let mut command = Command::new(program("loadgen"));
    command.args(["hub", "--durable", "--no-simulator", "--window", WINDOW, "--manifest"]);
    command.arg(folder.join("manifest.json")).arg("--state").arg(folder.join("hub"));
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    let hub = Process::spawn("loadgen hub", &mut command);
    hub.wait_for_line(&["hub listening on "]);
    hub
}

fn command(wire: &Wire, variables: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(program("sluicegate"));
    command.env_clear().arg("run").envs(variables);
    command.env("SLUICEGATE_GATEWAY_PORT", wire.port().to_string());
    command
}

impl Way for DurableWay {
    fn give(&mut self, messages: Vec<Message>) {
        self.source.keep(messages);
    }

    fn take(&mut self) -> Vec<Vec<u8>> {
        let topic = self.sender.topic("messages/events/%24.on=out");
        let connect = || Some(self.sender.connect());
        for key in self.source.turn(connect, |_| topic.clone()) {
            self.source.forget(key);
        }
        let mut came = Vec::new();
        if self.receiver.is_none() {
            self.receiver = self.sink.listen().ok();
        }
        let Some(client) = &mut self.receiver else { return came };
        loop {
            match client.receive(LOOK) {
                Ok(Some(Packet::Publish(alert))) => {
                    came.push(alert.payload.to_vec());
                    // One that is lost makes it come again, once the connection is made again.
                    let _ = client.acknowledge(alert.pkid);
                }
                Ok(Some(_)) => {}
                Ok(None) => return came,
                Err(_) => {
                    self.receiver = None;
                    return came;
                }
            }
        }
    }

    fn unacknowledged(&mut self) -> u64 {
        self.source.kept()
    }

    fn may_come_again_since(&mut self, _sent: u64, settled: u64) -> u64 {
        settled.saturating_sub(IN_DOUBT)
    }
}

impl Wired for DurableWay {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("manifest.json"), MANIFEST).unwrap();
        let hub = start_hub(folder.path(), 0);
        let line = hub.wait_for_line(&["hub listening on "]);
        let address = line.rsplit("listening on ").next().unwrap().split(',').next().unwrap();
        let port = address.parse::<std::net::SocketAddr>().unwrap().port();
        let state = folder.path().join("hub");
        let variables = variables(&state, "filter");
        let wire = Wire::before(port);
        let module = Process::spawn("sluicegate", &mut command(&wire, &variables));
        let (sender, sink) = (Peer::of(&state, "source", port), Peer::of(&state, "sink", port));
        let (source, receiver) = (Source::default(), None);
        let mut way =
            Self { module, wire, hub, port, variables, source, sender, sink, receiver, folder };
        way.wait_until_ready();
        way
    }

    fn wire(&self) -> &Wire {
        &self.wire
    }

    fn module(&mut self) -> &mut Process {
        &mut self.module
    }

    fn start_module(&mut self) {
        self.module = Process::spawn("sluicegate", &mut command(&self.wire, &self.variables));
    }

    fn wait_until_ready(&mut self) {
        wait_until("the module is connected", || {
            assert!(self.module.is_running(), "the module ended before it subscribed");
            self.module.count("connected to ") > 0
        });
    }
}
