//! WebSocket, its port, and the proxy to go through; plain TCP, and where it may go.

use super::*;
use crate::mqtt::Route;

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
        let shown = format!("{} {}", hub(&settings).gateway_port, hub(&settings).route);
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
        assert_eq!(hub(&settings).route.to_string(), through, "{name}");
        assert_eq!(
            resolve_with(&[], &[(name, PROXY)]).unwrap().hub.unwrap().route.to_string(),
            "TLS"
        );
    }
    let env = [("HTTPS_PROXY", ""), ("https_proxy", PROXY), ("HTTP_PROXY", "http://other:1")];
    assert_eq!(
        resolve_with(&["--websocket"], &env).unwrap().hub.unwrap().route.to_string(),
        through
    );
    for name in ["NO_PROXY", "no_proxy"] {
        let env = [("HTTPS_PROXY", PROXY), (name, "example.org,localhost")];
        let settings = resolve_with(&["--websocket"], &env).unwrap();
        assert_eq!(hub(&settings).route.to_string(), "WebSocket", "{name}");
    }
}

#[test]
fn a_bad_proxy_is_refused_without_its_password() {
    let env = [("HTTPS_PROXY", "socks5://user:hunter2@proxy:1080")];
    let shown = resolve_with(&["--websocket"], &env).err().expect("SOCKS").to_string();
    assert!(shown.contains("HTTPS_PROXY") && shown.contains("HTTP proxy"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(resolve_with(&[], &env).is_ok(), "other programs may use it");
    for login in ["user:hun#ter2@", "user:hun/ter2@", "user:hun?ter2@", "user:hunter2%@", ":hun@"] {
        let url = format!("http://{login}proxy:3128");
        let shown = resolve_with(&["--websocket"], &[("https_proxy", &url)]);
        let shown = shown.err().expect(login).to_string();
        assert!(shown.contains("HTTP proxy") && !shown.contains("hun"), "{shown}");
    }
    let at = resolve_with(&["--websocket"], &[("HTTP_PROXY", "http://user:p@ss@proxy:3128")]);
    assert_eq!(hub(&at.unwrap()).route.to_string(), "WebSocket through proxy proxy:3128");
}

/// Nothing of a URL that cannot be used is shown, and what to do is.
#[test]
fn a_proxy_that_cannot_be_used_is_refused_with_advice() {
    let cases = [
        ("http://jane:1234#5@proxy:8080", "'#' as %23"),
        ("http://jane:12/34@proxy:8080", "'/' as %2F"),
        ("http://jane:12?34@proxy:8080", "'?' as %3F"),
        ("http://ja#ne:1234@proxy:8080", "'#' as %23"),
        ("http://jane:12%34%@proxy:8080", "'%' itself as %25"),
        ("http://jane:1234@proxy:port", "1 to 65535"),
        ("http://jane:1234@proxy:99999", "1 to 65535"),
        ("http://jane:1234@proxy:0", "1 to 65535"),
        ("http://jane:1234@:8080", "no usable host"),
        ("http://jane:1234@", "no usable host"),
        ("http://:8080", "no usable host"),
        ("socks5://jane:1234@proxy:1080", "SOCKS"),
        ("https://jane:1234@proxy:8080", "over TLS"),
        ("http://jane:1234@proxy:8080/path", "nothing may follow"),
        ("http://jane:1234@[::1", "brackets"),
    ];
    for (url, advice) in cases {
        let shown = resolve_with(&["--websocket"], &[("HTTPS_PROXY", url)]);
        let shown = shown.err().expect(url).to_string();
        assert!(shown.contains("variable HTTPS_PROXY: ") && shown.contains(advice), "{shown}");
        let beside = [("SLUICEGATE_WEBSOCKET", "1"), ("HTTPS_PROXY", url)];
        let without_identity = resolve(&[], &beside).err().expect(url).to_string();
        assert!(without_identity.contains(advice), "{without_identity}");
        let own = ["jane", "ja#", "12", "34"];
        assert!(!own.iter().any(|part| shown.contains(part)), "{url}: {shown}");
    }
}

fn connection_to(gateway: &str) -> String {
    identity().replace("GatewayHostName=localhost", &format!("GatewayHostName={gateway}"))
}

/// Without TLS the CA file is neither needed nor read, and the port is MQTT's own.
#[test]
fn plain_needs_no_roots_and_changes_the_port() {
    type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);
    let cases: [Case; 7] = [
        (&["--plain"], &[], "1883 plain TCP"),
        (&[], &[("SLUICEGATE_PLAIN", "1")], "1883 plain TCP"),
        (&[], &[("SLUICEGATE_PLAIN", "true")], "1883 plain TCP"),
        (&["--plain", "--gateway-port", "8883"], &[], "8883 plain TCP"),
        (&["--plain"], &[("SLUICEGATE_GATEWAY_PORT", "21883")], "21883 plain TCP"),
        (&["--plain"], &[("EdgeModuleCACertificateFile", "/nowhere/ca.pem")], "1883 plain TCP"),
        (&["--plain"], &[("HTTPS_PROXY", "socks5://other:1")], "1883 plain TCP"),
    ];
    let connection = identity();
    for (flags, env, expected) in cases {
        let mut all = vec![("EdgeHubConnectionString", connection.as_str())];
        all.extend_from_slice(env);
        let settings = resolve(flags, &all).unwrap();
        let shown = format!("{} {}", hub(&settings).gateway_port, hub(&settings).route);
        assert_eq!(shown, expected, "{flags:?} {env:?}");
        assert!(matches!(&hub(&settings).proof, Proof::Key { roots, .. } if roots.is_empty()));
    }
    for value in ["false", "0"] {
        let settings = resolve_with(&[], &[("SLUICEGATE_PLAIN", value)]).unwrap();
        assert_eq!(hub(&settings).route.to_string(), "TLS");
    }
    assert!(resolve_with(&["--plain", "maybe"], &[]).is_err());
    let shown = resolve(&["--plain"], &[]).err().expect("no identity").to_string();
    assert!(shown.contains("outside of it, not set: EdgeHubConnectionString\n"), "{shown}");
}

/// An address that is not loopback is refused before anything starts; a name is left to the
/// connects, as what it resolves to may change.
#[test]
fn plain_is_refused_for_an_address_elsewhere() {
    for gateway in ["127.0.0.1", "127.8.0.3", "::1", "localhost", "edge.example"] {
        let connection = connection_to(gateway);
        let settings = resolve(&["--plain"], &[("EdgeHubConnectionString", &connection)]).unwrap();
        assert!(matches!(hub(&settings).route, Route::Plain), "{gateway}");
    }
    for gateway in ["192.0.2.1", "10.0.0.1", "0.0.0.0", "128.0.0.1", "::", "fe80::1"] {
        let connection = connection_to(gateway);
        let env = [("EdgeHubConnectionString", connection.as_str()), ("SLUICEGATE_PLAIN", "1")];
        let shown = resolve(&[], &env).err().expect(gateway).to_string();
        for part in ["variable SLUICEGATE_PLAIN: ", gateway, "no loopback", "leave plain out"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

/// WebSocket runs over TLS, which plain leaves out: wherever both are set, both are named.
#[test]
fn plain_and_websocket_exclude_each_other() {
    let shown = resolve_with(&["--websocket"], &[("SLUICEGATE_PLAIN", "1")]);
    let shown = shown.err().expect("both").to_string();
    for part in ["variable SLUICEGATE_PLAIN and flag --websocket: ", "set one of the two to false"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let settings = resolve_with(&["--websocket", "0"], &[("SLUICEGATE_PLAIN", "1")]).unwrap();
    assert_eq!(hub(&settings).route.to_string(), "plain TCP");
}
