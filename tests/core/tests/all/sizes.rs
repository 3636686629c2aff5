//! Sizes, counts and times that 32 bits cannot tell: refused in words, or right to the last digit.

use std::time::{Duration, UNIX_EPOCH};

use clap::Command;
use sluicegate::azure::dps::parse_response;
use sluicegate::azure::{Key, Token, sign_token};
use sluicegate::module::settings::{Settings, add_flags};
use sluicegate::mqtt::QoS;
use sluicegate::mqtt::wire::{Oversized, oversized};
use sluicegate::pipeline::limits::{HELD_BYTES_MAX, HELD_BYTES_MIN};

/// The bound that `text` gives, or what is said of it.
fn held_bytes(text: &str) -> Result<usize, String> {
    let arguments = ["run", "--broker", "mqtt://localhost", "--held-bytes", text];
    let matches = add_flags(Command::new("run")).try_get_matches_from(arguments).unwrap();
    let settings = Settings::resolve(&matches, |_| None);
    settings.map(|settings| settings.held_bytes).map_err(|error| error.to_string())
}

/// A bound that the machine cannot count, twice over and for two sources, is an error of the
/// settings that names the largest one; it never becomes another number.
#[test]
fn held_bytes_are_never_more_than_can_be_counted() {
    for bytes in [HELD_BYTES_MIN, 64 << 20, HELD_BYTES_MAX] {
        assert_eq!(held_bytes(&bytes.to_string()), Ok(bytes));
    }
    let five_gb = 5_000_000_000_u64;
    for bytes in [0, HELD_BYTES_MIN as u64 - 1, HELD_BYTES_MAX as u64 + 1, five_gb, u64::MAX] {
        match held_bytes(&bytes.to_string()) {
            Ok(held) => assert_eq!((held as u64, bytes), (five_gb, five_gb)),
            Err(error) => {
                let range = format!("from {HELD_BYTES_MIN} to {HELD_BYTES_MAX}");
                assert!(error.contains(&range), "{error}");
            }
        }
    }
    assert_eq!(held_bytes("5000000000").is_err(), usize::BITS == 32);
}

/// Tokens end after 2038 and after 2106.
#[test]
fn tokens_outlive_32_bits() {
    let key = Key::from_base64("c2VjcmV0").unwrap();
    for expiry_unix_s in [2_147_483_648, 4_294_967_296, 5_000_000_000] {
        let text = sign_token(&key, "h.net/devices/d", expiry_unix_s, None);
        let token = Token::parse(&text).unwrap();
        assert_eq!(token.expiry_unix_s(), expiry_unix_s);
        assert!(token.verify(&key));
        // The system's clock tells such times too.
        let time = UNIX_EPOCH + Duration::from_secs(expiry_unix_s);
        assert_eq!(time.duration_since(UNIX_EPOCH).unwrap().as_secs(), expiry_unix_s);
    }
}

/// The longest packet that MQTT knows is passed over by its length, whatever its parts say.
#[test]
fn the_longest_packet_is_counted() {
    let header = |first: u8| vec![first, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff];
    let bytes = 5 + 268_435_455;
    let topic = vec![b't'; 65_535];
    for (first, qos, id) in [
        (0x30, QoS::AtMostOnce, None),
        (0x32, QoS::AtLeastOnce, Some(0x1234)),
        (0x3c, QoS::ExactlyOnce, Some(0x1234)),
    ] {
        assert_eq!(oversized(&header(first)), Oversized::Incomplete, "64 KB of topic follow");
        let whole = [header(first), topic.clone(), vec![0x12, 0x34]].concat();
        let topic = Box::new(topic.clone().into());
        assert_eq!(oversized(&whole), Oversized::Publish { qos, packet_id: id, bytes, topic });
        // There is no id of zero, and nothing to answer under it.
        let zero = [header(first), whole[7..65_542].to_vec(), vec![0, 0]].concat();
        assert_eq!(oversized(&zero) == Oversized::Other, id.is_some());
    }
}

/// A wait that no clock reaches is read as it stands: who waits has a bound of his own.
#[test]
fn waits_beyond_32_bits_are_read_whole() {
    for seconds in [4_294_967_296, u64::MAX] {
        let topic = format!("$dps/registrations/res/202/?$rid=1&retry-after={seconds}");
        let response = parse_response(&topic).unwrap();
        assert_eq!(response.retry_after, Some(Duration::from_secs(seconds)));
    }
}
