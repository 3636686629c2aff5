//! The looks of lines: a colour and a marker each, so that nobody needs to see the colour.

use maud::Markup;
use plotters::prelude::*;

use super::{Area, Canvas, DrawError, FINENESS, Pixel, units};
use crate::palette::{LINES, PAPER};

/// Half the width of a marker, in drawn units.
const RADIUS: i32 = 4 * FINENESS;

/// Outlines of the markers in percent of the radius; none is a circle. There is one more than
/// there are colours, so that they combine to 42 looks before one returns.
const MARKERS: [&[Pixel]; 7] = [
    &[],
    &[(-90, -90), (90, -90), (90, 90), (-90, 90)],
    &[(0, -125), (115, 80), (-115, 80)],
    &[(0, -130), (130, 0), (0, 130), (-130, 0)],
    &[(0, 125), (115, -80), (-115, -80)],
    &[
        (-40, -120),
        (40, -120),
        (40, -40),
        (120, -40),
        (120, 40),
        (40, 40),
        (40, 120),
        (-40, 120),
        (-40, 40),
        (-120, 40),
        (-120, -40),
        (-40, -40),
    ],
    &[
        (-57, -113),
        (0, -57),
        (57, -113),
        (113, -57),
        (57, 0),
        (113, 57),
        (57, 113),
        (0, 57),
        (-57, 113),
        (-113, 57),
        (-57, 0),
        (-113, -57),
    ],
];

/// Colour of a look.
pub(crate) fn colour(look: usize) -> RGBColor {
    LINES[look % LINES.len()].light
}

/// Draws a look's marker, hollow or filled.
pub(super) fn draw_marker(
    area: &Area<'_>,
    (x, y): Pixel,
    look: usize,
    hollow: bool,
) -> Result<(), DrawError> {
    let colour = colour(look);
    let fill = if hollow { PAPER.light } else { colour };
    let outline = colour.stroke_width((FINENESS * 3 / 2).unsigned_abs());
    let corners = MARKERS[look % MARKERS.len()];
    if corners.is_empty() {
        area.draw(&Circle::new((x, y), RADIUS, fill.filled()))?;
        return area.draw(&Circle::new((x, y), RADIUS, outline));
    }
    let corner = |(dx, dy): &Pixel| (x + dx * RADIUS / 100, y + dy * RADIUS / 100);
    let mut path: Vec<Pixel> = corners.iter().map(corner).collect();
    area.draw(&Polygon::new(path.clone(), fill.filled()))?;
    // The corner after the first closes the outline without a gap.
    path.extend_from_within(0..2);
    area.draw(&PathElement::new(path, outline))
}

/// A look as a legend shows it: a piece of line with its marker, or a marker alone.
///
/// # Errors
/// When drawing fails.
pub fn sample(look: usize, line: bool, hollow: bool) -> Result<Markup, DrawError> {
    let canvas = Canvas { class: "plot sample", width: 28, height: 14 };
    canvas.hidden_svg(|area| {
        let y = units(canvas.height / 2);
        if line {
            let style = colour(look).stroke_width((2 * FINENESS).unsigned_abs());
            area.draw(&PathElement::new([(0, y), (units(canvas.width), y)], style))?;
        }
        draw_marker(area, (units(canvas.width / 2), y), look, hollow)
    })
}
