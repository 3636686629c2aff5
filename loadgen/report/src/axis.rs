//! Axes: which part of the numbers is shown, where it lies, and the ticks people read it by.
//!
//! Not those of plotters: it chooses ticks by their number, whatever the width of their labels. Its
//! logarithmic axis has powers of ten alone or eight ticks between each two, and an axis to NaN
//! panics. Percentiles by their nines, and places with names, would be ours in any case.

use std::borrow::Cow;

use super::text::{self, MICROS, NANOS};

/// Values beyond this are drawn at the edge; nothing real comes near.
const VALUE_MAX: f64 = 1e15;
/// Values below this are drawn at the edge of a logarithmic axis.
const LOG_MIN: f64 = 1e-3;
/// A narrower axis, as a share of its numbers, has ticks that floats cannot tell apart.
const SPAN_MIN: f64 = 1e-9;
/// From this ratio of the largest to the smallest value on, small ones need a logarithmic axis.
const LOG_SPREAD: f64 = 20.0;
/// Most ticks of a linear axis: more are read no better.
const LINEAR_TICKS_MAX: usize = 9;
/// Most ticks of a logarithmic axis, whose ticks are what shows its bend.
const LOG_TICKS_MAX: usize = 12;
/// Units of rates, largest first.
const PREFIXES: [(f64, &str); 4] = [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];
/// Mantissas of logarithmic ticks, dense ones first.
const MANTISSAS: [&[f64]; 3] = [&[1.0, 2.0, 3.0, 4.0, 5.0, 7.0], &[1.0, 2.0, 5.0], &[1.0]];

/// What the numbers along an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds, labelled µs, ms or s.
    Micros,
    /// Nanoseconds, labelled ns, µs, ms or s.
    Nanos,
    /// Plain numbers, labelled with k, M or G.
    Plain,
    /// Seconds since the measured part began.
    Seconds,
    /// 1 / (1 - quantile), labelled as the quantile.
    Quantile,
    /// Places counted from 0, each with a name.
    Place,
}

/// How numbers become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Log,
}

/// One axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub(super) title: Cow<'static, str>,
    unit: Unit,
    scale: Scale,
    min: f64,
    max: f64,
    /// Of the places, where it has any.
    names: Vec<String>,
}

/// A place on an axis that is labelled.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

impl Axis {
    fn new(title: Cow<'static, str>, unit: Unit, scale: Scale, (min, max): (f64, f64)) -> Self {
        Self { title, unit, scale, min, max, names: Vec::new() }
    }

    /// One place for each of the names, 0 for the first, with half a place of room at both ends.
    pub fn places(title: impl Into<Cow<'static, str>>, names: Vec<String>) -> Self {
        let end = text::float(names.len().max(1) as u64) - 0.5;
        Self { names, ..Self::new(title.into(), Unit::Place, Scale::Linear, (-0.5, end)) }
    }

    /// From zero to a round number at or above the largest of the values.
    pub fn from_zero(
        title: impl Into<Cow<'static, str>>,
        unit: Unit,
        values: impl IntoIterator<Item = f64>,
    ) -> Self {
        let max = usable(values).fold(0.0, f64::max);
        let max = if max > 0.0 { max } else { 1.0 };
        let step = nice_step(max / 8.0);
        Self::new(title.into(), unit, Scale::Linear, (0.0, (max / step).ceil() * step))
    }

    /// Exactly from `min` to `max`, where these are apart.
    pub(super) fn between(
        title: impl Into<Cow<'static, str>>,
        unit: Unit,
        min: f64,
        max: f64,
    ) -> Self {
        let inside =
            |value: f64| if value.is_nan() { 0.0 } else { value.clamp(-VALUE_MAX, VALUE_MAX) };
        let (min, max) = (inside(min), inside(max));
        let span_min = SPAN_MIN * min.abs().max(max.abs()).max(1.0);
        let max = if max - min > span_min { max } else { min + span_min.max(1.0) };
        Self::new(title.into(), unit, Scale::Linear, (min, max))
    }

