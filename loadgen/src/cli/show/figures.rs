//! Figures as text, in units that people read.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Table, TableComponent, presets,
};

use crate::cli::text::thousands;

/// A table of fewer columns than this has one blank between two figures.
const GAP_WIDTH: u16 = 100;

/// Stands for a figure that there is none of.
pub(super) const NONE: &str = "-";

/// A number without decimals, in groups: `1,234,567`.
pub(super) fn grouped(number: f64) -> String {
    // Only what no measurement gives, a negative number or NaN, is shown as it is.
    let text = format!("{number:.0}");
    text.parse().map_or(text, thousands)
}

/// Messages per second: `1,234/s`.
pub(crate) fn rate(per_second: f64) -> String {
    format!("{}/s", grouped(per_second))
}

/// Microseconds in a fitting unit, three digits at least: `312 µs`, `12.3 ms`, `1.25 s`.
pub(super) fn latency(us: f64) -> String {
    match us {
        _ if us < 1e3 => format!("{us:.0} µs"),
        _ if us < 10e3 => format!("{:.2} ms", us / 1e3),
        _ if us < 100e3 => format!("{:.1} ms", us / 1e3),
        _ if us < 1e6 => format!("{:.0} ms", us / 1e3),
        _ => format!("{:.2} s", us / 1e6),
    }
}

/// A share as percent: `12.3 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// KiB as MiB: `5.1 MiB`.
pub(super) fn mebibytes(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

/// Reasons in one line. One that quotes a program's log has further lines: those are for the file.
pub(super) fn reasons(all: &[String]) -> String {
    let firsts = all.iter().filter_map(|reason| reason.lines().next());
    firsts.collect::<Vec<_>>().join("; ")
}

/// An empty table, no line of which is wider than this.
fn narrow(width: u16) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table
}

/// Two columns: a name, and what is said of it.
pub(super) fn list(width: u16, rows: Vec<(&str, String)>) -> Table {
    let mut table = narrow(width);
    for (name, text) in rows {
        table.add_row([name, &text]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
    table
}

/// A table with this heading; all columns but the first are figures, which are kept whole.
pub(super) fn table<const N: usize>(
    width: u16,
    heading: [&str; N],
    rows: Vec<[String; N]>,
) -> Table {
    let mut table = narrow(width);
    table.set_style(TableComponent::HeaderLines, '─').set_header(heading);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.add_rows(rows);
    let gap = if width < GAP_WIDTH { 1 } else { 2 };
    for column in table.column_iter_mut() {
        column.set_padding((0, gap));
    }
    table
}

/// As [`table`], with a last column to be read as sentences.
pub(super) fn table_with_remarks<const N: usize>(
    width: u16,
    heading: [&str; N],
    rows: Vec<[String; N]>,
) -> Table {
    let mut table = table(width, heading, rows);
    if let Some(last) = table.column_iter_mut().last() {
        last.set_cell_alignment(CellAlignment::Left);
    }
    table
}

/// Whatever is printed has no line over 80 columns where there are 80, and over 120 where there are
/// 120, and these figures whole.
#[cfg(test)]
#[track_caller]
pub(super) fn assert_narrow(text: impl Fn(crate::cli::look::Look) -> String, whole: &[&str]) {
    for width in [80, 120] {
        let text = text(crate::cli::look::Look { width, colours: false });
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width.into()), "{widest:?} of {width} columns:\n{text}");
        for part in whole {
            assert!(text.contains(part), "no {part} in {width} columns:\n{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_fitting_units() {
        let table = [
            (0.0, "0 µs"),
            (999.4, "999 µs"),
            (1234.0, "1.23 ms"),
            (12_345.0, "12.3 ms"),
            (200_000.0, "200 ms"),
            (1_250_000.0, "1.25 s"),
        ];
        for (us, text) in table {
            assert_eq!(latency(us), text);
        }
        assert_eq!(rate(1_234_567.4), "1,234,567/s");
        assert_eq!(rate(f64::NAN), "NaN/s");
        assert_eq!(percent(0.1234), "12.3 %");
        assert_eq!(reasons(&["it ended\n  | why".to_owned(), "b".to_owned()]), "it ended; b");
        assert_eq!(mebibytes(5222), "5.1 MiB");
    }
}
