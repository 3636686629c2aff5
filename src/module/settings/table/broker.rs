//! The rows of a plain broker.

use super::env_only;
use crate::settings::{Spec, row};

/// May hold a password: a flag is visible to every process of the device, so the others are better.
pub(in crate::module::settings) const BROKER: Spec = row(
    "broker",
    "SLUICEGATE_BROKER",
    "",
    "mqtt[s]://[user[:password]@]host[:port]",
    "a plain MQTT broker as source of messages; ports 1883 and, with TLS, 8883; a password in a \
     flag is visible to other processes",
);
pub(in crate::module::settings) const BROKER_PASSWORD: Spec = Spec {
    is_verbatim: true,
    ..env_only(
        "broker-password",
        "SLUICEGATE_BROKER_PASSWORD",
        "",
        "text",
        "password for the broker, where its URL has none; a line's end behind it is left out",
    )
};
pub(in crate::module::settings) const BROKER_PASSWORD_FILE: Spec = row(
    "broker-password-file",
    "SLUICEGATE_BROKER_PASSWORD_FILE",
    "",
    "path",
    "file that holds the password for the broker; one newline at its end is left out",
);
pub(in crate::module::settings) const BROKER_CA: Spec = row(
    "broker-ca",
    "SLUICEGATE_BROKER_CA",
    "",
    "path of a PEM file",
    "the only root certificates that are trusted for the broker, instead of the system's",
);
pub(in crate::module::settings) const BROKER_CERT: Spec = row(
    "broker-cert",
    "SLUICEGATE_BROKER_CERT",
    "",
    "path of a PEM file",
    "client certificate for the broker, with its chain; needs its key",
);
pub(in crate::module::settings) const BROKER_KEY: Spec = row(
    "broker-key",
    "SLUICEGATE_BROKER_KEY",
    "",
    "path of a PEM file",
    "key of the client certificate for the broker, not encrypted",
);
pub(in crate::module::settings) const CLIENT_ID: Spec = row(
    "client-id",
    "SLUICEGATE_CLIENT_ID",
    "",
    "text, another one for each process",
    "client id on the broker, which then keeps the session while the process is away, so that \
     nothing is lost; without it the id is random and the session ends with the connection",
);
pub(in crate::module::settings) const SUBSCRIBE: Spec = Spec {
    is_list: true,
    ..row(
        "subscribe",
        "SLUICEGATE_SUBSCRIBE",
        "sensors/#",
        "topic filters; the flag may be repeated, the variable has commas, the file a list",
        "what to take from the broker; `$share/GROUP/FILTER` divides it among the processes of a \
         group",
    )
};
pub(in crate::module::settings) const ALERTS_TOPIC: Spec = row(
    "alerts-topic",
    "SLUICEGATE_ALERTS_TOPIC",
    "alerts/{topic}",
    "topic",
    "without a hub: where alerts go; `{topic}` is the topic that the message came on",
);
pub(in crate::module::settings) const CONTROL_TOPIC: Spec = row(
    "control-topic",
    "SLUICEGATE_CONTROL_TOPIC",
    "sluicegate/desired",
    "topic",
    "without a hub: retained patch that sets the threshold, as `{\"TemperatureThreshold\": 30}`",
);
pub(in crate::module::settings) const REPORTED_TOPIC: Spec = row(
    "reported-topic",
    "SLUICEGATE_REPORTED_TOPIC",
    "sluicegate/reported",
    "topic",
    "without a hub: where each patch is answered, retained, as in a twin's reported properties",
);
