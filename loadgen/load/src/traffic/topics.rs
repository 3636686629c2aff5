//! The topics of all sensors.

use sluicegate::azure::{Identity, percent_encode, topics};
use sluicegate::mqtt::topics::check_topic;

use super::TOPIC_BYTES_MAX;
use super::error::TrafficError;
use crate::settings::SENSORS_MAX;

/// Input of the module that hub topics name.
const INPUT: &str = "input1";
/// As long as all of them.
const FIRST_SEQUENCE: &str = "0000000";

/// Which topics the messages travel on.
#[derive(Debug, Clone, Copy)]
pub enum Topics<'a> {
    /// Those on which a hub hands messages to the module of this identity: each names its sensor
    /// and has a property `sequenceNumber`, which is its slot.
    Hub(&'a Identity),
    /// One topic per sensor.
    Broker {
        /// `{sensor}` stands for the sensor's name, as `sensor-00042`.
        topic: &'a str,
    },
}

impl Topics<'_> {
    /// The length of every topic, which is the same for all sensors and messages.
    pub(super) fn bytes(self) -> Result<usize, TrafficError> {
        let topic = self.topic(0, FIRST_SEQUENCE);
        if !(1..=TOPIC_BYTES_MAX).contains(&topic.len()) || check_topic(&topic).is_err() {
            return Err(TrafficError::Topic(topic.chars().take(100).collect()));
        }
        Ok(topic.len())
    }

    /// The topic of a message of a sensor.
    pub(super) fn topic(self, sensor: u32, sequence: &str) -> String {
        let name = format!("sensor-{sensor:05}");
        match self {
            Topics::Hub(identity) => {
                let mut topic = topics::inputs_prefix(identity) + INPUT + "/%24.cdid=";
                percent_encode(&identity.device, &mut topic);
                topic + &format!("&%24.cmid={name}&sequenceNumber={sequence}")
            }
            Topics::Broker { topic } => topic.replace("{sensor}", &name),
        }
    }
}

const _: () = assert!(SENSORS_MAX <= 100_000, "five digits number all sensors");
