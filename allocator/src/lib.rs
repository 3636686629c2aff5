//! The module's allocator: mimalloc, told to give back at once what is freed.
//!
//! The one package with `unsafe` in it, for one call: `JUSTIFICATION.md` has the numbers.

pub use mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2, for which the bindings have no name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Milliseconds for which what is freed stays resident.
#[allow(unsafe_code, reason = "the library has no safe function for its settings")]
pub fn purge_delay_ms() -> i64 {
    // SAFETY: reads a number out of a table, at a place that the table has.
    let delay = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
    #[allow(clippy::useless_conversion, reason = "it has 32 bits on 32-bit machines")]
    i64::from(delay)
}

/// What is freed is given back to the system at once, in place of 10 ms and more later.
///
/// To be called while the process has one thread: the library's settings have no lock.
#[allow(unsafe_code, reason = "the library has no safe function for its settings")]
pub fn purge_at_once() {
    // SAFETY: writes a number into a table, at a place that the table has. No other thread reads it
    // meanwhile, because there is none yet; a torn read of one word would be no more than a delay.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 0) };
}
