//! Names from outside in a line for people: cut, on one line, with the known name that is nearest.

/// How alike two names are that one may stand for the other: from 0 to 1.
const LIKENESS_MIN: f64 = 0.8;
/// Longest part of a name that is shown.
const SHOWN_CHARS_MAX: usize = 60;

/// Of `candidates`, what belongs to the name that `name` is most like.
pub(crate) fn nearest<'a, T>(
    name: &str,
    candidates: impl Iterator<Item = (&'a str, T)>,
) -> Option<T> {
    let alike = |(known, what)| (strsim::jaro_winkler(name, known), what);
    let best = candidates.map(alike).max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).map(|(_, what)| what)
}

/// The beginning of `name`, on one line.
pub(crate) fn shown(name: &str) -> String {
    let printable = |c: char| if c.is_control() { '?' } else { c };
    name.chars().take(SHOWN_CHARS_MAX).map(printable).collect()
}
