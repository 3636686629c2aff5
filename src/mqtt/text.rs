//! Which characters may stand in topics, filters, client ids and user names.

/// Whether MQTT forbids `character` (U+0000), or lets a receiver hang up on it: controls and the
/// code points that are no characters (MQTT 3.1.1 §1.5.3). Mosquitto hangs up on all of them.
pub fn is_refused(character: char) -> bool {
    let code = u32::from(character);
    character.is_control() || matches!(code, 0xfdd0..=0xfdef) || code & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For all characters: those of MQTT 3.1.1 §1.5.3 are refused and no others.
    #[test]
    fn the_characters_of_the_standard_are_refused() {
        let refused: Vec<u32> =
            ('\0'..=char::MAX).filter(|c| is_refused(*c)).map(u32::from).collect();
        let planes = (0..=0x10).flat_map(|plane| [plane << 16 | 0xfffe, plane << 16 | 0xffff]);
        let mut expected: Vec<u32> = (0..=0x1f).chain(0x7f..=0x9f).collect();
        expected.extend((0xfdd0..=0xfdef).chain(planes));
        assert_eq!(refused, expected);
    }
}
