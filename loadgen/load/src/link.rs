//! How far a connection to a broker is.

/// How far a connection to the broker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) stage: LinkStage,
    /// A ping is not answered.
    pub(crate) pinged: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkStage {
    /// CONNECT is sent.
    Connecting,
    /// SUBSCRIBE is sent.
    Subscribing,
    /// It can be used.
    Ready,
}

impl Link {
    /// CONNECT is sent.
    pub(crate) const NEW: Self = Self { stage: LinkStage::Connecting, pinged: false };

    /// Whether messages can be sent and received.
    #[inline]
    pub(crate) fn is_ready(self) -> bool {
        self.stage == LinkStage::Ready
    }
}
