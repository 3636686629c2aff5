//! The page in a real browser: drawn, readable in both schemes and on a phone, silent.

use std::path::{Path, PathBuf};
use std::process::Command;

use loadgen_load::outcome::Finding;
use loadgen_report::{Input, html, write};
use serde::Deserialize;

use crate::fixtures::{self, document};
use crate::hostile;

/// What was seen of a page in a colour scheme on a screen.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    name: String,
    scheme: String,
    shape: String,
    /// Messages on the console, and requests for anything but the file.
    complaints: Vec<String>,
    background: String,
    page_width: f64,
    figures: usize,
    /// Elements that stick out of the screen, but for tables, which scroll.
    overflowing: Vec<String>,
    /// Those that are shown.
    plots: Vec<Plot>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plot {
    label: String,
    width: f64,
    height: f64,
    shapes: usize,
    text_colour: String,
    line_colours: Vec<String>,
    /// Texts that are cut off.
    outside: Vec<String>,
    /// Texts that touch another.
    touching: Vec<String>,
}

fn input(name: &str, result: Finding) -> Input {
    Input { name: name.to_owned(), document: document(result) }
}

/// The pages that are looked at, with the plots that each must show.
fn pages() -> Vec<(&'static str, Vec<Input>, usize)> {
    let run = |name, rate, p50_us, growth| {
        input(name, Finding::Run(fixtures::run(rate, p50_us, growth).into()))
    };
    let runs = vec![
        run("sluicegate-50k", 50_000.0, 120.0, 0.35),
        run("sluicegate-200k", 200_000.0, 250.0, 0.5),
        run("sluicegate-400k", 400_000.0, 420.0, 0.8),
    ];
    let mixed = vec![
        input("with-losses", Finding::Run(fixtures::failed_run().into())),
        input("capacity", Finding::Capacity(fixtures::capacity().into())),
        input("peers", Finding::Compare(fixtures::comparison().into())),
        input("calibration", Finding::Calibrate(fixtures::calibration().into())),
    ];
    let soak = vec![input("soak", Finding::Soak(fixtures::soak().into()))];
    vec![
        ("one-run", vec![runs[1].clone()], 3),
        ("runs", runs, 3),
        // Percentiles, rate and p99; latency and CPU by rate; bars; noise.
        ("mixed", mixed, 7),
        // Rate, latency, memory, descriptors and threads.
        ("soak", soak, 4),
        ("hostile", hostile::inputs(), hostile::PLOTS),
    ]
}

#[test]
fn pages_look_right_in_a_browser() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    let pages = pages();
    for (name, inputs, _) in &pages {
        write(&folder.join(name).with_extension("html"), &html(inputs).unwrap()).unwrap();
    }
    let views = look_at(&folder, pages.iter().map(|(name, ..)| *name));
    assert_eq!(views.len(), pages.len() * 4, "light and dark, wide and narrow");
    for (name, _, plots) in &pages {
        let views: Vec<&View> = views.iter().filter(|view| view.name == *name).collect();
        for view in &views {
            check(view, *plots, *name == "hostile");
        }
        let of = |scheme: &str| {
            let view = views.iter().find(|view| view.scheme == scheme && view.shape == "wide");
            let view = view.unwrap();
            (&view.background, &view.plots[0].text_colour, &view.plots[0].line_colours)
        };
        let (light, dark) = (of("light"), of("dark"));
        assert!(light.0 != dark.0 && light.1 != dark.1, "{name}: {light:?} {dark:?}");
        assert!(
            light.2.iter().all(|colour| !dark.2.contains(colour)),
            "{name}: {light:?} {dark:?}"
        );
    }
}

/// Asserts what holds for every page on every screen.
fn check(view: &View, plots: usize, hostile: bool) {
    let View { name, scheme, shape, .. } = view;
    let at = format!("{name}, {scheme}, {shape}");
    assert!(view.complaints.is_empty(), "{at}: {:?}", view.complaints);
    assert!(view.overflowing.is_empty(), "{at}: {:?}", view.overflowing);
    let width = if shape == "narrow" { 390.0 } else { 1000.0 };
    assert!(view.page_width <= width, "{at}: {} wide", view.page_width);
    assert_eq!(view.plots.len(), plots, "{at}: each plot once, in {} figures", view.figures);
    for plot in &view.plots {
        assert!(plot.width > 300.0 && plot.height > 40.0, "{at}: {plot:?}");
        assert!(plot.shapes > 0 && !plot.label.is_empty(), "{at}: {plot:?}");
        // Where numbers are absurd, their labels may be.
        assert!(hostile || plot.outside.is_empty(), "{at}: {plot:?}");
        assert!(hostile || plot.touching.is_empty(), "{at}: {plot:?}");
    }
}

/// Opens pages of the folder in Chromium; pictures of them stay beside them.
fn look_at<'a>(folder: &Path, names: impl Iterator<Item = &'a str>) -> Vec<View> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let modules = root.join("target/interop/node/node_modules");
    assert!(modules.join("playwright-core").exists(), "missing: run 'tests/run tools'");
    let output = Command::new("node")
        .env("NODE_PATH", modules)
        .arg(root.join("tests/node/look_at_pages.js"))
        .args([&chromium(), folder])
        .args(names.map(|name| folder.join(name).with_extension("html")))
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn chromium() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("chromium"));
    found
        .into_iter()
        .find(|file| file.is_file())
        .expect("chromium is missing: run 'tests/run tools'")
}
