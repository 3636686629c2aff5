//! The connection: TCP, plain or under TLS, with reads that wait or do not.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{HANDSHAKE_TIMEOUT, SinkError, SinkSettings};
use tls::Tls;

mod tls;

/// A connected socket.
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

/// Connects to the first address that answers, each within [`HANDSHAKE_TIMEOUT`].
fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, HANDSHAKE_TIMEOUT) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Transport {
    /// Connects to where the settings say; reads then wait for at most [`HANDSHAKE_TIMEOUT`].
    ///
    /// # Errors
    /// Nothing listens there, or nothing that is trusted.
    pub(super) fn connect(settings: &SinkSettings) -> Result<Self, SinkError> {
        let address = || format!("{}:{}", settings.host, settings.port);
        let failed = |error| SinkError::Connect { address: address(), error };
        let socket = dial(&settings.host, settings.port).map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        socket.set_read_timeout(Some(HANDSHAKE_TIMEOUT)).map_err(failed)?;
        let Some(ca_file) = &settings.ca_file else { return Ok(Self::Plain(socket)) };
        let tls = Tls::connect(socket, &settings.host, ca_file);
        tls.map(|tls| Self::Tls(Box::new(tls)))
            .map_err(|reason| SinkError::Tls { address: address(), reason })
    }

    /// What ends this connection from another thread: a read that waits then finds the end.
    pub(super) fn closer(&self) -> io::Result<impl FnOnce() + Send + 'static> {
        let socket = self.socket().try_clone()?;
        Ok(move || {
            // One that has ended already is as good.
            let _ = socket.shutdown(Shutdown::Both);
        })
    }

    /// How long a read waits before it fails with `WouldBlock`.
    pub(super) fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.socket().set_read_timeout(Some(timeout))
    }

    /// From now on reads and writes fail with `WouldBlock` instead of waiting.
    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        self.socket().set_nonblocking(true)
    }

    /// Reads what is there, or waits for something; 0 at the end of the connection.
    #[inline]
    pub(super) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = match self {
                Self::Plain(socket) => socket.read(room),
                Self::Tls(tls) => tls.read(room),
            };
            match result {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Writes what fits.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    /// Writes all of `bytes`, however long the peer takes.
    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.flush()
    }

    /// Sends what TLS has kept of earlier writes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.flush(),
        }
    }

    /// Waits until one of `events` or for `timeout`, to the nanosecond as far as the system can.
    ///
    /// # Errors
    /// `ConnectionAborted` when the connection has ended and a read was not waited for, as that
    /// would have told.
    pub(super) fn wait(&self, events: PollFlags, timeout: Duration) -> io::Result<()> {
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let socket = self.socket();
        let mut polled = [PollFd::new(&socket, events)];
        match poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR);
        if ended && !events.contains(PollFlags::IN) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket(),
        }
    }
}
