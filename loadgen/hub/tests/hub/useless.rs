//! What is granted and taken as an edge hub does, and leads nowhere: told once, and counted.

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::SubscribeReasonCode;

use crate::client::{Client, Credentials};
use crate::log::{self, lines};
use crate::support::{message, start_logged, start_with};

const NOTHING: &str = "subscription that nothing will come by";

#[test]
fn a_filter_that_matches_nothing_is_granted_and_logged_once() {
    let (hub, device) = start_logged(|_| {});
    let own = format!("devices/{device}/modules/filter/inputs");
    let rows = [
        ("#".to_owned(), format!("{own}/#")),
        (format!("{own}/in"), format!("{own}/in/#")),
        (format!("{own}/ni/#"), format!("{own}/in/#")),
        (format!("devices/{device}/modules/other/inputs/#"), format!("{own}/#")),
        ("$iothub/twin/res/+".to_owned(), "$iothub/twin/res/#".to_owned()),
        ("$iothub/methods/+/#".to_owned(), "$iothub/methods/POST/#".to_owned()),
    ];
    let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
    let shown = |filter: &str| lines(&[NOTHING, &device, &format!("filter={filter:?} ")]);
    for _ in 0..2 {
        let mut client = Client::connect(&hub, "filter");
        for (filter, _) in &rows {
            assert_eq!(client.subscribe(filter, QoS::AtLeastOnce), granted, "{filter}");
        }
        client.disconnect();
    }
    for (filter, nearest) in &rows {
        let [line] = &shown(filter)[..] else { panic!("{filter}: {:#?}", shown(filter)) };
        assert!(line.contains(&format!("client=\"{device}/filter\"")), "{line}");
        assert!(line.contains(&format!("nearest={nearest:?}")), "{line}");
    }
    // What SDKs ask for is not told of.
    let mut client = Client::connect(&hub, "filter");
    for filter in [&format!("{own}/#"), "$iothub/twin/res/#", "$iothub/methods/POST/#"] {
        client.subscribe(filter, QoS::AtLeastOnce);
        assert!(shown(filter).is_empty(), "{filter}");
    }
}

/// SDKs never subscribe again: what a session has kept is told of when it is resumed.
#[test]
fn useless_filters_of_a_resumed_session_are_logged() {
    let (hub, device) = start_logged(|_| {});
    let mut client = Client::connect(&hub, "other");
    client.subscribe("devices/#", QoS::AtMostOnce);
    client.disconnect();
    let count = || lines(&[NOTHING, &device, "filter=\"devices/#\""]).len();
    assert_eq!(count(), 1);
    let crate::support::TestHub { hub, dir } = hub;
    hub.stop();
    let mut config = crate::support::config(dir.path());
    config.manifest.device.clone_from(&device);
    let hub = loadgen_hub::Hub::start(config).unwrap();
    let (_client, present) = Client::connect_with(&hub, &Credentials::of(&hub, "other"));
    assert!(present);
    assert_eq!(count(), 2);
}

#[test]
fn a_useless_filter_of_a_registration_is_logged_with_the_nearest() {
    let hub = start_with(|_| log::start());
    let enrollment = hub.enrollment("deaf-1").unwrap();
    let (mut client, _) = Client::connect_with(&hub, &Credentials::enrolled(&enrollment));
    client.subscribe("$dps/registrations/#", QoS::AtLeastOnce);
    log::expect(&[NOTHING, "\"deaf-1\"", "nearest=\"$dps/registrations/res/#\""]);
}

#[test]
fn an_output_without_a_route_is_logged_once_and_counted() {
    let (hub, device) = start_logged(|_| {});
    let mut client = Client::connect(&hub, "source");
    let topic = format!("devices/{device}/modules/source/messages/events/");
    for output in ["lost-a", "lost-a", "lost-b", "out", "lost-a"] {
        client.publish(&format!("{topic}%24.on={output}"), b"x");
    }
    client.publish(&topic, b"x");
    hub.publish_as("source", "lost-c", vec![message("x", &[])]).unwrap();
    let counts = |source: &str, count| (format!("/messages/modules/source{source}"), count);
    let expected = [
        counts("", 1),
        counts("/outputs/lost-a", 3),
        counts("/outputs/lost-b", 1),
        counts("/outputs/lost-c", 1),
    ];
    assert_eq!(hub.unrouted().unwrap(), expected);
    assert_eq!(hub.counters().dropped_no_route, 6);
    for output in ["lost-a", "lost-b", "lost-c"] {
        let shown = lines(&["no route", &format!("/messages/modules/source/outputs/{output}\"")]);
        assert_eq!(shown.len(), 1, "{shown:#?}");
    }
}
