//! The modules of a crate, and which of them defines a name.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::outline::Outline;
use crate::outline::module::Module;

/// Re-exports that a name is followed through; more would be those of a circle.
const STEPS_MAX: usize = 16;

/// The number of a module; 0 is the crate's root.
pub(super) type Id = usize;

/// A crate.
pub(super) struct Crate<'a> {
    modules: Vec<Entry<'a>>,
}

struct Entry<'a> {
    name: String,
    file: &'a str,
    parent: Option<Id>,
    children: BTreeMap<&'a str, Id>,
    module: &'a Module,
}

impl<'a> Crate<'a> {
    /// Reads the crate that begins in the file `root`.
    pub(super) fn read(root: &'a str, outlines: &HashMap<&'a str, &'a Outline>) -> Self {
        let mut read = Self { modules: Vec::new() };
        if let Some(outline) = outlines.get(root) {
            let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
            let name = root.to_owned();
            read.add(
                Entry {
                    name,
                    file: root,
                    parent: None,
                    children: BTreeMap::new(),
                    module: &outline.module,
                },
                folder,
                outlines,
            );
        }
        read
    }

    /// Adds a module whose own modules are in `folder`.
    fn add(
        &mut self,
        entry: Entry<'a>,
        folder: &str,
        outlines: &HashMap<&'a str, &'a Outline>,
    ) -> Id {
        let id = self.modules.len();
        let (module, file, parent) = (entry.module, entry.file, entry.name.clone());
        self.modules.push(entry);
        for child in &module.children {
            let below = format!("{folder}/{}", child.name);
            let beside = file.rsplit_once('/').map_or("", |(folder, _)| folder);
            let (found, below) = match (&child.inline, &child.path) {
                (Some(inline), _) => (Some((file, inline)), below),
                (None, Some(path)) => {
                    let path = format!("{beside}/{path}");
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
                    (find(&path, outlines), folder)
                }
                (None, None) => {
                    let found = find(&format!("{below}.rs"), outlines);
                    (found.or_else(|| find(&format!("{below}/mod.rs"), outlines)), below)
                }
            };
            let Some((file, module)) = found else { continue };
            let name =
                if id == 0 { child.name.clone() } else { format!("{parent}::{}", child.name) };
            let entry = Entry { name, file, parent: Some(id), children: BTreeMap::new(), module };
            let added = self.add(entry, &below, outlines);
            self.modules[id].children.insert(&child.name, added);
        }
        id
    }

    pub(super) fn ids(&self) -> std::ops::Range<Id> {
        0..self.modules.len()
    }

    /// As a path from the root; the root's is its file.
    pub(super) fn name(&self, id: Id) -> &str {
        &self.modules[id].name
    }

    pub(super) fn file(&self, id: Id) -> &'a str {
        self.modules[id].file
    }

    pub(super) fn module(&self, id: Id) -> &'a Module {
        self.modules[id].module
    }

    /// The modules from the root to `id`, both included.
    pub(super) fn way(&self, id: Id) -> Vec<Id> {
        let mut way = vec![id];
        while let Some(parent) = self.modules[way[way.len() - 1]].parent {
            way.push(parent);
        }
        way.reverse();
        way
    }

    /// The module that defines what `path` names in the module `from`. None where that is of
    /// another crate, or a module itself, from which nothing is taken yet.
    pub(super) fn definer(&self, from: Id, path: &[String]) -> Option<Id> {
        match self.resolve(from, path, &mut Search::default())? {
            Target::Item(id) => Some(id),
            Target::Module(_) => None,
        }
    }

    fn resolve(&self, from: Id, path: &[String], search: &mut Search) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.modules[from].parent?,
            name => match self.look_up(from, name, rest.is_empty(), search)? {
                Target::Module(id) => id,
                item => return Some(item),
            },
        };
        while let Some((name, left)) = rest.split_first() {
            rest = left;
            at = match name.as_str() {
                "super" => self.modules[at].parent?,
                name => match self.look_up(at, name, rest.is_empty(), search) {
                    Some(Target::Module(id)) => id,
                    Some(item) => return Some(item),
                    // What a macro has made, or another crate's that is handed on.
                    None => return (!self.is_foreign(at, name)).then_some(Target::Item(at)),
                },
            };
        }
        Some(Target::Module(at))
    }

    /// What `name` is in the module `at`. The last one of a path is rather an item than a module.
    fn look_up(&self, at: Id, name: &str, is_last: bool, search: &mut Search) -> Option<Target> {
        let entry = &self.modules[at];
        let child = entry.children.get(name).map(|id| Target::Module(*id));
        if is_last && entry.module.items.contains(name) {
            return Some(Target::Item(at));
        }
        match child {
            Some(child) if !is_last => Some(child),
            _ => match self.look_up_uses(at, name, is_last, search) {
                Some(Target::Module(id)) => child.or(Some(Target::Module(id))),
                Some(item) => Some(item),
                None if entry.module.items.contains(name) => Some(Target::Item(at)),
                None => child,
            },
        }
    }

    /// What the `use` lines of the module `at` bring by `name`: those that have it before globs.
    fn look_up_uses(
        &self,
        at: Id,
        name: &str,
        is_last: bool,
        search: &mut Search,
    ) -> Option<Target> {
        if search.steps >= STEPS_MAX || !search.seen.insert((at, name.to_owned())) {
            return None;
        }
        search.steps += 1;
        let uses = &self.modules[at].module.uses;
        let mut by_name = uses.iter().filter(|found| found.name == name);
        let found = by_name.find_map(|found| self.resolve(at, &found.path, search));
        let found = found.or_else(|| {
            let mut globs = uses.iter().filter(|found| found.name == "*");
            globs.find_map(|found| match self.resolve(at, &found.path, search)? {
                Target::Module(id) if id != at => self.look_up(id, name, is_last, search),
                _ => None,
            })
        });
        search.steps -= 1;
        found
    }

    /// Whether the module `at` has `name` from elsewhere.
    fn is_foreign(&self, at: Id, name: &str) -> bool {
        self.modules[at].module.uses.iter().any(|found| found.name == name)
    }
}

#[derive(Clone, Copy)]
enum Target {
    Module(Id),
    /// Something that this module defines.
    Item(Id),
}

#[derive(Default)]
struct Search {
    steps: usize,
    /// What was looked up where: a name that leads back to itself is none.
    seen: BTreeSet<(Id, String)>,
}

fn find<'a>(path: &str, outlines: &HashMap<&'a str, &'a Outline>) -> Option<(&'a str, &'a Module)> {
    let path = path.trim_start_matches('/');
    outlines.get_key_value(path).map(|(path, outline)| (*path, &outline.module))
}
