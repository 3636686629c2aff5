//! What a stage is.

/// One stage.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    /// As budgets and baselines call it.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// Counted is the difference between this many messages and twice as many.
    pub messages: u32,
    /// Makes what it needs, and gives what runs it.
    pub prepare: fn() -> Runner,
}

/// Handles so many messages. Each call goes on where the last one ended.
///
/// # Errors
/// The stage gave a wrong answer: nothing that was counted counts.
pub type Runner = Box<dyn FnMut(u32) -> Result<Work, String>>;

/// What a call did beside computing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Writes to the peer; 0 where a stage has none.
    pub writes: u64,
    /// Most bytes that were held or waiting at any time; 0 where a stage has no queue.
    pub queued_bytes: u64,
}
