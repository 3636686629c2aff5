//! How long the sensor waits, over memory and in virtual time.

use super::*;
use crate::mqtt::connection::WRITE_HIGH_WATER_BYTES;
use crate::mqtt::limits::PUBACK_TIMEOUT_DEFAULT;
use crate::mqtt::session::End;
use tokio::io::{DuplexStream, duplex};
use tokio::time::Instant as Clock;

/// A link that is to be served, and what stops it.
fn link(token_lifetime: Duration) -> (DeviceLink, watch::Sender<bool>) {
    let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (stop, stopped) = watch::channel(false);
    let settings = settings(1, token_lifetime, made.cert.der().clone());
    let mut link = DeviceLink::new(settings, Arc::default(), stopped, 7);
    link.identity = Some(Identity {
        hub: "h".to_owned(),
        gateway: "h".to_owned(),
        device: "d".to_owned(),
        module: None,
    });
    link.telemetry_topic = "devices/d/messages/events/".to_owned();
    link.renew_at = session::now() + HOUR;
    (link, stop)
}

/// The hub's end. It grants subscriptions, and answers pings and the GET.
struct Hub(Connection<DuplexStream>);

impl Hub {
    /// The next packet that is not answered here; `None` at the end of the connection.
    async fn next(&mut self) -> Option<Packet> {
        loop {
            let answer = match self.0.next_packet().await.ok()? {
                Packet::PingReq => Packet::PingResp,
                Packet::Subscribe(subscribe) => {
                    let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
                    let codes = vec![granted; subscribe.filters.len()];
                    Packet::SubAck(SubAck::new(subscribe.pkid, codes))
                }
                Packet::Publish(get) if get.topic.starts_with("$iothub/twin/GET/") => {
                    let topic = topics::twin_response(200, &rid(&get.topic), None);
                    let body = empty_twin().to_string();
                    Packet::Publish(Publish::new(topic, QoS::AtMostOnce, body))
                }
                packet => return Some(packet),
            };
            self.0.send(&answer).unwrap();
            self.0.flush().await.unwrap();
        }
    }
}

/// How the connection ended, and how long after the telemetry without PUBACK. `then` happens when
/// that has come.
async fn served(
    link: &mut DeviceLink,
    then: impl FnOnce(),
) -> (Result<serve::DeviceLeave, End>, Duration) {
    link.telemetry.push_back("{}".to_owned());
    let (ours, theirs) = duplex(1 << 16);
    let mut hub = Hub(Connection::new(theirs, Duration::ZERO));
    let serving = session::serve(link, Connection::new(ours, KEEP_ALIVE), false);
    let hub = async {
        assert!(matches!(hub.next().await, Some(Packet::Publish(_))), "telemetry is first");
        let start = Clock::now();
        then();
        while hub.next().await.is_some_and(|packet| packet != Packet::Disconnect) {}
        start.elapsed()
    };
    let (served, waited) = tokio::join!(serving, hub);
    (served.end, waited)
}

/// Telemetry without PUBACK ends a connection on which pings are answered after 6 s.
#[tokio::test(start_paused = true)]
async fn telemetry_is_without_puback_for_six_seconds_at_most() {
    let (mut link, _stop) = link(HOUR);
    let (end, waited) = served(&mut link, || {}).await;
    assert!(matches!(end, Err(End::NoPubAck(PUBACK_TIMEOUT_DEFAULT))), "{end:?}");
    assert!((6..8).contains(&waited.as_secs()), "{waited:?}");
}

/// What has no answer holds up the end for a second, and never longer than a tenth of the token's
/// life.
#[tokio::test(start_paused = true)]
async fn leaving_takes_a_second_or_a_tenth_of_the_tokens_life() {
    for (lifetime, wait_ms) in [(HOUR, 1000), (Duration::from_secs(4), 400)] {
        let (mut link, stop) = link(lifetime);
        let wake = Arc::clone(&link.wake);
        let stop = || {
            stop.send(true).unwrap();
            wake.notify_one();
        };
        let (end, waited) = served(&mut link, stop).await;
        assert!(matches!(end, Ok(serve::DeviceLeave::Stop)), "{end:?}");
        let waited_ms = waited.as_millis();
        assert!((wait_ms..=wait_ms + 1).contains(&waited_ms), "{waited_ms} ms, {wait_ms}");
    }
}

