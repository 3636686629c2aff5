//! The known name that is nearest to a misspelt one.

/// Most edits between a misspelt name and the one that was meant.
pub(super) const EDITS_MAX: usize = 2;

/// ` (did you mean `X`?)`, or nothing when no known name is near.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let lower = name.to_lowercase();
    let near = known
        .into_iter()
        .filter(|known| *known != name)
        .map(|known| (strsim::osa_distance(&lower, &known.to_lowercase()), known));
    match near.filter(|(edits, _)| *edits <= EDITS_MAX.min(name.len() / 2)).min() {
        Some((_, known)) => format!(" (did you mean `{known}`?)"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let known = ["routes", "schemaVersion", "filter"];
        let table = [
            ("route", " (did you mean `routes`?)"),
            ("Routes", " (did you mean `routes`?)"),
            ("fliter", " (did you mean `filter`?)"),
            ("schemaversion", " (did you mean `schemaVersion`?)"),
            ("routes", ""),
            ("x", ""),
            ("", ""),
            ("storage", ""),
        ];
        for (name, expected) in table {
            assert_eq!(did_you_mean(name, known), expected, "{name}");
        }
    }
}
