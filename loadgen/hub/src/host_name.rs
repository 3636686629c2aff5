//! The one name that clients are told to dial, from the addresses that a hub listens on.
//!
//! Addresses and what `localhost` means go in, a name comes out. The name stands in connection
//! strings, in variables and in the server certificate, so it must lead to every listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use thiserror::Error;

/// The name that is told where it leads to the hub: most tools know how to write it.
const LOCALHOST: &str = "localhost";

/// Why no name leads to a hub that listens so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HostNameError {
    /// The listeners have different addresses.
    #[error(
        "clients are told one name, and none leads to both {0} and {1}: give both listeners one \
         address, or listen on any, as 0.0.0.0:PORT"
    )]
    Different(SocketAddr, SocketAddr),
    /// A link-local address needs a zone, which neither a certificate nor a connection string has.
    #[error("{0} is of one link alone, and no name leads there: choose another address")]
    LinkLocal(SocketAddr),
    /// A group of machines, or all of them.
    #[error("{0} is no address of one machine: choose another")]
    NotOneMachine(SocketAddr),
}

/// The name that clients on this machine dial to reach all these listeners: `localhost` where it
/// leads there, or the address. An unspecified address (`0.0.0.0`, `[::]`) is reached by loopback.
///
/// # Errors
/// There is no such name.
pub fn host_name(
    listen: SocketAddr,
    websocket: Option<SocketAddr>,
) -> Result<String, HostNameError> {
    let localhost = (LOCALHOST, listen.port()).to_socket_addrs();
    let localhost: Vec<_> = localhost.into_iter().flatten().map(|address| address.ip()).collect();
    name_for(listen, websocket, &localhost)
}

fn name_for(
    listen: SocketAddr,
    websocket: Option<SocketAddr>,
    localhost: &[IpAddr],
) -> Result<String, HostNameError> {
    let mut dialled = dialled(listen)?;
    if let Some(websocket) = websocket {
        dialled = match (dialled, self::dialled(websocket)?) {
            (Dialled::Any(ours), Dialled::Any(theirs)) if ours == theirs => Dialled::Any(ours),
            (Dialled::Any(_), Dialled::Any(_)) => Dialled::Any(Ipv4Addr::LOCALHOST.into()),
            (Dialled::Any(any), Dialled::One(one)) | (Dialled::One(one), Dialled::Any(any))
                if any.is_ipv6() || one.is_ipv4() =>
            {
                Dialled::One(one)
            }
            (Dialled::One(ours), Dialled::One(theirs)) if ours == theirs => Dialled::One(ours),
            _ => return Err(HostNameError::Different(listen, websocket)),
        };
    }
    let (address, leads_there) = match dialled {
        // `[::]` takes IPv4 too, where the system is not told otherwise.
        Dialled::Any(address @ IpAddr::V6(_)) => (address, !localhost.is_empty()),
        Dialled::Any(address) | Dialled::One(address) => (address, localhost.contains(&address)),
    };
    Ok(if leads_there { LOCALHOST.to_owned() } else { address.to_string() })
}

/// The address that clients on this machine dial.
enum Dialled {
    /// Any of its family serves; this is loopback.
    Any(IpAddr),
    /// No other serves.
    One(IpAddr),
}

fn dialled(listen: SocketAddr) -> Result<Dialled, HostNameError> {
    let address = listen.ip().to_canonical();
    match address {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ok(Dialled::Any(Ipv4Addr::LOCALHOST.into())),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ok(Dialled::Any(Ipv6Addr::LOCALHOST.into())),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Err(HostNameError::LinkLocal(listen)),
        IpAddr::V4(v4) if v4.is_broadcast() => Err(HostNameError::NotOneMachine(listen)),
        address if address.is_multicast() => Err(HostNameError::NotOneMachine(listen)),
        address => Ok(Dialled::One(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

    fn name(listen: &str, websocket: &str, localhost: &[IpAddr]) -> Result<String, HostNameError> {
        let websocket = (!websocket.is_empty()).then(|| websocket.parse().unwrap());
        name_for(listen.parse().unwrap(), websocket, localhost)
    }

    #[test]
    fn one_listener() {
        let rows = [
            ("127.0.0.1:8883", &BOTH[..], "localhost"),
            ("127.0.0.1:8883", &BOTH[1..], "127.0.0.1"),
            ("127.0.0.1:8883", &[], "127.0.0.1"),
            ("127.0.0.2:8883", &BOTH, "127.0.0.2"),
            ("127.1.2.3:1", &BOTH, "127.1.2.3"),
            ("192.168.1.7:8883", &BOTH, "192.168.1.7"),
            ("[::1]:8883", &BOTH, "localhost"),
            ("[::1]:8883", &BOTH[..1], "::1"),
            ("[2001:db8::7]:8883", &BOTH, "2001:db8::7"),
            ("[::ffff:127.0.0.2]:8883", &BOTH, "127.0.0.2"),
            ("0.0.0.0:8883", &BOTH, "localhost"),
            ("0.0.0.0:8883", &BOTH[1..], "127.0.0.1"),
            ("[::]:8883", &BOTH, "localhost"),
            ("[::]:8883", &BOTH[..1], "localhost"),
            ("[::]:8883", &[], "::1"),
        ];
        for (listen, localhost, expected) in rows {
            assert_eq!(name(listen, "", localhost).as_deref(), Ok(expected), "{listen}");
        }
    }

    #[test]
    fn two_listeners_share_a_name_or_are_refused() {
        let rows = [
            ("127.0.0.2:8883", "127.0.0.2:443", Some("127.0.0.2")),
            ("127.0.0.1:8883", "127.0.0.1:443", Some("localhost")),
            ("0.0.0.0:8883", "127.0.0.2:443", Some("127.0.0.2")),
            ("127.0.0.2:8883", "0.0.0.0:443", Some("127.0.0.2")),
            ("127.0.0.2:8883", "[::]:443", Some("127.0.0.2")),
            ("[2001:db8::7]:8883", "[::]:443", Some("2001:db8::7")),
            ("0.0.0.0:8883", "[::]:443", Some("localhost")),
            ("[::]:8883", "[::]:443", Some("localhost")),
            ("127.0.0.1:8883", "127.0.0.2:443", None),
            ("127.0.0.1:8883", "[::1]:443", None),
            ("0.0.0.0:8883", "[::1]:443", None),
        ];
        for (listen, websocket, expected) in rows {
            let found = name(listen, websocket, &BOTH);
            assert_eq!(found.as_deref().ok(), expected, "{listen} {websocket}");
            if let Err(error) = found {
                assert!(error.to_string().contains(listen), "{error}");
            }
        }
    }

    #[test]
    fn addresses_that_nobody_can_dial_are_refused() {
        for listen in ["[fe80::1%2]:8883", "[fe80::1]:1", "224.0.0.1:1", "255.255.255.255:1"] {
            assert!(name(listen, "", &BOTH).is_err(), "{listen}");
            assert!(name("0.0.0.0:8883", listen, &BOTH).is_err(), "{listen}");
        }
    }
}
