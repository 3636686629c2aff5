//! What a peer plays: topics of edgeHub, or those of a plain broker.

/// Device and module at the hub.
const DEVICE: &str = "edge1";
const MODULE: &str = "filter";
/// The key of the module, which the peer does not look at: base64 of 32 bytes.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// Client id at the broker.
const CLIENT_ID: &str = "w";

/// Whom the module talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// edgeHub: one connection, inputs and outputs, a twin.
    Hub,
    /// A plain broker: two connections, a control topic.
    Broker,
}

impl Role {
    /// Arguments and environment of `sluicegate` for a peer of this role at `port` of 127.0.0.1.
    pub(super) fn settings(self, port: u16) -> (Vec<String>, Vec<(String, String)>) {
        match self {
            Self::Hub => {
                let identity = format!(
                    "HostName=h.net;GatewayHostName=127.0.0.1;DeviceId={DEVICE};\
                     ModuleId={MODULE};SharedAccessKey={KEY}"
                );
                let environment = [
                    ("EdgeHubConnectionString", identity),
                    ("SLUICEGATE_PLAIN", "1".to_owned()),
                    ("SLUICEGATE_GATEWAY_PORT", port.to_string()),
                ];
                let owned = environment.map(|(name, value)| (name.to_owned(), value));
                (vec!["run".to_owned()], owned.into())
            }
            Self::Broker => {
                let url = format!("mqtt://127.0.0.1:{port}");
                let words = ["run", "--broker", &url, "--client-id", CLIENT_ID];
                (words.map(str::to_owned).into(), Vec::new())
            }
        }
    }

    /// The topic of messages.
    pub(super) fn input(self) -> &'static str {
        match self {
            Self::Hub => "devices/edge1/modules/filter/inputs/input1/%24.cdid=edge1&%24.cmid=s",
            Self::Broker => "sensors/a",
        }
    }

    /// The topic of patches, as filters have it.
    pub(super) fn control(self) -> &'static str {
        match self {
            Self::Hub => "$iothub/twin/PATCH/properties/desired/",
            Self::Broker => "sluicegate/desired",
        }
    }

    /// Topic and body of a patch.
    pub(super) fn patch(self, threshold: f64, version: u64) -> (String, String) {
        let body = format!(r#"{{"TemperatureThreshold":{threshold},"$version":{version}}}"#);
        match self {
            Self::Hub => (format!("{}?$version={version}", self.control()), body),
            Self::Broker => (self.control().to_owned(), body),
        }
    }

    pub(super) fn is_alert(self, topic: &str) -> bool {
        match self {
            Self::Hub => topic
                .strip_prefix("devices/edge1/modules/filter/messages/events/")
                .is_some_and(|bag| bag.contains("%24.on=output1")),
            Self::Broker => topic == "alerts/sensors/a",
        }
    }

    pub(super) fn is_report(self, topic: &str) -> bool {
        match self {
            Self::Hub => topic.starts_with("$iothub/twin/PATCH/properties/reported/"),
            Self::Broker => topic == "sluicegate/reported",
        }
    }
}
