//! Mosquitto as a crude edgeHub: a TLS listener for the module, a plain one for the client that
//! plays the hub's part.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use rumqttc::{Client, Event, MqttOptions, Packet, Publish, QoS};
use serde_json::{Value, json};

use crate::harness::{Mosquitto, Process, patience, sluicegate};

const DEVICE: &str = "edge1";
const MODULE: &str = "filter";
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// Packets of any kind that may wait for the test to look at them.
const QUEUE: usize = 100_000;
/// Requests that may wait for the client's connection.
const REQUESTS: usize = 1_000;

/// A running Mosquitto that forgets everything when it is started again.
pub(super) struct Broker {
    mosquitto: Mosquitto,
}

impl Broker {
    /// Starts Mosquitto with a certificate of its own for `localhost`.
    pub(super) fn start() -> Self {
        Self { mosquitto: Mosquitto::start() }
    }

    /// Kills Mosquitto and starts a new one that knows nothing, on the same ports.
    pub(super) fn restart(&mut self) {
        self.mosquitto.restart_without_memory();
    }

    /// Starts the module under test against this broker.
    pub(super) fn module(&self) -> Process {
        let connection_string = format!(
            "HostName=hub.example;GatewayHostName=localhost;DeviceId={DEVICE};ModuleId={MODULE};\
             SharedAccessKey={KEY}"
        );
        let mut command = sluicegate();
        command
            .arg("run")
            .env("EdgeHubConnectionString", connection_string)
            .env("EdgeModuleCACertificateFile", self.mosquitto.file("ca.pem"))
            .env("SLUICEGATE_GATEWAY_PORT", self.mosquitto.tls_port().to_string());
        Process::spawn("sluicegate", &mut command)
    }

    /// Connects the client that plays the hub.
    pub(super) fn crude_hub(&self, twin: Value) -> CrudeHub {
        CrudeHub::connect(self.mosquitto.port(), twin)
    }
}

/// The few duties of edgeHub that a module cannot do without, on a plain MQTT client.
pub(super) struct CrudeHub {
    client: Client,
    outputs: Receiver<Publish>,
    reports: Receiver<Value>,
    twin: Arc<Mutex<Value>>,
    threads: Vec<JoinHandle<()>>,
}

impl CrudeHub {
    fn connect(port: u16, twin: Value) -> Self {
        let mut options = MqttOptions::new("crude-hub", "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(60)).set_max_packet_size(1 << 20, 1 << 20);
        let (client, connection) = Client::new(options, REQUESTS);
        let (received_tx, received) = bounded(QUEUE);
        let (outputs_tx, outputs) = bounded(QUEUE);
        let (reports_tx, reports) = bounded(QUEUE);
        let (subscribed_tx, subscribed) = bounded(8);
        let reader = std::thread::spawn(move || read(connection, &received_tx, &subscribed_tx));
        for filter in [
            format!("devices/{DEVICE}/modules/{MODULE}/messages/events/#"),
            "$iothub/twin/GET/#".to_owned(),
            "$iothub/twin/PATCH/properties/reported/#".to_owned(),
        ] {
            client.subscribe(filter, QoS::AtLeastOnce).unwrap();
            subscribed.recv_timeout(patience()).expect("mosquitto acknowledges a subscription");
        }
        let twin = Arc::new(Mutex::new(twin));
        let (answering, shared_twin) = (client.clone(), Arc::clone(&twin));
        let clerk = std::thread::spawn(move || {
            for publish in received {
                answer(&answering, publish, &shared_twin, &outputs_tx, &reports_tx);
            }
        });
        Self { client, outputs, reports, twin, threads: vec![reader, clerk] }
    }

    /// Changes what the next twin GET is answered with, without telling anybody.
    pub(super) fn set_twin(&self, twin: Value) {
        *self.twin.lock().unwrap() = twin;
    }

    /// Publishes a message to an input of the module.
    pub(super) fn deliver(&self, qos: QoS, input: &str, bag: &str, body: &str) {
        let topic = format!("devices/{DEVICE}/modules/{MODULE}/inputs/{input}/{bag}");
        self.client.publish(topic, qos, false, body).unwrap();
    }

    /// Publishes a desired patch.
    pub(super) fn patch(&self, threshold: Value, version: u64) {
        let body = json!({ "TemperatureThreshold": threshold, "$version": version });
        let topic = format!("$iothub/twin/PATCH/properties/desired/?$version={version}");
        self.client.publish(topic, QoS::AtLeastOnce, false, body.to_string()).unwrap();
    }

    /// The next message that the module sent.
    pub(super) fn next_output(&self) -> Publish {
        self.outputs.recv_timeout(patience()).expect("an output of the module")
    }

    /// The next reported patch about desired version `version`.
    pub(super) fn wait_for_report(&self, version: u64) -> Value {
        loop {
            let report = self.reports.recv_timeout(patience()).expect("a report of the module");
            if report["TemperatureThreshold"]["av"] == json!(version) {
                return report["TemperatureThreshold"].clone();
            }
        }
    }
}

impl Drop for CrudeHub {
    fn drop(&mut self) {
        // Ends the reader, whose end of the queue ends the clerk.
        let _ = self.client.disconnect();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Hands on what arrives, until the connection ends in any way.
fn read(mut connection: rumqttc::Connection, received: &Sender<Publish>, subscribed: &Sender<()>) {
    for event in connection.iter() {
        let sent = match event {
            Ok(Event::Incoming(Packet::Publish(publish))) => received.send(publish).is_ok(),
            Ok(Event::Incoming(Packet::SubAck(_))) => subscribed.send(()).is_ok(),
            Ok(_) => true,
            Err(_) => false,
        };
        if !sent {
            return;
        }
    }
}

fn answer(
    client: &Client,
    publish: Publish,
    twin: &Mutex<Value>,
    outputs: &Sender<Publish>,
    reports: &Sender<Value>,
) {
    let reply = |topic: String, body: String| {
        // A broker that went away is the test's business, not the clerk's.
        let _ = client.publish(topic, QoS::AtLeastOnce, false, body);
    };
    if let Some(rid) = publish.topic.strip_prefix("$iothub/twin/GET/?$rid=") {
        let document = twin.lock().unwrap().to_string();
        reply(format!("$iothub/twin/res/200/?$rid={rid}"), document);
    } else if let Some(rid) =
        publish.topic.strip_prefix("$iothub/twin/PATCH/properties/reported/?$rid=")
    {
        let _ = reports.send(serde_json::from_slice(&publish.payload).unwrap());
        // As edgeHub does: without a version.
        reply(format!("$iothub/twin/res/204/?$rid={rid}"), String::new());
    } else {
        let _ = outputs.send(publish);
    }
}
