//! Colours: one role each, with a light and a dark shade.
//!
//! Plots are drawn in the light shades. The style sheet finds each by its name in the drawing and
//! gives it the shade of the reader's scheme: a plot is in the page once for both.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// A colour in both schemes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shades {
    pub(super) light: RGBColor,
    pub(super) dark: RGBColor,
}

const fn shades(light: u32, dark: u32) -> Shades {
    Shades { light: colour(light), dark: colour(dark) }
}

const fn colour(rgb: u32) -> RGBColor {
    let [_, r, g, b] = rgb.to_be_bytes();
    RGBColor(r, g, b)
}

/// Behind everything.
pub(super) const PAPER: Shades = shades(0xFF_FF_FF, 0x14_17_1A);
/// Text, and marks that are no line's.
pub(super) const INK: Shades = shades(0x1B_1F_24, 0xE6_E8_EB);
/// Labels of axes.
pub(super) const MUTED: Shades = shades(0x57_60_6A, 0x9D_A7_B1);
/// Lines of axes.
pub(super) const GRID: Shades = shades(0xDF_E3_E8, 0x2C_32_39);
/// Behind the parts that are not measured.
pub(super) const ASIDE: Shades = shades(0xF2_F4_F6, 0x1D_21_26);
/// Lines to compare with: an objective, a rate asked.
pub(super) const RULE: Shades = shades(0x6B_74_7F, 0x8B_95_A0);

/// Lines, told apart by those who see no red or no green too; each has its own marker besides.
pub(super) const LINES: [Shades; 6] = [
    shades(0x00_6B_AF, 0x56_B4_E9),
    shades(0xC7_4E_00, 0xF0_8A_3C),
    shades(0x00_80_60, 0x2F_C7_9B),
    shades(0xA8_2E_78, 0xE5_8B_C4),
    shades(0x7A_66_00, 0xE3_CF_4A),
    shades(0x4B_4F_9E, 0xA4_A8_F5),
];

/// The rules that show every drawn colour in the dark shade, to stand within a dark scheme's part
/// of the style sheet.
pub(super) fn dark_rules() -> String {
    let mut css = String::new();
    for Shades { light, dark } in all() {
        let (light, dark) = (hex(light), hex(dark));
        // Writing to a string cannot fail.
        let _ = writeln!(css, ".plot [fill=\"{light}\"]{{fill:{dark}}}");
        let _ = writeln!(css, ".plot [stroke=\"{light}\"]{{stroke:{dark}}}");
    }
    css
}

/// As the drawings write it.
pub(super) fn hex(colour: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

fn all() -> impl Iterator<Item = Shades> {
    [PAPER, INK, MUTED, GRID, ASIDE, RULE].into_iter().chain(LINES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2, relative luminance.
    fn luminance(colour: RGBColor) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(colour.0) + 0.7152 * linear(colour.1) + 0.0722 * linear(colour.2)
    }

    /// WCAG 2.2, contrast ratio.
    fn contrast(a: RGBColor, b: RGBColor) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn everything_stands_out_from_the_paper() {
        let lines = LINES.iter().chain([&RULE]).map(|shades| (3.0, *shades));
        for (at_least, Shades { light, dark }) in lines.chain([(4.5, INK), (4.5, MUTED)]) {
            for background in [PAPER, ASIDE] {
                assert!(contrast(light, background.light) >= at_least, "{}", hex(light));
                assert!(contrast(dark, background.dark) >= at_least, "{}", hex(dark));
            }
        }
    }

    #[test]
    fn no_colour_plays_two_roles() {
        let mut seen: Vec<_> = all().map(|shades| hex(shades.light)).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all().count());
    }
}
