//! Mosquitto, which nobody here wrote.

mod cross_check;
mod mosquitto;
mod runs;
mod security;