/// A token is replaced after three quarters to four fifths of its life.
#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_when_it_is_due() {
    const LIFETIME: Duration = Duration::from_secs(100);
    let (mut link, _stop) = link(LIFETIME);
    for _ in 0..50 {
        let mut hello = Connect::new("d");
        let due = link.log_in(&mut hello, "u".to_owned(), "r", None) - session::now();
        assert!((LIFETIME * 3 / 4..=LIFETIME * 4 / 5).contains(&due), "{due:?}");
    }
    const DUE: Duration = Duration::from_secs(4);
    link.renew_at = session::now() + DUE;
    let (end, waited) = served(&mut link, || {}).await;
    assert!(matches!(end, Ok(serve::DeviceLeave::Renewal)), "{end:?}");
    let latest = DUE + LEAVE_WAIT + Duration::from_millis(1);
    assert!((DUE + LEAVE_WAIT..=latest).contains(&waited), "{waited:?}");
}

/// A connection has worked once telemetry was acknowledged on it.
#[tokio::test(start_paused = true)]
async fn a_connection_works_once_telemetry_is_acknowledged() {
    for is_acknowledged in [true, false] {
        let (mut link, _stop) = link(HOUR);
        link.telemetry.push_back("{}".to_owned());
        let (ours, theirs) = duplex(1 << 16);
        let mut hub = Hub(Connection::new(theirs, Duration::ZERO));
        let serving = session::serve(&mut link, Connection::new(ours, KEEP_ALIVE), false);
        let hub = async move {
            let Some(Packet::Publish(telemetry)) = hub.next().await else { panic!("telemetry") };
            if is_acknowledged {
                hub.0.send(&Packet::PubAck(PubAck::new(telemetry.pkid))).unwrap();
                hub.0.flush().await.unwrap();
            }
        };
        let (served, ()) = tokio::join!(serving, hub);
        assert_eq!(served.has_worked, is_acknowledged);
    }
}

/// A hub that sends commands and does not read the answers is not read beyond some of them.
#[tokio::test(start_paused = true)]
async fn a_hub_that_takes_no_answers_is_not_read() {
    let (mut link, _stop) = link(HOUR);
    let (ours, theirs) = duplex(1 << 16);
    let mut hub = Connection::new(theirs, Duration::ZERO);
    let command = Publish::new(topics::method_request("turnon", "7f"), QoS::AtMostOnce, "");
    // Each answer is as long as its command, or longer.
    let bytes = 3 * (WRITE_HIGH_WATER_BYTES + (1 << 16));
    for _ in 0..bytes / command.size() {
        hub.publish(&command).unwrap();
    }
    let serving = session::serve(&mut link, Connection::new(ours, KEEP_ALIVE), false);
    let sending = timeout(Duration::from_secs(10), hub.flush());
    tokio::select! {
        _ = serving => panic!("the connection ended"),
        sent = sending => assert!(sent.is_err(), "all of it was read"),
    }
}

/// Nothing is asked of the twin, nor reported to it, before its answers would come.
#[tokio::test(start_paused = true)]
async fn nothing_is_asked_before_the_suback() {
    let (mut link, _stop) = link(HOUR);
    link.act(Action::Report("state", json!("true")));
    let (ours, theirs) = duplex(1 << 16);
    let mut hub = Connection::new(theirs, Duration::ZERO);
    let serving = session::serve(&mut link, Connection::new(ours, KEEP_ALIVE), false);
    let hub = async move {
        assert!(matches!(hub.next_packet().await, Ok(Packet::Subscribe(_))));
        let early = timeout(Duration::from_secs(2), hub.next_packet()).await;
        assert!(early.is_err(), "{early:?}");
    };
    tokio::join!(serving, hub).0.end.expect_err("the hub has hung up");
}
