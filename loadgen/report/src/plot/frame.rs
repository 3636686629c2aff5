//! The frame of a plot: its axes, and where everything lies between them.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::look::{self, draw_marker};
use super::{
    Area, Canvas, Dots, DrawError, FINENESS, Line, Pixel, Plot, Point, Rule, TEXT_PX, part,
    text_width, units, write,
};
use crate::axis::Tick;
use crate::palette::{ASIDE, GRID, INK, MUTED, RULE};
use crate::thin::thinned;

/// Room for labels left of a plot, in pixels of the page: the same for all, so that plots above one
/// another line up; more only for labels that need it.
const LEFT_PX: i32 = 58;
/// Distance between the markers on a line, in pixels of the page.
const MARKERS_APART_PX: i32 = 96;
/// Points for each pixel of width: more cannot be told apart.
const POINTS_PER_PX: i32 = 2;

/// Where the axes are, in drawn units.
pub(super) struct Frame<'a> {
    plot: &'a Plot,
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    points_most: usize,
}

impl<'a> Frame<'a> {
    pub(super) fn new(plot: &'a Plot, canvas: Canvas) -> Self {
        let (top, bottom) = (units(30), units(canvas.height - 50));
        let line_room = f64::from(units(TEXT_PX * 2)) / f64::from(bottom - top);
        let y_ticks = plot.y.ticks_with_room(|_, _| line_room);
        let label_width = y_ticks.iter().map(|tick| text_width(&tick.label)).max();
        let left = (label_width.unwrap_or(0) + units(10)).max(units(LEFT_PX));
        let right = units(canvas.width - 14);
        let width = f64::from((right - left).max(1));
        let x_ticks = plot.x.ticks_with_room(|a, b| {
            let half = |tick: &Tick| text_width(&tick.label) / 2;
            f64::from(half(a) + half(b) + units(10)) / width
        });
        let points_most = usize::try_from(canvas.width * POINTS_PER_PX).unwrap_or(0);
        Self { plot, left, right, top, bottom, x_ticks, y_ticks, points_most }
    }

    fn x(&self, value: f64) -> i32 {
        self.left + part(self.right - self.left, self.plot.x.position(value))
    }

    fn y(&self, value: f64) -> i32 {
        self.bottom - part(self.bottom - self.top, self.plot.y.position(value))
    }

    fn place(&self, point: Point) -> Pixel {
        (self.x(point.0), self.y(point.1))
    }

    /// Shades a part of the x axis.
    pub(super) fn draw_aside(&self, area: &Area<'_>, from: f64, to: f64) -> Result<(), DrawError> {
        let corners = [(self.x(from), self.top), (self.x(to), self.bottom)];
        area.draw(&Rectangle::new(corners, ASIDE.light.filled()))
    }

    /// Names that part, if there is room.
    pub(super) fn draw_aside_name(
        &self,
        area: &Area<'_>,
        from: f64,
        to: f64,
        name: &str,
    ) -> Result<(), DrawError> {
        let (from, to) = (self.x(from), self.x(to));
        if text_width(name) + units(6) > to - from {
            return Ok(());
        }
        let place = ((from + to) / 2, self.top + units(4));
        write(area, name, place, MUTED.light, (HPos::Center, VPos::Top))
    }

    pub(super) fn draw_axes(&self, area: &Area<'_>) -> Result<(), DrawError> {
        let grid = GRID.light.stroke_width(FINENESS.unsigned_abs());
        for tick in &self.y_ticks {
            let y = self.y(tick.value);
            area.draw(&PathElement::new([(self.left, y), (self.right, y)], grid))?;
            let place = (self.left - units(8), y);
            write(area, &tick.label, place, MUTED.light, (HPos::Right, VPos::Center))?;
        }
        for tick in &self.x_ticks {
            let x = self.x(tick.value);
            area.draw(&PathElement::new([(x, self.top), (x, self.bottom)], grid))?;
            let half = text_width(&tick.label) / 2;
            let x = x.clamp(half, (self.right + units(13) - half).max(half));
            let place = (x, self.bottom + units(10));
            write(area, &tick.label, place, MUTED.light, (HPos::Center, VPos::Top))?;
        }
        let axis = RULE.light.stroke_width(FINENESS.unsigned_abs());
        area.draw(&PathElement::new([(self.left, self.bottom), (self.right, self.bottom)], axis))?;
        write(area, &self.plot.y.title, (0, units(4)), INK.light, (HPos::Left, VPos::Top))?;
        let place = (self.right, self.bottom + units(30));
        write(area, &self.plot.x.title, place, INK.light, (HPos::Right, VPos::Top))
    }

