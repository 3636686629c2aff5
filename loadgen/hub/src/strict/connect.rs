//! CONNECT (section 3.1): taken apart whole, because what is refused with which code depends on
//! its parts.

use std::fmt;

use bytes::Bytes;
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode, LastWill, Login};
use rumqttc::mqttbytes::{Protocol, QoS};

use super::First;
use super::text::{PacketReader, shown, text, topic_name};
use super::violation::{Result, Violation, violation};

/// The one protocol level that is served: MQTT 3.1.1.
const LEVEL: u8 = 4;
/// A CONNECT that is not what section 3.1 says it is.
const SHAPE: &[&str] = &["MQTT-3.1.4-1"];

/// Flags of CONNECT.
const RESERVED: u8 = 0x01;
const CLEAN_SESSION: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

/// A CONNECT that is answered by a refusal: MQTT has a code for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unwelcome {
    /// Another protocol level of MQTT, or MQTT 3.1.
    Version {
        /// The level asked for.
        level: u8,
        /// Whether it goes by MQTT 3.1's protocol name.
        is_mqisdp: bool,
    },
    /// No client id, and yet a session to keep.
    ClientId,
}

impl Unwelcome {
    /// The code of the CONNACK.
    pub(crate) fn code(&self) -> ConnectReturnCode {
        match self {
            Self::Version { .. } => ConnectReturnCode::RefusedProtocolVersion,
            Self::ClientId => ConnectReturnCode::BadClientId,
        }
    }
}

impl fmt::Display for Unwelcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ADVICE: &str = "this hub speaks MQTT 3.1.1 alone (level 4): set the client to that";
        let version = match self {
            Self::ClientId => {
                return f.write_str(
                    "no client id, and clean session 0: name the device or module [MQTT-3.1.3-8]",
                );
            }
            Self::Version { is_mqisdp: true, level } => format!("MQTT 3.1 (MQIsdp, level {level})"),
            Self::Version { level: 3, .. } => "MQTT 3.1 (level 3)".to_owned(),
            Self::Version { level: 5, .. } => "MQTT 5 (level 5)".to_owned(),
            Self::Version { level, .. } if level & 0x80 != 0 => {
                format!("MQTT of level {} with a bridge's mark", level & 0x7f)
            }
            Self::Version { level, .. } => format!("MQTT of level {level}"),
        };
        write!(f, "the client speaks {version}, {ADVICE} [MQTT-3.1.2-2]")
    }
}

/// Reads what stands behind the fixed header of a CONNECT.
pub(super) fn parse(body: &[u8]) -> Result<First> {
    let mut reader = PacketReader(body);
    let name = reader.field().ok_or_else(|| short("protocol name", SHAPE))?;
    let is_mqisdp = name == b"MQIsdp";
    if !is_mqisdp && name != b"MQTT" {
        let name = shown(&String::from_utf8_lossy(name));
        let what = format!("a CONNECT with the protocol name {name}, which must be \"MQTT\"");
        return Err(violation(what, &["MQTT-3.1.2-1"]));
    }
    let level = reader.u8().ok_or_else(|| short("protocol level", SHAPE))?;
    // Before all else: other versions have other fields behind it.
    if is_mqisdp || level != LEVEL {
        return Ok(First::Unwelcome(Unwelcome::Version { level, is_mqisdp }));
    }
    let flags = reader.u8().ok_or_else(|| short("flags", SHAPE))?;
    check_flags(flags)?;
    let keep_alive = reader.u16().ok_or_else(|| short("keep-alive", SHAPE))?;
    let client_id = reader.field().ok_or_else(|| short("client id", &["MQTT-3.1.3-3"]))?;
    let client_id = text("the client id of a CONNECT", client_id)?.to_owned();
    let last_will = will(flags, &mut reader)?;
    let login = login(flags, &mut reader)?;
    check_end(flags, reader.0.len())?;
    let clean_session = flags & CLEAN_SESSION != 0;
    if client_id.is_empty() && !clean_session {
        return Ok(First::Unwelcome(Unwelcome::ClientId));
    }
    let protocol = Protocol::V4;
    let connect = Connect { protocol, keep_alive, client_id, clean_session, last_will, login };
    Ok(First::Connect(connect))
}

fn short(field: &str, statements: &'static [&'static str]) -> Violation {
    violation(format!("a CONNECT that ends before or within its {field}"), statements)
}

fn check_flags(flags: u8) -> Result<()> {
    let will_qos = will_qos(flags);
    let (what, statements): (_, &[_]) = if flags & RESERVED != 0 {
        ("a CONNECT with the reserved flag", &["MQTT-3.1.2-3"])
    } else if flags & WILL == 0 && will_qos != 0 {
        ("a CONNECT with a will's QoS and no will", &["MQTT-3.1.2-13", "MQTT-3.1.2-11"])
    } else if flags & WILL == 0 && flags & WILL_RETAIN != 0 {
        ("a CONNECT with a will's RETAIN and no will", &["MQTT-3.1.2-15", "MQTT-3.1.2-11"])
    } else if will_qos == 3 {
        ("a CONNECT with a will of QoS 3", &["MQTT-3.1.2-14"])
    } else if flags & USER_NAME == 0 && flags & PASSWORD != 0 {
        ("a CONNECT with a password and no user name", &["MQTT-3.1.2-22"])
    } else {
        return Ok(());
    };
    Err(violation(what, statements))
}

fn will_qos(flags: u8) -> u8 {
    flags >> 3 & 0b11
}

fn will(flags: u8, reader: &mut PacketReader<'_>) -> Result<Option<LastWill>> {
    const PRESENT: &[&str] = &["MQTT-3.1.2-9"];
    if flags & WILL == 0 {
        return Ok(None);
    }
    let topic = reader.field().ok_or_else(|| short("will topic", PRESENT))?;
    let topic = topic_name("the will topic of a CONNECT", topic)?.to_owned();
    let message = reader.field().ok_or_else(|| short("will message", PRESENT))?;
    let qos = match will_qos(flags) {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    };
    let (message, retain) = (Bytes::copy_from_slice(message), flags & WILL_RETAIN != 0);
    Ok(Some(LastWill { topic, message, qos, retain }))
}

fn login(flags: u8, reader: &mut PacketReader<'_>) -> Result<Option<Login>> {
    if flags & USER_NAME == 0 {
        return Ok(None);
    }
    let username = reader.field().ok_or_else(|| short("user name", &["MQTT-3.1.2-19"]))?;
    let username = text("the user name of a CONNECT", username)?.to_owned();
    let mut password = String::new();
    if flags & PASSWORD != 0 {
        let bytes = reader.field().ok_or_else(|| short("password", &["MQTT-3.1.2-21"]))?;
        // Any bytes are a password; those that are no text are no token either.
        password = String::from_utf8_lossy(bytes).into_owned();
    }
    Ok(Some(Login { username, password }))
}

/// What stands behind the last field that the flags announce.
fn check_end(flags: u8, left: usize) -> Result<()> {
    let (field, statements): (_, &[_]) = if left == 0 {
        return Ok(());
    } else if flags & USER_NAME == 0 {
        ("user name", &["MQTT-3.1.2-18", "MQTT-3.1.2-11"])
    } else if flags & PASSWORD == 0 {
        ("password", &["MQTT-3.1.2-20"])
    } else {
        ("further field", &["MQTT-3.1.3-1"])
    };
    let what = format!("a CONNECT with {left} bytes too many: its flags announce no {field}");
    Err(violation(what, statements))
}
