//! The fault of edgeHub 1.6.0 and 1.6.1, on the server's side.

use super::*;
use std::io::Read;
use tokio::io::{AsyncBufRead, BufReader};
use tokio::time::Sleep;

/// A socket that is read a while after something has come, so that what comes together is read
/// together.
pub(super) struct Late {
    tcp: TcpStream,
    wait: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// The server's side of TLS.
pub(super) type Served = tokio_rustls::server::TlsStream<BufReader<Late>>;

impl Late {
    pub(super) fn new(tcp: TcpStream, wait: Duration) -> BufReader<Self> {
        BufReader::with_capacity(64 * 1024, Self { tcp, wait, sleep: None })
    }
}

impl AsyncRead for Late {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(self.tcp.poll_read_ready(cx))?;
        let wait = self.wait;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
        if !wait.is_zero() {
            std::task::ready!(sleep.as_mut().poll(cx));
        }
        self.sleep = None;
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Late {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// Throws away what was read together with the end of the handshake.
pub(super) fn lose_early(tls: &mut Served) {
    let (socket, session) = tls.get_mut();
    loop {
        let mut lost = [0; 4096];
        while matches!(session.reader().read(&mut lost), Ok(1..)) {}
        let mut unread = socket.buffer();
        if unread.is_empty() {
            return;
        }
        let count = session.read_tls(&mut unread).unwrap();
        Pin::new(&mut *socket).consume(count);
        session.process_new_packets().unwrap();
    }
}
