//! The rows of the settings table.

mod broker;

use crate::azure::workload::API_VERSION_DEFAULT;
use crate::pipeline::parse::JsonPath;
use crate::settings::{SWITCH, Spec, row};

pub(super) use broker::*;

/// Under which heading the rows stand that begin with this one.
pub(super) const HEADINGS: [(&str, &str); 5] = [
    (CONNECTION_STRING.name, "Hub"),
    (BROKER.name, "Broker"),
    (PATH.name, "Judging"),
    (WORKERS.name, "Running"),
    (WORKLOAD_URI.name, "Edge runtime"),
];

/// Names under which other programs know a variable, in order of preference.
pub(super) const ALIASES: [(&str, &[&str]); 2] =
    [("HTTPS_PROXY", &["https_proxy", "HTTP_PROXY", "http_proxy"]), ("NO_PROXY", &["no_proxy"])];

pub(super) const CONNECTION_STRING: Spec = env_only(
    "connection-string",
    "EdgeHubConnectionString",
    "",
    "HostName=...;DeviceId=...;ModuleId=...;SharedAccessKey=...",
    "identity of the module and its key, outside of the edge runtime; `GatewayHostName=...` names \
     the host to connect to",
);
pub(super) const CA_FILE: Spec = row(
    "ca-file",
    "EdgeModuleCACertificateFile",
    "",
    "path of a PEM file",
    "the only root certificates that are trusted, outside of the edge runtime; not read with \
     `plain`",
);
pub(super) const GATEWAY_PORT: Spec = row(
    "gateway-port",
    "SLUICEGATE_GATEWAY_PORT",
    "8883",
    "TCP port, 1 to 65535",
    "port of the gateway's MQTT listener; 443 with `websocket`, 1883 with `plain`",
);
pub(super) const WEBSOCKET: Spec = row(
    "websocket",
    "SLUICEGATE_WEBSOCKET",
    "false",
    SWITCH,
    "MQTT over WebSocket, for networks that let nothing but HTTPS out",
);
pub(super) const PLAIN: Spec = row(
    "plain",
    "SLUICEGATE_PLAIN",
    "false",
    SWITCH,
    "MQTT without TLS, for measurements: to loopback addresses alone, every other host is refused",
);
/// Holds the password of the proxy.
pub(super) const PROXY: Spec = env_only(
    "https-proxy",
    "HTTPS_PROXY",
    "",
    "http://[user:password@]host[:port]",
    "proxy for WebSocket; also `https_proxy`, `HTTP_PROXY`, `http_proxy`, the first that is set",
);
pub(super) const NO_PROXY: Spec = env_only(
    "no-proxy",
    "NO_PROXY",
    "",
    "hosts, domains and networks, each with or without :port, separated by commas",
    "what is reached without the proxy; also `no_proxy`",
);
pub(super) const PATH: Spec = row(
    "path",
    "SLUICEGATE_PATH",
    JsonPath::DEFAULT,
    "member names, separated by dots",
    "the member of a message that is compared",
);
pub(super) const THRESHOLD: Spec = row(
    "threshold",
    "SLUICEGATE_THRESHOLD",
    "25",
    "number, in the sensors' unit",
    "threshold while the twin, or the control topic, has no `TemperatureThreshold`",
);
pub(super) const JUDGE_OWN_ALERTS: Spec = row(
    "judge-own-alerts",
    "SLUICEGATE_JUDGE_OWN_ALERTS",
    "false",
    SWITCH,
    "judge this module's own alerts, too, where a route brings them back to its input: with a \
     route that brings all of them they never end",
);
pub(super) const WORKERS: Spec = row(
    "workers",
    "SLUICEGATE_WORKERS",
    "auto",
    "threads, 0 to 64, or auto",
    "parser threads, 0 parses on the ingest thread; auto is 0 on one or two cores, else two fewer \
     than cores",
);
pub(super) const LINGER: Spec = row(
    "linger",
    "SLUICEGATE_LINGER",
    "200us",
    "duration, 0s to 200us",
    "longest wait for messages to come together, at rates where it pays; 0 switches it off",
);
pub(super) const KEEP_ALIVE: Spec = row(
    "keep-alive",
    "SLUICEGATE_KEEP_ALIVE",
    "60s",
    "duration, 5s to 1177s",
    "MQTT keep-alive; half of it without an answer ends the connection",
);
pub(super) const TOKEN_LIFETIME: Spec = row(
    "token-lifetime",
    "SLUICEGATE_TOKEN_LIFETIME",
    "1h",
    "duration, 500ms to 30days",
    "life of the SAS tokens; each is renewed after 80 % of it",
);
pub(super) const PUBACK_TIMEOUT: Spec = row(
    "puback-timeout",
    "SLUICEGATE_PUBACK_TIMEOUT",
    "6s",
    "duration, 5s to 3600s",
    "longest wait for the PUBACK of an alert on a connection that is alive; then it is sent on a \
     new one",
);
pub(super) const DRAIN_TIMEOUT: Spec = row(
    "drain-timeout",
    "SLUICEGATE_DRAIN_TIMEOUT",
    "5s",
    "duration, 0s to 60s",
    "longest wait for outstanding acknowledgements at SIGTERM, SIGINT or SIGHUP",
);
pub(super) const HELD_BYTES: Spec = row(
    "held-bytes",
    "SLUICEGATE_HELD_BYTES",
    "67108864",
    "bytes, 1048576 or more; on 32 bits at most 536870911",
    "messages received and not yet acknowledged may take this much",
);
pub(super) const REFUSED_DIR: Spec = row(
    "refused-dir",
    "SLUICEGATE_REFUSED_DIR",
    "sluicegate-refused",
    "path of a folder on a local disk",
    "where alerts are kept that their receiver answers by hanging up; made when it is needed",
);
pub(super) const LOG_LEVEL: Spec = row(
    "log-level",
    "RuntimeLogLevel",
    "info",
    "fatal, error, warning, info (or information), debug, verbose",
    "debug shows every message; as edgeHub does, an unknown level counts as info, with a warning",
);
pub(super) const CONFIG: Spec = row(
    "config",
    "SLUICEGATE_CONFIG",
    "",
    "path of a TOML file",
    "settings by the flags' names with `_` for `-`",
);

