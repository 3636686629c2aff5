//! The name that clients are given leads to the hub, and the certificate carries it.

use std::net::SocketAddr;
use std::path::Path;

use loadgen_hub::{Hub, HubHandle, host_name};

use crate::client::{Client, Credentials, open_tls};
use crate::support::config;

/// A hub as the command line starts it.
fn start(folder: &Path, listen: &str, websocket: &str) -> HubHandle {
    let mut config = config(folder);
    config.listen = listen.parse().unwrap();
    config.listen_websocket = Some(websocket.parse().unwrap());
    config.host_name = host_name(config.listen, config.listen_websocket).unwrap();
    Hub::start(config).unwrap()
}

/// The name in what `env`, `env --runtime` and `enrol` print, which must be one and the same.
fn printed_name(hub: &HubHandle) -> String {
    let connection_string = hub.environment("filter").unwrap().swap_remove(0).1;
    let gateway = connection_string.split(';').find_map(|p| p.strip_prefix("GatewayHostName="));
    let value = |variables: Vec<(String, String)>, wanted: &str| {
        variables.into_iter().find(|(name, _)| name == wanted).unwrap().1
    };
    let runtime = value(hub.runtime_environment("filter").unwrap(), "IOTEDGE_GATEWAYHOSTNAME");
    let enrolment =
        value(hub.enrollment_environment("dev-1").unwrap(), "SLUICEGATE_PROVISIONING_HOST");
    assert_eq!((gateway.unwrap(), &*runtime), (&*runtime, &*enrolment));
    runtime
}

/// Whether a client that is told a name and a port arrives and trusts whom it finds.
fn leads_to(hub: &HubHandle, name: &str, address: SocketAddr) {
    use std::net::ToSocketAddrs;
    let mut found = (name, address.port()).to_socket_addrs().unwrap();
    let found = found.find(|found| std::net::TcpStream::connect(found).is_ok());
    let found = found.unwrap_or_else(|| panic!("{name} leads nowhere"));
    open_tls(hub, found, name, rustls::ALL_VERSIONS).unwrap_or_else(|e| panic!("{name}: {e}"));
}

#[test]
fn the_name_leads_to_every_listener() {
    let rows = [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.2:0", "127.0.0.2:0"),
        ("127.1.2.3:0", "0.0.0.0:0"),
        ("0.0.0.0:0", "127.0.0.3:0"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[::1]:0", "[::1]:0"),
        ("[::]:0", "[::]:0"),
        ("[::ffff:127.0.0.2]:0", "127.0.0.2:0"),
    ];
    for (listen, websocket) in rows {
        let address: SocketAddr = listen.parse().unwrap();
        if address.is_ipv6() && std::net::TcpListener::bind(address).is_err() {
            // A machine without IPv6 has no such listener either.
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let hub = start(folder.path(), listen, websocket);
        let name = printed_name(&hub);
        for address in [hub.address(), hub.websocket_address().unwrap()] {
            leads_to(&hub, &name, address);
            // Who dials the address itself trusts it as well.
            let ip = address.ip().to_canonical();
            if !ip.is_unspecified() {
                leads_to(&hub, &ip.to_string(), address);
            }
        }
    }
}

/// A hub that is told its name is trusted by the address that it listens on, too.
#[test]
fn the_certificate_holds_the_addresses_that_are_listened_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.listen = "127.0.0.2:0".parse().unwrap();
    config.listen_websocket = Some("127.0.0.3:0".parse().unwrap());
    config.host_name = "gateway".to_owned();
    let hub = Hub::start(config).unwrap();
    leads_to(&hub, "127.0.0.2", hub.address());
    leads_to(&hub, "127.0.0.3", hub.websocket_address().unwrap());
    let stranger = open_tls(&hub, hub.address(), "127.0.0.4", rustls::ALL_VERSIONS);
    assert!(stranger.is_err());
}

/// What a folder keeps of a hub at another address does not outlive that address.
#[test]
fn a_kept_folder_takes_another_address() {
    let folder = tempfile::tempdir().unwrap();
    let mut ca = Vec::new();
    for ip in ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1"] {
        let listen = format!("{ip}:0");
        let hub = start(folder.path(), &listen, &listen);
        let name = printed_name(&hub);
        assert!(name == ip || (name == "localhost" && ip == "127.0.0.1"), "{name}");
        leads_to(&hub, &name, hub.address());
        leads_to(&hub, &name, hub.websocket_address().unwrap());
        let mut client = Client::open_with(&hub, &name, rustls::ALL_VERSIONS).unwrap();
        let answer = client.login(&Credentials::of(&hub, "filter"));
        assert_eq!(answer.code, rumqttc::mqttbytes::v4::ConnectReturnCode::Success);
        let trusted = std::fs::read(hub.ca_file()).unwrap();
        if ca.is_empty() {
            ca.clone_from(&trusted);
        }
        assert_eq!(ca, trusted, "clients go on trusting the folder's authority");
    }
}
