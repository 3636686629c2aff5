//! The command blocks of a document, statement by statement.

/// Indented lines without a line between them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The heading above.
    pub(super) heading: String,
    /// What the shell takes at once: a line, or several where one alone is not complete.
    pub(super) statements: Vec<String>,
}

/// All of a text, in order.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut heading, mut is_open) = (Vec::<Block>::new(), String::new(), false);
    let mut is_fenced = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
        }
        if is_fenced {
            continue;
        }
        if let Some(title) = line.strip_prefix('#') {
            heading = title.trim_start_matches('#').trim().to_owned();
        }
        let Some(first) = line.strip_prefix("    ") else {
            is_open = false;
            continue;
        };
        let mut statement = first.to_owned();
        while !is_complete(&statement) {
            let next = lines.next().expect("a line that completes the statement");
            statement = format!("{statement}\n{}", next.trim());
        }
        match found.last_mut() {
            Some(block) if is_open => block.statements.push(statement),
            _ => found.push(Block { heading: heading.clone(), statements: vec![statement] }),
        }
        is_open = true;
    }
    found
}

/// As far as the documents go: no loop without its end, no line that goes on in the next.
fn is_complete(statement: &str) -> bool {
    let has_end = statement.contains("; done") || statement.lines().any(|line| line == "done");
    !statement.ends_with('\\') && (!statement.starts_with("for ") || has_end)
}

#[test]
fn blocks_are_taken_apart() {
    let text = "# A\n\n    a &  # x\n    b \\\n      c\ntext\n\n    for n in 1; do\n      d\n    \
                done\n    for n in 1; do e; done\n## B\n```text\n    # no\n```\n    f\n";
    let found: Vec<_> = blocks(text).into_iter().map(|b| (b.heading, b.statements)).collect();
    let block = |heading: &str, statements: &[&str]| {
        (heading.to_owned(), statements.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(
        found,
        [
            block("A", &["a &  # x", "b \\\nc"]),
            block("A", &["for n in 1; do\nd\ndone", "for n in 1; do e; done"]),
            block("B", &["f"]),
        ]
    );
}
