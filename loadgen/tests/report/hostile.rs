//! Results that nobody would measure.
