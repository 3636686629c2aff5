use super::*;
use crate::azure::{Key, UnsignedToken};
use proptest::prelude::*;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The exchange that the Python SDK has with a daemon, byte for byte.
#[test]
fn the_sign_exchange_of_the_python_sdk() {
    let token =
        UnsignedToken::new("contoso.azure-devices.net/devices/edge1/modules/mod1", 1_795_242_483);
    let text = token.text();
    assert_eq!(text, "contoso.azure-devices.net%2Fdevices%2Fedge1%2Fmodules%2Fmod1\n1795242483");
    let data = "Y29udG9zby5henVyZS1kZXZpY2VzLm5ldCUyRmRldmljZXMlMkZlZGdlMSUyRm1vZHVsZXMlMkZt\
                b2QxCjE3OTUyNDI0ODM=";
    let request = sign_request(text.as_bytes());
    let expected = format!(r#"{{"keyId":"primary","algo":"HMACSHA256","data":"{data}"}}"#);
    assert_eq!(request, expected);
    assert_eq!(parse_sign_request(request.as_bytes()).unwrap(), text.as_bytes());

    let digest = Key::from_base64(KEY).unwrap().sign(text.as_bytes());
    let response = sign_response(&digest);
    assert_eq!(response, r#"{"digest":"rYnHTu7tuIFaVfU1KshsoR+phimGXmC25QV3qARXRcY="}"#);
    assert_eq!(parse_sign_response(response.as_bytes()).unwrap(), digest);
}

#[test]
fn targets_are_percent_encoded() {
    let sign = Call::Sign { module: "$edge Hub/1".into(), generation: "637?&1".into() };
    let target = "/modules/%24edge%20Hub%2F1/genid/637%3F%261/sign?api-version=2022-08-03";
    assert_eq!((sign.method(), sign.target("2022-08-03")), ("POST", target.into()));
    assert_eq!(Call::parse("POST", target), Some((sign, "2022-08-03".into())));
    let bundle = "/trust-bundle?api-version=2018-06-28";
    assert_eq!(
        (Call::TrustBundle.method(), Call::TrustBundle.target(API_VERSION_DEFAULT)),
        ("GET", bundle.into())
    );
    assert_eq!(Call::parse("GET", bundle), Some((Call::TrustBundle, "2018-06-28".into())));
}

#[test]
fn requests_for_no_known_call_are_not_parsed() {
    let others = [
        ("GET", "/trust-bundle"),
        ("GET", "/trust-bundle?x=1"),
        ("POST", "/trust-bundle?api-version=1"),
        ("GET", "/modules/m/genid/1/sign?api-version=1"),
        ("POST", "/modules/m/genid//sign?api-version=1"),
        ("POST", "/modules//genid/1/sign?api-version=1"),
        ("POST", "/modules/m/genid/1/encrypt?api-version=1"),
        ("POST", "modules/m/genid/1/sign?api-version=1"),
    ];
    for (method, target) in others {
        assert_eq!(Call::parse(method, target), None, "{method} {target}");
    }
}

#[test]
fn a_daemon_reads_data_alone() {
    assert_eq!(parse_sign_request(br#"{"data":"YQ==","keyId":7}"#).unwrap(), b"a");
    assert_eq!(parse_sign_request(br#"{"data":"YQ"}"#), Err(BodyError::Base64("data")));
    assert!(matches!(parse_sign_request(br#"{"algo":"x"}"#), Err(BodyError::Json(_))));
}

/// No error repeats what was in the answer: it may be a secret, or a page of HTML.
#[test]
fn bad_answers_are_named_and_not_repeated() {
    let short = parse_sign_response(br#"{"digest":"c2VjcmV0"}"#);
    assert_eq!(short, Err(BodyError::DigestLength(6)));
    assert_eq!(parse_sign_response(br#"{"digest":"!"}"#), Err(BodyError::Base64("digest")));
    for body in ["", "<html>secret", r#"{"digest":{"secret":1}}"#, r#"{"digest":"secret"#] {
        let shown = parse_sign_response(body.as_bytes()).unwrap_err().to_string();
        assert!(!shown.contains("secret"), "{shown}");
        assert!(parse_trust_bundle_response(body.as_bytes()).is_err(), "{body}");
        assert_eq!(parse_error_response(body.as_bytes()), None);
    }
}

#[test]
fn bundles_and_errors_survive_json() {
    let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let body = trust_bundle_response(pem);
    assert_eq!(parse_trust_bundle_response(body.as_bytes()).unwrap(), pem);
    let body = error_response("module \"x\" not found");
    assert_eq!(parse_error_response(body.as_bytes()).unwrap(), "module \"x\" not found");
}

proptest! {
    /// Whatever the ids are, a daemon reads what the client meant.
    #[test]
    fn any_ids_survive(module in ".+", generation in ".+", version in ".*") {
        let call = Call::Sign { module, generation };
        let target = call.target(&version);
        prop_assert_eq!(Call::parse("POST", &target), Some((call, version)));
    }

    #[test]
    fn any_bytes_parse_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (parse_sign_request(&body), parse_sign_response(&body));
        let _ = (parse_trust_bundle_response(&body), parse_error_response(&body));
        let text = String::from_utf8_lossy(&body);
        let _ = Call::parse("GET", &text);
    }
}
