//! Alerts of the module that a route brings back to its input.

use super::*;
use crate::testing::capture::capture;

impl Hub {
    async fn hot(&mut self, id: u16, bag: &str) {
        let topic = format!("devices/d/modules/m/inputs/input1/{bag}");
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, HOT);
        publish.pkid = id;
        self.send(Packet::Publish(publish)).await;
    }
}

/// The module's own alert is acknowledged and goes nowhere; alerts of all others do.
#[tokio::test]
async fn an_own_alert_is_acknowledged_and_not_sent_again() {
    let log = capture();
    let (link, _stop, _wake) = link(1 << 20);
    let pipeline = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    for id in 1..=20 {
        hub.hot(id, "n=1&MessageType=Alert&%24.cdid=d&%24.cmid=m").await;
        assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(id)), "and no publish");
    }
    hub.hot(21, "n=1&MessageType=Alert&%24.cdid=d&%24.cmid=m2").await;
    let alert = hub.next_publish().await;
    let topic = "devices/d/modules/m/messages/events/%24.on=output1&n=1&MessageType=Alert";
    assert_eq!(alert.topic, topic);
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(21)));
    let counters = pipeline.lock().counters.clone();
    let counted = (counters.received, counters.own_alerts, counters.alerts, counters.forwarded);
    assert_eq!(counted, (21, 20, 1, 1));
    let shown = log.lines("own alert ignored: a route");
    assert!(matches!(&*shown, [line] if line.contains("SLUICEGATE_JUDGE_OWN_ALERTS")), "{shown:?}");
}

/// Where the setting says so an own alert is an alert.
#[tokio::test]
async fn an_own_alert_is_judged_where_it_is_to_be() {
    let log = capture();
    let (mut link, _stop, _wake) = link(1 << 20);
    link.settings.judge_own_alerts = true;
    let HubLink { settings, pipeline, wake, stop, .. } = link;
    let link = HubLink::new(settings, pipeline.clone(), wake, stop);
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    hub.hot(1, "MessageType=Alert&%24.cdid=d&%24.cmid=m").await;
    let alert = hub.next_publish().await;
    assert!(alert.topic.ends_with("output1&MessageType=Alert"), "{}", alert.topic);
    assert_eq!((pipeline.lock().counters.own_alerts, log.lines("own alert")), (0, vec![]));
}

/// One that is below the threshold by now ends there in any case.
#[tokio::test]
async fn an_own_alert_below_the_threshold_is_no_alert() {
    let (link, _stop, _wake) = link(1 << 20);
    let pipeline = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(100, 1).await;
    hub.answer_report().await;
    hub.hot(1, "MessageType=Alert&%24.cdid=d&%24.cmid=m").await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)));
    let counters = pipeline.lock().counters.clone();
    assert_eq!((counters.own_alerts, counters.not_alerts), (0, 1));
}
