//! The connection: plain TCP.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::{SinkError, SinkSettings};

/// A connected socket.
pub(super) struct Transport {
    socket: TcpStream,
}

impl Transport {
    /// Connects to where the settings say.
    ///
    /// # Errors
    /// Nothing listens there.
    pub(super) fn connect(settings: &SinkSettings) -> Result<Self, SinkError> {
        let failed = |error| SinkError::Connect {
            address: format!("{}:{}", settings.host, settings.port),
            error,
        };
        let socket = TcpStream::connect((settings.host.as_str(), settings.port)).map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        Ok(Self { socket })
    }

    /// What ends this connection from another thread: a read that waits then finds the end.
    pub(super) fn closer(&self) -> io::Result<impl FnOnce() + Send + 'static> {
        let socket = self.socket.try_clone()?;
        Ok(move || {
            // One that has ended already is as good.
            let _ = socket.shutdown(Shutdown::Both);
        })
    }

    /// How long a read waits before it fails with `WouldBlock`.
    pub(super) fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(timeout))
    }

    /// Reads what is there, or waits for something; 0 at the end of the connection.
    pub(super) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Writes all of `bytes`, however long the peer takes.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }
}
