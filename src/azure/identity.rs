//! Who connects, and the three texts that follow from it: client id, username, SAS resource.

use std::net::IpAddr;

use super::percent_encode;

/// Longest device or module id (IoT Hub: device identity properties).
pub const ID_LEN_MAX: usize = 128;
/// Longest host name (RFC 1035 §2.3.4).
const HOST_LEN_MAX: usize = 253;

/// The service version that the module speaks; edgeHub only asks that there is one.
const API_VERSION: &str = "2021-04-12";

/// A device or a module of an IoT Hub, and the host through which it connects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Fully qualified name of the IoT Hub: goes into the username and the SAS resource.
    pub hub: String,
    /// Host to dial, and the name that its certificate must carry; the hub itself without an edge.
    pub gateway: String,
    /// Device id, exact and case-sensitive.
    pub device: String,
    /// Module id; `None` for the device itself.
    pub module: Option<String>,
}

impl Identity {
    /// The MQTT client id: `{device}` or `{device}/{module}`, not encoded.
    pub fn client_id(&self) -> String {
        match &self.module {
            Some(module) => format!("{}/{module}", self.device),
            None => self.device.clone(),
        }
    }

    /// The MQTT username (IoT Hub MQTT: using the MQTT protocol directly as a device).
    ///
    /// Host and ids go in as they are, `user_agent` and the DTDL `model_id` percent-encoded.
    pub fn username(&self, user_agent: &str, model_id: Option<&str>) -> String {
        let mut name = format!(
            "{}/{}/?api-version={API_VERSION}&DeviceClientType=",
            self.hub,
            self.client_id()
        );
        percent_encode(user_agent, &mut name);
        if let Some(model_id) = model_id {
            name.push_str("&model-id=");
            percent_encode(model_id, &mut name);
        }
        name
    }

    /// What a SAS token of this identity grants: `{hub}/devices/{device}[/modules/{module}]`.
    ///
    /// It names the hub even where the connection goes to a gateway.
    pub fn resource(&self) -> String {
        let device = format!("{}/devices/{}", self.hub, self.device);
        match &self.module {
            Some(module) => format!("{device}/modules/{module}"),
            None => device,
        }
    }
}

/// Whether `text` can be a host name or an address: no scheme, no port, no path.
pub fn is_host_name(text: &str) -> bool {
    let is_name = (1..=HOST_LEN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    is_name || text.parse::<IpAddr>().is_ok()
}

/// Whether `text` can be a device or module id of up to [`ID_LEN_MAX`] characters. `/`, `+` and
/// `#` would change which topics the identity's own filters match.
pub fn is_id(text: &str) -> bool {
    (1..=ID_LEN_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b'+' | b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(hub: &str, device: &str, module: Option<&str>) -> Identity {
        Identity {
            hub: hub.into(),
            gateway: "gw".into(),
            device: device.into(),
            module: module.map(Into::into),
        }
    }

    #[test]
    fn module_texts() {
        let module = identity("contoso.azure-devices.net", "edge1", Some("nmod"));
        assert_eq!(module.client_id(), "edge1/nmod");
        assert_eq!(module.resource(), "contoso.azure-devices.net/devices/edge1/modules/nmod");
        // The Node SDK's agent; it leaves `()` raw, which decodes to the same.
        let agent = "azure-iot-device/1.18.4 (node v20.20.2; Debian 12; x64)";
        assert_eq!(
            module.username(agent, None),
            "contoso.azure-devices.net/edge1/nmod/?api-version=2021-04-12&DeviceClientType=\
             azure-iot-device%2F1.18.4%20%28node%20v20.20.2%3B%20Debian%2012%3B%20x64%29"
        );
    }

    #[test]
    fn device_texts() {
        let device = identity("localhost", "dev-1", None);
        assert_eq!(device.client_id(), "dev-1");
        assert_eq!(device.resource(), "localhost/devices/dev-1");
        assert_eq!(
            device.username("ua", Some("dtmi:com:example:Thermostat;1")),
            "localhost/dev-1/?api-version=2021-04-12&DeviceClientType=ua\
             &model-id=dtmi%3Acom%3Aexample%3AThermostat%3B1"
        );
    }

    #[test]
    fn ids_go_in_raw() {
        let system = identity("h", "a@b'(c)", Some("$edgeHub"));
        assert_eq!(system.client_id(), "a@b'(c)/$edgeHub");
        assert!(system.username("ua", None).starts_with("h/a@b'(c)/$edgeHub/?api-version="));
    }
}
