//! TLS to a broker: its roots, and a client certificate.

use super::*;

/// A client certificate and its key, as PEM files.
fn client() -> (NamedTempFile, NamedTempFile) {
    let made = rcgen::generate_simple_self_signed(vec!["client".to_owned()]).unwrap();
    (file(made.cert.pem().as_bytes()), file(made.signing_key.serialize_pem().as_bytes()))
}

#[test]
fn tls_takes_roots_and_a_client_certificate() {
    let (ca, (certificate, key)) = (ca_file(), client());
    let env = [("SLUICEGATE_BROKER_CA", path(&ca))];
    let without = broker(&["--broker", "mqtts://broker"], &env);
    assert!(matches!(without.route, Route::Direct));
    assert_eq!(without.port, 8883);
    assert!(!without.tls.last().config().client_auth_cert_resolver.has_certs());
    let flags = ["--broker-cert", path(&certificate), "--broker-key", path(&key)];
    let flags = [&["--broker", "mqtts://broker:1"], &flags[..]].concat();
    let with = broker(&flags, &env);
    assert!(with.tls.last().config().client_auth_cert_resolver.has_certs());
    assert_eq!(with.port, 1);
    let variables = [
        env[0],
        ("SLUICEGATE_BROKER_CERT", path(&certificate)),
        ("SLUICEGATE_BROKER_KEY", path(&key)),
    ];
    let with = broker(&["--broker", "mqtts://broker"], &variables);
    assert!(with.tls.last().config().client_auth_cert_resolver.has_certs());
}

/// Without a file it is the system's roots, or advice where there are none.
#[test]
fn tls_trusts_the_system_otherwise() {
    let added = rustls::RootCertStore::empty()
        .add_parsable_certificates(rustls_native_certs::load_native_certs().certs)
        .0;
    let flags = ["--broker", "mqtts://broker"];
    match added {
        0 => check(&flags, &[], &["no root certificates", "set SLUICEGATE_BROKER_CA"]),
        _ => assert!(matches!(broker(&flags, &[]).route, Route::Direct)),
    }
}

#[test]
fn certificates_that_cannot_be_used_are_refused() {
    let (ca, (certificate, key), (_, other)) = (ca_file(), client(), client());
    let made = std::fs::read_to_string(&key).unwrap();
    let broken = file(made.replacen("-----END", "!!!!END", 1).as_bytes());
    let no_key = file(
        b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWtleS1vZi10aGlzLXRlc3Q=\n-----END PRIVATE \
          KEY-----\n",
    );
    let empty = file(b"");
    let (certificate, key) = (path(&certificate), path(&key));
    let cases: [(&str, &str, &[&str]); 9] = [
        (certificate, "", &["SLUICEGATE_BROKER_CERT", "set --broker-key or SLUICEGATE_BROKER_KEY"]),
        ("", key, &["SLUICEGATE_BROKER_KEY", "set --broker-cert or SLUICEGATE_BROKER_CERT"]),
        (certificate, path(&other), &["_CERT and ", "_KEY: ", "does not belong"]),
        (certificate, path(&broken), &["_KEY: ", path(&broken)]),
        (certificate, path(&no_key), &["_KEY: ", "the key cannot be used"]),
        (certificate, path(&empty), &["_KEY: ", path(&empty), "it is empty"]),
        (certificate, "/nowhere/key", &["_KEY: ", "/nowhere/key"]),
        ("/nowhere/cert", key, &["_CERT: ", "/nowhere/cert"]),
        (key, key, &["_CERT: ", key, "no PEM certificate"]),
    ];
    for (certificate, key, parts) in cases {
        let env = [
            ("SLUICEGATE_BROKER_CA", path(&ca)),
            ("SLUICEGATE_BROKER_CERT", certificate),
            ("SLUICEGATE_BROKER_KEY", key),
        ];
        check(&["--broker", "mqtts://broker"], &env, parts);
        let shown = refused(&["--broker", "mqtts://broker"], &env).concat();
        let secret = made.lines().filter(|line| !line.is_empty() && !line.starts_with('-'));
        for line in secret.chain(["c2VjcmV0"]) {
            assert!(!shown.contains(line), "{shown}");
        }
    }
    for bad in ["/nowhere/ca", path(&empty)] {
        let env = [("SLUICEGATE_BROKER_CA", bad)];
        check(&["--broker", "mqtts://broker"], &env, &["SLUICEGATE_BROKER_CA: ", bad]);
    }
}

#[test]
fn without_tls_there_are_no_certificates() {
    for name in ["broker-ca", "broker-cert", "broker-key"] {
        let flag = format!("--{name}");
        check(&["--broker", URL, &flag, "x"], &[], &[&flag, "no TLS", "mqtts://"]);
    }
}
