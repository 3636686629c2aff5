//! Deployment manifests, their variables, and the twins that are made of them.

use loadgen_hub::manifest::{Manifest, Variables, desired_inside};
use loadgen_hub::twin_document::TwinDocument;
use serde_json::{Map, Value};

/// `data` is the text of a manifest; in front of it, up to a NUL, may stand that of a `.env`.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (env, text) = text.split_once('\0').unwrap_or(("", text));
    let variables = Variables::from_env_text(env);
    let expanded = variables.expand(text);
    assert!(text.contains('$') || expanded == text, "nothing but variables is replaced");
    match Manifest::parse(text, &variables) {
        Ok(manifest) => check_manifest(&manifest),
        Err(error) => {
            assert!(!error.problems.is_empty());
            let told = error.to_string();
            let lines = told.lines().skip(1);
            assert!(lines.into_iter().all(|line| !line.contains(char::is_control)), "{told}");
        }
    }
    check_twins(text);
}

fn check_manifest(manifest: &Manifest) {
    assert!(!manifest.modules.contains_key("$edgeAgent"));
    for (name, module) in &manifest.modules {
        assert!(!name.is_empty() && *name == module.name);
        let twin = TwinDocument::new(&module.desired);
        if let Ok(twin) = twin {
            assert_eq!(twin.desired_version(), 1);
        }
    }
    for route in &manifest.routes {
        assert!(!route.name.is_empty());
        let takes = manifest.modules.keys().any(|module| route.takes_from(module));
        assert!(!takes || route.can_match());
    }
    // Values of variables may be secrets.
    assert!(manifest.warnings.iter().all(|warning| !warning.text.is_empty()));
}

/// The same text as desired properties, and then as two patches: a merge by RFC 7386.
fn check_twins(text: &str) {
    let Ok(Value::Object(patch)) = serde_json::from_str(text) else { return };
    let _ = desired_inside(&patch);
    let mut twin = TwinDocument::default();
    let mut expected = Map::new();
    let before = twin.reported_version();
    for count in 1..=2 {
        if twin.patch_reported(&Value::Object(patch.clone())).is_err() {
            return assert!(count == 1 && twin.reported().is_empty(), "it is as it was");
        }
        merge(&mut expected, &patch);
        assert_eq!(*twin.reported(), expected);
        assert_eq!(twin.reported_version(), before + count);
    }
}

/// RFC 7386, section 2, for two objects.
fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(name);
            }
            Value::Object(patch) => {
                let member = target.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if !member.is_object() {
                    *member = Value::Object(Map::new());
                }
                if let Value::Object(member) = member {
                    merge(member, patch);
                }
            }
            value => {
                target.insert(name.clone(), value.clone());
            }
        }
    }
}
