use super::*;

fn shown(variables: &[(&str, &str)]) -> String {
    effective(&resolved(variables))
}

fn resolved(variables: &[(&str, &str)]) -> Settings {
    let matches = help::command().try_get_matches_from(["sluicegate", "check"]).unwrap();
    let (_, matches) = matches.subcommand().expect("a subcommand");
    let settings = Settings::resolve(matches, |name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
    });
    settings.unwrap_or_else(|problems| panic!("{problems}"))
}

/// Each part is shown, and neither user nor password.
#[test]
fn a_broker_is_shown_without_its_login() {
    let line = shown(&[
        ("SLUICEGATE_BROKER", "mqtt://jane:hunter2@[::1]:5"),
        ("SLUICEGATE_CLIENT_ID", "gate"),
        ("SLUICEGATE_SUBSCRIBE", "a/#,$share/g/b"),
        ("SLUICEGATE_PATH", "p.q"),
        ("SLUICEGATE_LINGER", "50us"),
        ("SLUICEGATE_WORKERS", "0"),
    ]);
    let parts = [
        "broker [::1]:5 over TCP without TLS, client id gate, session kept, from a/#, $share/g/b",
        "alerts to alerts/{topic}, control by sluicegate/desired, reports to sluicegate/reported;",
        "number at p.q, default threshold 25, 0 worker(s), linger 50µs",
    ];
    for part in parts {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains("jane") && !line.contains("hunter2"), "{line}");
    assert!(!line.contains('\n'), "{line}");
}

/// An overlap of filters is told at the start and by `check`, by one line that names both.
#[test]
fn an_overlap_of_filters_is_warned_of_once() {
    let output = |filters: &str| {
        let variables = [("SLUICEGATE_BROKER", "mqtt://h"), ("SLUICEGATE_SUBSCRIBE", filters)];
        warnings(&resolved(&variables))
    };
    assert_eq!(output("a/#,b/#,$SYS/#,a/#"), [""; 0]);
    for filters in ["a/#,b/1,a/+", "$share/g/a/+,x,a/1", "$share/g/a,$share/h/a"] {
        let lines = output(filters);
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let ends = [filters.split(',').next(), filters.rsplit(',').next()];
        for filter in ends.into_iter().flatten() {
            assert!(line.contains(&format!("{filter:?}")), "{filter}: {line}");
        }
        for part in ["--subscribe", "overlap", "once for each", "3.3.5", "forwarded"] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }
    let many: Vec<_> = (0..8).map(|n| format!("a/{}#", "+/".repeat(n))).collect();
    let lines = output(&many.join(","));
    assert_eq!(lines.len(), 11);
    assert!(lines[10].contains("18 more pairs"), "{}", lines[10]);
}

#[test]
fn a_hub_and_a_broker_are_shown_together() {
    let hub = [
        ("IOTEDGE_WORKLOADURI", "unix:///run/w.sock"),
        ("IOTEDGE_AUTHSCHEME", "sasToken"),
        ("IOTEDGE_MODULEGENERATIONID", "1"),
        ("IOTEDGE_IOTHUBHOSTNAME", "h.net"),
        ("IOTEDGE_GATEWAYHOSTNAME", "edge"),
        ("IOTEDGE_DEVICEID", "d"),
        ("IOTEDGE_MODULEID", "m"),
    ];
    let expected = "d/m at edge:8883 over TLS (hub h.net), by the edge runtime at \
                    unix:///run/w.sock, token lifetime 3600s; number at machine.temperature, ";
    assert!(shown(&hub).starts_with(expected), "{}", shown(&hub));
    let both = [&hub[..], &[("SLUICEGATE_BROKER", "mqtt://b")]].concat();
    let expected = "; broker b:1883 over TCP without TLS, random client id, session not kept, \
                    from sensors/#; number";
    assert!(shown(&both).contains(expected), "{}", shown(&both));
}

/// Each command knows the other's variables, and tells of those that neither reads.
#[test]
fn the_other_commands_variables_are_known() {
    let (module, sensor): (&[_], &[_]) = (&module::settings::TABLE, &sensor::settings::TABLE);
    let count = |table: &[Spec], others: &[Spec], names: &[&str]| {
        let variables = names.iter().map(|name| (name.into(), "1".into()));
        strays(table, others, variables).len()
    };
    let read = ["SLUICEGATE_ID_SCOPE", "SLUICEGATE_BROKER", "SLUICEGATE_THRESHOLD"];
    assert_eq!((count(module, sensor, &read), count(sensor, module, &read)), (0, 0));
    let none = ["SLUICEGATE_X"];
    assert_eq!((count(module, sensor, &none), count(sensor, module, &none)), (1, 1));
}
