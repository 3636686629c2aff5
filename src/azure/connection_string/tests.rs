use super::ConnectionStringProblem as Problem;
use super::*;
use proptest::prelude::*;

/// The string that parses to this value.
fn text_of(string: &ConnectionString) -> String {
    let Identity { hub, gateway, device, module } = &string.identity;
    let gateway = if gateway == hub { String::new() } else { format!(";{GATEWAY}={gateway}") };
    let module = module.as_ref().map(|module| format!(";{MODULE}={module}")).unwrap_or_default();
    format!("{HOST}={hub}{gateway};{DEVICE}={device}{module};{KEY}={}", string.key.to_base64())
}

const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn parse(text: &str) -> Result<ConnectionString, ConnectionStringError> {
    text.parse()
}

fn check(text: &str, expected: &[Problem]) {
    let error = parse(text).unwrap_err();
    assert_eq!(error.problems(), expected, "{text}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(&SECRET[..8]), "{shown}");
    for problem in expected {
        assert!(shown.contains(&problem.to_string()), "{shown}");
    }
}

#[test]
fn a_module_behind_a_gateway() {
    let text = format!(
        "HostName=contoso.azure-devices.net;GatewayHostName=gw;DeviceId=edge1;ModuleId=$edgeHub;\
         SharedAccessKey={SECRET}"
    );
    let parsed = parse(&text).unwrap();
    assert_eq!(
        parsed.identity,
        Identity {
            hub: "contoso.azure-devices.net".into(),
            gateway: "gw".into(),
            device: "edge1".into(),
            module: Some("$edgeHub".into()),
        }
    );
    assert_eq!(parsed.key.to_base64(), SECRET);
    assert_eq!(text_of(&parsed), text);
    assert!(!format!("{parsed:?}").contains(&SECRET[..8]));
}

#[test]
fn a_device_in_any_order_with_white_space() {
    let text = format!(" SharedAccessKey={SECRET};x509=False;DeviceId=a@b=c;HostName=::1;\n");
    let parsed = parse(&text).unwrap();
    assert_eq!(parsed.identity.gateway, "::1");
    assert_eq!(parsed.identity.device, "a@b=c");
    assert_eq!(parsed.identity.module, None);
}

#[test]
fn every_problem_is_reported_at_once() {
    check("", &[Problem::Missing(HOST), Problem::Missing(DEVICE), Problem::Missing(KEY)]);
    check(
        &format!(
            "HostName=h:8883;x;Foo=1;DeviceId=a/b;DeviceId=b;ModuleId=;SharedAccessKey={SECRET}="
        ),
        &[
            Problem::NoEquals(2),
            Problem::Unknown("Foo".into()),
            Problem::Duplicate(DEVICE),
            Problem::Empty(MODULE),
            Problem::Host(HOST),
            Problem::Id(DEVICE),
            Problem::Key(KeyError::NotBase64),
        ],
    );
    check("HostName=;DeviceId=d;SharedAccessKey=", &[Problem::Empty(HOST), Problem::Empty(KEY)]);
}

/// A shell ends a command at the first `;` that stands in no quotation marks.
#[test]
fn a_string_that_a_shell_cut_is_explained() {
    check("HostName=h", &[Problem::Cut(HOST), Problem::Missing(DEVICE), Problem::Missing(KEY)]);
    let cut = parse("HostName=h.net").unwrap_err().to_string();
    assert!(cut.contains("nothing but `HostName` is there: where a shell"), "{cut}");
    check("HostName=h;DeviceId=d", &[Problem::Missing(KEY)]);
}

#[test]
fn a_module_s_string_names_all_that_is_missing() {
    let problems = |text: &str| ConnectionString::of_module(text).unwrap_err().problems().to_vec();
    let device = format!("HostName=h;DeviceId=d;SharedAccessKey={SECRET}");
    assert!(parse(&device).is_ok());
    assert_eq!(problems(&device), [Problem::Missing(MODULE)]);
    let expected = [Problem::Missing(MODULE), Problem::Missing(KEY)];
    assert_eq!(problems("HostName=h;DeviceId=d"), expected);
    let misspelt = format!("HostName=h;DeviceId=d;moduleid=m;SharedAccessKey={SECRET}");
    assert_eq!(problems(&misspelt), [Problem::LetterCase(MODULE)]);
    assert!(ConnectionString::of_module(&format!("{device};ModuleId=m")).is_ok());
}

/// Each part is named with what is wrong with it.
#[test]
fn a_key_that_cannot_be_read_is_refused_with_its_fault() {
    let cases = [
        ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", "its trailing '=' lost?"),
        ("MDEyMzQ1Njc4OWFiY2Rl+/AxMjM0NTY3ODlhYmNkZW=", "was it cut off"),
        ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY%3D", "percent-encoded"),
        ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3%2BDlhYmNkZWY=", "percent-encoded"),
        ("\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"", "quotation marks"),
        ("'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='", "quotation marks"),
        ("MDEyMzQ1Njc4OWFiY2Rl ZjAxMjM0NTY3ODlhYmNkZWY=", "white space"),
        ("MDEyMzQ1Njc4OWFiY2Rl\nZjAxMjM0NTY3ODlhYmNkZWY=", "white space"),
        ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3-DlhYmNkZ_Y=", "'-' as '+'"),
        ("<your key>", "placeholder"),
        ("{your-key}", "placeholder"),
    ];
    for (key, expected) in cases {
        let text = format!("HostName=h;DeviceId=d;SharedAccessKey={key}");
        let error = parse(&text).unwrap_err();
        let [Problem::Key(_)] = error.problems() else { panic!("{error}") };
        let shown = error.to_string();
        assert!(shown.contains("`SharedAccessKey`") && shown.contains(expected), "{key}: {shown}");
        assert!(!shown.contains(&SECRET[..8]), "{shown}");
    }
}

#[test]
fn forms_that_need_another_string() {
    let whole = |rest: &str| format!("HostName=h;DeviceId=d;{rest}");
    check(&whole("x509=true"), &[Problem::X509]);
    check(&whole(&format!("x509=TRUE;SharedAccessKey={SECRET}")), &[Problem::X509]);
    check(&whole("x509=1"), &[Problem::X509Value, Problem::Missing(KEY)]);
    check(&whole("SharedAccessSignature=SharedAccessSignature sr=a"), &[Problem::Signature]);
    let policy = whole(&format!("SharedAccessKeyName=device;SharedAccessKey={SECRET}"));
    check(&policy, &[Problem::KeyName]);
    check(&whole(&format!("sharedaccesskey={SECRET}")), &[Problem::LetterCase(KEY)]);
}

/// A key in the wrong place is not repeated, whatever it looks like there.
#[test]
fn a_misplaced_key_is_not_shown() {
    let rest = [Problem::Missing(HOST), Problem::Missing(DEVICE), Problem::Missing(KEY)];
    let with = |first| [&[first][..], &rest].concat();
    check(SECRET, &with(Problem::UnknownPart(1)));
    check(SECRET.trim_end_matches('='), &with(Problem::NoEquals(1)));
    check(&format!("{SECRET}=;"), &with(Problem::UnknownPart(1)));
    check(&format!("{SECRET}x"), &with(Problem::UnknownPart(1)));
}

#[test]
fn the_text_says_what_to_do() {
    let error = parse("HostName=https://h;DeviceID=d;x509=true").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the connection string cannot be used: write `DeviceId` exactly so: names are \
         case-sensitive and have no spaces; `HostName` is not a host name: give it without scheme, \
         port and path; `x509=true`: client certificates are out of scope; use a string with \
         SharedAccessKey instead"
    );
}

#[test]
fn ids_have_no_topic_characters() {
    for id in ["a/b", "a+", "#", "a b", "é", &"x".repeat(129)] {
        let text = format!("HostName=h;DeviceId=d;ModuleId={id};SharedAccessKey={SECRET}");
        check(&text, &[Problem::Id(MODULE)]);
    }
    for id in ["-.%_*?!(),:=@$'", &"x".repeat(128)] {
        let text = format!("HostName=h;DeviceId={id};SharedAccessKey={SECRET}");
        assert_eq!(parse(&text).unwrap().identity.device, id);
    }
}

proptest! {
    /// For every usable identity: parsing undoes writing.
    #[test]
    fn strings_round_trip(
        hub in "[a-z0-9.-]{1,20}",
        gateway in "[a-z0-9.-]{1,20}",
        device in "[A-Za-z0-9=@$'().-]{1,20}",
        module in prop::option::of("[A-Za-z0-9=@$'().-]{1,20}"),
    ) {
        let identity = Identity { hub, gateway, device, module };
        let key = Key::from_base64(SECRET).unwrap();
        let text = text_of(&ConnectionString { identity: identity.clone(), key });
        prop_assert_eq!(parse(&text).unwrap().identity, identity);
    }

    /// No text makes the parser panic, and no error shows a key of the text.
    #[test]
    fn parsing_never_panics(
        before in "((HostName|DeviceId|x|SharedAccessKey|x509)=[a-z;=é]{0,4};?){0,5}",
        after in any::<String>(),
    ) {
        if let Err(error) = parse(&format!("{before}SharedAccessKey={SECRET};{after}")) {
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains(&SECRET[..8]), "{}", shown);
        }
    }
}
