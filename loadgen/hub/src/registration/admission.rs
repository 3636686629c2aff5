//! Who registers, and whether the token proves it.

use rumqttc::mqttbytes::v4::Connect;
use sluicegate::azure::{Token, dps};

use super::super::authentication::{Clock, NO_USERNAME, Refusal, check_version, require_password};
use super::super::provisioning::enrollments::is_registration_id;
use super::super::state::HubState;

/// Ids from a username `{id scope}/registrations/{id}/[?]api-version=...`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RegistrationUsername<'a> {
    id_scope: &'a str,
    registration_id: &'a str,
    query: &'a str,
}

/// A connection to the provisioning service.
#[derive(Debug)]
pub(crate) struct Registrant {
    pub(crate) registration_id: String,
    /// When its token ends, in Unix seconds; `None` for one that nobody enrolled, whose token
    /// proves nothing: it is told so when it asks.
    pub(crate) expiry_unix_s: Option<u64>,
}

impl<'a> RegistrationUsername<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut segments = text.split('/');
        let (id_scope, registrations) = (segments.next()?, segments.next()?);
        let (registration_id, query) = (segments.next()?, segments.next()?);
        if segments.next().is_some() || registrations != "registrations" {
            return None;
        }
        (!id_scope.is_empty()).then_some(Self { id_scope, registration_id, query })
    }
}

/// Whether a CONNECT is for the provisioning service. A hub's username has a device id where this
/// one says `registrations`, and three segments when it names no module.
pub(crate) fn is_for_service(connect: &Connect) -> bool {
    connect.login.as_ref().is_some_and(|login| {
        let mut segments = login.username.split('/').skip(1);
        segments.next() == Some("registrations") && segments.count() >= 2
    })
}

impl HubState {
    /// Checks the registration's credentials.
    pub(crate) fn admit_registrant(
        &self,
        connect: &Connect,
        clock: Clock,
    ) -> Result<Registrant, Refusal> {
        let login = connect.login.as_ref().ok_or(Refusal::NotAuthorized(NO_USERNAME.into()))?;
        let RegistrationUsername { id_scope, registration_id, query } =
            RegistrationUsername::parse(&login.username)
                .ok_or(Refusal::Unavailable("the username is no registration's".into()))?;
        check_version(query, clock)?;
        require_password(&login.password)?;
        if connect.client_id != registration_id || !is_registration_id(registration_id) {
            return Err(Refusal::NotAuthorized("the client id is not the registration id".into()));
        }
        if id_scope != self.provisioning.id_scope() {
            return Err(Refusal::NotAuthorized("another id scope".into()));
        }
        let registrant = |expiry_unix_s| {
            Ok(Registrant { registration_id: registration_id.to_owned(), expiry_unix_s })
        };
        let Some(key) = self.provisioning.key(registration_id) else { return registrant(None) };
        let token = Token::parse(&login.password).map_err(|_| {
            Refusal::NotAuthorized("the password is no shared access signature".into())
        })?;
        let enrollment = dps::Enrollment {
            id_scope: id_scope.to_owned(),
            registration_id: registration_id.to_owned(),
        };
        if !token.resource().eq_ignore_ascii_case(&enrollment.resource()) {
            return Err(Refusal::NotAuthorized("the token is for another resource".into()));
        }
        if !token.verify(&key) {
            return Err(Refusal::NotAuthorized("the token's signature is wrong".into()));
        }
        if token.is_expired(clock.now_unix_s, clock.skew_s) {
            return Err(Refusal::NotAuthorized("the token has expired".into()));
        }
        registrant(Some(token.expiry_unix_s()))
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::mqttbytes::v4::Login;

    use super::*;

    #[test]
    fn usernames() {
        for query in ["api-version=2019-03-31&ClientVersion=x%2F1", "?api-version=2019-03-31"] {
            let text = format!("0ne/registrations/dev-1/{query}");
            let expected =
                RegistrationUsername { id_scope: "0ne", registration_id: "dev-1", query };
            assert_eq!(RegistrationUsername::parse(&text), Some(expected), "{text}");
        }
        let bad = [
            "",
            "0ne/registrations/dev-1",
            "/registrations/dev-1/api-version=2019-03-31",
            "0ne/registrations/dev-1/a/api-version=2019-03-31",
        ];
        for text in bad {
            assert_eq!(RegistrationUsername::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_username_tells_the_service_from_the_hub() {
        let is_for_service = |username: &str| {
            let mut connect = Connect::new("x");
            connect.login = Some(Login::new(username, ""));
            is_for_service(&connect)
        };
        assert!(is_for_service("0ne/registrations/dev-1/api-version=2019-03-31"));
        assert!(is_for_service("0ne/registrations/dev-1/?x"));
        assert!(!is_for_service("hub/registrations/?api-version=2021-04-12"));
        assert!(!is_for_service("hub/dev-1/?api-version=2021-04-12"));
        assert!(!is_for_service("hub/edge1/registrations/?api-version=2021-04-12"));
    }
}
