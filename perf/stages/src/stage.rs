//! The table of stages.

use sluicegate::threshold::Threshold;

use crate::core::{Core, alerts_prefix, traffic};

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

/// Every stage, in the order of the way.
pub const STAGES: [Stage; 1] = [Stage {
    name: "core",
    title: "decode, judge, acknowledge, encode; QoS 1, one alert in ten",
    messages: 1000,
    prepare: core,
}];

fn core() -> Runner {
    Box::new(|messages| {
        let stream = traffic(messages, 10);
        let mut core = Core::new(Threshold::DEFAULT, alerts_prefix());
        let mut output = Vec::new();
        core.run(&stream, &mut output).map_err(|error| error.to_string())?;
        Ok(Work::default())
    })
}
