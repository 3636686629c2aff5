//! Drawing a plot: what is to be seen goes in, an SVG element comes out.
//!
//! A plot is drawn once for wide and once for narrow screens, so that its text keeps its size.

use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, Tick};
use super::palette::{ASIDE, GRID, INK, MUTED, RULE};
use super::thin::thinned;
use look::draw_marker;

pub(super) mod look;

/// Drawing failed, which a string as its target never does.
pub(super) type DrawError = DrawingAreaErrorKind<std::io::Error>;
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Point = (f64, f64);
type Pixel = (i32, i32);

/// Drawn units in a pixel of the page: the drawing has whole numbers only.
pub(super) const FINENESS: i32 = 4;
/// Size of text, in pixels of the page.
pub(super) const TEXT_PX: i32 = 12;
/// Width that a character takes on the average, in pixels of the page, rather more than less.
pub(super) const CHARACTER_PX: f64 = 7.3;
/// Room for labels left of a plot, in pixels of the page: the same for all, so that plots above one
/// another line up; more only for labels that need it.
const LEFT_PX: i32 = 58;
/// Distance between the markers on a line, in pixels of the page.
const MARKERS_APART_PX: i32 = 96;
/// Points for each pixel of width: more cannot be told apart.
const POINTS_PER_PX: i32 = 2;

/// What is to be seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    /// Parts of the x axis that stand back, with their names.
    pub(super) asides: Vec<(f64, f64, &'static str)>,
    pub(super) rules: Vec<Rule>,
}

/// One line, or several pieces of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Which colour and marker, counted from 0.
    pub(super) look: usize,
    pub(super) pieces: Vec<Vec<Point>>,
    pub(super) dots: Dots,
}

/// Markers of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Dots {
    /// Here and there, to tell lines apart.
    Sparse,
    /// At these places; hollow where the flag is set.
    At(Vec<(Point, bool)>),
}

/// A straight dashed line to compare with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    /// At a height.
    Across(f64, String),
    /// At a place of the x axis.
    Upright(f64, String),
}

/// Size of a drawing in pixels of the page, and the class that the style sheet shows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Canvas {
    pub(super) class: &'static str,
    pub(super) width: i32,
    pub(super) height: i32,
}

/// For screens that have room.
pub(super) const WIDE: Canvas = Canvas { class: "plot wide", width: 848, height: 360 };
/// For a phone held upright.
pub(super) const NARROW: Canvas = Canvas { class: "plot narrow", width: 358, height: 270 };

impl Plot {
    /// Both drawings, described by `label` to those who cannot see them.
    ///
    /// # Errors
    /// When drawing fails.
    pub(super) fn svg(&self, label: &str) -> Result<Markup, DrawError> {
        let mut drawings = Vec::with_capacity(2);
        for canvas in [WIDE, NARROW] {
            drawings.push(canvas.svg(label, |area| self.draw(area, canvas))?);
        }
        Ok(html! { @for drawing in drawings { (drawing) } })
    }

    fn draw(&self, area: &Area<'_>, canvas: Canvas) -> Result<(), DrawError> {
        let frame = Frame::new(self, canvas);
        for (from, to, name) in &self.asides {
            frame.draw_aside(area, *from, *to, name)?;
        }
        frame.draw_axes(area)?;
        for rule in &self.rules {
            frame.draw_rule_line(area, rule)?;
        }
        for line in &self.lines {
            frame.draw_line(area, line)?;
        }
        // Names go on top, where lines cannot hide them.
        for rule in &self.rules {
            frame.draw_rule_name(area, rule)?;
        }
        Ok(())
    }
}

impl Canvas {
    /// The SVG element around what `draw` draws.
    ///
    /// # Errors
    /// When drawing fails.
    pub(super) fn svg(
        self,
        label: &str,
        draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
    ) -> Result<Markup, DrawError> {
        let (inner, view) = (self.drawing(draw)?, self.view());
        Ok(html! {
            svg class=(self.class) viewBox=(view) role="img" aria-label=(label) {
                (PreEscaped(inner))
            }
        })
    }