/// A variable without flag: a secret, or one that the edge runtime sets.
pub(super) const fn env_only(
    name: &'static str,
    env: &'static str,
    default: &'static str,
    value: &'static str,
    help: &'static str,
) -> Spec {
    Spec { is_env_only: true, ..row(name, env, default, value, help) }
}

pub(super) const WORKLOAD_URI: Spec = env_only(
    "workload-uri",
    "IOTEDGE_WORKLOADURI",
    "",
    "unix:///path or http://host:port",
    "edge runtime: where its workload API listens",
);
pub(super) const AUTH_SCHEME: Spec = env_only(
    "auth-scheme",
    "IOTEDGE_AUTHSCHEME",
    "",
    "sasToken",
    "edge runtime: how the module proves its identity",
);
pub(super) const GENERATION: Spec = env_only(
    "module-generation",
    "IOTEDGE_MODULEGENERATIONID",
    "",
    "text",
    "edge runtime: generation of the module's identity",
);
pub(super) const HUB_HOST: Spec = env_only(
    "iothub-hostname",
    "IOTEDGE_IOTHUBHOSTNAME",
    "",
    "host name",
    "edge runtime: the IoT Hub of the identity",
);
pub(super) const GATEWAY_HOST: Spec = env_only(
    "gateway-hostname",
    "IOTEDGE_GATEWAYHOSTNAME",
    "",
    "host name",
    "edge runtime: the host to connect to, which its certificate must name",
);
pub(super) const DEVICE_ID: Spec =
    env_only("device-id", "IOTEDGE_DEVICEID", "", "id", "edge runtime: device of the identity");
pub(super) const MODULE_ID: Spec =
    env_only("module-id", "IOTEDGE_MODULEID", "", "id", "edge runtime: module of the identity");
pub(super) const API_VERSION: Spec = env_only(
    "workload-api-version",
    "IOTEDGE_APIVERSION",
    API_VERSION_DEFAULT,
    "version of the workload API",
    "edge runtime: version to speak with its workload API",
);

/// The settings table: docs/settings.md shows it, and a test keeps the two equal.
pub const TABLE: [Spec; 39] = [
    CONNECTION_STRING,
    CA_FILE,
    GATEWAY_PORT,
    WEBSOCKET,
    PLAIN,
    PROXY,
    NO_PROXY,
    BROKER,
    BROKER_PASSWORD,
    BROKER_PASSWORD_FILE,
    BROKER_CA,
    BROKER_CERT,
    BROKER_KEY,
    CLIENT_ID,
    SUBSCRIBE,
    ALERTS_TOPIC,
    CONTROL_TOPIC,
    REPORTED_TOPIC,
    PATH,
    THRESHOLD,
    JUDGE_OWN_ALERTS,
    WORKERS,
    LINGER,
    KEEP_ALIVE,
    TOKEN_LIFETIME,
    PUBACK_TIMEOUT,
    DRAIN_TIMEOUT,
    HELD_BYTES,
    REFUSED_DIR,
    LOG_LEVEL,
    CONFIG,
    WORKLOAD_URI,
    AUTH_SCHEME,
    GENERATION,
    HUB_HOST,
    GATEWAY_HOST,
    DEVICE_ID,
    MODULE_ID,
    API_VERSION,
];
