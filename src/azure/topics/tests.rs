use super::*;
use crate::azure::properties::tests::{any_properties, bag};
use proptest::prelude::*;

fn identity(device: &str, module: Option<&str>) -> Identity {
    Identity {
        hub: "contoso.azure-devices.net".into(),
        gateway: "gw".into(),
        device: device.into(),
        module: module.map(Into::into),
    }
}

fn device() -> Identity {
    identity("dev-1", None)
}

fn module() -> Identity {
    identity("edge1", Some("mod1"))
}

const D: &str = "devices/dev-1/messages/events/";
const M: &str = "devices/edge1/modules/mod1/messages/events/";

#[test]
fn telemetry_vectors() {
    for (properties, expected) in [
        (bag(&[]), ""),
        (
            bag(&[("$.ct", Some("application/json")), ("$.ce", Some("utf-8"))]),
            "%24.ct=application%2Fjson&%24.ce=utf-8",
        ),
        (
            bag(&[("$.ifid", Some("urn:azureiot:Security:SecurityAgent:1"))]),
            "%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1",
        ),
        (bag(&[("$.exp", Some("2030-01-02T03:04:05"))]), "%24.exp=2030-01-02T03%3A04%3A05"),
    ] {
        assert_eq!(telemetry(&device(), &properties), format!("{D}{expected}"));
    }
    assert_eq!(telemetry(&module(), &bag(&[])), M);
}

#[test]
fn all_properties_vector() {
    let mut properties = bag(&[
        ("z", Some("1")),
        ("A", Some("2")),
        ("a", Some("3")),
        ("sp ace", Some("a b")),
        ("amp", Some("&=/?#+%")),
        ("uni", Some("é€")),
        ("empty", Some("")),
        ("none", Some("None")),
        ("tilde", Some("~-._!*'()")),
        ("dollar", Some("$.x")),
        ("f", Some("1.5")),
        ("t", Some("True")),
        ("$.ce", Some("utf-8")),
        ("$.ct", Some("application/json;charset=utf-8")),
        ("$.uid", Some("u 1")),
        ("$.cid", Some("c-1")),
        ("$.mid", Some("m-1")),
    ]);
    properties.sort_canonical();
    assert_eq!(
        telemetry(&device(), &properties),
        "devices/dev-1/messages/events/%24.mid=m-1&%24.cid=c-1&%24.uid=u%201\
         &%24.ct=application%2Fjson%3Bcharset%3Dutf-8&%24.ce=utf-8&A=2&a=3\
         &amp=%26%3D%2F%3F%23%2B%25&dollar=%24.x&empty=&f=1.5&none=None&sp%20ace=a%20b&t=True\
         &tilde=~-._%21%2A%27%28%29&uni=%C3%A9%E2%82%AC&z=1"
    );
}

#[test]
fn output_vectors() {
    assert_eq!(output(&module(), "output1", &bag(&[])), format!("{M}%24.on=output1"));
    assert_eq!(
        output(
            &module(),
            "output1",
            &bag(&[("batchId", Some("c0ffee00")), ("sequenceNumber", Some("1"))])
        ),
        format!("{M}%24.on=output1&batchId=c0ffee00&sequenceNumber=1")
    );
    let mut properties = bag(&[
        ("z", Some("5")),
        ("b key", Some("v&=/+?%é")),
        ("a", Some("")),
        ("n", Some("None")),
        ("$.ct", Some("application/json")),
        ("$.ce", Some("utf-8")),
        ("$.cid", Some("c+1")),
        ("$.mid", Some("id 1/2")),
    ]);
    properties.sort_canonical();
    assert_eq!(
        output(&module(), "out put/1", &properties),
        format!(
            "{M}%24.on=out%20put%2F1&%24.mid=id%201%2F2&%24.cid=c%2B1&%24.ct=application%2Fjson\
             &%24.ce=utf-8&a=&b%20key=v%26%3D%2F%2B%3F%25%C3%A9&n=None&z=5"
        )
    );
}

/// System properties go first, the others keep their order, and the output is the one given.
#[test]
fn order_without_sorting() {
    let properties =
        bag(&[("z", None), ("$.to", None), ("$.exp", None), ("$.on", Some("no")), ("$.mid", None)]);
    assert_eq!(
        output(&module(), "o", &properties),
        format!("{M}%24.on=o&%24.mid&%24.exp&z&%24.to")
    );
    assert_eq!(telemetry(&module(), &properties), format!("{M}%24.on=no&%24.mid&%24.exp&z&%24.to"));
}

