//! What stands for the machine.

pub mod threads;
