//! Where to connect to and as whom, for the two connections: the source, on which messages come,
//! and the outlet, on which alerts and reports leave when there is no hub.

use std::path::PathBuf;
use std::time::Duration;

use rumqttc::mqttbytes::v4::Connect;

use super::Password;
use super::settings::{BrokerSettings, OUTLET_ENDING};
use crate::host::files::reread::Reread;
use crate::mqtt::session::{Connected, FailedAttempt};
use crate::mqtt::tls::TlsSettings;
use crate::mqtt::{Answer, Endpoint, Names, Peer, Peers, transport};
use crate::pipeline::SharedPipeline;

/// What the settings of a broker are called.
const NAMES: Names = Names {
    peer: Peer::Broker,
    host: "--broker",
    port: "--broker",
    way: "--broker",
    identity: "--broker, SLUICEGATE_BROKER_PASSWORD, --broker-password-file",
    client_id: "--client-id",
    keep_alive: "--keep-alive",
    roots: "--broker-ca",
    certificate: "--broker-cert, --broker-key",
    proxy: "",
};

/// The name of a process on the broker, and what it logs in with.
#[derive(Clone)]
pub struct Login {
    endpoint: Endpoint,
    client_id: String,
    is_kept: bool,
    user: Option<String>,
    password: Option<Reread<Password>>,
    tls: Reread<TlsSettings>,
    keep_alive_s: u16,
}

