//! WebSocket, its port, and the proxy to go through.

use super::*;

const PROXY: &str = "http://user:hunter2@proxy:3128";

fn resolve_with(flags: &[&str], env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let (ca, identity) = (ca_file(), identity());
    let mut all = vec![
        ("EdgeHubConnectionString", identity.as_str()),
        ("EdgeModuleCACertificateFile", ca.path().to_str().unwrap()),
    ];
    all.extend_from_slice(env);
    resolve(flags, &all)
}

#[test]
fn the_flag_needs_no_value_and_changes_the_port() {
    type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);
    let cases: [Case; 7] = [
        (&[], &[], "8883 TLS"),
        (&["--websocket"], &[], "443 WebSocket"),
        (&["--websocket", "--workers", "2"], &[], "443 WebSocket"),
        (&[], &[("SLUICEGATE_WEBSOCKET", "True")], "443 WebSocket"),
        (&["--websocket", "false"], &[("SLUICEGATE_WEBSOCKET", "1")], "8883 TLS"),
        (&["--websocket"], &[("SLUICEGATE_GATEWAY_PORT", "8443")], "8443 WebSocket"),
        (&["--websocket", "--gateway-port", "8883"], &[], "8883 WebSocket"),
    ];
    for (flags, env, expected) in cases {
        let settings = resolve_with(flags, env).unwrap();
        let shown = format!("{} {}", settings.gateway_port, settings.route);
        assert_eq!(shown, expected, "{flags:?} {env:?}");
    }
    assert!(resolve_with(&["--websocket", "maybe"], &[]).is_err());
}

/// Of the proxy's names the first that is set counts, for WebSocket alone.
#[test]
fn the_proxy_has_many_names() {
    let through = "WebSocket through proxy proxy:3128";
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        let settings = resolve_with(&["--websocket"], &[(name, PROXY)]).unwrap();
        assert_eq!(settings.route.to_string(), through, "{name}");
        assert_eq!(resolve_with(&[], &[(name, PROXY)]).unwrap().route.to_string(), "TLS");
    }
    let env = [("HTTPS_PROXY", ""), ("https_proxy", PROXY), ("HTTP_PROXY", "http://other:1")];
    assert_eq!(resolve_with(&["--websocket"], &env).unwrap().route.to_string(), through);
    for name in ["NO_PROXY", "no_proxy"] {
        let env = [("HTTPS_PROXY", PROXY), (name, "example.org,localhost")];
        let settings = resolve_with(&["--websocket"], &env).unwrap();
        assert_eq!(settings.route.to_string(), "WebSocket", "{name}");
    }
}

#[test]
fn a_bad_proxy_is_refused_without_its_password() {
    let env = [("HTTPS_PROXY", "socks5://user:hunter2@proxy:1080")];
    let shown = resolve_with(&["--websocket"], &env).err().expect("SOCKS").to_string();
    assert!(shown.contains("HTTPS_PROXY") && shown.contains("HTTP proxy"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(resolve_with(&[], &env).is_ok(), "other programs may use it");
}
