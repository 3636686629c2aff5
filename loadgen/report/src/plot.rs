//! Drawing a plot: what is to be seen goes in, an SVG element comes out.
//!
//! A plot is drawn once for wide and once for narrow screens, so that its text keeps its size.

use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use frame::Frame;

mod frame;
pub(super) mod look;

/// Drawing failed, which a string as its target never does.
pub type DrawError = DrawingAreaErrorKind<std::io::Error>;
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
/// Along the x axis, and the y axis.
pub type Point = (f64, f64);
type Pixel = (i32, i32);

/// Drawn units in a pixel of the page: the drawing has whole numbers only.
pub(super) const FINENESS: i32 = 4;
/// Size of text, in pixels of the page.
pub(super) const TEXT_PX: i32 = 12;
/// Width that a character takes on the average, in pixels of the page, rather more than less.
pub(super) const CHARACTER_PX: f64 = 7.3;

/// What is to be seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// The axis to the right.
    pub x: Axis,
    /// The axis upwards.
    pub y: Axis,
    /// Those drawn last are on top.
    pub lines: Vec<Line>,
    /// Parts of the x axis that stand back, with their names.
    pub asides: Vec<(f64, f64, &'static str)>,
    /// To compare with.
    pub rules: Vec<Rule>,
}

/// One line, or several pieces of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Which colour and marker, counted from 0.
    pub look: usize,
    /// Points from left to right.
    pub pieces: Vec<Vec<Point>>,
    /// Its markers.
    pub dots: Dots,
}

/// Markers of a line.
#[derive(Debug, Clone, PartialEq)]
pub enum Dots {
    /// Here and there, to tell lines apart.
    Sparse,
    /// At these places; hollow where the flag is set.
    At(Vec<(Point, bool)>),
}

/// A straight dashed line to compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// At a height, named at its left end.
    Across(f64, String),
    /// At a height, named at its right end, where a name on the left might meet another one's.
    AcrossNamedRight(f64, String),
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
    pub fn svg(&self, label: &str) -> Result<Markup, DrawError> {
        let mut drawings = Vec::with_capacity(2);
        for canvas in [WIDE, NARROW] {
            drawings.push(canvas.svg(label, |area| self.draw(area, canvas))?);
        }
        Ok(html! { @for drawing in drawings { (drawing) } })
    }

    fn draw(&self, area: &Area<'_>, canvas: Canvas) -> Result<(), DrawError> {
        let frame = Frame::new(self, canvas);
        for (from, to, _) in &self.asides {
            frame.draw_aside(area, *from, *to)?;
        }
        frame.draw_axes(area)?;
        for rule in &self.rules {
            frame.draw_rule_line(area, rule)?;
        }
        for line in &self.lines {
            frame.draw_line(area, line)?;
        }
        // Names go on top, where lines cannot hide them.
        for (from, to, name) in &self.asides {
            frame.draw_aside_name(area, *from, *to, name)?;
        }
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
