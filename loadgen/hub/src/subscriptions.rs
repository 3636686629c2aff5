//! SUBSCRIBE and UNSUBSCRIBE (MQTT 3.1.1 §3.8 and §3.10), and keeping what they change.

use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{SubAck, Subscribe, SubscribeReasonCode, UnsubAck, Unsubscribe};

use super::dispatch::{Step, violation, written};
use super::peer::Seat;
use super::persistence::StateFile;
use super::session::Session;
use super::state::HubState;

impl HubState {
    /// Grants as an edge hub does, and warns of what nothing will come by. What cannot be kept is
    /// not granted: SDKs never subscribe again, so they rely on it.
    pub(super) fn on_subscribe(
        &mut self,
        seat: Seat,
        subscribe: &Subscribe,
        out: &mut BytesMut,
    ) -> Step {
        let peer = &mut self.peers[seat.peer];
        let before = peer.session.clone();
        let session = peer.session.get_or_insert_default();
        let filters = subscribe.filters.iter();
        let granted: Vec<_> =
            filters.map(|filter| session.subscribe(&filter.path, filter.qos as u8)).collect();
        let is_kept = peer.session == before || self.keep_session(seat.peer, before);
        let peer = &mut self.peers[seat.peer];
        peer.refresh_interest();
        let holds = |filter: &str, qos| peer.session.as_ref().is_some_and(|s| s.holds(filter, qos));
        let codes = granted.into_iter().zip(&subscribe.filters).map(|(granted, filter)| {
            match granted.filter(|qos| is_kept || holds(&filter.path, *qos)) {
                Some(0) => SubscribeReasonCode::Success(QoS::AtMostOnce),
                Some(_) => SubscribeReasonCode::Success(QoS::AtLeastOnce),
                None => SubscribeReasonCode::Failure,
            }
        });
        let codes = codes.collect();
        for filter in &subscribe.filters {
            self.warn_unserved(seat.peer, &filter.path);
        }
        written(SubAck::new(subscribe.pkid, codes).write(out))
    }

    /// UNSUBACK knows no failure: what cannot be kept ends the connection without one.
    pub(super) fn on_unsubscribe(
        &mut self,
        seat: Seat,
        unsubscribe: &Unsubscribe,
        out: &mut BytesMut,
    ) -> Step {
        let peer = &mut self.peers[seat.peer];
        let before = peer.session.clone();
        if let Some(session) = &mut peer.session {
            unsubscribe.topics.iter().for_each(|filter| session.unsubscribe(filter));
        }
        if peer.session != before && !self.keep_session(seat.peer, before) {
            return violation("an UNSUBSCRIBE that cannot be kept: the state is not saved");
        }
        self.peers[seat.peer].refresh_interest();
        written(UnsubAck::new(unsubscribe.pkid).write(out))
    }

    /// Writes the sessions, of which this peer's has changed; one that cannot be kept is as it was
    /// `before`, and tells that by `false`. A clean session is not kept anyway.
    fn keep_session(&mut self, peer: usize, before: Option<Session>) -> bool {
        if self.peers[peer].link.as_ref().is_some_and(|link| link.clean_session) {
            return true;
        }
        let Err(error) = self.commit(StateFile::Sessions) else { return true };
        let client = self.peers[peer].identity.client_id();
        tracing::error!(client, %error, "change of subscriptions refused");
        self.peers[peer].session = before;
        false
    }
}
