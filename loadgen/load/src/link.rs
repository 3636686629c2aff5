//! How far a connection to a broker is.

/// How far a connection to the broker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) stage: Stage,
    /// A ping is not answered.
    pub(crate) pinged: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// CONNECT is sent.
    Connecting,
    /// SUBSCRIBE is sent.
    Subscribing,
    /// It can be used.
    Ready,
}

impl Link {
    /// CONNECT is sent.
    pub(crate) const NEW: Self = Self { stage: Stage::Connecting, pinged: false };

    /// Whether messages can be sent and received.
    #[inline]
    pub(crate) fn is_ready(self) -> bool {
        self.stage == Stage::Ready
    }
}