#[test]
fn control_topics() {
    assert_eq!(method_response(200, "1a/b"), "$iothub/methods/res/200/?$rid=1a%2Fb");
    assert_eq!(twin_get("r 1"), "$iothub/twin/GET/?$rid=r%201");
    assert_eq!(twin_reported("abc"), "$iothub/twin/PATCH/properties/reported/?$rid=abc");
    assert_eq!(twin_response(200, "1", None), "$iothub/twin/res/200/?$rid=1");
    assert_eq!(twin_response(204, "r 1", Some(8)), "$iothub/twin/res/204/?$rid=r%201&$version=8");
    assert_eq!(desired_patch(5), "$iothub/twin/PATCH/properties/desired/?$version=5");
    assert_eq!(method_request("do it", "7f"), "$iothub/methods/POST/do it/?$rid=7f");
    assert_eq!(
        method_request("a%/?+#é", "7f"),
        "$iothub/methods/POST/a%25%2F%3F%2B%23%C3%A9/?$rid=7f"
    );
    assert_eq!(inputs_filter(&module()), "devices/edge1/modules/mod1/inputs/#");
    assert_eq!(inputs_filter(&device()), "devices/dev-1/messages/devicebound/#");
}

#[test]
fn input_topics() {
    let mut properties = bag(&[
        ("$.cdid", Some("edge1")),
        ("k", Some("v=1")),
        ("$.on", Some("out")),
        ("emp", None),
        ("$.ifid", Some("urn")),
        ("$.cmid", Some("tempSensor")),
    ]);
    assert_eq!(
        input("edge1", "mod1", "in 1", &properties),
        "devices/edge1/modules/mod1/inputs/in%201/k=v%3D1&emp&%24.cdid=edge1&%24.cmid=tempSensor"
    );
    properties = bag(&[]);
    assert_eq!(
        input("a@b$'(c)", "$edgeHub", "i", &properties),
        "devices/a@b$'(c)/modules/$edgeHub/inputs/i/"
    );
}

#[test]
fn received_inputs() {
    let full = "%24.cdid=edge1&%24.cmid=tempSensor&%24.mid=m&k=v%3D1&nul&emp=";
    for (rest, expected) in [
        (format!("in%201/{full}"), Some(("in 1", full))),
        ("input1/".into(), Some(("input1", ""))),
        ("input1".into(), Some(("input1", ""))),
        ("input1/a=b=c".into(), Some(("input1", "a=b=c"))),
        ("input1/a=b/c&d".into(), Some(("input1", "a=b"))),
        (String::new(), None),
        ("/a=b".into(), None),
    ] {
        let topic = format!("devices/edge1/modules/mod1/inputs/{rest}");
        let expected = expected
            .map_or(Received::Other, |(input, bag)| Received::Input { input: input.into(), bag });
        assert_eq!(parse_received(&module(), &topic), expected, "{topic}");
    }
}

/// Ids are compared as they are: no prefix, no decoding, no letter case.
#[test]
fn received_inputs_match_exact_ids() {
    let special = identity("a@b$'(c)", Some("$mod(1)"));
    let topic = "devices/a@b$'(c)/modules/$mod(1)/inputs/i/a=b";
    let expected = Received::Input { input: "i".into(), bag: "a=b" };
    assert_eq!(parse_received(&special, topic), expected);
    for topic in [
        "devices/edge1/modules/mod1/inputs",
        "devices/edge1/modules/mod12/inputs/i/",
        "devices/edge12/modules/mod1/inputs/i/",
        "devices/edge/modules/mod1/inputs/i/",
        "devices/Edge1/modules/mod1/inputs/i/",
        "devices/edge1/modules/mod%31/inputs/i/",
        "devices/edge1/modules/mod1/messages/devicebound/a=b",
        "/devices/edge1/modules/mod1/inputs/i/",
        "",
    ] {
        assert_eq!(parse_received(&module(), topic), Received::Other, "{topic}");
    }
    let device_topic = "devices/dev-1/modules//inputs/i/";
    assert_eq!(parse_received(&device(), device_topic), Received::Other);
}

