//! `version!()`: what a program says behind its name when it is asked for its version.
//!
//! A macro, where others have a build script: Cargo would compile a package's library, and all that
//! is built on it, each time its build script has run, and so after each commit. What this gives
//! stands in a program's `main.rs` alone: a commit costs one link.
#![forbid(unsafe_code)]

use std::env;
use std::path::Path;

use build_info::Build;
use proc_macro::TokenStream;

/// The text as a literal of [`build_info::TEXT_BYTES`], filled up with blanks.
///
/// The compiler takes every file behind it for a part of the program, so that Cargo looks at each:
/// the sources, and what git changes when another commit is checked out. None of them gets into it.
#[proc_macro]
pub fn version(_: TokenStream) -> TokenStream {
    let tokens = match expand() {
        Ok(text) => text,
        Err(why) => format!("::core::compile_error!({why:?})"),
    };
    tokens.parse().expect("tokens of Rust")
}

fn expand() -> Result<String, String> {
    let variable = |name: &str| env::var(name).map_err(|error| format!("{name}: {error}"));
    let [folder, package, version] = [
        variable("CARGO_MANIFEST_DIR")?,
        variable("CARGO_PKG_NAME")?,
        variable("CARGO_PKG_VERSION")?,
    ];
    let build = Build::of(Path::new(&folder), &package)?;
    let tracked: Vec<String> =
        build.tracked().iter().map(|file| format!("::core::include_bytes!({file:?})")).collect();
    Ok(format!("{{ const _: &[&[u8]] = &[{}]; {:?} }}", tracked.join(", "), build.text(&version)?))
}
