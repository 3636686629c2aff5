//! The module's end of a connection. All that the peers do about what it writes is done within the
//! write.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::world::{Role, World};

/// The world, as all ends share it. All of them run on one thread.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(super) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) world: Shared,
    pub(super) role: Role,
    pub(super) generation: u64,
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut world = self.world.lock();
        assert!(!world.is_busy(), "{:?} turns and turns, and no time passes", self.role);
        let read = world.side(self.role).wire.poll_read(cx, buffer);
        world.was_read(self.role);
        read
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut world = self.world.lock();
        world.note_bytes(self.role, bytes);
        let written = world.side(self.role).wire.poll_write(cx, bytes);
        world.was_written(self.role);
        written
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.world.lock().side(self.role).wire.is_shut = true;
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.world.lock().dropped(self.role, self.generation);
    }
}
