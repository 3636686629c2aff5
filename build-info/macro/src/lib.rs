//! `version!()`: what a program says behind its name when it is asked for its version.
//! `sources!()`: the digest of what a library was built from, which `version!()`
//! compares with the files.
//!
//! A macro, where others have a build script: Cargo would compile a package's library, and all that
//! is built on it, each time its build script has run, and so after each commit. The commit
//! stands in a program's `main.rs` alone, so it costs one link.
#![forbid(unsafe_code)]

use std::env;
use std::path::Path;

use build_info::Build;
use proc_macro::TokenStream;

/// The text as a constant of [`build_info::TEXT_BYTES`], filled up with blanks.
///
/// The compiler takes every file behind it for a part of the program, so that Cargo looks at each:
/// the sources, and what git changes when another commit is checked out. None of them gets into it.
#[proc_macro]
pub fn version(_: TokenStream) -> TokenStream {
    expand(program)
}

/// The digest as a number, for `pub const SOURCES: u64` at the top of a library.
///
/// The compiler takes the sources for a part of the library: Cargo builds it anew with each.
#[proc_macro]
pub fn sources(_: TokenStream) -> TokenStream {
    expand(library)
}

fn expand(with: fn() -> Result<String, String>) -> TokenStream {
    let tokens = match with() {
        Ok(text) => text,
        Err(why) => format!("::core::compile_error!({why:?})"),
    };
    tokens.parse().expect("tokens of Rust")
}

fn program() -> Result<String, String> {
    let build = Build::of(Path::new(&variable("CARGO_MANIFEST_DIR")?), &package()?)?;
    let version = variable("CARGO_PKG_VERSION")?;
    let mut text = String::new();
    // Told by the compiler: a library's constant is of the very file that is linked.
    for (library, digest) in build.libraries() {
        let stale = build.stale_text(&version, library)?;
        let library = library.replace('-', "_");
        text += &format!("if ::{library}::SOURCES != 0x{digest}_u64 {{ {stale:?} }} else ");
    }
    text += &format!("{{ {:?} }}", build.text(&version)?);
    Ok(format!("{{ {} const TEXT: &str = {text}; TEXT }}", tracked(&build)))
}

fn library() -> Result<String, String> {
    let build = Build::of_library(Path::new(&variable("CARGO_MANIFEST_DIR")?), &package()?)?;
    Ok(format!("{{ {} 0x{}_u64 }}", tracked(&build), build.digest()))
}

/// Names every file to the compiler. In a function that nobody calls: what a constant names, a
/// library would carry about.
fn tracked(build: &Build) -> String {
    let files: Vec<String> =
        build.tracked().iter().map(|file| format!("::core::include_bytes!({file:?})")).collect();
    format!("fn _tracked() {{ let _: &[&[u8]] = &[{}]; }}", files.join(", "))
}

fn package() -> Result<String, String> {
    variable("CARGO_PKG_NAME")
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}
