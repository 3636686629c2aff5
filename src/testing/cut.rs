//! For tests: a stream that is cut after so many bytes, in the middle of a packet or not.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Carries `left` bytes, both directions together, and fails then.
#[derive(Debug)]
pub(crate) struct Cut<S> {
    stream: S,
    left: usize,
}

impl<S> Cut<S> {
    pub(crate) fn after(stream: S, bytes: usize) -> Self {
        Self { stream, left: bytes }
    }

    fn check(&self) -> io::Result<()> {
        if self.left == 0 { Err(ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cut<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let mut bytes = vec![0; self.left.min(buffer.remaining())];
        let mut part = ReadBuf::new(&mut bytes);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        self.left -= part.filled().len();
        buffer.put_slice(part.filled());
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cut<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        let part = &bytes[..bytes.len().min(self.left)];
        let written = Pin::new(&mut self.stream).poll_write(cx, part);
        if let Poll::Ready(Ok(count)) = written {
            self.left -= count;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
