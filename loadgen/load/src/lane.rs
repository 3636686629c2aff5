//! One connection of a run.

use super::error::LoadError;
use super::feeder::Feeder;
use super::gateway::{Guest, GuestError};
use super::inflight::Inflight;
use super::link::Link;
use super::socket::Socket;
use super::wire::WireError;

/// One connection.
#[derive(Debug)]
pub(super) struct Lane {
    /// Its bytes.
    pub(super) socket: Socket,
    /// What it was sent and has not acknowledged.
    pub(super) inflight: Inflight,
    /// Its client, when we are the hub.
    pub(super) guest: Guest,
    /// How far it is, when we are the client.
    pub(super) link: Link,
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaneError {
    /// The system's reason, or the peer closed it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The bytes are no MQTT.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The client did what it may not.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// DISCONNECT, or the client has connected anew.
    #[error("the client left")]
    Goodbye,
    /// The whole run ends.
    #[error(transparent)]
    Load(LoadError),
}

impl Lane {
    /// A connection with an empty window.
    pub(super) fn new(socket: Socket, window: u32) -> Self {
        let inflight = Inflight::new(window);
        Self { socket, inflight, guest: Guest::default(), link: Link::NEW }
    }

    /// Sends again what a lost connection left behind, as far as there is room; gives how many.
    pub(super) fn resend(&mut self, feeder: &Feeder) -> u64 {
        let mut count = 0;
        while self.socket.has_room() {
            let Some((place, id)) = self.inflight.next_resend() else { break };
            feeder.write_again(self.socket.out(), place, id);
            count += 1;
        }
        count
    }
}
