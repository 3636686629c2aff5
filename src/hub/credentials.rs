//! What the module proves its identity with: its own key, or the runtime's signatures.
//!
//! - In: the resource of a token and its life. Out: a SAS token, the MQTT password.
//! - Runs on the task of its caller; [`workload`](crate::hub::workload) names what is bounded.
//! - Neither keys nor tokens are shown, logged or part of an error.

use std::time::Duration;

use crate::azure::{Key, UnsignedToken, sign_token};
use crate::host::utc::expiry_unix_s;
use crate::hub::workload::{Workload, WorkloadError};

/// The source of SAS tokens.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The identity's own key.
    Key(Key),
    /// The security daemon of the edge runtime, which keeps the key to itself.
    Workload(Workload),
}

impl Credentials {
    /// A SAS token for `resource` that is good from now on for at least `lifetime`, as tokens end
    /// on whole seconds.
    ///
    /// # Errors
    /// When the daemon gives no signature. A key never fails.
    pub async fn password(
        &self,
        resource: &str,
        lifetime: Duration,
    ) -> Result<String, WorkloadError> {
        let expiry_unix_s = expiry_unix_s(lifetime);
        match self {
            Self::Key(key) => Ok(sign_token(key, resource, expiry_unix_s, None)),
            Self::Workload(workload) => {
                let unsigned = UnsignedToken::new(resource, expiry_unix_s);
                let signature = workload.sign(unsigned.text().as_bytes()).await?;
                Ok(unsigned.with_signature(&signature, None))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::Token;
    use crate::testing::daemon::{Daemon, KEY, Mood};

    const RESOURCE: &str = "h.net/devices/d/modules/m";

    /// Both sources give tokens that the same key verifies, and that last as long as asked.
    #[tokio::test]
    async fn both_sources_give_good_tokens() {
        let daemon = Daemon::start("");
        let key = Key::from_base64(KEY).unwrap();
        for source in [Credentials::Key(key.clone()), Credentials::Workload(daemon.client())] {
            let before = crate::host::utc::unix_now();
            let password = source.password(RESOURCE, Duration::from_millis(2500)).await.unwrap();
            let token = Token::parse(&password).unwrap();
            assert!(token.verify(&key), "{source:?}");
            assert_eq!(token.resource(), RESOURCE);
            let life = token.expiry_unix_s() - before.as_secs();
            assert!((3..=5).contains(&life), "{life} s");
            assert_eq!(token.policy(), None);
        }
    }

    #[tokio::test]
    async fn a_failing_daemon_is_the_callers_to_retry() {
        let daemon = Daemon::start("");
        daemon.moods([Mood::Answer(500, String::new())]);
        let source = Credentials::Workload(daemon.client());
        assert!(source.password(RESOURCE, Duration::from_secs(60)).await.is_err());
        assert!(source.password(RESOURCE, Duration::from_secs(60)).await.is_ok());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let source = Credentials::Key(Key::from_base64(KEY).unwrap());
        assert!(!format!("{source:?}").contains(&KEY[..6]));
    }
}