    /// The same where the text beside it says all.
    ///
    /// # Errors
    /// When drawing fails.
    fn hidden_svg(
        self,
        draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
    ) -> Result<Markup, DrawError> {
        let (inner, view) = (self.drawing(draw)?, self.view());
        Ok(html! {
            svg class=(self.class) viewBox=(view) aria-hidden="true" { (PreEscaped(inner)) }
        })
    }

    fn view(self) -> String {
        format!("0 0 {} {}", units(self.width), units(self.height))
    }

    /// What stands inside the SVG element.
    fn drawing(
        self,
        draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
    ) -> Result<String, DrawError> {
        let mut svg = String::new();
        let size = [self.width, self.height].map(|px| (px * FINENESS).unsigned_abs());
        let area = SVGBackend::with_string(&mut svg, (size[0], size[1])).into_drawing_area();
        draw(&area)?;
        area.present()?;
        drop(area);
        let start = svg.find('>').map_or(0, |end| end + 1);
        let end = svg.rfind("</svg>").unwrap_or(svg.len());
        Ok(svg.get(start..end).unwrap_or_default().to_owned())
    }
}

/// Where the axes are, in drawn units.
struct Frame<'a> {
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
    fn new(plot: &'a Plot, canvas: Canvas) -> Self {
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

    fn draw_aside(&self, area: &Area<'_>, from: f64, to: f64, name: &str) -> Result<(), DrawError> {
        let (from, to) = (self.x(from), self.x(to));
        if to <= from {
            return Ok(());
        }
        let corners = [(from, self.top), (to, self.bottom)];
        area.draw(&Rectangle::new(corners, ASIDE.light.filled()))?;
        if text_width(name) + units(6) < to - from {
            let place = ((from + to) / 2, self.top + units(4));
            write(area, name, place, MUTED.light, (HPos::Center, VPos::Top))?;
        }
        Ok(())
    }

    fn draw_axes(&self, area: &Area<'_>) -> Result<(), DrawError> {
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
        write(area, self.plot.y.title, (0, units(4)), INK.light, (HPos::Left, VPos::Top))?;
        let place = (self.right, self.bottom + units(30));
        write(area, self.plot.x.title, place, INK.light, (HPos::Right, VPos::Top))
    }

    fn draw_line(&self, area: &Area<'_>, line: &Line) -> Result<(), DrawError> {
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

    fn draw_rule_line(&self, area: &Area<'_>, rule: &Rule) -> Result<(), DrawError> {
        let ends = match rule {
            Rule::Across(at, _) => [(self.left, self.y(*at)), (self.right, self.y(*at))],
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

    fn draw_rule_name(&self, area: &Area<'_>, rule: &Rule) -> Result<(), DrawError> {
        match rule {
            Rule::Across(at, name) => {
                let y = self.y(*at);
                // Below the line where there is no room above.
                let above = y - units(18) > self.top;
                let (y, v) =
                    if above { (y - units(3), VPos::Bottom) } else { (y + units(5), VPos::Top) };
                write(area, name, (self.left + units(5), y), INK.light, (HPos::Left, v))
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

/// Pixels of the page in drawn units.
pub(super) fn units(px: i32) -> i32 {
    px * FINENESS
}

/// How wide a text is, rather too wide than too narrow, in drawn units.
pub(super) fn text_width(text: &str) -> i32 {
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    part(FINENESS, f64::from(characters) * CHARACTER_PX)
}

/// Writes one line of text at a place, anchored as told.
pub(super) fn write(
    area: &Area<'_>,
    text: &str,
    place: Pixel,
    colour: RGBColor,
    (h, v): (HPos, VPos),
) -> Result<(), DrawError> {
    /// The backend divides the size of every font by it.
    const BACKEND_FONT_SCALE: f64 = 1.24;
    let size = f64::from(units(TEXT_PX)) * BACKEND_FONT_SCALE;
    let style = ("sans-serif", size).into_font().color(&colour).pos(Pos::new(h, v));
    area.draw(&Text::new(text.to_owned(), place, style))
}

/// A share of a length.
#[expect(clippy::cast_possible_truncation, reason = "a share of a drawing's size, which is small")]
pub(super) fn part(length: i32, share: f64) -> i32 {
    (f64::from(length) * share).round() as i32
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
