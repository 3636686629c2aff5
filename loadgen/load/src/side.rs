//! The side of the protocol that we are on: the program's hub, or clients of a broker.

use super::broker::Broker;
use super::error::LoadError;
use super::gateway::{Event, Gateway, Guest};
use super::lane::{Lane, LaneError};
use super::link::Link;
use super::properties;
use super::traffic::Traffic;
use super::wire::{Frame, Publish};

/// Which side of the protocol we are on.
#[derive(Debug)]
pub(super) enum Side {
    /// The hub of the program under test.
    Hub(Box<Gateway>),
    /// Sensors and receiver at a broker; the receiver is the last lane.
    Broker {
        /// The broker.
        broker: Box<Broker>,
        /// Lanes that the sensors share.
        connections: u32,
    },
}

impl Side {
    /// The connections that we make: to a broker.
    ///
    /// # Errors
    /// The broker cannot be reached.
    pub(super) fn open_lanes(&self, window: u32) -> Result<Vec<Lane>, LoadError> {
        match self {
            Self::Hub(_) => Ok(Vec::new()),
            Self::Broker { broker, connections } => (0..=*connections)
                .map(|number| Ok(Lane::new(broker.open(number)?, window)))
                .collect(),
        }
    }

    /// Whether alerts come on this lane and on no other.
    pub(super) fn is_receiver(&self, index: usize) -> bool {
        matches!(self, Self::Broker { connections, .. } if index == *connections as usize)
    }

    /// The lane that a sensor's messages go to.
    #[inline]
    pub(super) fn lane_of(&self, sensor: u32, inputs: Option<usize>) -> Option<usize> {
        match self {
            Self::Hub(_) => inputs,
            Self::Broker { connections, .. } => Some((sensor % connections) as usize),
        }
    }

    /// The part of an alert's topic that is verified; `None` when it is no alert of this run.
    #[inline]
    pub(super) fn alert<'a>(
        &self,
        frame: Frame<'_>,
        publish: &Publish<'a>,
        is_receiver: bool,
    ) -> Option<&'a [u8]> {
        match self {
            Self::Hub(gateway) => publish.topic.strip_prefix(gateway.alerts_prefix()),
            Self::Broker { broker, .. } => {
                (is_receiver && broker.is_ours(frame)).then_some(publish.topic)
            }
        }
    }

    /// Whether that part is right for the alert of this slot.
    #[inline]
    pub(super) fn is_right(&self, bag: &[u8], slot: u32, traffic: &Traffic) -> bool {
        match self {
            Self::Hub(_) => properties::are_of_alert(bag, traffic.sequence(slot)),
            Self::Broker { broker, .. } => broker.is_alerts_topic(bag, traffic.topic(slot)),
        }
    }

    /// Handles any other packet.
    ///
    /// # Errors
    /// The connection, or the run, ends.
    pub(super) fn control(
        &mut self,
        frame: Frame<'_>,
        guest: &mut Guest,
        link: &mut Link,
        is_receiver: bool,
        out: &mut Vec<u8>,
    ) -> Result<Event, LaneError> {
        match self {
            Self::Hub(gateway) => Ok(gateway.control(frame, guest, out)?),
            Self::Broker { broker, .. } => {
                broker.control(frame, link, is_receiver, out).map_err(LaneError::Load)?;
                Ok(Event::None)
            }
        }
    }
}
