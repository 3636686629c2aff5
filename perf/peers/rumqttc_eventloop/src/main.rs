//! The filter on rumqttc's `AsyncClient` and `EventLoop`, over plain TCP.
//!
//! One task polls, judges and queues alerts; the event loop acknowledges inputs on receipt. It
//! must never wait for the queue that only itself empties, so a full one ends the program.

use std::env;
use std::error::Error;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, Publish, QoS};
use serde::Deserialize;

/// Alerts that wait to be sent: as many as MQTT has packet ids.
const QUEUE_ALERTS_MAX: usize = 65_535;
/// Alerts that wait to be acknowledged; the default is 100.
const INFLIGHT_MAX: u16 = 65_535;
/// Largest packet either way; the default is 10 KB.
const PACKET_BYTES_MAX: usize = 256 * 1024;
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
struct Reading {
    machine: Machine,
}

#[derive(Deserialize)]
struct Machine {
    temperature: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let threshold: f64 = env::var("LOADGEN_THRESHOLD")?.parse()?;
    let subscribe = env::var("LOADGEN_SUBSCRIBE")?;
    let publish = env::var("LOADGEN_PUBLISH")?;
    let (client, mut events) = AsyncClient::new(options()?, QUEUE_ALERTS_MAX);
    events.network_options.set_tcp_nodelay(true);
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                client.try_subscribe(&subscribe, QoS::AtLeastOnce)?;
            }
            Ok(Event::Incoming(Packet::Publish(input))) if exceeds(&input, threshold) => {
                let topic = alert_topic(&publish, &input.topic);
                client.try_publish(topic, QoS::AtLeastOnce, false, input.payload)?;
            }
            Ok(_) => {}
            Err(error) => {
                eprintln!("{error}");
                tokio::time::sleep(RECONNECT_DELAY).await;
            }
        }
    }
}

fn options() -> Result<MqttOptions, Box<dyn Error>> {
    let port = env::var("LOADGEN_PORT")?.parse()?;
    let mut options =
        MqttOptions::new(env::var("LOADGEN_CLIENT_ID")?, env::var("LOADGEN_HOST")?, port);
    options
        .set_credentials(env::var("LOADGEN_USERNAME")?, env::var("LOADGEN_PASSWORD")?)
        .set_inflight(INFLIGHT_MAX)
        .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    Ok(options)
}

fn exceeds(input: &Publish, threshold: f64) -> bool {
    serde_json::from_slice::<Reading>(&input.payload)
        .is_ok_and(|reading| reading.machine.temperature > threshold)
}

/// The sender's own properties and ours, no system ones.
fn alert_topic(prefix: &str, input_topic: &str) -> String {
    let bag = input_topic.rsplit_once('/').map_or("", |(_, bag)| bag);
    let mut topic = format!("{prefix}%24.on=output1&MessageType=Alert");
    for property in bag.split('&').filter(|text| !text.is_empty() && !text.starts_with("%24.")) {
        topic.push('&');
        topic.push_str(property);
    }
    topic
}
