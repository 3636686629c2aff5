//! From a text to a checked value: what the module alone has.

use crate::pipeline::threshold::Threshold;
use crate::settings::values::number;

/// Most parser threads: more than any edge device has cores.
const WORKERS_MAX: usize = 64;

pub(super) fn threshold(text: &str) -> Result<Threshold, String> {
    let number = text.trim().parse().ok().and_then(Threshold::new);
    number.ok_or_else(|| format!("{text:?} is not a finite number"))
}

pub(super) fn workers(text: &str) -> Result<usize, String> {
    if text.trim() == "auto" {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        return Ok(workers_auto(cores));
    }
    number(text, 0..=WORKERS_MAX).map_err(|error| format!("{error}, nor auto"))
}

/// Parser threads that pay on a machine with this many cores. Measured on two cores: there a
/// message costs less on the ingest thread than its way to another one. Beyond two, one core is
/// left to the ingest thread and one to the broker, the hub or the kernel; that is not measured.
fn workers_auto(cores: usize) -> usize {
    cores.saturating_sub(2).min(WORKERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_shared_with_the_ingest_thread_and_its_peer() {
        let cases = [(1, 0), (2, 0), (3, 1), (4, 2), (8, 6), (66, 64), (67, 64), (256, 64)];
        for (cores, workers) in cases {
            assert_eq!(workers_auto(cores), workers, "{cores}");
        }
    }
}
