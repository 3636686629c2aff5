//! A module of a hub in another process, as a client of it.

use std::io::Result;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rumqttc::mqttbytes::v4::{Connect, Login};
use rustls::ClientConfig;
use sluicegate::azure::{ConnectionString, sign_token};
use test_support::{Client, tls_trusting};

use crate::support::RunningHub;

/// A module of a running hub: who it is and whom it trusts.
#[derive(Clone)]
pub(super) struct Module {
    identity: ConnectionString,
    tls: Arc<ClientConfig>,
    port: u16,
}

impl Module {
    pub(super) fn of(hub: &RunningHub, name: &str) -> Self {
        let (code, out, err) = hub.run(&["env", name]);
        assert_eq!(code, 0, "{err}");
        let text = out.split("EdgeHubConnectionString='").nth(1).unwrap();
        let identity = text.split('\'').next().unwrap().parse().unwrap();
        let tls = tls_trusting(&Path::new(hub.state()).join("ca.pem"));
        Self { identity, tls, port: hub.port }
    }

    /// Topic of what the module sends to an output.
    pub(super) fn output(&self, output: &str) -> String {
        let identity = &self.identity.identity;
        let module = identity.module.as_deref().unwrap();
        format!("devices/{}/modules/{module}/messages/events/%24.on={output}", identity.device)
    }

    /// A connection with a kept session, past CONNACK.
    pub(super) fn connect(&self) -> Result<Client> {
        let ConnectionString { identity, key, .. } = &self.identity;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut connect = Connect::new(identity.client_id());
        connect.clean_session = false;
        connect.keep_alive = 120;
        let password = sign_token(key, &identity.resource(), now + 3600, None);
        connect.login = Some(Login::new(identity.username("test", None), password));
        Client::connect(self.port, Some(&self.tls), connect)
    }

    /// As [`Module::connect`], subscribed to all inputs.
    pub(super) fn listen(&self) -> Result<Client> {
        let mut client = self.connect()?;
        let identity = &self.identity.identity;
        let module = identity.module.as_deref().unwrap();
        client.subscribe(&format!("devices/{}/modules/{module}/inputs/#", identity.device))?;
        Ok(client)
    }
}
