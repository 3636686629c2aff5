//! What may be behind the end of a connection, judged by how long it lived and was silent.

use std::fmt::Write;
use std::time::Duration;

use super::End;
use crate::mqtt::transport::{NamedSetting, Names, See};
use crate::mqtt::{ConnectionError, mqttbytes};

/// A peer that hangs up so soon after CONNACK did not like the client.
const SOON: Duration = Duration::from_secs(2);
/// A connection that was silent for so long may have been closed for that.
const SILENCE_MIN: Duration = Duration::from_secs(5);

/// How a connection went, until it was lost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    /// Since its CONNACK.
    pub(crate) lived: Duration,
    /// Since something was last sent or heard on it.
    pub(crate) silence: Duration,
    /// As announced in CONNECT.
    pub(crate) keep_alive: Duration,
}

impl Course {
    /// What to say behind the end of the connection of `client_id`: nothing, or from `; ` on.
    pub(crate) fn hint(self, end: &End, client_id: &str, names: &'static Names) -> String {
        let keep_alive_s = self.keep_alive.as_secs();
        let (mut hint, is_setting) = (String::new(), names.has_keep_alive());
        // Writing to a string does not fail.
        let _ = match end {
            End::Connection(ConnectionError::Protocol(fault)) if is_of_peer(fault) => write!(
                hint,
                "; it may speak another version of MQTT, or something in between changes what it \
                 says{}",
                See(names, &[NamedSetting::Port, NamedSetting::Way])
            ),
            End::Connection(error) if !error.is_closed() => Ok(()),
            End::Connection(_) if self.lived < SOON => write!(
                hint,
                " soon after CONNACK; {client_id:?} may be in use twice, or may not do what it \
                 asked for{}{}",
                if is_setting {
                    format!(", or a keep-alive of {keep_alive_s} s is too long")
                } else {
                    String::new()
                },
                See(
                    names,
                    &[NamedSetting::ClientId, NamedSetting::Identity, NamedSetting::KeepAlive]
                )
            ),
            End::Connection(_) if !is_setting => Ok(()),
            End::Connection(_) if self.silence >= SILENCE_MIN && keep_alive_s > 0 => write!(
                hint,
                " after {} s of silence; if that comes again, it or something in between wants a \
                 keep-alive below {keep_alive_s} s{}",
                self.silence.as_secs(),
                See(names, &[NamedSetting::KeepAlive])
            ),
            _ => Ok(()),
        };
        hint
    }
}

/// What cannot be encoded is a fault of ours.
fn is_of_peer(fault: &mqttbytes::Error) -> bool {
    !matches!(
        fault,
        mqttbytes::Error::PayloadTooLong | mqttbytes::Error::OutgoingPacketTooLarge { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    const NAMES: Names = Names {
        client_id: "CLIENT-ID",
        identity: "IDENTITY",
        keep_alive: "KEEP-ALIVE",
        port: "PORT",
        way: "WAY",
        ..Names::NONE
    };

    fn text_of(end: impl Into<ConnectionError>, lived_s: u64, silence_s: u64) -> String {
        let end = End::Connection(end.into());
        let (lived, silence) = (Duration::from_secs(lived_s), Duration::from_secs(silence_s));
        let course = Course { lived, silence, keep_alive: Duration::from_secs(60) };
        format!("lost: {end}{}", course.hint(&end, "d/m", &NAMES))
    }

    /// The sensor has no setting for the keep-alive, so no hint names one.
    #[test]
    fn a_keep_alive_that_nobody_can_set_is_not_hinted_at() {
        const FIXED: Names = Names { keep_alive: "", ..NAMES };
        let end = End::Connection(ConnectionError::Closed);
        for (lived_s, silence_s) in [(0, 0), (100, 45)] {
            let (lived, silence) = (Duration::from_secs(lived_s), Duration::from_secs(silence_s));
            let course = Course { lived, silence, keep_alive: Duration::from_secs(60) };
            let hint = course.hint(&end, "d", &FIXED);
            assert!(!hint.contains("keep-alive"), "{hint}");
            assert_eq!(hint.contains("see CLIENT-ID, IDENTITY"), lived_s == 0, "{hint}");
        }
    }

    /// What could not be sent is no fault of the peer, and without a keep-alive none is too long.
    #[test]
    fn impossible_causes_are_not_hinted_at() {
        let fault = text_of(mqttbytes::Error::PayloadTooLong, 0, 0);
        assert!(!fault.contains("another version"), "{fault}");
        let end = End::Connection(ConnectionError::Closed);
        let (lived, silence) = (Duration::from_secs(100), Duration::from_secs(45));
        let course = Course { lived, silence, keep_alive: Duration::ZERO };
        assert_eq!(course.hint(&end, "d/m", &NAMES), "");
    }

    /// Each end is one sentence, with what to do where the connection's course shows a reason.
    #[test]
    fn hints_follow_the_course_of_the_connection() {
        const SOON: &str = " soon after CONNACK; \"d/m\" may be in use twice, or may not do what \
             it asked for, or a keep-alive of 60 s is too long; see CLIENT-ID, IDENTITY, \
             KEEP-ALIVE";
        const SILENT: &str = " after 45 s of silence; if that comes again, it or something in \
             between wants a keep-alive below 60 s; see KEEP-ALIVE";
        let eof = || Error::new(ErrorKind::UnexpectedEof, "no close_notify");
        let reset = || Error::from(ErrorKind::ConnectionReset);
        let closed = "lost: the peer closed the connection";
        assert_eq!(text_of(ConnectionError::Closed, 0, 0), format!("{closed}{SOON}"));
        assert_eq!(text_of(eof(), 1, 1), format!("{closed}{SOON}"));
        assert_eq!(text_of(reset(), 1, 0), format!("lost: the peer reset the connection{SOON}"));
        assert_eq!(text_of(ConnectionError::Closed, 100, 45), format!("{closed}{SILENT}"));
        assert_eq!(
            text_of(reset(), 50, 45),
            format!("lost: the peer reset the connection{SILENT}")
        );
        assert_eq!(text_of(ConnectionError::Closed, 2, 4), closed, "neither soon nor silent");
        let after_5_s = format!("{closed}{}", SILENT.replace("45", "5"));
        assert_eq!(text_of(ConnectionError::Closed, 2, 5), after_5_s);
        assert_eq!(
            text_of(mqttbytes::Error::MalformedPacket, 0, 0),
            "lost: not valid MQTT 3.1.1 from the peer (Malformed packet); it may speak another \
             version of MQTT, or something in between changes what it says; see PORT, WAY"
        );
        assert_eq!(
            text_of(ConnectionError::KeepAlive(Duration::from_secs(30)), 100, 30),
            "lost: no answer to PINGREQ within 30s"
        );
        assert_eq!(
            text_of(Error::from(ErrorKind::TimedOut), 1, 0),
            "lost: the connection failed (timed out)"
        );
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::InternalError);
        assert_eq!(
            text_of(Error::other(alert), 1, 0),
            "lost: the connection failed (TLS alert: internal error)"
        );
    }
}
