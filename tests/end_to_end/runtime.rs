//! The module inside the edge runtime: its variables, the workload API, its trust bundle, and the
//! renewal of tokens that the security daemon signs. What goes wrong there is in [`failures`].

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use loadgen_hub::WorkloadFault;
use serde_json::json;

use crate::harness::{MODULE, Process, Scene, numbered, numbers, sluicegate, wait_until};

mod failures;
mod websocket;

/// The exit code for settings that cannot work.
const EX_USAGE: i32 = 64;

/// Starts the module under the runtime's variables, with every line that it may log.
pub(super) fn start(scene: &Scene, variables: &[(&str, &str)]) -> Process {
    let mut command = scene.runtime_command();
    command.env("RuntimeLogLevel", "verbose").envs(variables.iter().copied());
    Process::spawn("sluicegate", &mut command).must_not_show(&scene.module_key().to_base64())
}

/// The module filters: of four messages the two hot ones come, and the threshold can be moved.
fn check_that_it_filters(scene: &Scene) {
    scene.set_threshold(json!(25));
    scene.deliver([20, 26, 25, 27].into_iter().enumerate().map(|(n, t)| numbered(n, t)).collect());
    assert_eq!(numbers(&scene.take(2)), [1, 3]);
    scene.set_threshold(json!(60));
    scene.deliver(vec![numbered(4, 60), numbered(5, 61)]);
    assert_eq!(numbers(&scene.take(1)), [5]);
    scene.assert_nothing_more_upstream();
}

/// The runtime's variables are all that the module needs, over the module's socket as over HTTP,
/// and they come before a connection string.
#[test]
fn the_module_filters_under_the_runtimes_variables() {
    let scene = Scene::start_with(|config| {
        config.workload_http = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    });
    let http = format!("http://{}", scene.hub.workload_http_address().unwrap());
    let beside = ("EdgeHubConnectionString", "HostName=other;DeviceId=d;ModuleId=m");
    for variables in [&[][..], &[("IOTEDGE_WORKLOADURI", http.as_str())], &[beside]] {
        let mut module = start(&scene, variables);
        scene.wait_until_subscribed(&module);
        module.wait_for_line(&["by the edge runtime at"]);
        check_that_it_filters(&scene);
        module.signal("TERM");
        assert_eq!(module.wait_for_exit().code(), Some(0));
    }
    let stranger = scene.hub.counters().auth_failures;
    assert_eq!(stranger, 0, "a signature of the workload API was refused");
}

/// Everything that is missing is named at once, whichever way the module was meant to be started;
/// the version of the API alone may be missing.
#[test]
fn missing_variables_are_named_all_at_once() {
    let scene = Scene::start(1);
    let all = scene.hub.runtime_environment(MODULE).unwrap();
    let needed: Vec<_> = all.iter().filter(|(name, _)| name != "IOTEDGE_APIVERSION").collect();
    assert_eq!(needed.len(), 7);
    for lacking in 1..needed.len() {
        let (missing, given) = needed.split_at(lacking);
        let mut command = sluicegate();
        command.arg("check").envs(given.iter().map(|(name, value)| (name, value)));
        // An empty variable is as good as none.
        command.env(&missing[0].0, "");
        let mut check = Process::spawn("sluicegate", &mut command);
        assert_eq!(check.wait_for_exit().code(), Some(EX_USAGE));
        for (name, _) in missing {
            check.wait_for_line(&[name]);
        }
        for (name, _) in given {
            assert_eq!(check.count(&format!("not set: {name}")), 0, "{name} is set");
        }
    }
    let mut command = sluicegate();
    command.arg("check").envs(needed.iter().map(|(name, value)| (name, value)));
    let mut check = Process::spawn("sluicegate", &mut command);
    assert_eq!(check.wait_for_exit().code(), Some(0));
}

/// X.509 is out of scope, and the module says so in so many words.
#[test]
fn an_identity_by_certificate_is_refused() {
    let scene = Scene::start(1);
    let mut module = start(&scene, &[("IOTEDGE_AUTHSCHEME", "x509")]);
    assert_eq!(module.wait_for_exit().code(), Some(EX_USAGE));
    module.wait_for_line(&["IOTEDGE_AUTHSCHEME", "x509", "out of scope", "sasToken"]);
}

/// The daemon signs each renewal; nothing is lost and nothing comes twice.
#[test]
fn tokens_of_the_daemon_are_renewed() {
    let scene = Scene::start(20);
    let module = start(&scene, &[("SLUICEGATE_TOKEN_LIFETIME", "500ms")]);
    scene.wait_until_subscribed(&module);
    let before = scene.hub.counters().workload_requests;
    let (mut sent, mut seen) = (0, Vec::new());
    wait_until("the token is renewed five times", || {
        scene.deliver((sent..sent + 10).map(|n| numbered(n, 20 + n % 2 * 10)).collect());
        sent += 10;
        seen.extend(numbers(&scene.take(5)));
        scene.hub.counters().workload_requests >= before + 5
    });
    assert_eq!(seen, (1..sent).step_by(2).collect::<Vec<_>>());
    assert_eq!(module.count("lost:"), 0, "no connection was lost");
    scene.assert_nothing_more_upstream();
}

/// While the daemon cannot sign, the old token keeps the connection; when it can, the token is
/// renewed without a loss.
#[test]
fn a_renewal_waits_for_the_daemon() {
    let scene = Scene::start(10);
    let module = start(&scene, &[("SLUICEGATE_TOKEN_LIFETIME", "1s")]);
    scene.wait_until_subscribed(&module);
    let fault = WorkloadFault::Answer { status: 500, message: "the HSM is away".to_owned() };
    scene.hub.set_workload_fault(Some(fault)).unwrap();
    module.wait_for_line(&["token not renewed", "500", "the HSM is away", "next attempt"]);
    let renewals = scene.counter("renewals");
    check_that_it_filters(&scene);
    assert_eq!(scene.counter("renewals"), renewals);
    scene.hub.set_workload_fault(None).unwrap();
    wait_until("the token is renewed", || scene.counter("renewals") > renewals);
    check_that_it_filters(&scene);
    assert_eq!(module.count("lost:"), 0, "no connection was lost");
}

/// A token that could not be renewed in time ends the connection; what came meanwhile is filtered
/// once the daemon signs again.
#[test]
fn an_expired_token_ends_the_connection_until_the_daemon_signs_again() {
    let scene = Scene::start_with(|config| config.token_skew = Duration::ZERO);
    let module = start(&scene, &[("SLUICEGATE_TOKEN_LIFETIME", "2s")]);
    scene.wait_until_subscribed(&module);
    let fault = WorkloadFault::Answer { status: 500, message: "the HSM is away".to_owned() };
    scene.hub.set_workload_fault(Some(fault)).unwrap();
    module.wait_for_line(&["connection to localhost", "lost:"]);
    module.wait_for_line(&["no token", "the HSM is away"]);
    wait_until("the module is out", || !scene.is_connected());
    scene.deliver((0..10).map(|n| numbered(n, 99)).collect());
    assert_eq!(scene.stored(), 10);
    scene.hub.set_workload_fault(None).unwrap();
    assert_eq!(numbers(&scene.take(10)), (0..10).collect::<Vec<_>>());
    scene.assert_nothing_more_upstream();
}