#[test]
fn received_control_topics() {
    let twin = |status, rid: &'static str, version| Received::TwinResponse {
        status,
        rid: rid.into(),
        version,
    };
    let method = |name: &'static str| Received::Method { name: name.into(), rid: "7f".into() };
    for (topic, expected) in [
        ("twin/res/204/?$rid=1&$version=6", twin(204, "1", Some(6))),
        ("twin/res/200/?$rid=r%201", twin(200, "r 1", None)),
        ("twin/res/429/?x=y&%24rid=1", twin(429, "1", None)),
        ("twin/res/200/$rid=1", Received::Other),
        ("twin/res/200/?$rid=1&x", Received::Other),
        ("twin/res/200/?$version=1", Received::Other),
        ("twin/res/+200/?$rid=1", Received::Other),
        ("twin/res/4294967296/?$rid=1", Received::Other),
        ("twin/res//?$rid=1", Received::Other),
        ("twin/res/200", Received::Other),
        ("twin/PATCH/properties/desired/?$version=7", Received::DesiredPatch { version: Some(7) }),
        ("twin/PATCH/properties/desired/", Received::DesiredPatch { version: None }),
        ("twin/PATCH/properties/desired/?$version=x", Received::DesiredPatch { version: None }),
        (
            "twin/PATCH/properties/desired/?$version=18446744073709551616",
            Received::DesiredPatch { version: None },
        ),
        ("twin/res/204/?$rid=1&$version=-1", twin(204, "1", None)),
        ("twin/PATCH/properties/desired/x", Received::Other),
        ("methods/POST/do%20it/?$rid=7f", method("do it")),
        ("methods/POST/do it/?$rid=7f", method("do it")),
        ("methods/POST/a/b/?$rid=7f", method("a/b")),
        ("methods/POST//?$rid=7f", Received::Other),
        ("methods/POST/a/?rid=7f", Received::Other),
        ("methods/POST/a", Received::Other),
        ("methods/res/200/?$rid=7f", Received::Other),
    ] {
        let topic = format!("$iothub/{topic}");
        assert_eq!(parse_received(&module(), &topic), expected, "{topic}");
    }
}

/// The Node SDK ends output topics in `/`, which belongs to no value.
#[test]
fn sent_node_vectors() {
    let n1 = "devices/edge1/modules/nmod/messages/events/%24.on=output1/";
    let n2 = "devices/edge1/modules/nmod/messages/events/%24.on=output1&%24.mid=id%201\
              &%24.ct=application%2Fjson&%24.ce=utf-8&b%20key=v%26%3D%2F%2B%3F%25%C3%A9'()*!&a=/";
    for (topic, expected) in [
        (n1, bag(&[("$.on", Some("output1"))])),
        (
            n2,
            bag(&[
                ("$.on", Some("output1")),
                ("$.mid", Some("id 1")),
                ("$.ct", Some("application/json")),
                ("$.ce", Some("utf-8")),
                ("b key", Some("v&=/+?%é'()*!")),
                ("a", None),
            ]),
        ),
    ] {
        let Sent::Telemetry { device, module, bag } = parse_sent(topic) else {
            panic!("{topic}");
        };
        assert_eq!((&*device, module.as_deref()), ("edge1", Some("nmod")));
        assert!(!bag.ends_with('/'));
        assert_eq!(Properties::decode_strict(bag), Ok(expected));
    }
}

#[test]
fn sent_telemetry_forms() {
    let telemetry = |device: &'static str, module: Option<&'static str>, bag| Sent::Telemetry {
        device: device.into(),
        module: module.map(Into::into),
        bag,
    };
    for (topic, expected) in [
        ("devices/d/messages/events", telemetry("d", None, "")),
        ("devices/d/messages/events/", telemetry("d", None, "")),
        ("devices/d/messages/events/a=b", telemetry("d", None, "a=b")),
        ("devices/d/messages/events/a=b//", telemetry("d", None, "a=b/")),
        ("devices/a%41@/modules/$m/messages/events/", telemetry("a%41@", Some("$m"), "")),
        ("devices/d/messages/eventsx", Sent::Other),
        ("devices/d/messages", Sent::Other),
        ("devices//messages/events/", Sent::Other),
        ("devices/d/modules//messages/events/", Sent::Other),
        ("devices/d/modules/m", Sent::Other),
        ("devices/d/x/messages/events/", Sent::Other),
        ("devices", Sent::Other),
    ] {
        assert_eq!(parse_sent(topic), expected, "{topic}");
    }
}

