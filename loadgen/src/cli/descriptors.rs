//! The process's own limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a hub can use at most: its sockets on the MQTT ports, ten for each module's workload
/// socket, 32 on the control socket, its listeners and files.
const DESCRIPTORS_WANTED: u64 = 4096;

/// Raises the limit to what a hub can use, as far as the system lets it. A shell's is often 1,024.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(DESCRIPTORS_WANTED, |maximum| maximum.min(DESCRIPTORS_WANTED));
    if current.is_some_and(|current| current < wanted) {
        // With fewer descriptors the hub has fewer places.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}
