use super::*;

/// What is found in a package whose `src` has these files, without the advice and the line of the
/// first name.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<_> = files.iter().map(|(path, text)| (format!("src/{path}"), *text)).collect();
    let mut all = vec![("Cargo.toml", "[package]\nname = \"made\"")];
    all.extend(sources.iter().map(|(path, text)| (path.as_str(), *text)));
    check(&Tree::of(&all)).iter().map(Finding::to_string).collect()
}

/// Whether these modules of a crate make a circle.
fn is_circle(files: &[(&str, &str)]) -> bool {
    !found(files).is_empty()
}

#[test]
fn a_circle_is_found_and_says_who_takes_what_where() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
        ("a.rs", "\nuse crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "pub struct B;\npub fn f() -> super::c::C { C }\n"),
        ("c.rs", "pub struct C; fn g() { crate::a::A::new(); }\n"),
    ];
    assert_eq!(
        found(&files),
        ["src/a.rs:2: a circle of 3 modules in src/lib.rs: let one of these arrows go, by \
          moving what it takes to where it is needed, to a module below both, or into a \
          parameter\n    a -> b: B (src/a.rs:2)\n    \
          b -> c: C (src/b.rs:2)\n    \
          c -> a: A (src/c.rs:1)"]
    );
    let mut open = files;
    open[3].1 = "pub struct C;\n";
    assert_eq!(found(&open), [""; 0]);
}

#[test]
fn rooms_make_a_circle_though_their_files_do_not() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod one; mod two;"),
        ("a/one.rs", "use crate::b::one::B1;"),
        ("a/two.rs", "pub struct A2;"),
        ("b.rs", "pub mod one; mod two;"),
        ("b/one.rs", "pub struct B1;"),
        ("b/two.rs", "use crate::a::two::A2;"),
    ];
    assert!(is_circle(&files));
}

#[test]
fn modules_of_a_room_make_a_circle_at_any_depth() {
    let files = |taken: &'static str| {
        [
            ("lib.rs", "mod a;"),
            ("a.rs", "mod b;"),
            ("a/b.rs", "mod c; mod d { pub struct D; }"),
            ("a/b/c.rs", taken),
        ]
    };
    assert!(!is_circle(&files("use super::d::D; pub struct C;")));
    let mut both = files("use super::d::D; pub struct C;");
    both[2].1 = "mod c; mod d { pub struct D(crate::a::b::c::C); }";
    assert!(is_circle(&both));
}

#[test]
fn globs_are_followed_to_the_names_that_they_bring() {
    let files = |b: &'static str| {
        [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::*; pub struct A; fn f(b: B) {}"),
            ("b.rs", b),
        ]
    };
    assert!(!is_circle(&files("pub struct B;")));
    assert!(is_circle(&files("pub struct B; use super::a::A;")));
    assert!(
        !is_circle(&files("pub struct Unused; use super::a::A;")),
        "nothing comes through the glob"
    );
}

#[test]
fn what_is_handed_on_is_followed_to_its_module() {
    let files = |a1: &'static str, a2: &'static str| {
        [
            ("lib.rs", "mod a; use a::A1;"),
            ("a.rs", "mod a1; mod a2; pub use a1::A1; pub(crate) use self::a2::*;"),
            ("a/a1.rs", a1),
            ("a/a2.rs", a2),
        ]
    };
    let taken = "use super::A1; pub struct A2;";
    assert!(!is_circle(&files("pub struct A1;", taken)), "the parent only hands on");
    assert!(is_circle(&files("pub struct A1(super::A2);", taken)));
}

#[test]
fn a_module_and_what_is_in_it_are_one() {
    let files = |other: &'static str| {
        [
            ("lib.rs", "mod a; pub struct Root; fn f() { a::b::b() }"),
            ("a.rs", "pub mod b; pub mod c; pub struct A; pub use b::b; fn f() { b(); c::c() }"),
            ("a/b.rs", "use super::A; use crate::Root; pub fn b() { super::c::c() }"),
            ("a/c.rs", other),
        ]
    };
    assert!(!is_circle(&files("use super::A; pub fn c() {}")));
    assert!(
        is_circle(&files("use super::A; pub fn c() { super::b() }")),
        "through what the parent hands on"
    );
}

#[test]
fn a_function_with_the_name_of_its_module_is_found() {
    let files = |b: &'static str| {
        [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod x; pub use x::x; pub struct A;"),
            ("a/x.rs", "pub fn x() { crate::b::b() }"),
            ("b.rs", b),
        ]
    };
    assert!(!is_circle(&files("pub fn b() {}")));
    assert!(is_circle(&files("use crate::a::x; pub fn b() {}")));
}

#[test]
fn groups_and_renamed_modules_are_followed() {
    let files = |b: &'static str| {
        [
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "use crate::{b::{self as other, c::{C as D}}, std}; pub struct A; fn f() { \
                 other::g() }",
            ),
            ("b.rs", b),
            ("b/c.rs", "pub struct C;"),
        ]
    };
    assert!(!is_circle(&files("pub mod c; pub fn g() {}")));
    assert!(is_circle(&files("pub mod c; pub fn g() { vec![crate::a::A] }")), "in a macro too");
}

#[test]
fn a_module_named_alone_gives_nothing() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b; pub struct A;"),
        ("b.rs", "use crate::a::A;"),
    ];
    assert!(!is_circle(&files));
}

#[test]
fn tests_do_not_count() {
    let files = |b: &'static str| {
        [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::B; pub struct A;"), ("b.rs", b)]
    };
    assert!(!is_circle(&files("pub struct B; #[cfg(test)] mod tests { use crate::a::A; }")));
    assert!(!is_circle(&files("pub struct B; #[cfg(test)] use crate::a::A;")));
    assert!(!is_circle(&files(
        "pub struct B; impl B { #[cfg(test)] fn f() -> crate::a::A { A } }"
    )));
    assert!(is_circle(&files("pub struct B; #[cfg(unix)] use crate::a::A;")));
}

#[test]
fn names_that_lead_round_end() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use a::X;"),
        ("a.rs", "pub use crate::b::*; pub use crate::b::X;"),
        ("b.rs", "pub use crate::a::*; pub use crate::a::X; fn f(x: X) { Y }"),
    ];
    assert_eq!(found(&files), [""; 0]);
}

#[test]
fn other_crates_do_not_count() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use b::B; use ::b::C; use std::b; pub use serde as b2;"),
        ("b.rs", "pub struct B; use crate::a::A;"),
    ];
    assert!(!is_circle(&files));
}
