//! Connection strings: what is taken is complete and reads back, and no error tells a key.

use sluicegate::azure::identity::{is_host_name, is_id};
use sluicegate::azure::{ConnectionString, ConnectionStringError};

/// Shorter values stand in an error by chance, and so do values without a digit.
const SECRET_LEN_MIN: usize = 12;

/// `data` is a connection string.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let of_module = ConnectionString::of_module(text);
    let of_any = text.parse::<ConnectionString>();
    for result in [&of_module, &of_any] {
        match result {
            Ok(read) => check_read(text, read),
            Err(error) => check_error(text, error),
        }
    }
    let is_module = of_any.is_ok_and(|read| read.identity.module.is_some());
    assert_eq!(of_module.is_ok(), is_module, "a module's is any's with a module");
}

fn check_read(text: &str, read: &ConnectionString) {
    let identity = &read.identity;
    assert!(is_host_name(&identity.hub) && is_host_name(&identity.gateway));
    assert!(is_id(&identity.device) && identity.module.as_deref().is_none_or(is_id));
    let module = identity.module.iter().map(|module| format!("ModuleId={module};"));
    let again = format!(
        "HostName={};GatewayHostName={};DeviceId={};{}SharedAccessKey={}",
        identity.hub,
        identity.gateway,
        identity.device,
        module.collect::<String>(),
        read.key.to_base64()
    );
    let again: ConnectionString = again.parse().expect("what was read is written so");
    assert_eq!(again.identity, *identity);
    assert_eq!(again.key.to_base64(), read.key.to_base64());
    let secret = read.key.to_base64();
    let is_by_chance = secret.len() < SECRET_LEN_MIN || text.matches(&secret).count() > 1;
    assert!(is_by_chance || !format!("{read:?}").contains(&secret), "a key is shown");
}

fn check_error(text: &str, error: &ConnectionStringError) {
    let told = error.to_string();
    assert!(!error.problems().is_empty());
    assert!(!told.contains(char::is_control), "{told}");
    for value in text.split(';').filter_map(|part| Some(part.split_once('=')?.1.trim())) {
        let is_secret = value.len() >= SECRET_LEN_MIN && value.contains(|c: char| c.is_numeric());
        assert!(!is_secret || !told.contains(value), "{told} tells {value}");
    }
}
