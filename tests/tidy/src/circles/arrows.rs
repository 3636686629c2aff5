//! Which modules take what from which others, folder by folder.

use std::collections::BTreeMap;

use super::modules::{Crate, Id};

/// Something that a module takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) name: String,
    /// The module that names it.
    pub(super) by: Id,
    pub(super) line: usize,
}

/// All that runs from one module to another, with what is below them.
pub(super) type Arrow = Vec<Taken>;
/// By their ends.
pub(super) type Arrows<'a> = BTreeMap<(Id, Id), &'a Arrow>;

/// The arrows of a crate, by the folder that they count in.
pub(super) fn by_folder(read: &Crate<'_>) -> BTreeMap<Id, BTreeMap<(Id, Id), Arrow>> {
    let mut folders: BTreeMap<Id, BTreeMap<(Id, Id), Arrow>> = BTreeMap::new();
    for by in read.ids() {
        for (to, taken) in all_taken(read, by) {
            if let Some((folder, ends)) = place(read, by, to) {
                let arrow = folders.entry(folder).or_default().entry(ends).or_default();
                if arrow.iter().all(|known| (&known.name, known.by) != (&taken.name, by)) {
                    arrow.push(taken);
                }
            }
        }
    }
    folders
}

/// What a module takes, with the module that defines it.
fn all_taken(read: &Crate<'_>, by: Id) -> Vec<(Id, Taken)> {
    let module = read.module(by);
    let take = |path: &[String], line: usize| {
        let to = read.definer(by, path)?;
        // A type rather than what belongs to it.
        let kind = path.iter().find(|segment| segment.starts_with(char::is_uppercase));
        let name = kind.or(path.last())?.clone();
        Some((to, Taken { name, by, line }))
    };
    let uses = module.uses.iter().filter_map(|found| {
        let (to, taken) = take(&found.path, found.line)?;
        let is_handed_on_from_below = found.is_exported && read.way(to).contains(&by);
        (!is_handed_on_from_below).then_some((to, taken))
    });
    uses.chain(module.names.iter().filter_map(|named| take(&named.path, named.line))).collect()
}

/// The folder in which the arrow counts, and its ends there. None between a module and one that is
/// in it.
fn place(read: &Crate<'_>, from: Id, to: Id) -> Option<(Id, (Id, Id))> {
    let (from, to) = (read.way(from), read.way(to));
    let depth = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    Some((from[depth - 1], (*from.get(depth)?, *to.get(depth)?)))
}
