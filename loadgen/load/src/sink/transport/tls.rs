//! A TLS stream over a socket that is read in large pieces: rustls itself asks for 4 KiB at a time.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use sluicegate::hub::trust::client_config;
use sluicegate::mqtt::tls::pem;

/// Bytes asked from the socket at a time.
const SOCKET_BYTES: usize = 64 * 1024;

/// A connection whose handshake is done.
pub(in crate::sink) struct Tls {
    connection: ClientConnection,
    socket: BufReader<TcpStream>,
}

impl Tls {
    /// Shakes hands over `socket` with a peer that has a certificate for `host` from one of the
    /// authorities in `ca_file`.
    ///
    /// # Errors
    /// What is wrong with the file, the name, the peer or the connection, as a sentence.
    pub(super) fn connect(
        mut socket: TcpStream,
        host: &str,
        ca_file: &Path,
    ) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let mut connection =
            ClientConnection::new(config(ca_file)?, name).map_err(|error| error.to_string())?;
        while connection.is_handshaking() || connection.wants_write() {
            connection.complete_io(&mut socket).map_err(|error| {
                sluicegate::mqtt::tls::words(&error).unwrap_or_else(|| error.to_string())
            })?;
        }
        Ok(Self { connection, socket: BufReader::with_capacity(SOCKET_BYTES, socket) })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        self.socket.get_ref()
    }

    /// Reads all that the last read of the socket brought, as far as there is room, and waits only
    /// for the first byte.
    pub(super) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        loop {
            match self.connection.reader().read(&mut room[filled..]) {
                Ok(0) => return Ok(filled),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The peer ended without a farewell.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(filled),
                Err(error) => return Err(error),
            }
            if filled == room.len() || (filled > 0 && self.socket.buffer().is_empty()) {
                return Ok(filled);
            }
            self.connection.read_tls(&mut self.socket)?;
            let state = self.connection.process_new_packets();
            state.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    /// Takes what fits, and sends what the socket takes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let count = self.connection.writer().write(bytes)?;
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    /// Sends what was taken and not yet sent.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(self.socket.get_mut())?;
        }
        Ok(())
    }
}

/// Trusts the authorities in `ca_file` and nobody else.
fn config(ca_file: &Path) -> Result<Arc<ClientConfig>, String> {
    let roots = pem::roots(ca_file).map_err(|problem| format!("LOADGEN_CA_FILE: {problem}"))?;
    client_config(roots).map_err(|error| error.to_string())
}
