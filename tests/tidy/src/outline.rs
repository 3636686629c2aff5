//! What the rules want to know of a Rust file.
//!
//! In: its text. Out: its functions, its names, its texts, and what it gives to and takes from
//! other modules ([`module`]). Numbers of lines are taken while the syntax is at hand: it stays
//! with the thread that has read it.

pub mod module;
mod tokens;

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use module::Module;

/// A Rust file.
#[derive(Debug)]
pub struct Outline {
    /// Relative to the tree's root.
    pub path: String,
    /// In order.
    pub functions: Vec<Function>,
    /// Types at the top of the file, and where each begins, from 1.
    pub types: Vec<(String, usize)>,
    /// What has a name, by the modules and types within the file that it is in.
    pub names: BTreeSet<Vec<String>>,
    /// Texts between quotation marks.
    pub literals: BTreeSet<String>,
    /// The module that the file is.
    pub module: Module,
    /// Why it could not be read, and where: then all else is empty.
    pub error: Option<(usize, String)>,
}

/// A function with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Without its module.
    pub name: String,
    /// Where it begins, from 1.
    pub line: usize,
    /// How many there are.
    pub lines: usize,
}

impl Outline {
    /// Reads the file at `path`, which says `text`.
    pub fn of(path: &str, text: &str) -> Self {
        let empty = Self {
            path: path.to_owned(),
            functions: Vec::new(),
            types: Vec::new(),
            names: BTreeSet::new(),
            literals: BTreeSet::new(),
            module: Module::default(),
            error: None,
        };
        let file = match syn::parse_file(text) {
            Ok(file) => file,
            Err(error) => {
                let line = error.span().start().line;
                return Self { error: Some((line, error.to_string())), ..empty };
            }
        };
        let mut functions = Functions::default();
        functions.visit_file(&file);
        let mut names = Names::default();
        names.visit_file(&file);
        let literals = tokens::literals(file.to_token_stream());
        let module = Module::of(&file.items);
        let types = file.items.iter().filter_map(type_of).collect();
        Self { functions: functions.0, types, names: names.found, literals, module, ..empty }
    }
}

fn type_of(item: &syn::Item) -> Option<(String, usize)> {
    let name = match item {
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some((name.to_string(), name.span().start().line))
}

#[derive(Default)]
struct Functions(Vec<Function>);

impl Functions {
    /// `whole` is the function without its attributes.
    fn add(&mut self, name: &syn::Ident, first: proc_macro2::Span, body: &syn::Block) {
        let line = first.start().line;
        let lines = body.span().end().line - line + 1;
        self.0.push(Function { name: name.to_string(), line, lines });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig.ident, first(&item.vis, &item.sig), &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig.ident, first(&item.vis, &item.sig), &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.add(&item.sig.ident, item.sig.span(), body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// Where a function begins.
fn first(visibility: &syn::Visibility, signature: &syn::Signature) -> proc_macro2::Span {
    match visibility {
        syn::Visibility::Inherited => signature.span(),
        stated => stated.span(),
    }
}

#[derive(Default)]
struct Names {
    within: Vec<String>,
    found: BTreeSet<Vec<String>>,
}

impl Names {
    fn add(&mut self, name: impl ToString) {
        let mut path = self.within.clone();
        path.push(name.to_string());
        self.found.insert(path);
    }

    fn scan(&mut self, tokens: TokenStream) {
        for name in tokens::declared(tokens) {
            self.add(name);
        }
    }

    /// Adds `name`, and has `visit` see what is in it.
    fn inside(&mut self, name: impl ToString, visit: impl FnOnce(&mut Self)) {
        self.add(name.to_string());
        self.within.push(name.to_string());
        visit(self);
        self.within.pop();
    }
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Mod(item) => {
                self.inside(&item.ident, |names| visit::visit_item_mod(names, item))
            }
            syn::Item::Trait(item) => {
                self.inside(&item.ident, |names| visit::visit_item_trait(names, item));
            }
            syn::Item::Enum(item) => self.inside(&item.ident, |names| {
                item.variants.iter().for_each(|variant| names.add(&variant.ident));
            }),
            syn::Item::Impl(item) => {
                let name = type_name(&item.self_ty);
                self.within.push(name);
                visit::visit_item_impl(self, item);
                self.within.pop();
            }
            syn::Item::Macro(item) => {
                item.ident.iter().for_each(|name| self.add(name));
                self.scan(item.mac.tokens.clone());
            }
            other => self.scan(other.to_token_stream()),
        }
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        self.scan(item.to_token_stream());
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        self.scan(item.to_token_stream());
    }
}

/// The last name of a type's path.
fn type_name(kind: &syn::Type) -> String {
    match kind {
        syn::Type::Path(path) => {
            path.path.segments.last().map_or_else(String::new, |last| last.ident.to_string())
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_modules_types_functions_and_macros() {
        let text = "
            pub const A: u8 = 1;
            mod m { pub(crate) static B: u8 = 1; enum E { V } }
            struct S;
            impl S { const C: u8 = 1; fn f() { const D: u8 = 1; } }
            trait T { fn g(); }
            proptest! { #[test] fn made(x in 0..1) { } }
            macro_rules! r { () => {}; }
        ";
        let outline = Outline::of("a.rs", text);
        let names: Vec<_> = outline.names.iter().map(|path| path.join("::")).collect();
        let expected = [
            "A", "E", "S", "S::C", "S::D", "S::f", "T", "T::g", "m", "m::B", "m::E", "m::E::V",
            "made", "r",
        ];
        let missing: Vec<_> =
            expected.iter().filter(|name| !names.contains(&(**name).to_owned())).collect();
        assert_eq!(missing, [&"E"], "{names:?}");
    }

    #[test]
    fn what_is_no_rust_says_where() {
        assert_eq!(Outline::of("a.rs", "\nfn 1").error.unwrap().0, 2);
    }
}
