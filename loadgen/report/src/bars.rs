//! Bars, one below another, each under its name and with its figure at its end.

use maud::Markup;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::palette::{INK, LINES, MUTED};
use super::plot::{
    Area, Canvas, DrawError, FINENESS, NARROW, WIDE, part, text_width, units, write,
};

/// Most bars that are drawn.
pub(super) const BARS_MAX: usize = 64;
/// Height of a bar with its name, in pixels of the page.
const ROW_PX: i32 = 46;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    /// Smallest and largest single value, drawn as a thin line.
    pub(super) spread: Option<(f64, f64)>,
    /// What stands at its end.
    pub(super) figure: String,
}

/// The first [`BARS_MAX`] of the bars, wide and narrow.
///
/// # Errors
/// When drawing fails.
pub(super) fn svg(bars: &[Bar], label: &str) -> Result<[Markup; 2], DrawError> {
    let bars = bars.get(..BARS_MAX).unwrap_or(bars);
    let rows = i32::try_from(bars.len()).unwrap_or(0);
    let draw = |of: Canvas| {
        let canvas = Canvas { height: rows * ROW_PX, ..of };
        canvas.svg(label, |area| draw(area, bars, canvas))
    };
    Ok([draw(WIDE)?, draw(NARROW)?])
}

fn draw(area: &Area<'_>, bars: &[Bar], canvas: Canvas) -> Result<(), DrawError> {
    let figures = bars.iter().map(|bar| text_width(&bar.figure)).max().unwrap_or(0);
    let length_max = (units(canvas.width) - figures - units(12)).max(units(40));
    let ends = bars.iter().map(|bar| bar.spread.map_or(bar.value, |(_, high)| high.max(bar.value)));
    let value_max = ends.filter(|end| end.is_finite()).fold(0.0, f64::max);
    let length = |value: f64| {
        let share = if value_max > 0.0 { (value / value_max).clamp(0.0, 1.0) } else { 0.0 };
        part(length_max, if share.is_nan() { 0.0 } else { share })
    };
    for (row, bar) in (0..).zip(bars) {
        let top = units(row * ROW_PX);
        let (middle, half) = (top + units(28), units(8));
        let name = fitting(&bar.name, canvas.width);
        write(area, &name, (0, top + units(3)), INK.light, (HPos::Left, VPos::Top))?;
        // A line remains of the smallest bar.
        let end = length(bar.value).max(units(1));
        let corners = [(0, middle - half), (end, middle + half)];
        area.draw(&Rectangle::new(corners, LINES[0].light.filled()))?;
        let mut text_at = end;
        if let Some((low, high)) = bar.spread {
            let (low, high) = (length(low), length(high));
            // What is narrower than the line is thick shows nothing.
            if high - low > units(2) {
                draw_spread(area, low, high, middle)?;
            }
            text_at = text_at.max(high);
        }
        let place = (text_at + units(6), middle);
        write(area, &bar.figure, place, MUTED.light, (HPos::Left, VPos::Center))?;
    }
    Ok(())
}

/// A line with ends.
fn draw_spread(area: &Area<'_>, low: i32, high: i32, middle: i32) -> Result<(), DrawError> {
    let style = INK.light.stroke_width((FINENESS * 3 / 2).unsigned_abs());
    area.draw(&PathElement::new([(low, middle), (high, middle)], style))?;
    for end in [low, high] {
        let half = units(4);
        area.draw(&PathElement::new([(end, middle - half), (end, middle + half)], style))?;
    }
    Ok(())
}

/// As much of a name as fits into a width.
fn fitting(name: &str, width_px: i32) -> String {
    let fits = |text: &str| text_width(text) <= units(width_px);
    if fits(name) {
        return name.to_owned();
    }
    let mut kept = String::new();
    for c in name.chars() {
        kept.push(c);
        if !fits(&format!("{kept}…")) {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, value: f64) -> Bar {
        Bar { name: name.to_owned(), value, spread: Some((value, value)), figure: "1/s".to_owned() }
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(fitting("short", 200), "short");
        let cut = fitting(&"ä".repeat(100_000), 200);
        assert!(cut.ends_with("ä…") && text_width(&cut) <= units(200), "{cut}");
    }

    #[test]
    fn odd_values_and_many_bars_are_drawn() {
        let odd = [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX].map(|value| bar("odd", value));
        assert!(svg(&odd, "odd").is_ok());
        assert!(svg(&[], "none").is_ok());
        let many = vec![bar("<script>", 1.0); 1000];
        let [wide, _] = svg(&many, "many").unwrap();
        assert_eq!(wide.0.matches("&lt;script&gt;").count(), BARS_MAX);
    }
}
