//! One connection's bytes: TCP or TLS, never blocking, with a buffer for each direction.
//!
//! Bounded: one read of [`READ_BYTES`] and what is left of a packet wait to be handled;
//! [`OUT_BYTES_HIGH`] is where the engine stops adding messages. Answers to the peer may pass it,
//! up to [`OUT_BYTES_MAX`]; a peer that lets more pile up is gone.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::net::sockopt::set_tcp_quickack;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use super::wire::{self, Frame, WireError};

/// Bytes asked of the system at once.
pub(super) const READ_BYTES: usize = 256 * 1024;
/// Bytes waiting to be written from which on no message is added: more in one system call gain
/// nothing.
pub(super) const OUT_BYTES_HIGH: usize = 64 * 1024;
/// Most bytes waiting to be written.
pub(super) const OUT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A socket with its buffers.
#[derive(Debug)]
pub(super) struct Socket {
    tcp: TcpStream,
    tls: Option<Box<rustls::Connection>>,
    /// Read, not yet handled: `input[start..end]`.
    input: Vec<u8>,
    start: usize,
    end: usize,
    /// To be written from `written` on.
    out: Vec<u8>,
    written: usize,
    /// The system took less than it was offered; cleared when it takes something.
    full: bool,
    /// Read from the system for TLS.
    sealed: Vec<u8>,
}

impl Socket {
    /// Plain TCP.
    ///
    /// # Errors
    /// The socket refuses its options.
    pub(super) fn plain(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        tcp.set_nonblocking(true)?;
        Ok(Self {
            tcp,
            tls: None,
            input: vec![0; READ_BYTES + wire::PACKET_BYTES_MAX],
            start: 0,
            end: 0,
            out: Vec::with_capacity(2 * OUT_BYTES_HIGH),
            written: 0,
            full: false,
            sealed: Vec::new(),
        })
    }

    /// TLS, as the server.
    ///
    /// # Errors
    /// As [`Socket::plain`], or the TLS settings are impossible.
    pub(super) fn server(tcp: TcpStream, tls: &Arc<ServerConfig>) -> io::Result<Self> {
        let tls = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
        Self::sealed(tcp, tls.into())
    }

    /// TLS, as a client of `host`.
    ///
    /// # Errors
    /// As [`Socket::server`], or `host` is no name.
    pub(super) fn client(tcp: TcpStream, tls: &Arc<ClientConfig>, host: &str) -> io::Result<Self> {
        let name = host.to_owned().try_into().map_err(io::Error::other)?;
        let tls = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        Self::sealed(tcp, tls.into())
    }

    fn sealed(tcp: TcpStream, mut tls: rustls::Connection) -> io::Result<Self> {
        tls.set_buffer_limit(None);
        let sealed = vec![0; OUT_BYTES_HIGH];
        Ok(Self { tls: Some(Box::new(tls)), sealed, ..Self::plain(tcp)? })
    }

    /// Reads what is there; `false` when nothing was.
    ///
    /// # Errors
    /// The connection is broken; `UnexpectedEof` when the peer closed it.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        self.make_room();
        let room = &mut self.input[self.end..];
        let read = match &mut self.tls {
            None => self.tcp.read(room),
            Some(tls) => read_sealed(&mut self.tcp, tls, &mut self.sealed, room),
        };
        match read {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                self.end += bytes;
                // A peer under Nagle's algorithm sends nothing more until this is acknowledged,
                // which the system may put off by 40 ms: a wait of ours, not of the program's. It
                // lasts for a moment only, and it is no loss when it is refused.
                let _ = set_tcp_quickack(&self.tcp, true);
                Ok(true)
            }
            Err(error) if is_later(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives every whole packet that was read to `handle`, with the buffer for answers.
    ///
    /// # Errors
    /// What was read is no MQTT, or `handle` says so.
    pub(super) fn frames<E: From<WireError>>(
        &mut self,
        mut handle: impl FnMut(Frame<'_>, &mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(frame) = wire::frame(&self.input[self.start..self.end])? {
            self.start += frame.whole.len();
            handle(frame, &mut self.out)?;
        }
        Ok(())
    }

    /// The buffer of bytes to be written, to append to.
    #[inline]
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Whether another message may be added.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        !self.full && self.out.len() < OUT_BYTES_HIGH
    }

    /// Whether bytes wait for the system to take them.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Writes what the system takes.
    ///
    /// # Errors
    /// The connection is broken, or the peer reads nothing and makes us answer.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            // One helping at a time: what is sealed is held once more.
            if !self.out.is_empty() && !tls.wants_write() {
                tls.writer().write_all(&self.out)?;
                self.out.clear();
            }
            while tls.wants_write() {
                match tls.write_tls(&mut self.tcp) {
                    Ok(_) => self.full = false,
                    Err(error) if is_later(&error) => {
                        self.full = true;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        } else {
            while self.written < self.out.len() {
                match self.tcp.write(&self.out[self.written..]) {
                    Ok(bytes) => {
                        self.written += bytes;
                        self.full = false;
                    }
                    Err(error) if is_later(&error) => {
                        self.full = true;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            if self.written == self.out.len() {
                self.out.clear();
                self.written = 0;
            }
        }
        if self.out.len() > OUT_BYTES_MAX {
            return Err(io::Error::other("the program under test reads nothing"));
        }
        Ok(())
    }

    /// Whether there is nothing left to write.
    pub(super) fn is_flushed(&self) -> bool {
        self.out.is_empty() && self.tls.as_ref().is_none_or(|tls| !tls.wants_write())
    }

    /// Ends the connection as a fault would: what waits to be written is lost.
    pub(super) fn shut_down(&self, how: Shutdown) {
        // It fails only when the peer was faster.
        let _ = self.tcp.shutdown(how);
    }

    /// Moves an incomplete packet to the front when the room behind it is short.
    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.input.len() - self.end < READ_BYTES {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }
}

/// Opens what the system has until there is something to give: the TLS layer itself asks the system
/// for 4 KiB at a time.
fn read_sealed(
    tcp: &mut TcpStream,
    tls: &mut rustls::Connection,
    sealed: &mut [u8],
    room: &mut [u8],
) -> io::Result<usize> {
    match tls.reader().read(room) {
        Err(error) if is_later(&error) => {}
        read => return read,
    }
    let bytes = tcp.read(sealed)?;
    if bytes == 0 {
        return Ok(0);
    }
    let mut rest = &sealed[..bytes];
    let mut given = 0;
    while !rest.is_empty() {
        tls.read_tls(&mut rest)?;
        tls.process_new_packets().map_err(io::Error::other)?;
        match tls.reader().read(&mut room[given..]) {
            Ok(bytes) => given += bytes,
            Err(error) if is_later(&error) => {}
            Err(error) => return Err(error),
        }
    }
    if given == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(given) }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
