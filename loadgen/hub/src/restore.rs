//! What an earlier hub had taken comes back into the stores.

use super::durable::{Durable, Kept};
use super::state::HubState;

impl HubState {
    /// Puts what was on disk where it was, and keeps on keeping it. Inputs of modules that the
    /// manifest does not have stay on disk, until one has them again.
    pub(crate) fn restore(&mut self, durable: Durable, kept: Kept) {
        self.durable = Some(durable);
        let (mut inputs, mut strangers) = (0_u64, 0_u64);
        for input in kept.inputs {
            match self.peer_of_client(&input.client_id) {
                Some(peer) => {
                    self.peers[peer].inputs.push(&input.topic, &input.body, input.number);
                    inputs += 1;
                }
                None => strangers += 1,
            }
        }
        let upstream = kept.upstream.len() as u64;
        for message in kept.upstream {
            self.push_upstream(message);
        }
        self.counters.restored = inputs + upstream;
        if inputs + upstream > 0 {
            tracing::info!(inputs, upstream, "messages of an earlier hub found again");
        }
        if strangers > 0 {
            tracing::warn!(
                messages = strangers,
                "messages for modules that this manifest does not have stay on disk"
            );
        }
    }
}
