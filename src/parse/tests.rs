use super::*;
use Malformed::{NotJson, NotUtf8, TemperatureNotANumber};
use Verdict::{Alert, Below, NoTemperature};

/// Judges `body` by 25 on the way every message takes and on the exact way; both must agree.
fn judge(body: &[u8]) -> Verdict {
    let path = JsonPath::default();
    let exact = judge_exactly(body, &path, Threshold::DEFAULT);
    let usual = Parser::new(path).judge(body, Threshold::DEFAULT);
    assert_eq!(usual, exact, "simd and exact differ: {}", String::from_utf8_lossy(body));
    usual
}

fn check(body: impl AsRef<[u8]>, expected: Verdict) {
    let body = body.as_ref();
    assert_eq!(judge(body), expected, "{}", String::from_utf8_lossy(body));
}

/// Judges a body whose temperature is the JSON text `value`.
fn check_value(value: &str, expected: Verdict) {
    check(format!(r#"{{"machine":{{"temperature":{value}}}}}"#), expected);
    check(format!("{{ \"machine\" : {{ \"temperature\" :\t{value}\r\n}} }}"), expected);
}

#[test]
fn first() {
    check_value("26", Alert(26.0));
    check_value("25.0", Below);
    check_value("\"26\"", Verdict::Malformed(TemperatureNotANumber));
    check("{}", NoTemperature);
    check("", Verdict::Malformed(NotJson));
    check(b"\xff", Verdict::Malformed(NotUtf8));
    check_value("1e4294967296", Alert(f64::INFINITY));
    check_value("1234567890123456789x", Verdict::Malformed(NotJson));
    check_value("1\u{0}x", Verdict::Malformed(NotJson));
}
