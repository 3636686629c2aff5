//! The hub, fed the bytes of two clients behind their CONNECT: what it sends are whole packets,
//! which the module reads, and it closes with a reason.

use std::path::Path;

use loadgen_hub::fuzzing::BareHub;
use sluicegate::mqtt::connection::PACKET_BYTES_MAX;
use sluicegate::mqtt::wire::decode;
use tempfile::TempDir;

use crate::input::{self, first};

/// Bytes of one piece: a byte with client and size stands before each.
const PIECE_BYTES_MAX: usize = 127;

thread_local! {
    static FOLDER: TempDir = folder();
}

/// A state folder with keys that seeds can be signed with.
fn folder() -> TempDir {
    const KEYS: &str = r#"{"edge1/SimulatedTemperatureSensor":"a2V5","edge1/filter":"a2V5"}"#;
    let folder = input::folder();
    std::fs::write(folder.path().join("keys.json"), KEYS).expect("a file can be written");
    folder
}

/// Calls `with` with the folder of a hub's state.
pub(crate) fn with_folder<R>(with: impl FnOnce(&Path) -> R) -> R {
    FOLDER.with(|folder| with(folder.path()))
}

/// `data` are pieces: a byte with the client (its highest bit) and the size of the piece, and that.
pub fn check(data: &[u8]) {
    let mut hub = with_folder(|folder| BareHub::open(folder).expect("the folder is of this test"));
    let clients = ["filter", "SimulatedTemperatureSensor"].map(|module| hub.connect(module));
    let mut rest = data;
    while !rest.is_empty() {
        let (how, behind) = first(rest);
        let size = (usize::from(how) & PIECE_BYTES_MAX).min(behind.len());
        let (piece, behind) = behind.split_at(size);
        rest = behind;
        let (out, end) = hub.feed(clients[usize::from(how >> 7)], piece);
        check_packets(&out);
        assert!(end.is_none_or(|end| !end.is_empty() && !end.contains('\n')));
    }
    // What the others sent may be for them.
    clients.iter().for_each(|client| check_packets(&hub.feed(*client, b"").0));
}

fn check_packets(bytes: &[u8]) {
    let decoded = decode(bytes, &mut Vec::new(), usize::MAX, PACKET_BYTES_MAX);
    assert_eq!(decoded.consumed, bytes.len(), "{:?}", decoded.end);
}
