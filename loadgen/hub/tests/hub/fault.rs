//! The hub's faults on request.

use std::sync::Arc;

use loadgen_hub::HubFault;
use rumqttc::mqttbytes::v4::{ConnAck, ConnectReturnCode, Packet};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};

use crate::client::{Client, Credentials, tls_config};
use crate::support::{TestHub, start, start_with};

fn start_losing() -> TestHub {
    start_with(|config| config.fault = Some(HubFault::EarlyConnect))
}

/// A CONNECT in one write with the client's last flight.
fn connect_early(hub: &TestHub, config: &Arc<ClientConfig>) -> Client {
    Client::open_early(hub, config, &Credentials::of(hub, "filter").packet())
}

fn assert_accepted(answer: &Packet) {
    let Packet::ConnAck(ConnAck { code, .. }) = answer else { panic!("no CONNACK: {answer:?}") };
    assert_eq!(*code, ConnectReturnCode::Success);
}

/// TLS stands, CONNACK never comes, and the next packet is read as the first.
fn assert_lost(hub: &TestHub, client: &mut Client, lost: u64) {
    hub.until(|counters| counters.early_lost == lost);
    assert_eq!(hub.counters().connections, 0);
    assert_accepted(&Packet::ConnAck(client.login(&Credentials::of(hub, "filter"))));
    // An answer to the first one would come before this, and a second CONNECT would end it.
    client.ping();
}

#[test]
fn connect_with_the_last_flight_is_lost_in_tls_1_3() {
    let hub = start_losing();
    let mut client = connect_early(&hub, &tls_config(&hub, &[&TLS13]));
    assert_lost(&hub, &mut client, 1);
}

#[test]
fn connect_after_the_session_ticket_is_answered() {
    let hub = start_losing();
    for _ in 0..20 {
        let mut client = Client::open_with(&hub, "localhost", &[&TLS13]).unwrap();
        client.await_record();
        assert_accepted(&Packet::ConnAck(client.login(&Credentials::of(&hub, "filter"))));
    }
    assert_eq!(hub.counters().early_lost, 0);
}

/// A full handshake of TLS 1.2 ends with the server's flight, a resumed one with the client's.
#[test]
fn connect_with_the_last_flight_is_lost_in_tls_1_2_on_a_resumed_session_alone() {
    let hub = start_losing();
    let config = tls_config(&hub, &[&TLS12]);
    let mut full = connect_early(&hub, &config);
    assert_accepted(&full.receive());
    full.disconnect();
    hub.until(|counters| counters.connections == 0);
    let mut resumed = connect_early(&hub, &config);
    assert_eq!(resumed.handshake_kind(), Some(HandshakeKind::Resumed));
    assert_lost(&hub, &mut resumed, 1);
}

#[test]
fn nothing_is_lost_without_the_fault() {
    let hub = start();
    for version in [&TLS12, &TLS13] {
        let config = tls_config(&hub, &[version]);
        for _ in 0..2 {
            assert_accepted(&connect_early(&hub, &config).receive());
        }
    }
    assert_eq!(hub.counters().early_lost, 0);
}
