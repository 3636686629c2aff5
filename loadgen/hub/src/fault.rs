//! What a hub is told to do wrong, so that clients can be tried against it.

use std::io::{self, Read};
use std::pin::Pin;

use clap::ValueEnum;
use rustls::ServerConnection;
use tokio::io::AsyncBufRead;

use super::stream::Tls;

/// A fault of a real edge hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HubFault {
    /// Lose what comes in one read with the end of the TLS handshake, as edgeHub 1.6.0 and 1.6.1
    /// do. A CONNECT sent together with the client's last flight is never answered. The MQTT port
    /// alone has it: their WebSocket comes in through another TLS stack.
    EarlyConnect,
}

/// Throws away the application data that was read together with the end of the handshake, and
/// tells how many bytes they were. A record that is there in part stays, and is read whole later.
///
/// All reads so far came before the server's last flight was written, and none is made here. So
/// nothing that a client sends after it has seen that flight is lost.
///
/// # Errors
/// What was read is not TLS.
pub(super) fn lose_early_data(tls: &mut Tls) -> io::Result<usize> {
    let (socket, session) = tls.get_mut();
    let mut lost = 0;
    loop {
        lost += discard_plaintext(session)?;
        let mut unread = socket.buffer();
        if unread.is_empty() {
            return Ok(lost);
        }
        let count = session.read_tls(&mut unread)?;
        if count == 0 {
            // The client said farewell: no more is read.
            return Ok(lost);
        }
        Pin::new(&mut *socket).consume(count);
        session.process_new_packets().map_err(io::Error::other)?;
    }
}

fn discard_plaintext(session: &mut ServerConnection) -> io::Result<usize> {
    let mut lost = 0;
    let mut chunk = [0; 4096];
    loop {
        match session.reader().read(&mut chunk) {
            // A farewell: the next read of the stream finds it too.
            Ok(0) => return Ok(lost),
            Ok(count) => lost += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(lost),
            Err(error) => return Err(error),
        }
    }
}
