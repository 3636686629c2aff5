//! How long the hub waits, in virtual time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::lobby::Place;
use super::*;

/// The state of a hub, what its clients shake hands with, and its folder.
pub(super) fn hub() -> (Rc<RefCell<HubState>>, TlsAcceptor, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = HubConfig { state_dir: folder.path().to_owned(), ..HubConfig::default() };
    let (files, peers, provisioning) = StateFolder::open(&config).unwrap();
    let certificates = Certificates::open(&config.state_dir, &config.host_name, &[]).unwrap();
    let upstream = Upstream::new(config.upstream_messages_max, config.lossless);
    let state = HubState::new(config, peers, files, upstream, String::new(), provisioning);
    (Rc::new(RefCell::new(state)), TlsAcceptor::from(certificates.server), folder)
}

/// Whether `wait` is over since `start`, by a timer of milliseconds.
pub(super) fn assert_waited(start: Instant, wait: Duration) {
    let waited = start.elapsed();
    let latest = wait + Duration::from_millis(1);
    assert!((wait..=latest).contains(&waited), "{waited:?} in place of {wait:?}");
}

/// A client that connects and says nothing is closed a minute later, and counted.
#[tokio::test]
async fn a_socket_without_connect_is_closed_after_a_minute() {
    let (hub, tls, _folder) = hub();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let socket = loop {
        // Whoever else tries ports of this machine may be here first.
        let (socket, from) = listener.accept().await.unwrap();
        if from == client.local_addr().unwrap() {
            break socket;
        }
    };
    tokio::time::pause();
    let start = Instant::now();
    admission::serve(Rc::clone(&hub), socket, tls, Door::Mqtt).await;
    assert_waited(start, Duration::from_secs(60));
    assert_eq!(hub.borrow().counters.connect_failures, 1);
}

/// Without a descriptor the next accept is 50 ms later, unless a socket without CONNECT can go.
#[tokio::test(start_paused = true)]
async fn an_accept_without_descriptors_is_tried_again_after_50_ms() {
    let (hub, _tls, _folder) = hub();
    let place = Place::take(&hub.borrow().lobby);
    for (errno, wait_ms) in [(Errno::MFILE, 0), (Errno::NFILE, 50), (Errno::CONNABORTED, 50)] {
        let start = Instant::now();
        lobby::recover(&errno.into(), || hub.borrow_mut().shed_oldest()).await;
        assert_waited(start, Duration::from_millis(wait_ms));
    }
    assert_eq!(hub.borrow().counters.sockets_shed, 1);
    drop(place);
}