    pub(super) fn draw_line(&self, area: &Area<'_>, line: &Line) -> Result<(), DrawError> {
        let colour = look::colour(line.look);
        let style = colour.stroke_width((2 * FINENESS).unsigned_abs());
        let points_each = self.points_most / line.pieces.len().max(1);
        for piece in &line.pieces {
            let points = thinned(piece, points_each);
            let pixels: Vec<Pixel> = points.into_iter().map(|point| self.place(point)).collect();
            if let Dots::Sparse = line.dots {
                for place in sparse(&pixels, line.look) {
                    draw_marker(area, place, line.look, false)?;
                }
            }
            if pixels.len() > 1 {
                area.draw(&PathElement::new(pixels, style))?;
            }
        }
        if let Dots::At(dots) = &line.dots {
            for (point, hollow) in dots {
                draw_marker(area, self.place(*point), line.look, *hollow)?;
            }
        }
        Ok(())
    }

    pub(super) fn draw_rule_line(&self, area: &Area<'_>, rule: &Rule) -> Result<(), DrawError> {
        let ends = match rule {
            Rule::Across(at, _) | Rule::AcrossNamedRight(at, _) => {
                [(self.left, self.y(*at)), (self.right, self.y(*at))]
            }
            Rule::Upright(at, _) => [(self.x(*at), self.top), (self.x(*at), self.bottom)],
        };
        let style = RULE.light.stroke_width((FINENESS * 3 / 2).unsigned_abs());
        let dashes =
            DashedLineSeries::new(ends, units(6).unsigned_abs(), units(4).unsigned_abs(), style);
        for dash in dashes {
            area.draw(&dash)?;
        }
        Ok(())
    }

    /// Where the name of a line across goes: above it, or below where there is no room above.
    fn beside(&self, at: f64) -> (i32, VPos) {
        let y = self.y(at);
        let above = y - units(18) > self.top;
        if above { (y - units(3), VPos::Bottom) } else { (y + units(5), VPos::Top) }
    }

    pub(super) fn draw_rule_name(&self, area: &Area<'_>, rule: &Rule) -> Result<(), DrawError> {
        match rule {
            Rule::Across(at, name) => {
                let (y, v) = self.beside(*at);
                write(area, name, (self.left + units(5), y), INK.light, (HPos::Left, v))
            }
            Rule::AcrossNamedRight(at, name) => {
                let (y, v) = self.beside(*at);
                write(area, name, (self.right - units(5), y), INK.light, (HPos::Right, v))
            }
            Rule::Upright(at, name) => {
                let x = self.x(*at);
                // On the left, where the knee has not yet risen, if there is room.
                let left = x - text_width(name) - units(8) > self.left;
                let (x, h) =
                    if left { (x - units(5), HPos::Right) } else { (x + units(5), HPos::Left) };
                write(area, name, (x, self.top + units(2)), INK.light, (h, VPos::Top))
            }
        }
    }
}

/// Places along a line, some distance from each other; lines of different looks start at different
/// ones. A line of one point has one.
fn sparse(pixels: &[Pixel], look: usize) -> Vec<Pixel> {
    let apart = i64::from(units(MARKERS_APART_PX));
    let start = apart * i64::try_from(look % 4).unwrap_or(0) / 4;
    let Some(first) = pixels.first() else { return Vec::new() };
    if pixels.len() == 1 {
        return vec![*first];
    }
    let mut next = i64::from(first.0) + start.max(apart / 8);
    let mut places = Vec::new();
    for pair in pixels.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        while i64::from(x1) >= next && x1 > x0 {
            let along = (next - i64::from(x0)).clamp(0, i64::from(x1 - x0));
            let y = i64::from(y0) + i64::from(y1 - y0) * along / i64::from(x1 - x0);
            places.push((x0 + i32::try_from(along).unwrap_or(0), i32::try_from(y).unwrap_or(y0)));
            next += apart;
        }
    }
    places
}
