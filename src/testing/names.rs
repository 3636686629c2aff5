//! What errors call settings, held against the settings.

use crate::mqtt::Names;
use crate::settings::Spec;

/// Fails unless each flag and each variable in `names` is one of `table`.
#[track_caller]
pub(crate) fn assert_are_in(names: &'static Names, table: &[Spec]) {
    let Names { host, port, way, identity, client_id, keep_alive, roots, .. } = names;
    let Names { certificate, proxy, .. } = names;
    let all = [host, port, way, identity, client_id, keep_alive, roots, certificate, proxy];
    let words = all.into_iter().flat_map(|names| names.split([' ', ',']));
    let is_name = |word: &&str| word.starts_with("--") || word.contains('_');
    for name in words.filter(is_name) {
        let is_of = |spec: &Spec| {
            spec.env == name || name.strip_prefix("--").is_some_and(|flag| flag == spec.name)
        };
        assert!(table.iter().any(is_of), "no setting is called {name}");
    }
    names.assert_are_listed_once();
}
