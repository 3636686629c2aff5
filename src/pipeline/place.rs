//! Where an alert lies in the [`arena`](super::arena) of its source.

/// Where an alert is, to be given back once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(pub(super) u32);

impl Place {
    /// In memory of its own.
    pub const ALONE: Self = Self(u32::MAX);
}
