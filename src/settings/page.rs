//! For tests: the page of settings, `docs/settings.md`, whose parts are written from the tables.
//!
//! A part stands between two marks that name its command. With `UPDATE_DOCS` set the tests write
//! it.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use super::Spec;

/// Writes both parts.
const UPDATE: &str = "UPDATE_DOCS=1 cargo test -q -p sluicegate --lib settings_page";
/// Widest line of text.
const WIDTH_MAX: usize = 100;
/// Each part is a test of its own, on its own thread, and the page is one file.
static TURN: Mutex<()> = Mutex::new(());

/// The page has the table of `command` as it is, its rows under `headings`.
#[track_caller]
pub(crate) fn check(command: &str, table: &[Spec], headings: &[(&str, &str)]) {
    let _turn = TURN.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let page = fs::read_to_string(&path).expect("the page");
    let begin = format!("<!-- settings of `{command}`: {UPDATE} -->\n");
    let end = format!("<!-- end of `{command}` -->\n");
    let (before, rest) = page.split_once(&begin).expect("the mark before");
    let (now, behind) = rest.split_once(&end).expect("the mark behind");
    let expected = part(table, headings);
    if now == expected {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let text = [before, &begin, &expected, &end, behind].concat();
        fs::write(&path, text).expect("the page is written");
    } else {
        panic!("docs/settings.md is not what the table of `{command}` says: {UPDATE}");
    }
}

fn part(table: &[Spec], headings: &[(&str, &str)]) -> String {
    let mut text = String::from("\n| flag | variable | default |\n|---|---|---|\n");
    for spec in table {
        let flag = if spec.is_env_only { "none".to_owned() } else { format!("`--{}`", spec.name) };
        text += &format!("| {flag} | `{}` | {} |\n", spec.env, default(spec));
    }
    for spec in table {
        if let Some((_, heading)) = headings.iter().find(|(name, _)| *name == spec.name) {
            text += &format!("\n### {heading}\n");
        }
        text += &entry(spec);
    }
    text + "\n"
}

fn entry(spec: &Spec) -> String {
    let name = if spec.is_env_only { spec.env.to_owned() } else { format!("--{}", spec.name) };
    let sentences: Vec<_> = spec.help.split("; ").map(sentence).collect();
    let mut text = format!("\n#### `{name}`\n\n{}\n\n", wrapped(&sentences.join(" ")));
    if !spec.is_env_only {
        text += &format!("- variable: `{}`\n", spec.env);
    }
    text += &format!("- value: {}\n- default: {}\n", value(spec.value), default(spec));
    text
}

/// A part of a help as a sentence. What begins with code, or with a word of its own, stays as it
/// is.
fn sentence(part: &str) -> String {
    let mut letters = part.chars();
    let first = letters.next().expect("a help has no empty parts");
    format!("{}{}.", first.to_uppercase(), letters.as_str())
}

fn default(spec: &Spec) -> String {
    if spec.default.is_empty() { "none".to_owned() } else { format!("`{}`", spec.default) }
}

/// What would be taken for a link or a markup is shown as code.
fn value(text: &str) -> String {
    let is_code = ["://", "=...", ":..."].iter().any(|part| text.contains(part));
    if is_code { format!("`{text}`") } else { text.to_owned() }
}

fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH_MAX {
            lines.push(word.to_owned());
        } else {
            let space = if line.is_empty() { "" } else { " " };
            *line += &format!("{space}{word}");
        }
    }
    lines.join("\n")
}
