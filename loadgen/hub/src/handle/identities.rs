//! Who may connect, and by what: variables and keys for modules and devices, and the faults that a
//! test may have the services behind them show.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::super::HubError;
use super::super::provisioning::{Enrollment, RegistrationFault};
use super::super::workload;
use super::super::workload_fault::WorkloadFault;
use super::HubHandle;

/// The port that devices dial when they are told none (IANA: secure-mqtt).
const MQTTS_PORT: u16 = 8883;

impl HubHandle {
    /// The two variables that SDKs and `sluicegate` read: `EdgeHubConnectionString`, which holds
    /// the module's key, and `EdgeModuleCACertificateFile`.
    ///
    /// # Errors
    /// The module is not in the manifest.
    pub fn environment(&self, module: &str) -> Result<Vec<(String, String)>, HubError> {
        let connection_string = self.connection_string(module)?;
        let ca_file = std::path::absolute(&self.ca_file).unwrap_or_else(|_| self.ca_file.clone());
        Ok(vec![
            ("EdgeHubConnectionString".to_owned(), connection_string),
            ("EdgeModuleCACertificateFile".to_owned(), ca_file.display().to_string()),
        ])
    }

    /// The variables that the manifest gives a module: of `env` and of `Env` in `createOptions`.
    /// They may be secrets. None for whoever is no module.
    ///
    /// # Errors
    /// The hub has stopped.
    pub fn deployed_environment(&self, module: &str) -> Result<BTreeMap<String, String>, HubError> {
        let name = module.to_owned();
        self.ask(move |hub| {
            let module = hub.config.manifest.modules.get(&name);
            module.map(|module| module.env.clone()).unwrap_or_default()
        })
    }

    /// The variables that the edge runtime sets for a module: `IOTEDGE_WORKLOADURI`, `_AUTHSCHEME`,
    /// `_MODULEGENERATIONID`, `_IOTHUBHOSTNAME`, `_GATEWAYHOSTNAME`, `_DEVICEID`, `_MODULEID`, and
    /// `_APIVERSION`. None is a secret; the workload socket is.
    ///
    /// # Errors
    /// The module is not in the manifest, or its socket's path is too long for a socket.
    pub fn runtime_environment(&self, module: &str) -> Result<Vec<(String, String)>, HubError> {
        let name = module.to_owned();
        let found = self.ask(move |hub| {
            let peer = &hub.peers[hub.peer_of_module(&name)?];
            Some((peer.identity.clone(), peer.generation_id()))
        })?;
        let unknown = || HubError::UnknownModule(module.to_owned());
        let (identity, generation) = found.ok_or_else(unknown)?;
        let socket = workload::checked_socket_path(&self.state_dir, module)?;
        let variables = [
            ("WORKLOADURI", format!("unix://{}", socket.display())),
            ("AUTHSCHEME", "sasToken".to_owned()),
            ("MODULEGENERATIONID", generation),
            ("IOTHUBHOSTNAME", identity.hub),
            ("GATEWAYHOSTNAME", identity.gateway),
            ("DEVICEID", identity.device),
            ("MODULEID", module.to_owned()),
            ("APIVERSION", "2022-08-03".to_owned()),
        ];
        Ok(variables.map(|(name, value)| (format!("IOTEDGE_{name}"), value)).into())
    }

    /// Where the workload API is served over TCP, if the configuration asked for that.
    pub fn workload_http_address(&self) -> Option<SocketAddr> {
        self.workload_http_address
    }

    /// Has the workload API misbehave towards every module, from the next request on; `None` ends
    /// that. Requests that hang by then go on hanging.
    ///
    /// # Errors
    /// The hub has stopped.
    pub fn set_workload_fault(&self, fault: Option<WorkloadFault>) -> Result<(), HubError> {
        self.ask(move |hub| hub.workload_fault = fault)
    }

    /// What a device needs to register with the provisioning service. It holds the key: do not
    /// log it.
    ///
    /// # Errors
    /// `NotEnrolled`, `Stopped`.
    pub fn enrollment(&self, registration_id: &str) -> Result<Enrollment, HubError> {
        let id = registration_id.to_owned();
        let enrollment = self.ask(move |hub| hub.provisioning.enrollment(&id))?;
        enrollment.ok_or_else(|| HubError::NotEnrolled(registration_id.to_owned()))
    }

    /// The variables with which `sluicegate sensor` registers here: `SLUICEGATE_ID_SCOPE`,
    /// `_REGISTRATION_ID`, `_KEY` (a secret), `_PROVISIONING_HOST`, `_CA_FILE`, and the ports when
    /// they are not 8883.
    ///
    /// # Errors
    /// As [`HubHandle::enrollment`].
    pub fn enrollment_environment(
        &self,
        registration_id: &str,
    ) -> Result<Vec<(String, String)>, HubError> {
        let Enrollment { id_scope, registration_id, key } = self.enrollment(registration_id)?;
        let host = self.ask(|hub| hub.config.host_name.clone())?;
        let ca_file = std::path::absolute(&self.ca_file).unwrap_or_else(|_| self.ca_file.clone());
        let mut variables = vec![
            ("ID_SCOPE", id_scope),
            ("REGISTRATION_ID", registration_id),
            ("KEY", key.to_base64()),
            ("PROVISIONING_HOST", host),
            ("CA_FILE", ca_file.display().to_string()),
        ];
        if self.address.port() != MQTTS_PORT {
            let port = self.address.port().to_string();
            variables.push(("PROVISIONING_PORT", port.clone()));
            variables.push(("HUB_PORT", port));
        }
        let named = |(name, value)| (format!("SLUICEGATE_{name}"), value);
        Ok(variables.into_iter().map(named).collect())
    }

    /// Has something happen to a registration, from its next request on; `None` ends that.
    ///
    /// # Errors
    /// The hub has stopped.
    pub fn set_registration_fault(
        &self,
        registration_id: &str,
        fault: Option<RegistrationFault>,
    ) -> Result<(), HubError> {
        let registration_id = registration_id.to_owned();
        self.ask(move |hub| hub.provisioning.set_fault(registration_id, fault))
    }

    /// Deletes a device that a registration made, and closes its connection: from now on it is
    /// refused, until it registers again. `false` when there is none of that name.
    pub fn forget_device(&self, device: &str) -> bool {
        let device = device.to_owned();
        self.ask(move |hub| hub.forget_device(&device)).unwrap_or(false)
    }

    /// The connection string of a module or device. It holds the key: do not log it.
    ///
    /// # Errors
    /// The name is not in the manifest.
    pub fn connection_string(&self, name: &str) -> Result<String, HubError> {
        self.ask_peer(name, |peer| {
            let identity = peer.identity.clone();
            let module = identity.module.as_ref().map(|m| format!("ModuleId={m};"));
            format!(
                "HostName={};GatewayHostName={};DeviceId={};{}SharedAccessKey={}",
                identity.hub,
                identity.gateway,
                identity.device,
                module.unwrap_or_default(),
                peer.key.to_base64()
            )
        })
    }
}
