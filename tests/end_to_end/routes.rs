//! A deployment whose routes bring the module's output back to its input.

use std::process::Command;

use loadgen_hub::route::Route;
use serde_json::json;

use crate::harness::{MODULE, Process, Scene, numbered, numbers};

/// A hub with one route more: what `from` sends comes to the module's input.
fn scene(from: &str) -> Scene {
    let text = format!("FROM {from} INTO BrokeredEndpoint(\"/modules/{MODULE}/inputs/input1\")");
    Scene::start_with(|config| {
        config.window = 10;
        config.manifest.routes.push(Route::parse("back", &text).unwrap());
    })
}

fn start(scene: &Scene, change: impl FnOnce(&mut Command)) -> Process {
    let mut command = scene.command();
    change(&mut command);
    let module = Process::spawn("sluicegate", &mut command);
    scene.wait_until_subscribed(&module);
    module
}

/// One reading is one alert, by whatever route its alert comes back; the log names the fault, and
/// what is no alert of this module is judged as ever.
#[test]
fn an_alert_that_comes_back_is_no_alert_again() {
    for from in
        ["/messages/modules/filter/outputs/output1", "/messages/modules/filter/*", "/messages/*"]
    {
        let scene = scene(from);
        let module = start(&scene, |_| {});
        scene.deliver(vec![numbered(1, 99), numbered(2, 9)]);
        assert_eq!(numbers(&scene.take(1)), [1], "{from}");
        scene.assert_nothing_more_upstream();
        module.wait_for_line(&["own alert ignored", "route", "input1"]);
        scene.deliver(vec![numbered(3, 99)]);
        assert_eq!(numbers(&scene.take(1)), [3]);
        scene.assert_nothing_more_upstream();
        let counted = ["received", "alerts", "own_alerts", "forwarded", "not_alerts"]
            .map(|name| scene.counter(name));
        assert_eq!(counted, [5, 2, 2, 2, 1], "{from}");
        assert_eq!(module.count("own alert ignored"), 1);
    }
}

/// Who wants them judged gets them, until the threshold ends it.
#[test]
fn own_alerts_are_judged_where_the_setting_says_so() {
    let scene = scene("/messages/modules/filter/outputs/output1");
    let module = start(&scene, |command| {
        command.env("SLUICEGATE_JUDGE_OWN_ALERTS", "true");
    });
    scene.deliver(vec![numbered(1, 99)]);
    assert_eq!(numbers(&scene.take(5)), [1; 5], "round and round");
    scene.set_threshold(json!(100));
    scene.wait_until_all_acknowledged();
    assert_eq!((scene.counter("own_alerts"), module.count("own alert ignored")), (0, 0));
}
