//! No modules that need each other in a circle: each can be read, tested and changed once those
//! that it is built on are understood.
//!
//! The rule. An **arrow** runs from the module that names an item to the module that defines it:
//!
//! - Names count in `use` lines, and in code as paths, types, constants and calls, in macros too.
//! - What is handed on (`pub use`) is followed to where it is defined, through `use` lines and
//!   globs. So a parent that hands on what its children define is no detour: the arrow runs from
//!   child to child.
//! - A module that is named alone (`use crate::a;`, `mod a;`) gives nothing yet, and makes no
//!   arrow; what is then named through it does. A `pub use` makes an arrow only to what is not
//!   below its own module.
//! - Methods and fields are not seen: they come with their types, which are. Nor are functions that
//!   are passed on by a name that a glob or the module's own `pub use` has brought.
//! - What is built for tests alone does not count, and neither do the files of tests and benches.
//!
//! An arrow counts in the deepest **folder** that both its ends are in: there it runs between two
//! of the folder's modules, each with all that is below it. A circle is a set of those that reach
//! each other by arrows. So the rooms at a crate's root are without circles, and the modules in
//! each room, and those in each of these.
//!
//! A module and what is in it are one thing that was parted for size: arrows between them do not
//! count. The parent's file composes its children, and may define what they share, as their error.

mod arrows;
mod modules;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::finding::Finding;
use crate::packages::packages;
use crate::tree::Tree;
use arrows::{Arrow, Arrows};
use modules::Crate;

/// What an arrow's line in a finding shows at most.
const NAMES_MAX: usize = 6;

/// Circles, each at its first name.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let outlines: HashMap<_, _> =
        tree.outlines().iter().map(|outline| (outline.path.as_str(), outline)).collect();
    let packages = packages(tree);
    let roots = packages.iter().flat_map(|package| &package.roots);
    roots.flat_map(|root| check_crate(&Crate::read(root, &outlines))).collect()
}

fn check_crate(read: &Crate<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, arrows) in arrows::by_folder(read) {
        let graph: DiGraphMap<_, ()> = arrows.keys().copied().collect();
        for circle in tarjan_scc(&graph) {
            if circle.len() > 1 {
                let within = |(from, to): &(_, _)| circle.contains(from) && circle.contains(to);
                let arrows = arrows.iter().filter(|(ends, _)| within(ends));
                let arrows = arrows.map(|(ends, arrow)| (*ends, arrow)).collect();
                findings.push(finding(read, folder, circle.len(), &arrows));
            }
        }
    }
    findings
}

/// A circle of `members` modules in the folder of the module `folder`.
fn finding(read: &Crate<'_>, folder: usize, members: usize, arrows: &Arrows<'_>) -> Finding {
    let mut what = format!(
        "a circle of {members} modules in {}: let one of these arrows go, by moving what it takes \
         to where it is needed, to a module below both, or into a parameter",
        read.name(folder)
    );
    for ((from, to), arrow) in arrows {
        what +=
            &format!("\n    {} -> {}: {}", read.name(*from), read.name(*to), names(read, arrow));
    }
    let first = arrows.values().next().and_then(|arrow| arrow.first());
    let (file, line) = first.map_or(("", 0), |taken| (read.file(taken.by), taken.line));
    Finding::new(file, line, what)
}

/// What an arrow takes, and where.
fn names(read: &Crate<'_>, arrow: &Arrow) -> String {
    let taken = arrow.iter().take(NAMES_MAX);
    let taken: Vec<_> = taken
        .map(|taken| format!("{} ({}:{})", taken.name, read.file(taken.by), taken.line))
        .collect();
    let more = arrow.len().saturating_sub(NAMES_MAX);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    taken.join(", ") + &more
}
