//! How the bytes of one input are parted.

/// The first byte, and the rest; an empty input has a zero before it.
pub(crate) fn first(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// The lines of a text; `None` when it is no text.
pub(crate) fn lines(data: &[u8]) -> Option<impl Iterator<Item = &str>> {
    Some(std::str::from_utf8(data).ok()?.split('\n'))
}