    /// Logarithmic, between round numbers around the values.
    pub fn log(
        title: impl Into<Cow<'static, str>>,
        unit: Unit,
        values: impl IntoIterator<Item = f64>,
    ) -> Self {
        let (low, high) = positive_range(values).unwrap_or((1.0, 10.0));
        let (min, max) = (round_down(low), round_up(high));
        let max = if max > min * 1.01 { max } else { round_up(min * 1.5) };
        Self::new(title.into(), unit, Scale::Log, (min, max))
    }

    /// Logarithmic when the values ask for it, else from zero.
    pub fn fitting(title: impl Into<Cow<'static, str>>, unit: Unit, values: &[f64]) -> Self {
        let range = positive_range(values.iter().copied());
        if range.is_some_and(|(low, high)| high / low >= LOG_SPREAD) {
            Self::log(title, unit, values.iter().copied())
        } else {
            Self::from_zero(title, unit, values.iter().copied())
        }
    }

    /// HdrHistogram's: from 1 to `max` (at least 10), where x is 1 / (1 - quantile).
    pub(super) fn quantiles(max: f64) -> Self {
        let max = if max > 10.0 { max.min(VALUE_MAX) } else { 10.0 };
        Self::new("percentile".into(), Unit::Quantile, Scale::Log, (1.0, max))
    }

    /// Whether it is logarithmic.
    pub(super) fn is_log(&self) -> bool {
        self.scale == Scale::Log
    }

    /// How far it reaches.
    pub(super) fn span(&self) -> f64 {
        self.max - self.min
    }

    /// Where a value lies, 0 to 1; what is outside lies at the edge.
    pub(super) fn position(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.min) / (self.max - self.min),
            Scale::Log => {
                let value = if value > self.min { value } else { self.min };
                (value / self.min).ln() / (self.max / self.min).ln()
            }
        };
        if place.is_nan() { 0.0 } else { place.clamp(0.0, 1.0) }
    }

    /// At most `most` (and at least two) ticks, ascending.
    pub(super) fn ticks(&self, most: usize) -> Vec<Tick> {
        let most = most.max(2);
        let values = match self.scale {
            _ if self.unit == Unit::Place => self.place_ticks(most),
            Scale::Linear => self.linear_ticks(most),
            Scale::Log => self.log_ticks(most),
        };
        values.into_iter().map(|value| Tick { value, label: self.label(value) }).collect()
    }

    /// As many ticks as there is room for, so that `room(previous, tick)`, a share of the axis,
    /// lies between any two.
    pub(super) fn ticks_with_room(&self, room: impl Fn(&Tick, &Tick) -> f64) -> Vec<Tick> {
        let ticks_max = if self.is_log() { LOG_TICKS_MAX } else { LINEAR_TICKS_MAX };
        let fits = |ticks: &[Tick]| {
            ticks.windows(2).all(|pair| {
                let apart = self.position(pair[1].value) - self.position(pair[0].value);
                apart >= room(&pair[0], &pair[1])
            })
        };
        let mut choices = (2..=ticks_max).rev().map(|most| self.ticks(most));
        choices.find(|ticks| fits(ticks)).unwrap_or_else(|| self.ticks(2))
    }

    fn linear_ticks(&self, most: usize) -> Vec<f64> {
        let span = self.max - self.min;
        // So many ticks lie in a span of up to one step more. A wider first step may pass over all.
        let mut step = nice_step(span / text::float(most as u64 + 1));
        loop {
            // A tick that rounding has pushed over the edge still belongs to it.
            let (first, last) = ((self.min / step - 1e-9).ceil(), (self.max / step + 1e-9).floor());
            let ticks: Vec<f64> = successors(first, last, 1.0).map(|n| n * step).collect();
            if ticks.len() <= most {
                return ticks;
            }
            step = nice_step(step * 1.1);
        }
    }

    /// Every first, second, third and so on, so that the newest, which is the last, has its name.
    fn place_ticks(&self, most: usize) -> Vec<f64> {
        let count = self.names.len();
        let stride = count.div_ceil(most).max(1);
        let first = count.saturating_sub(1) % stride;
        (first..count).step_by(stride).map(|place| text::float(place as u64)).collect()
    }

    fn log_ticks(&self, most: usize) -> Vec<f64> {
        let (first, last) = (self.min.log10().floor(), self.max.log10().ceil());
        // Percentiles are told by their nines alone.
        let dense = if self.unit == Unit::Quantile { &MANTISSAS[2..] } else { &MANTISSAS[..] };
        let sparse =
            [2.0, 3.0, 4.0, 6.0, 9.0, 18.0].into_iter().map(|stride| (stride, MANTISSAS[2]));
        let choices = dense.iter().map(|mantissas| (1.0, *mantissas)).chain(sparse);
        let edges = self.min * 0.999..=self.max * 1.001;
        let mut ticks = Vec::new();
        for (stride, mantissas) in choices {
            ticks = successors(first, last, stride)
                .flat_map(|power| mantissas.iter().map(move |m| m * 10f64.powf(power)))
                .filter(|value| edges.contains(value))
                .collect();
            if ticks.len() <= most {
                break;
            }
        }
        ticks
    }

    fn name(&self, place: f64) -> String {
        let at = |(index, _): &(usize, &String)| text::float(*index as u64) == place;
        self.names.iter().enumerate().find(at).map(|(_, name)| name.clone()).unwrap_or_default()
    }

    fn label(&self, value: f64) -> String {
        // On a linear axis every label has the same unit, on a logarithmic one its own.
        let size = if self.is_log() { value } else { self.max };
        match self.unit {
            Unit::Quantile => quantile_label(value),
            Unit::Place => self.name(value),
            Unit::Seconds => text::short(value).replace('-', "−"),
            Unit::Micros | Unit::Nanos | Unit::Plain if value == 0.0 => "0".to_owned(),
            Unit::Micros => with_unit(value, text::unit_for(size, &MICROS), " "),
            Unit::Nanos => with_unit(value, text::unit_for(size, &NANOS), " "),
            Unit::Plain => with_unit(value, text::unit_for(size, &PREFIXES), ""),
        }
    }
}

