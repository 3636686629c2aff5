//! What a durable hub leaves to the next one in its folder.

use loadgen_hub::Hub;
use rumqttc::mqttbytes::v4::{Packet, PubAck};

use crate::client::{Client, PATIENCE};
use crate::support::{TestHub, config, message, numbered, start, start_with, wait};

const BOTH: &str = "devices/edge1/modules/source/messages/events/%24.on=both";

fn durable() -> TestHub {
    start_with(|config| config.durable = true)
}

fn again(hub: TestHub) -> TestHub {
    let TestHub { hub, dir } = hub;
    hub.stop();
    let mut config = config(dir.path());
    config.durable = true;
    TestHub { hub: Hub::start(config).unwrap(), dir }
}

/// Inputs come again until they are acknowledged, each receiver's own; upstream until released.
#[test]
fn what_was_not_delivered_comes_again_and_what_was_does_not() {
    let hub = durable();
    let mut source = Client::connect(&hub, "source");
    ["a", "b", "c"].iter().for_each(|body| source.publish(BOTH, body.as_bytes()));
    let mut filter = Client::listen(&hub, "filter");
    assert_eq!(filter.take_publish().payload, "a");
    assert_eq!(filter.receive_publish().payload, "b");
    hub.until(|counters| counters.inputs_acked == 1);
    let properties = [("a", Some("b")), ("bare", None)];
    let alerts = ["x", "y", "z"].map(|body| message(body, &properties));
    hub.publish_as("filter", "o", alerts.to_vec()).unwrap();
    let first = hub.upstream().recv_timeout(PATIENCE).unwrap();
    assert_eq!(first.body, "x");
    hub.release_upstream(first.number);
    let hub = again(hub);
    assert_eq!(hub.counters().restored, 2 + 3 + 2);
    assert_eq!((hub.stored("filter"), hub.stored("other")), (2, 3));
    for body in ["y", "z"] {
        let message = hub.upstream().recv_timeout(PATIENCE).unwrap();
        assert_eq!(message.body, body);
        assert_eq!(
            (message.module.as_deref(), message.output.as_deref()),
            (Some("filter"), Some("o"))
        );
        assert_eq!(message.properties.get("a"), Some(Some("b")));
        assert_eq!(message.properties.get("bare"), Some(None));
        hub.release_upstream(message.number);
    }
    // What comes now goes behind them.
    hub.publish_as("source", "both", numbered(1)).unwrap();
    let mut filter = Client::connect(&hub, "filter");
    ["b", "c", "0"].iter().for_each(|body| assert_eq!(filter.take_publish().payload, *body));
    let taken = hub.drain_inputs("other", 10).unwrap();
    let bodies: Vec<_> = taken.iter().map(|(_, message)| message.body.clone()).collect();
    assert_eq!(bodies, ["a", "b", "c", "0"]);
    hub.until(|counters| counters.inputs_acked == 7);
    let hub = again(hub);
    assert_eq!(hub.counters().restored, 0);
    assert!(!hub.dir.path().join("messages.redb").exists(), "nothing is kept");
}

/// PUBACKs come in the order of their publishes, whether they wait for the disk or not.
#[test]
fn pubacks_keep_their_order() {
    let hub = durable();
    let mut client = Client::connect(&hub, "source");
    let mut ids = Vec::new();
    for n in 0..300 {
        let topic = match n % 3 {
            0 => BOTH,
            1 => "$iothub/twin/PATCH/properties/reported/?$rid=1",
            _ => "devices/edge1/modules/source/messages/events/%24.on=nowhere",
        };
        ids.push(client.post(topic, b"{}"));
    }
    for id in ids {
        assert_eq!(client.receive(), Packet::PubAck(PubAck::new(id)));
    }
    assert_eq!(hub.stored("other"), 100);
}

/// Messages of a module that the manifest has no more stay for when it is back.
#[test]
fn messages_wait_for_a_module_that_comes_back() {
    let TestHub { hub, dir } = durable();
    hub.publish_as("source", "both", numbered(2)).unwrap();
    hub.stop();
    let mut smaller = config(dir.path());
    smaller.durable = true;
    smaller.manifest.modules.remove("other");
    smaller.manifest.routes.clear();
    let hub = Hub::start(smaller).unwrap();
    assert_eq!(hub.counters().restored, 2);
    let hub = again(TestHub { hub, dir });
    assert_eq!((hub.stored("filter"), hub.stored("other")), (2, 2));
}

#[test]
fn a_hub_that_is_not_durable_leaves_no_file_and_touches_none() {
    let hub = start();
    hub.publish_as("source", "both", numbered(2)).unwrap();
    let TestHub { hub, dir } = hub.restart();
    assert_eq!((hub.counters().restored, hub.is_durable()), (0, false));
    hub.stop();
    let file = dir.path().join("messages.redb");
    assert!(!file.exists());
    std::fs::write(&file, "something").unwrap();
    Hub::start(config(dir.path())).unwrap().stop();
    assert_eq!(std::fs::read(&file).unwrap(), b"something");
    let mut config = config(dir.path());
    config.durable = true;
    let error = Hub::start(config).unwrap_err().to_string();
    assert!(error.contains("messages.redb"), "{error}");
}

/// A queue upstream that nobody reads is bounded on disk as well: the oldest go.
#[test]
fn what_is_dropped_upstream_is_dropped_on_disk() {
    let TestHub { hub, dir } = start_with(|config| {
        config.durable = true;
        config.upstream_messages_max = 10;
    });
    hub.publish_as("filter", "o", numbered(25)).unwrap();
    assert_eq!(hub.counters().upstream_overwritten, 15);
    let hub = again(TestHub { hub, dir });
    assert_eq!(hub.counters().restored, 10);
    assert_eq!(hub.upstream().recv_timeout(PATIENCE).unwrap().body, "15");
}

/// While the disk takes nothing no PUBACK comes, messages go on to their receivers, and those that
/// were delivered are acknowledged; then all are.
#[test]
fn without_a_disk_only_what_was_delivered_is_acknowledged() {
    let hub = start_with(|config| {
        config.durable = true;
        config.window = 10;
    });
    // The file cannot be made where a folder has its name.
    let obstacle = hub.dir.path().join("messages.redb.new");
    std::fs::create_dir_all(obstacle.join("inside")).unwrap();
    let mut source = Client::connect(&hub, "source");
    let ids: Vec<u16> = (0..3).map(|_| source.post(BOTH, b"m")).collect();
    hub.until(|counters| counters.store_failures > 0);
    source.assert_quiet();
    let mut filter = Client::listen(&hub, "filter");
    (0..3).for_each(|_| assert_eq!(filter.take_publish().payload, "m"));
    // One of two receivers.
    source.assert_quiet();
    std::fs::remove_dir_all(&obstacle).unwrap();
    ids.iter().for_each(|id| assert_eq!(source.receive(), Packet::PubAck(PubAck::new(*id))));
    wait(|| hub.stored("filter") == 0);
    let hub = again(hub);
    assert_eq!((hub.stored("filter"), hub.stored("other")), (0, 3));
    assert_eq!(hub.drain_inputs("other", 10).unwrap().len(), 3);
}
