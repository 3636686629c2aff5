//! The module behind a firewall: MQTT over WebSocket against the hub's listener, straight and
//! through a proxy.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::failures::check_complaint;
use super::{check_that_it_filters, start};
use crate::harness::{Process, Scene, wait_until};

/// A proxy that wants a name and a password and opens the way to any host; ends with its listener,
/// which nobody dials any more, when the test process does.
struct Proxy {
    address: SocketAddr,
    /// Request lines with their authorizations.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&requests);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let noted = Arc::clone(&noted);
                // A connection that breaks is the module's to complain about.
                thread::spawn(move || drop(serve(client, &noted)));
            }
        });
        Self { address, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// CONNECT, then bytes in both directions until either side ends.
fn serve(client: TcpStream, noted: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let target = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let authorization = head.iter().find(|line| line.to_lowercase().starts_with("proxy-auth"));
    let answer = match authorization {
        Some(authorization) => {
            noted.lock().unwrap().push(format!("{} {authorization}", head[0]));
            "HTTP/1.1 200 Connection established\r\n\r\n"
        }
        None => "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
    };
    let mut client = client;
    client.write_all(answer.as_bytes())?;
    if authorization.is_none() {
        return client.shutdown(Shutdown::Both);
    }
    let server = TcpStream::connect(target)?;
    let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        to.shutdown(Shutdown::Both)
    });
    let mut server = server;
    let _ = io::copy(&mut reader, &mut server);
    let _ = server.shutdown(Shutdown::Both);
    drop(back.join());
    Ok(())
}

fn start_hub() -> Scene {
    Scene::start_with(|config| {
        config.listen_websocket = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    })
}

/// Starts the module over WebSocket, with `variables` besides.
fn start_module(scene: &Scene, variables: &[(&str, &str)]) -> Process {
    let port = scene.hub.websocket_address().unwrap().port().to_string();
    let websocket = [("SLUICEGATE_WEBSOCKET", "true"), ("SLUICEGATE_GATEWAY_PORT", &port)];
    start(scene, &[&websocket, variables].concat())
}

#[test]
fn the_module_filters_over_websocket() {
    let scene = start_hub();
    let module = start_module(&scene, &[("SLUICEGATE_TOKEN_LIFETIME", "1s")]);
    scene.wait_until_subscribed(&module);
    module.wait_for_line(&["connected to localhost", "WebSocket"]);
    check_that_it_filters(&scene);
    let renewals = scene.counter("renewals");
    wait_until("a renewal", || scene.counter("renewals") > renewals);
    check_that_it_filters(&scene);
    assert_eq!(module.count("lost:"), 0, "no connection was lost");
}

/// The proxy sees the host by name and its own credentials; neither it nor the log sees more.
#[test]
fn the_module_filters_through_a_proxy() {
    let (scene, proxy) = (start_hub(), Proxy::start());
    let url = format!("http://module:pass%20phrase@{}", proxy.address);
    let module = start_module(&scene, &[("HTTPS_PROXY", &url)]);
    scene.wait_until_subscribed(&module);
    check_that_it_filters(&scene);
    let port = scene.hub.websocket_address().unwrap().port();
    // "module:pass phrase" in Base64.
    let credentials = "Basic bW9kdWxlOnBhc3MgcGhyYXNl";
    let requests = proxy.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let request = requests[0].to_lowercase();
    assert!(request.starts_with(&format!("connect localhost:{port} http/1.1")), "{request}");
    assert!(requests[0].ends_with(credentials), "{requests:?}");
    for secret in ["pass%20phrase", "pass phrase", "bW9kdWxlOnBhc3M"] {
        assert_eq!(module.count(secret), 0, "a secret in the output");
    }
}

/// What `NO_PROXY` names is reached without the proxy.
#[test]
fn an_exception_goes_past_the_proxy() {
    let (scene, proxy) = (start_hub(), Proxy::start());
    let url = format!("http://{}", proxy.address);
    let module = start_module(&scene, &[("HTTPS_PROXY", &url), ("NO_PROXY", "localhost")]);
    scene.wait_until_subscribed(&module);
    assert_eq!(proxy.requests().len(), 0);
}

/// A proxy that refuses, one that is not there, and a listener that speaks no WebSocket: each is
/// named with the proxy's or the gateway's address.
#[test]
fn ways_that_do_not_lead_to_the_gateway_are_named() {
    let (scene, proxy) = (start_hub(), Proxy::start());
    let url = format!("http://{}", proxy.address);
    let module = start_module(&scene, &[("HTTPS_PROXY", &url)]);
    check_complaint(&module, &[&proxy.address.to_string(), "407"]);

    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let module = start_module(&scene, &[("HTTPS_PROXY", &format!("http://{gone}"))]);
    check_complaint(&module, &[&gone.to_string(), "refused"]);

    let mqtt = scene.hub.address().port().to_string();
    let module = start_module(&scene, &[("SLUICEGATE_GATEWAY_PORT", &mqtt)]);
    check_complaint(&module, &["no WebSocket with localhost", &mqtt]);
    assert!(!scene.is_connected());
}