fn with_unit(value: f64, (scale, unit): (f64, &str), between: &str) -> String {
    format!("{}{between}{unit}", text::short(value / scale))
}

/// `1 / (1 - quantile)` as the quantile: `90 %`, `99.9 %`.
fn quantile_label(value: f64) -> String {
    let nines = value.log10().round();
    match nines {
        nines if nines < 0.5 => "0 %".to_owned(),
        nines if nines < 1.5 => "90 %".to_owned(),
        nines => {
            let behind_point = successors(3.0, nines, 1.0).map(|_| '9').collect::<String>();
            let point = if behind_point.is_empty() { "" } else { "." };
            format!("99{point}{behind_point} %")
        }
    }
}

fn usable(values: impl IntoIterator<Item = f64>) -> impl Iterator<Item = f64> {
    values.into_iter().filter(|value| value.is_finite()).map(|value| value.min(VALUE_MAX))
}

/// Smallest and largest of the values that a logarithm has.
fn positive_range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    usable(values).filter(|value| *value > 0.0).fold(None, |range, value| {
        let value = value.max(LOG_MIN);
        let (low, high) = range.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// 1, 2 or 5 times a power of ten, at or above the number.
fn nice_step(at_least: f64) -> f64 {
    round_up(at_least.max(f64::MIN_POSITIVE * 1e10))
}

fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let rounds = [1.0, 2.0, 5.0, 10.0].map(|mantissa| mantissa * power);
    // One part in a billion is what powers of ten are wrong by.
    rounds.into_iter().find(|round| *round >= value * (1.0 - 1e-9)).unwrap_or(value)
}

fn round_down(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let rounds = [5.0, 2.0, 1.0].map(|mantissa| mantissa * power);
    rounds.into_iter().find(|round| *round <= value * (1.0 + 1e-9)).unwrap_or(value)
}

/// `first`, `first + stride` and so on, up to and with `last`; a thousand at most.
fn successors(first: f64, last: f64, stride: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(first), move |value| Some(value + stride))
        .take_while(move |value| *value <= last)
        .take(1000)
}

#[cfg(test)]
mod tests;
