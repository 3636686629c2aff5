//! Names with `*` or `{name}` for any characters, and `{a,b}` for either.

/// Whether `name` is what `pattern` says.
pub fn matches(pattern: &str, name: &str) -> bool {
    expand(pattern).iter().any(|pattern| matches_stars(pattern.as_bytes(), name.as_bytes()))
}

/// Whether a text stands for more than itself.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '{'])
}

/// The patterns without braces that a pattern with braces stands for.
pub fn expand(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let Some((inside, after)) = rest.split_once('}') else { return vec![pattern.to_owned()] };
    // A single one is the name of what stands there.
    let inside = if inside.contains(',') { inside } else { "*" };
    let wholes = inside.split(',').map(|choice| format!("{before}{choice}{after}"));
    wholes.flat_map(|whole| expand(&whole)).collect()
}

/// `*` stands for any characters of one segment of a path.
fn matches_stars(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            matches_stars(rest, name)
                || name
                    .split_first()
                    .is_some_and(|(first, left)| *first != b'/' && matches_stars(pattern, left))
        }
        ([first, rest @ ..], [same, left @ ..]) if first == same => matches_stars(rest, left),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_braces() {
        for (pattern, name, expected) in [
            ("a/b.rs", "a/b.rs", true),
            ("a/b.rs", "a/b.rss", false),
            ("a/*.rs", "a/b.rs", true),
            ("a/*.rs", "a/b/c.rs", false),
            ("*_ends", "it_ends", true),
            ("*_ends", "it_ends_not", false),
            ("*", "", true),
            ("a_*_c_*", "a_b_c_d", true),
            ("{a,b}/c", "b/c", true),
            ("{a,b}/{c,d}", "b/d", true),
            ("{a,b}/c", "c/c", false),
            ("{name}/c", "b/c", true),
            ("{a", "{a", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
