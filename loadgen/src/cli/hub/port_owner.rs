//! Who listens on a TCP port, as far as `/proc` tells this user.

use std::fmt;
use std::fs;

/// State of a listening socket (`TCP_LISTEN` of the kernel), as `/proc/net/tcp` has it.
const LISTENING: &str = "0A";

/// A process that listens.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PortOwner {
    /// Its number.
    pub(super) id: u32,
    name: String,
}

impl fmt::Display for PortOwner {
    /// `loadgen (process 1234)`; the name is the process's own choice, so its control characters
    /// are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name.trim_end().escape_debug(), self.id)
    }
}

impl PortOwner {
    /// The process that listens on `port`; `None` if another user's or another container's has it.
    pub(super) fn find(port: u16) -> Option<Self> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let tables = tables.map(|path| fs::read_to_string(path).unwrap_or_default());
        let sockets: Vec<_> = tables
            .iter()
            .flat_map(|table| listening(table, port))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let id: u32 = ids.find(|id| has_one_of(*id, &sockets))?;
        Some(Self { id, name: fs::read_to_string(format!("/proc/{id}/comm")).ok()? })
    }
}

/// The sockets that listen on `port`, by their inodes.
fn listening(table: &str, port: u16) -> impl Iterator<Item = &str> {
    let end = format!(":{port:04X}");
    table.lines().filter_map(move |line| {
        let mut fields = line.split_whitespace();
        let (local, state) = (fields.nth(1)?, fields.nth(1)?);
        (local.ends_with(&end) && state == LISTENING).then(|| fields.nth(5)).flatten()
    })
}

/// Whether the process holds one of these sockets, and lets this user see that.
fn has_one_of(id: u32, sockets: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{id}/fd")) else { return false };
    descriptors
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| sockets.iter().any(|socket| target.as_os_str() == socket.as_str()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_listener_of_a_port_is_found() {
        for address in ["127.0.0.1:0", "127.0.0.2:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            let owner = PortOwner::find(port).unwrap();
            assert_eq!(owner.id, std::process::id());
            assert!(owner.to_string().ends_with(&format!(" (process {})", owner.id)), "{owner}");
            drop(listener);
            assert_ne!(PortOwner::find(port).map(|owner| owner.id), Some(std::process::id()));
        }
    }

    #[test]
    fn only_listening_sockets_of_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n\
            0: 0100007F:22B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 41 1 0\n\
            1: 0100007F:22B3 0100007F:0001 01 00000000:00000000 00:00000000 00000000 0 0 42 1 0\n\
            2: 0100007F:22B4 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 43 1 0\n\
            3: 0100007F:22B3\n";
        assert_eq!(listening(table, 8883).collect::<Vec<_>>(), ["41"]);
        assert_eq!(listening(table, 8884).collect::<Vec<_>>(), ["43"]);
        assert_eq!(listening(table, 1).count(), 0);
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let owner = PortOwner { id: 7, name: "a\x1b[2J\n".to_owned() };
        assert_eq!(owner.to_string(), "a\\u{1b}[2J (process 7)");
    }
}
