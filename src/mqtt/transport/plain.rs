//! Plain TCP: to loopback addresses alone, because what MQTT carries, passwords among it, crosses
//! the wire in clear. [`Route::Tcp`](super::Route::Tcp) goes anywhere, without this check.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::lookup::Lookups;
use super::{At, CONNECT_TIMEOUT, Failure, dial_resolved, resolve};

/// Connects to `host` if it is loopback and nothing else. A name may change from one connect to
/// the next, so it is resolved once, and the very addresses that were checked are dialled.
pub(super) async fn dial(lookups: &Lookups, host: &str, port: u16) -> Result<TcpStream, Failure> {
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    let addresses = resolve(lookups, host, port, deadline).await?;
    check(host, port, &addresses)?;
    dial_resolved(host, port, &addresses, deadline).await
}

/// One address elsewhere is enough to refuse: a name that also means another machine is a mistake.
fn check(host: &str, port: u16, addresses: &[SocketAddr]) -> Result<(), Failure> {
    match addresses.iter().map(SocketAddr::ip).find(|address| !address.is_loopback()) {
        None => Ok(()),
        Some(address) => {
            Err(Failure::NotLoopback { at: At { host: host.to_owned(), port }, address })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    /// The addresses of a name are allowed if and only if each is in 127.0.0.0/8 or is ::1.
    #[test]
    fn loopback_is_allowed_and_nothing_else() {
        let loopback = ["127.0.0.1", "127.0.0.2", "127.255.255.254", "::1"];
        let elsewhere = [
            "0.0.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "10.0.0.1",
            "169.254.1.1",
            "192.0.2.1",
            "::",
            "::2",
            "fe80::1",
            "::ffff:127.0.0.1",
            "::ffff:192.0.2.1",
            "::127.0.0.1",
        ];
        let parse = |text: &str| SocketAddr::new(text.parse::<IpAddr>().expect("an address"), 1);
        let loopback = loopback.map(parse);
        assert!(check("h", 1, &loopback).is_ok());
        for address in elsewhere.map(parse) {
            for place in 0..=loopback.len() {
                let mut addresses = loopback.to_vec();
                addresses.insert(place, address);
                let shown = check("h", 1, &addresses).expect_err("not loopback").to_string();
                assert!(shown.contains(&format!("h is {}, no", address.ip())), "{shown}");
            }
        }
    }
}