impl Login {
    /// The login that `settings` ask for, under their client id or else a random one.
    pub fn new(settings: &BrokerSettings, keep_alive: Duration) -> Self {
        let BrokerSettings { host, port, route, tls, user, password, client_id, .. } = settings;
        Self {
            endpoint: Endpoint {
                host: host.clone(),
                port: *port,
                route: route.clone(),
                tls: tls.last().config(),
                peers: Peers::default(),
                names: &NAMES,
            },
            client_id: settings.client_id().to_owned(),
            is_kept: client_id.is_some(),
            user: user.clone(),
            password: password.clone(),
            tls: tls.clone(),
            keep_alive_s: u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX),
        }
    }

    /// The same with `peers`, which other connections of the process share.
    pub fn with_peers(mut self, peers: Peers) -> Self {
        self.endpoint.peers = peers;
        self
    }

    /// Where both connections go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Client id of the source.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Who sends what where; the same for each run with a client id of its own.
    pub fn destination(&self) -> String {
        let id = if self.is_kept { &self.client_id } else { "no client id of its own" };
        format!("broker {} as {id}", self.endpoint)
    }

    /// Greets the broker as the source. The session is kept exactly when the client id was given:
    /// nobody could come back under a random one.
    pub fn source(&self) -> Connect {
        self.hello(self.client_id.clone(), !self.is_kept)
    }

    /// Greets the broker as the outlet. Its session holds nothing worth keeping: what it publishes
    /// is sent again from here, and the control topic is retained.
    pub fn outlet(&self) -> Connect {
        self.hello(format!("{}{OUTLET_ENDING}", self.client_id), true)
    }

    /// The files that a connection is made with.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let password = self.password.iter().flat_map(Reread::paths);
        self.tls.paths().iter().chain(password).cloned().collect()
    }

    /// Reads them again: this is how the next connection is made.
    ///
    /// # Errors
    /// One of them is of no use now. It may be half written, so it is looked at again soon.
    pub(super) fn read_again(&mut self) -> Result<(), FailedAttempt> {
        let failed = |text| FailedAttempt { text, answer: Some(Answer::Refusal) };
        self.endpoint.tls = self.tls.again().map_err(failed)?.config();
        if let Some(password) = &mut self.password {
            password.again().map_err(failed)?;
        }
        Ok(())
    }

    /// Makes one connection by `hello`.
    pub(super) async fn connect(
        &self,
        hello: Connect,
        pipeline: &SharedPipeline,
    ) -> Result<Connected, FailedAttempt> {
        let connected = transport::connect(&self.endpoint, hello).await;
        let (connection, acknowledged) = connected.map_err(|refused| {
            let doubt = self.tls.last().doubt().filter(|_| refused.asks_for_certificate());
            let doubt = doubt.map_or_else(String::new, |doubt| format!("; {doubt}"));
            FailedAttempt { text: format!("{refused}{doubt}"), answer: Some(refused.answer()) }
        })?;
        pipeline.lock().counters.connections += 1;
        let session_present = acknowledged.session_present;
        let endpoint = self.endpoint.to_string();
        Ok(Connected { connection, session_present, endpoint, names: &NAMES })
    }

    fn hello(&self, client_id: String, clean_session: bool) -> Connect {
        let mut hello = Connect::new(client_id);
        hello.clean_session = clean_session;
        hello.keep_alive = self.keep_alive_s;
        if let Some(user) = &self.user {
            let password = self.password.as_ref().map_or("", |password| password.last().reveal());
            hello.set_login(user, password);
        }
        hello
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::settings::random_client_id;
    use crate::hub::trust::trusting;
    use crate::mqtt::Route;
    use crate::testing::broker::Rig;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn login(client_id: Option<&str>, login: Option<(&str, Option<&str>)>) -> Login {
        let password = login.and_then(|(_, password)| password);
        let settings = BrokerSettings {
            host: "broker".to_owned(),
            port: 1884,
            route: Route::Tcp,
            tls: TlsSettings::from(trusting([]).unwrap()).into(),
            user: login.map(|(user, _)| user.to_owned()),
            password: password.map(|text| Password::new(text.to_owned()).unwrap().into()),
            client_id: client_id.map(str::to_owned),
            random_id: random_client_id(),
            filters: Vec::new(),
            standalone: None,
        };
        Login::new(&settings, Duration::from_secs(40))
    }

    #[test]
    fn a_given_client_id_keeps_the_session() {
        let login = login(Some("gate"), Some(("jane", Some("hunter2"))));
        assert_eq!(login.endpoint().to_string(), "broker:1884 over TCP without TLS");
        let source = login.source();
        assert_eq!((source.client_id.as_str(), source.clean_session), ("gate", false));
        let outlet = login.outlet();
        assert_eq!((outlet.client_id.as_str(), outlet.clean_session), ("gate-out", true));
        for hello in [source, outlet] {
            let given = hello.login.expect("a login");
            assert_eq!((given.username.as_str(), given.password.as_str()), ("jane", "hunter2"));
            assert_eq!((hello.keep_alive, hello.last_will), (40, None));
        }
    }

    /// The random id is one for the process's life and another in every process.
    #[test]
    fn a_random_client_id_is_chosen_once() {
        let login_without = || login(None, None);
        let login = login_without();
        let id = login.client_id().to_owned();
        let digits = id.strip_prefix("sg-").expect("the program's initials");
        assert!(digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        // A broker need not take more than 23 bytes (MQTT 3.1.1 §3.1.3.1).
        assert!(login.outlet().client_id.len() <= 23);
        for _ in 0..2 {
            let (source, outlet) = (login.source(), login.outlet());
            assert_eq!((source.client_id, source.clean_session), (id.clone(), true));
            assert_eq!((outlet.client_id, outlet.clean_session), (format!("{id}-out"), true));
            assert_eq!((source.login, outlet.login), (None, None));
        }
        assert_ne!(login_without().client_id(), id);
    }

    /// What an error tells to look at is there.
    #[test]
    fn named_settings_exist() {
        crate::testing::names::assert_are_in(&NAMES, &crate::module::settings::TABLE);
    }

    /// A broker that refuses the identity is asked again as rarely as that deserves.
    #[tokio::test]
    async fn a_refused_identity_is_one() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut login = login(None, None);
        login.endpoint.host = "127.0.0.1".to_owned();
        login.endpoint.port = listener.local_addr().unwrap().port();
        let rig = Rig::new(1 << 20);
        for (code, answer) in [(3, Answer::Refusal), (4, Answer::Identity), (5, Answer::Identity)] {
            let broker = async {
                let (mut socket, _) = listener.accept().await.unwrap();
                socket.write_all(&[0x20, 2, 0, code]).await.unwrap();
                let _ = socket.read_to_end(&mut Vec::new()).await;
            };
            let (connected, ()) =
                tokio::join!(login.connect(login.source(), &rig.pipeline), broker);
            assert_eq!(connected.err().and_then(|failed| failed.answer), Some(answer), "{code}");
        }
    }

    /// The files are those of TLS and of the password. The next login is by what they hold then,
    /// and none is made where one of them is of no use.
    #[test]
    fn a_login_is_made_of_what_its_files_hold() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let mut login = login(None, Some(("jane", Some("old"))));
        let path = file.clone();
        let read = move |_: &Password| {
            let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
            Ok(Some(Password::new(text).unwrap()))
        };
        let old = login.password.as_ref().unwrap().last().clone();
        login.password = Some(Reread::new(old, [file.clone()], read));
        let ca = PathBuf::from("ca.pem");
        login.tls = Reread::new(login.tls.last().clone(), [ca.clone()], |_| Ok(None));
        assert_eq!(login.files(), [ca, file.clone()]);
        let failed = login.read_again().expect_err("there is no file");
        assert_eq!(failed.answer, Some(Answer::Refusal));
        std::fs::write(&file, "new").unwrap();
        login.read_again().expect("a password");
        assert_eq!(login.source().login.expect("a login").password, "new");
    }

    /// Every CONNACK that lets us in counts as a connection.
    #[tokio::test]
    async fn connections_are_counted() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut login = login(None, None);
        login.endpoint.host = "127.0.0.1".to_owned();
        login.endpoint.port = listener.local_addr().unwrap().port();
        let rig = Rig::new(1 << 20);
        for count in 1..3 {
            let broker = async {
                let (mut socket, _) = listener.accept().await.unwrap();
                socket.write_all(&[0x20, 2, 0, 0]).await.unwrap();
                socket
            };
            let (connected, _socket) =
                tokio::join!(login.connect(login.source(), &rig.pipeline), broker);
            assert!(connected.is_ok());
            assert_eq!(rig.pipeline.lock().counters.connections, count);
        }
    }

    /// A random client id is no part of it: parked alerts are found again under the next one.
    #[test]
    fn a_destination_is_the_same_in_each_run() {
        let destination = login(Some("gate"), None).destination();
        assert_eq!(destination, "broker broker:1884 over TCP without TLS as gate");
        let destination = login(None, None).destination();
        assert_eq!(destination, login(None, None).destination());
        assert!(destination.ends_with(" as no client id of its own"), "{destination}");
    }

    #[test]
    fn a_user_needs_no_password() {
        let given = login(None, Some(("jane", None))).source().login.expect("a login");
        assert_eq!((given.username.as_str(), given.password.as_str()), ("jane", ""));
    }
}
