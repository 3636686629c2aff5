//! The runtime's variables first, then the pair; all that is missing is named.

use super::*;

const RUNTIME: [(&str, &str); 8] = [
    ("IOTEDGE_WORKLOADURI", "unix:///run/w.sock"),
    ("IOTEDGE_AUTHSCHEME", "SASTOKEN"),
    ("IOTEDGE_MODULEGENERATIONID", "637"),
    ("IOTEDGE_IOTHUBHOSTNAME", "h.net"),
    ("IOTEDGE_GATEWAYHOSTNAME", "edge"),
    ("IOTEDGE_DEVICEID", "d"),
    ("IOTEDGE_MODULEID", "m"),
    ("IOTEDGE_APIVERSION", "2022-08-03"),
];

fn with<'a>(name: &str, value: &'a str) -> Vec<(&'static str, &'a str)> {
    RUNTIME.map(|(known, old)| (known, if known == name { value } else { old })).to_vec()
}

fn problems(env: &[(&str, &str)]) -> String {
    resolve(&[], env).err().expect("something is wrong").to_string()
}

#[test]
fn the_runtime_beats_the_pair() {
    let (ca, connection) = (ca_file(), identity());
    let mut env = RUNTIME.to_vec();
    env.push(("EdgeHubConnectionString", &connection));
    env.push(("EdgeModuleCACertificateFile", ca.path().to_str().unwrap()));
    let settings = resolve(&[], &env).unwrap();
    assert_eq!(hub(&settings).identity.gateway, "edge");
    assert_eq!(hub(&settings).identity.resource(), "h.net/devices/d/modules/m");
    let Proof::Runtime(workload) = &hub(&settings).proof else {
        panic!("{:?}", hub(&settings).proof)
    };
    assert_eq!(workload.address.to_string(), "unix:///run/w.sock");
    assert_eq!((workload.module.as_str(), workload.generation.as_str()), ("m", "637"));
    assert_eq!(workload.api_version, "2022-08-03");

    // One of them empty, which counts as unset: the pair serves.
    env[2].1 = "";
    let settings = resolve(&[], &env).unwrap();
    assert!(matches!(&hub(&settings).proof, Proof::Key { .. }));
    assert_eq!(hub(&settings).identity.gateway, "localhost");
}

#[test]
fn the_api_version_alone_may_be_missing() {
    let settings = resolve(&[], &with("IOTEDGE_APIVERSION", "")).unwrap();
    assert!(matches!(&hub(&settings).proof, Proof::Runtime(w) if w.api_version == "2018-06-28"));
    for (name, _) in &RUNTIME[..7] {
        let shown = problems(&with(name, ""));
        assert!(shown.contains(&format!("inside IoT Edge, not set: {name}\n")), "{shown}");
    }
}

/// Of both ways, all that is missing is named in one error, and what is there is checked.
#[test]
fn what_is_missing_is_named() {
    let shown = problems(&[]);
    let pair = ["EdgeHubConnectionString", "EdgeModuleCACertificateFile"];
    for name in RUNTIME[..7].iter().map(|(name, _)| *name).chain(pair) {
        assert_eq!(shown.matches(name).count(), 1, "{name}: {shown}");
    }
    let connection = identity();
    let shown = problems(&[
        ("EdgeHubConnectionString", &connection.replace("HostName=h.net;", "")),
        ("IOTEDGE_DEVICEID", "a/b"),
    ]);
    assert!(shown.contains("outside of it, not set: EdgeModuleCACertificateFile\n"), "{shown}");
    assert!(shown.contains("IOTEDGE_DEVICEID: \"a/b\" is not an id"), "{shown}");
    assert!(shown.contains("`HostName` is missing"), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn bad_values_are_refused() {
    let cases = [
        ("IOTEDGE_AUTHSCHEME", "x509", "out of scope"),
        ("IOTEDGE_WORKLOADURI", "ftp://x", "unix:///path"),
        ("IOTEDGE_IOTHUBHOSTNAME", "https://h.net", "not a host name"),
        ("IOTEDGE_GATEWAYHOSTNAME", "edge:8883", "not a host name"),
        ("IOTEDGE_MODULEID", "#", "not an id"),
    ];
    for (name, value, expected) in cases {
        let shown = problems(&with(name, value));
        assert!(shown.contains(name) && shown.contains(expected), "{shown}");
    }
}

/// Identities with certificates are met with a clear word, in either way.
#[test]
fn certificates_are_out_of_scope() {
    let connection = "HostName=h.net;DeviceId=d;ModuleId=m;x509=true";
    let shown = problems(&[("EdgeHubConnectionString", connection)]);
    assert!(shown.contains("client certificates are out of scope"), "{shown}");
}

#[test]
fn tokens_may_be_short_for_tests() {
    for (text, milliseconds) in [("500ms", 500), ("2s", 2000), ("30days", 2_592_000_000)] {
        let settings = resolve(&["--token-lifetime", text], &RUNTIME).unwrap();
        assert_eq!(hub(&settings).token_lifetime.as_millis(), milliseconds);
    }
    assert!(resolve(&["--token-lifetime", "400ms"], &RUNTIME).is_err());
}

/// Inside the runtime too, plain TCP is for loopback alone.
#[test]
fn plain_inside_the_runtime_is_for_loopback_alone() {
    for gateway in ["127.0.0.1", "::1", "edge"] {
        let settings = resolve(&["--plain"], &with("IOTEDGE_GATEWAYHOSTNAME", gateway)).unwrap();
        assert!(matches!(&hub(&settings).proof, Proof::Runtime(_)));
        assert_eq!(
            (hub(&settings).gateway_port, hub(&settings).route.to_string()),
            (1883, "plain TCP".into())
        );
    }
    let elsewhere = with("IOTEDGE_GATEWAYHOSTNAME", "192.0.2.1");
    let shown = resolve(&["--plain"], &elsewhere).err().expect("elsewhere").to_string();
    assert!(shown.contains("flag --plain: the gateway 192.0.2.1 is no loopback"), "{shown}");
    assert!(resolve(&[], &elsewhere).is_ok(), "over TLS");
}

/// A daemon that is told one of them would be told another request with it.
#[test]
fn control_characters_in_the_identity_are_refused() {
    for (name, value) in RUNTIME {
        for code in ['\r', '\n', '\t', '\u{1b}', '\u{7f}', '\u{85}'] {
            let shown = problems(&with(name, &format!("{value}{code}x")));
            assert!(shown.contains(name), "{name} with {code:?}: {shown}");
            assert!(!shown.trim_end().replace('\n', "").contains(char::is_control), "{shown:?}");
        }
    }
}
