//! Alerts leave in order of arrival, under topics that their receivers take.

use bytes::Bytes;
use proptest::prelude::*;
use sluicegate::azure::size::{MESSAGE_BYTES_MAX, PACKET_BYTES_MAX, message_bytes};
use sluicegate::azure::{Identity, Properties};
use sluicegate::broker::AlertsTopic;
use sluicegate::mqtt::limits::TOPIC_BYTES_MAX;
use sluicegate::outbound::naming::{BrokerOutput, HubOutput, Naming};
use sluicegate::pipeline::message::{Alert, Batch, Findings, Message, SourceId, Span};
use sluicegate::pipeline::order::Order;
use sluicegate::pipeline::place::Place;
use sluicegate::pipeline::threshold::Threshold;
use sluicegate::pipeline::unsent::Unsent;

use crate::properties;

const PREFIX: &str = "devices/d/modules/m/messages/events/%24.on=output1";

fn output() -> HubOutput {
    let identity = Identity {
        hub: "h".to_owned(),
        gateway: "g".to_owned(),
        device: "d".to_owned(),
        module: Some("m".to_owned()),
    };
    HubOutput::new(&identity, "output1")
}

fn alert(source: SourceId, origin: &str, body_bytes: usize) -> Alert {
    let mut block = origin.as_bytes().to_vec();
    block.extend(std::iter::repeat_n(b' ', body_bytes));
    let (end, middle) = (block.len(), origin.len());
    let message = Message { origin: Span::new(0..middle), body: Span::new(middle..end) };
    Alert::new(source, 0, Place::ALONE, Bytes::from(block), &message)
}

