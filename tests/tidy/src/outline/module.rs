//! What a module gives to others and takes from them.

use std::collections::BTreeSet;

use quote::ToTokens as _;
use syn::spanned::Spanned as _;

use super::tokens;

pub use super::tokens::Named;

/// A module, without what is built for tests alone.
#[derive(Debug, Default)]
pub struct Module {
    /// Names that it defines itself.
    pub items: BTreeSet<String>,
    /// Its own modules.
    pub children: Vec<Child>,
    /// Its `use` lines, a name each.
    pub uses: Vec<Use>,
    /// What its code names.
    pub names: Vec<Named>,
}

/// A module in a module.
#[derive(Debug)]
pub struct Child {
    /// As its parent calls it.
    pub name: String,
    /// What `#[path]` says.
    pub path: Option<String>,
    /// What is between its braces; none where it is a file of its own.
    pub inline: Option<Module>,
}

/// A name that `use` brings into a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Where it stands, from 1.
    pub line: usize,
    /// Where it comes from.
    pub path: Vec<String>,
    /// What it is called here; `*` where it is all that is in `path`.
    pub name: String,
    /// Whether it is handed on (`pub use`).
    pub is_exported: bool,
}

impl Module {
    /// Reads the items of a module.
    pub fn of(items: &[syn::Item]) -> Self {
        let mut module = Self::default();
        items.iter().filter(|item| !is_for_tests(item)).for_each(|item| module.add(item));
        module
    }

    fn add(&mut self, item: &syn::Item) {
        match item {
            syn::Item::Mod(item) => {
                let inline = item.content.as_ref().map(|(_, items)| Self::of(items));
                let path = item.attrs.iter().find_map(path_attribute);
                self.children.push(Child { name: item.ident.to_string(), path, inline });
            }
            syn::Item::Use(item) => self.add_uses(item),
            other => {
                self.items.extend(name_of(other));
                let mut uses = Vec::new();
                tokens::named(other.to_token_stream(), &mut self.names, &mut uses);
                uses.iter().for_each(|item| self.add_uses(item));
            }
        }
    }

    fn add_uses(&mut self, item: &syn::ItemUse) {
        let is_exported = !matches!(item.vis, syn::Visibility::Inherited);
        let mut path = Vec::new();
        // An absolute path is that of another crate.
        if item.leading_colon.is_none() {
            self.flatten(&item.tree, &mut path, is_exported);
        }
    }

    fn flatten(&mut self, tree: &syn::UseTree, path: &mut Vec<String>, is_exported: bool) {
        let line = tree.span().start().line;
        let mut add = |last: Option<String>, name: String| {
            // `self` at the end is what stands before it.
            let last = last.filter(|last| last != "self" || path.is_empty());
            let whole: Vec<String> = path.iter().cloned().chain(last).collect();
            let name =
                if name == "self" { whole.last().cloned().unwrap_or_default() } else { name };
            self.uses.push(Use { line, path: whole, name, is_exported });
        };
        match tree {
            syn::UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                self.flatten(&tree.tree, path, is_exported);
                path.pop();
            }
            syn::UseTree::Name(tree) => add(Some(tree.ident.to_string()), tree.ident.to_string()),
            syn::UseTree::Rename(tree) => {
                add(Some(tree.ident.to_string()), tree.rename.to_string())
            }
            syn::UseTree::Glob(_) => add(None, "*".to_owned()),
            syn::UseTree::Group(tree) => {
                tree.items.iter().for_each(|tree| self.flatten(tree, path, is_exported));
            }
        }
    }
}

fn path_attribute(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(value) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &value.value else {
        return None;
    };
    value.path.is_ident("path").then(|| text.value())
}

fn is_for_tests(item: &syn::Item) -> bool {
    attributes(item)
        .iter()
        .any(|attribute| tokens::is_test_attribute(attribute.meta.to_token_stream()))
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name_of(item: &syn::Item) -> Option<String> {
    let name = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_flattened() {
        let file =
            syn::parse_file("pub use a::{self, b::{C as D, *}};\nuse ::std::x; use e::F;").unwrap();
        let module = Module::of(&file.items);
        let uses: Vec<_> =
            module.uses.iter().map(|found| (found.path.join("::"), &found.name[..])).collect();
        let expected = [("a", "a"), ("a::b::C", "D"), ("a::b", "*"), ("e::F", "F")];
        assert_eq!(uses, expected.map(|(path, name)| (path.to_owned(), name)));
        assert!(
            module.uses[..3].iter().all(|found| found.is_exported) && !module.uses[3].is_exported
        );
    }

    #[test]
    fn what_is_for_tests_is_left_out() {
        let text = "#[cfg(test)] mod tests; #[cfg(test)] use a::b; #[cfg(test)] fn f() {} mod m { \
                    fn g() {} }";
        let module = Module::of(&syn::parse_file(text).unwrap().items);
        assert!(module.uses.is_empty() && module.items.is_empty());
        assert_eq!(module.children.len(), 1);
        assert!(module.children[0].inline.as_ref().unwrap().items.contains("g"));
    }
}
