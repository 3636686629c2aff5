//! A proxy that is dead, slow, or something else, between a module and a local hub: MQTT over
//! WebSocket, over TLS, through CONNECT.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use loadgen_hub::{Hub, HubConfig, HubHandle, HubMessage};
use sluicegate::azure::Properties;
use tempfile::TempDir;
use test_support::proxy::{Proxy, ProxyManner};
use test_support::{Process, program, wait_until};

use crate::books::Message;
use crate::fault::Fault;
use crate::hub_way::{MODULE, WINDOW};
use crate::stream::{Stream, Way};
use crate::trial::Trial;

const INPUT: &str = "input1";
/// Messages a second. Few: what gathers in a minute is worked off over TLS, by debug builds.
const RATE: f64 = 100.0;

pub(crate) fn faults() -> Vec<Fault> {
    let row = Fault::logging;
    vec![
        row(
            "peer/proxy-dead",
            "the proxy takes CONNECT and says nothing",
            dead,
            &["no way through"],
        ),
        row("peer/proxy-slow", "the proxy opens each way 2 s late", slow, &["connected to"]),
        row(
            "peer/proxy-garbage",
            "the proxy says what is no HTTP, closes in mid-answer or at once, or answers 502",
            garbage,
            &["no HTTP", "did not answer", "502"],
        ),
    ]
}

/// A hub, a proxy before it, and a module that knows no other way.
struct ProxyWay {
    module: Process,
    proxy: Proxy,
    hub: HubHandle,
    _state: TempDir,
}

impl ProxyWay {
    fn start() -> Self {
        let state = tempfile::tempdir().unwrap();
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let hub = Hub::start(HubConfig {
            listen: anywhere,
            listen_websocket: Some(anywhere),
            state_dir: state.path().to_path_buf(),
            lossless: true,
            window: WINDOW,
            ..HubConfig::default()
        })
        .unwrap();
        let port = hub.websocket_address().unwrap().port();
        let proxy = Proxy::before(port);
        let mut command = Command::new(program("sluicegate"));
        command.env_clear().args(["run", "--websocket"]).envs(hub.environment(MODULE).unwrap());
        command.env("HTTPS_PROXY", proxy.url());
        command.env("SLUICEGATE_GATEWAY_PORT", port.to_string());
        command.env("SLUICEGATE_REFUSED_DIR", state.path().join("refused"));
        let module = Process::spawn("sluicegate", &mut command);
        wait_until("the module has subscribed", || {
            assert!(module.is_running(), "the module ended before it subscribed");
            hub.is_subscribed(MODULE)
        });
        Self { module, proxy, hub, _state: state }
    }
}

impl Way for ProxyWay {
    fn give(&mut self, messages: Vec<Message>) {
        let messages = messages.into_iter().map(|message| HubMessage {
            body: message.body.into(),
            properties: Properties::default(),
        });
        self.hub.deliver(MODULE, INPUT, messages.collect()).unwrap();
    }

    fn take(&mut self) -> Vec<Vec<u8>> {
        self.hub.upstream().try_iter().map(|message| message.body.to_vec()).collect()
    }

    fn unacknowledged(&mut self) -> u64 {
        self.hub.stored(MODULE) as u64
    }
}

/// The proxy is so for a time, and the connections that it has end.
fn manners(trial: &mut Trial, time: Duration, manners: &[ProxyManner]) {
    trial.at_once(manners, |manner, trial| {
        let mut stream = Stream::of(ProxyWay::start(), trial, RATE, None);
        stream.run_for(Duration::from_millis(200));
        stream.inject(trial, |stream, _| {
            stream.way.proxy.is(*manner);
            stream.run_for(time);
            stream.way.proxy.is(ProxyManner::Opens);
        });
        let way = stream.finish(trial);
        assert!(way.module.is_running(), "the module has ended");
        trial.observe(&way.module);
    });
}

fn dead(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(7), Duration::from_secs(60));
    manners(trial, time, &[ProxyManner::Silent]);
}

fn slow(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(4), Duration::from_secs(60));
    manners(trial, time, &[ProxyManner::Late(Duration::from_secs(2))]);
}

fn garbage(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(3), Duration::from_secs(60));
    manners(
        trial,
        time,
        &[
            ProxyManner::Says(b"220 smtp ready\r\n"),
            ProxyManner::Says(b"HTTP/1.1 200 Conn"),
            ProxyManner::Says(b""),
            ProxyManner::Says(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n"),
        ],
    );
}