proptest! {
    #![proptest_config(properties())]

    /// In whatever order the pool returns batches, they are settled in order of arrival.
    #[test]
    fn order_of_arrival_is_restored(
        sequences in Just((0u64..40).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut order = Order::default();
        let mut settled = Vec::new();
        for sequence in sequences {
            let batch = Batch {
                source: SourceId::Hub,
                sequence,
                threshold: Threshold::DEFAULT,
                first_receipt: 0,
                block: Bytes::new(),
                messages: Vec::new(),
                findings: Findings::default(),
                kept_bytes: 0,
            };
            order.accept(batch, |batch| settled.push(batch.sequence));
            prop_assert_eq!(order.next_sequence(), settled.len() as u64);
        }
        prop_assert_eq!(settled, (0..40).collect::<Vec<_>>());
    }
}

#[test]
fn properties_stay_and_the_alert_is_added() {
    let mut output = output();
    for (bag, end) in [
        ("k=v&messagetype=x&%24.mid=7&%24.cdid=d", "&k=v&%24.mid=7&MessageType=Alert"),
        ("k=v/behind=it", "&k=v&MessageType=Alert"),
        ("", "&MessageType=Alert"),
    ] {
        let topic = output.topic(&alert(SourceId::Hub, bag, 3)).expect("it fits");
        assert_eq!(topic, format!("{PREFIX}{end}"));
    }
}

/// For all ways to write it: what this very module has sent as an alert is known, and nothing else
/// is.
#[test]
fn an_alert_of_this_very_module_is_known() {
    let own = [
        "MessageType=Alert&%24.cdid=d&%24.cmid=m",
        "%24.cdid=d&%24.cmid=m&MessageType=Alert",
        "n=1&messagetype=Alert&%24.mid=7&%24.cdid=d&%24.cmid=m&%24.ct=x",
        "$.cmid=m&$.cdid=d&MessageType=Alert",
        "%4DessageType=%41lert&%24.cdid=%64&%24%2Ecmid=%6D",
        "MessageType=Alert&%24.cmid=m",
        "MessageType=Alert&%24.cdid=d&%24.cmid=other&%24.cmid=m",
        "MessageType=x&MESSAGETYPE=Alert&%24.cdid=d&%24.cmid=m",
        "MessageType=Alert&%24.cdid=d&%24.cmid=m/behind",
    ];
    let others = [
        "MessageType=Alert&%24.cdid=d&%24.cmid=m2",
        "MessageType=Alert&%24.cdid=d&%24.cmid=M",
        "MessageType=Alert&%24.cdid=leaf&%24.cmid=m",
        "MessageType=Alert&%24.cdid=d",
        "MessageType=Alert&cdid=d&cmid=m",
        "MessageType=Alert",
        "MessageType=Warning&%24.cdid=d&%24.cmid=m",
        "MessageType&%24.cdid=d&%24.cmid=m",
        "k=Alert&%24.cdid=d&%24.cmid=m",
        "%24.cdid=d&%24.cmid=m",
        "MessageType=x/MessageType=Alert&%24.cdid=d&%24.cmid=m",
        "%24.cdid=d&%24.cmid=m/MessageType=Alert",
        "",
    ];
    for (bags, is_own) in [(&own[..], true), (&others, false)] {
        for bag in bags {
            let alert = alert(SourceId::Hub, bag, 3);
            let (mut output, mut judging) = (output(), output().judging_own_alerts(true));
            let is_refused = output.topic(&alert) == Err(Unsent::Own);
            assert_eq!(is_refused, is_own, "{bag}");
            assert!(judging.topic(&alert).is_ok(), "{bag}");
        }
    }
    let topic = "MessageType=Alert&%24.cdid=d&%24.cmid=m";
    assert!(output().topic(&alert(SourceId::Broker, topic, 3)).is_ok(), "a broker's topic");
}

/// The topic that a broker's message had is one property, whatever it is made of.
#[test]
fn a_brokers_topic_becomes_a_property() {
    let mut output = output();
    for (topic, encoded) in [
        ("sensors/7", "sensors%2F7"),
        ("halle/\u{fc}/a&b=c", "halle%2F%C3%BC%2Fa%26b%3Dc"),
        ("$on", "%24on"),
    ] {
        let topic = output.topic(&alert(SourceId::Broker, topic, 3)).expect("it fits");
        assert_eq!(topic, format!("{PREFIX}&topic={encoded}&MessageType=Alert"));
    }
}

/// The template's topic, unless MQTT cannot tell it.
#[test]
fn a_brokers_alert_is_named_by_the_template() {
    let template: AlertsTopic = "alerts/{topic}/hot".parse().expect("a template");
    let mut output = BrokerOutput::new(template);
    let named = output.topic(&alert(SourceId::Broker, "sensors/7", 3));
    let named_topic = "alerts/sensors/7/hot";
    assert_eq!(named, Ok(named_topic));
    let long = "x".repeat(TOPIC_BYTES_MAX - "alerts//hot".len());
    assert!(output.topic(&alert(SourceId::Broker, &long, 3)).is_ok());
    let refused = output.topic(&alert(SourceId::Broker, &format!("{long}x"), 3)).unwrap_err();
    assert_eq!(refused, Unsent::TopicTooLong(TOPIC_BYTES_MAX + 1));
    let shown = refused.to_string();
    assert!(shown.contains("--alerts-topic") && !shown.contains("hub"), "{shown}");
    assert_eq!(output.properties(named_topic), [], "a broker's topic carries none");
}

#[test]
fn a_topic_that_outgrows_mqtt_is_refused_not_truncated() {
    let bag = format!("k={}", "%".repeat(30_000));
    let refused = output().topic(&alert(SourceId::Hub, &bag, 3)).map(str::len).unwrap_err();
    let shown = refused.to_string();
    assert!(shown.contains("of the 65535 that MQTT has room for"), "{shown}");
    // The longest one that MQTT can tell.
    let rest = TOPIC_BYTES_MAX - PREFIX.len() - "&k=&MessageType=Alert".len();
    for (bytes, is_sent) in [(rest, true), (rest + 1, false)] {
        let bag = format!("k={}", "x".repeat(bytes));
        assert_eq!(output().topic(&alert(SourceId::Hub, &bag, 3)).is_ok(), is_sent, "{bytes}");
    }
}

/// What fills a packet to the last byte is sent, one byte more is not: a bag may be shorter decoded
/// than in its topic, and then the packet's bound comes first.
#[test]
fn the_largest_packet_is_sent_and_one_byte_more_is_not() {
    let bag = format!("k={}", "%C3%A9".repeat(1000));
    let topic_bytes = output().topic(&alert(SourceId::Hub, &bag, 3)).expect("it fits").len();
    let room = PACKET_BYTES_MAX - 4 - topic_bytes;
    for (size, is_sent) in [(room, true), (room + 1, false), (room + 2, false)] {
        let mut output = output();
        let named = output.topic(&alert(SourceId::Hub, &bag, size)).map(str::len);
        assert_eq!(named.is_ok(), is_sent, "{size}");
        if let Err(refused) = named {
            let shown = refused.to_string();
            let lengths = format!("topic with properties {topic_bytes} bytes, body {size} bytes");
            assert!(shown.contains(&lengths) && shown.contains("262144"), "{shown}");
        }
    }
}

/// The largest alert that a hub takes is sent, one byte more is not: counted as edgeHub
/// counts, with the decoded properties and its own.
#[test]
fn the_largest_alert_is_sent_and_one_byte_more_is_not() {
    let bag = "k=%C3%A9%C3%A9";
    let properties = Properties::decode(&format!("%24.on=output1&{bag}&MessageType=Alert"));
    let room = MESSAGE_BYTES_MAX - message_bytes(&properties, 0, 2);
    for (size, is_sent) in [(room, true), (room + 1, false)] {
        assert_eq!(output().topic(&alert(SourceId::Hub, bag, size)).is_ok(), is_sent, "{size}");
    }
}
