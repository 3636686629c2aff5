//! Why an alert does not leave, which counts it and writes a line.

/// Why an alert is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// No hub takes it: `MessageType=Alert` and properties encoded anew make it larger than its
    /// input was. Sent all the same, it would end every connection.
    #[error(
        "as an alert the message is too large to be sent ({}); have the sensor send less",
        excess(*topic_bytes, *body_bytes)
    )]
    TooLarge {
        /// Bytes of the topic that it would need.
        topic_bytes: usize,
        /// Bytes of the body.
        body_bytes: usize,
    },
    /// No broker takes it.
    #[error(
        "the topic of the alert would have {0} bytes, and MQTT has room for 65535; have the sensor \
         use a shorter topic, or shorten --alerts-topic"
    )]
    TopicTooLong(usize),
    /// It was an alert of this module already.
    #[error(
        "a route of the deployment brings this module's output back to its input1, where each \
         alert would be an alert again, without end; take the route out, or have its condition \
         exclude MessageType = 'Alert' (SLUICEGATE_JUDGE_OWN_ALERTS=true judges them all the same)"
    )]
    Own,
}

/// What is too large, in words. A broker has no bound but that of a topic; a hub has another for
/// topic and body together.
fn excess(topic_bytes: usize, body_bytes: usize) -> String {
    match topic_bytes {
        0..=65_535 => format!(
            "topic with properties {topic_bytes} bytes, body {body_bytes} bytes: together a hub \
             takes about 262144"
        ),
        _ => {
            format!("its topic would have {topic_bytes} bytes of the 65535 that MQTT has room for")
        }
    }
}
