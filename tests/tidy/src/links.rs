//! Links within the tree lead somewhere: to a file or folder, and to a heading where one is named.
//!
//! Addresses of other hosts are not asked.

use crate::finding::Finding;
use crate::markdown::{Document, Mention};
use crate::tree::{Tree, has_extension};

/// Links to what is not there.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in tree.documents() {
        for Mention { line, text } in &document.broken {
            let what = format!("no line says where [{text}] leads: write `[{text}]: ADDRESS`");
            findings.push(Finding::new(&document.path, *line, what));
        }
        for Mention { line, text } in &document.links {
            if let Err(what) = follow(tree, document, text) {
                findings.push(Finding::new(&document.path, *line, what));
            }
        }
    }
    findings
}

fn follow(tree: &Tree, from: &Document, link: &str) -> Result<(), String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (path, anchor) =
        link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let file = if path.is_empty() {
        from.path.clone()
    } else {
        let file = resolve(&from.path, path);
        let file = file
            .ok_or_else(|| format!("the link {link} leads out of the tree: name a file in it"))?;
        if !tree.has(&file) {
            return Err(format!(
                "the link {link} leads to {file}, which is not there: mend the path"
            ));
        }
        file
    };
    let Some(anchor) = anchor else { return Ok(()) };
    if !has_extension(&file, "md") {
        return Err(format!(
            "the link {link} names a line of code, which moves: name the item in words"
        ));
    }
    let target = tree.documents().iter().find(|document| document.path == file);
    let anchors = &target.unwrap_or(from).anchors;
    if anchors.contains(anchor) {
        return Ok(());
    }
    let known: Vec<_> = anchors.iter().map(String::as_str).collect();
    Err(format!("no heading of {file} is #{anchor}; there are: {}", known.join(" ")))
}

/// The path in the tree of what a file calls `path`. None where that is outside.
pub fn resolve(file: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(link: &str) -> Vec<String> {
        let text = format!("# Top\n\n{link}\n");
        let tree =
            Tree::of(&[("docs/a.md", &text), ("README.md", "# All of it\n"), ("src/x.rs", "")]);
        check(&tree).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        for (link, expected) in [
            (
                "[x](b.md)",
                "docs/a.md:3: the link b.md leads to docs/b.md, which is not there: mend the path",
            ),
            (
                "![x](../p.png)",
                "docs/a.md:3: the link ../p.png leads to p.png, which is not there: mend the path",
            ),
            (
                "[x](../../o)",
                "docs/a.md:3: the link ../../o leads out of the tree: name a file in it",
            ),
            ("[x](#bottom)", "docs/a.md:3: no heading of docs/a.md is #bottom; there are: top"),
            (
                "[x](../README.md#all)",
                "docs/a.md:3: no heading of README.md is #all; there are: all-of-it",
            ),
            (
                "[x](../src/x.rs#L1)",
                "docs/a.md:3: the link ../src/x.rs#L1 names a line of code, which moves: name the \
                 item in words",
            ),
            ("[x][y]", "docs/a.md:3: no line says where [y] leads: write `[y]: ADDRESS`"),
        ] {
            assert_eq!(found(link), [expected], "{link}");
        }
    }

    #[test]
    fn links_that_lead_somewhere_are_left_alone() {
        for link in [
            "[x](#top)",
            "[x](../README.md#all-of-it)",
            "[x](../src)",
            "[x](https://example.com/#y)",
            "[x] [y]",
        ] {
            assert_eq!(found(link), [""; 0], "{link}");
        }
    }
}
