//! The page of counters says of each what its field says, in the same order.
//!
//! In: the structure `Counters` of the product, and the table in the page whose rows name one
//! counter each. A row is the field's name and its comment, word for word.

use crate::finding::Finding;
use crate::tree::Tree;

const SOURCE: &str = "src/pipeline/metrics.rs";
const STRUCTURE: &str = "pub struct Counters {";
const DOCUMENT: &str = "docs/counters.md";
/// The table's head.
const HEAD: &str = "| counter | what it counts |";

/// The first row that is another than the source's.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(source) = tree.text(SOURCE) else { return Vec::new() };
    let wanted = rows_of_source(source);
    if wanted.is_empty() {
        return vec![Finding::new(SOURCE, 1, format!("there is no `{STRUCTURE}`"))];
    }
    let page = tree.text(DOCUMENT).unwrap_or_default();
    let (start, rows) = rows_of_page(page);
    let count = wanted.len().max(rows.len());
    let different = (0..count)
        .find(|index| wanted.get(*index).map(String::as_str) != rows.get(*index).copied());
    let finding = different.map(|index| {
        let what = match wanted.get(index) {
            Some(row) => format!("the fields of {SOURCE} have here: {row}"),
            None => format!("no field of {SOURCE} is behind this row: take it out"),
        };
        Finding::new(DOCUMENT, start + index, what)
    });
    finding.into_iter().collect()
}

/// One row for each field of the structure.
fn rows_of_source(source: &str) -> Vec<String> {
    let body = source.split_once(STRUCTURE).and_then(|(_, rest)| rest.split_once("\n}"));
    let (mut rows, mut comment) = (Vec::new(), String::new());
    for line in body.map_or("", |(body, _)| body).lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            comment += words;
        } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|f| f.split_once(':')) {
            rows.push(format!("| `{name}` |{} |", std::mem::take(&mut comment)));
        }
    }
    rows
}

/// The rows of the page's table, and the line of the first one.
fn rows_of_page(page: &str) -> (usize, Vec<&str>) {
    let head = page.lines().position(|line| line == HEAD).unwrap_or_default();
    let rows = page.lines().skip(head + 2).take_while(|line| line.starts_with('|'));
    (head + 3, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "\
struct Other { pub c: u64 }
pub struct Counters {
    /// Messages of any
    /// kind.
    pub all: u64,
    /// Alerts.
    pub alerts: u64,
}
pub struct More {
    pub d: u64,
}
";

    fn found(rows: &str) -> Vec<String> {
        let page = format!("# Counters\n\n{HEAD}\n|---|---|\n{rows}\nMore.\n");
        let tree = Tree::of(&[(SOURCE, FIELDS), (DOCUMENT, &page)]);
        check(&tree).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_page_that_says_the_same_is_good() {
        assert_eq!(found("| `all` | Messages of any kind. |\n| `alerts` | Alerts. |\n"), [""; 0]);
    }

    #[test]
    fn a_row_that_differs_is_found() {
        let of_all = "docs/counters.md:5: the fields of src/pipeline/metrics.rs have here: | `all` \
                      | Messages of any kind. |";
        assert_eq!(found(""), [of_all]);
        assert_eq!(found("| `all` | Messages. |\n| `alerts` | Alerts. |\n"), [of_all]);
        assert_eq!(found("| `alerts` | Alerts. |\n"), [of_all]);
        let of_alerts = "docs/counters.md:6: the fields of src/pipeline/metrics.rs have here: | \
                         `alerts` | Alerts. |";
        assert_eq!(found("| `all` | Messages of any kind. |\n"), [of_alerts]);
    }

    #[test]
    fn a_row_of_no_field_is_found() {
        let rows = "| `all` | Messages of any kind. |\n| `alerts` | Alerts. |\n| `e` | E. |\n";
        let expected = "docs/counters.md:7: no field of src/pipeline/metrics.rs is behind this \
                        row: take it out";
        assert_eq!(found(rows), [expected]);
    }

    #[test]
    fn a_source_without_counters_is_found() {
        assert_eq!(check(&Tree::of(&[(SOURCE, ""), (DOCUMENT, "")])).len(), 1);
    }
}