#[test]
fn sent_control_topics() {
    for (topic, expected) in [
        ("$iothub/twin/GET/?$rid=r%201", Sent::TwinGet { rid: "r 1".into() }),
        ("$iothub/twin/GET/", Sent::Other),
        ("$iothub/twin/GET/?$rid", Sent::Other),
        (
            "$iothub/twin/PATCH/properties/reported/?$rid=a",
            Sent::TwinReported { rid: Some("a".into()) },
        ),
        ("$iothub/twin/PATCH/properties/reported/", Sent::TwinReported { rid: None }),
        ("$iothub/twin/PATCH/properties/reported/?", Sent::TwinReported { rid: None }),
        ("$iothub/twin/PATCH/properties/desired/?$rid=a", Sent::Other),
        (
            "$iothub/methods/res/200/?$rid=1a%2Fb",
            Sent::MethodResponse { status: 200, rid: "1a/b".into() },
        ),
        (
            "$iothub/methods/res/0/?$rid=1a/b",
            Sent::MethodResponse { status: 0, rid: "1a/b".into() },
        ),
        ("$iothub/methods/res/-1/?$rid=a", Sent::Other),
        ("$iothub/methods/res/200/", Sent::Other),
        ("$iothub/other", Sent::Other),
        ("", Sent::Other),
    ] {
        assert_eq!(parse_sent(topic), expected, "{topic}");
    }
}

proptest! {
    /// What the module sends, the hub reads: same ids, same properties.
    #[test]
    fn hub_reads_what_the_module_writes(name in any::<String>(), properties in any_properties()) {
        let topic = output(&module(), &name, &properties);
        let Sent::Telemetry { device, module, bag } = parse_sent(&topic) else {
            return Err(TestCaseError::fail(topic));
        };
        prop_assert_eq!((&*device, module.as_deref()), ("edge1", Some("mod1")));
        let mut expected = properties;
        expected.set("$.on", Some(&name));
        let mut read = Properties::decode(bag);
        read.sort_canonical();
        expected.sort_canonical();
        prop_assert_eq!(read, expected);
    }

    /// What the hub sends, the module reads.
    #[test]
    fn module_reads_what_the_hub_writes(
        name in "[^\0]{1,8}",
        rid in any::<String>(),
        status in any::<u32>(),
        version in any::<Option<u64>>(),
        mut properties in any_properties(),
    ) {
        let topic = input("edge1", "mod1", &name, &properties);
        let Received::Input { input, bag } = parse_received(&module(), &topic) else {
            return Err(TestCaseError::fail(topic));
        };
        let mut read = Properties::decode(bag);
        properties.remove("$.on");
        properties.remove("$.ifid");
        read.sort_canonical();
        properties.sort_canonical();
        prop_assert_eq!((&*input, read), (name.as_str(), properties));

        let topic = twin_response(status, &rid, version);
        let expected = Received::TwinResponse { status, rid: rid.as_str().into(), version };
        prop_assert_eq!(parse_received(&module(), &topic), expected);
        let topic = method_request(&name, &rid);
        let expected = Received::Method { name: name.into(), rid: rid.as_str().into() };
        prop_assert_eq!(parse_received(&module(), &topic), expected);
        let topic = method_response(status, &rid);
        let expected = Sent::MethodResponse { status, rid: rid.as_str().into() };
        prop_assert_eq!(parse_sent(&topic), expected);
    }

    /// No topic makes a reader panic.
    #[test]
    fn reading_never_panics(
        start in prop::sample::select(&["", "devices/edge1/modules/mod1/inputs/", "devices/",
            "$iothub/twin/res/", "$iothub/twin/PATCH/properties/desired/", "$iothub/methods/POST/",
            "$iothub/methods/res/", "$iothub/twin/GET/"][..]),
        rest in prop_oneof![any::<String>(), "[a-z0-9/?$&=%é]{0,20}"],
    ) {
        let topic = format!("{start}{rest}");
        parse_received(&module(), &topic);
        parse_sent(&topic);
    }
}
