//! What the rules want to know of a Markdown file, as GitHub reads it.

use std::collections::BTreeSet;

use pulldown_cmark::{BrokenLink, Event, LinkType, Options, Parser, Tag, TagEnd};

/// Stands for a span of code in the words of a text: it is one word, whatever is in it.
pub const CODE: char = '\u{FFFC}';

/// A Markdown file.
#[derive(Debug, Default)]
pub struct Document {
    /// Relative to the tree's root.
    pub path: String,
    /// What a link to a place in it may name.
    pub anchors: BTreeSet<String>,
    /// Where links and pictures lead.
    pub links: Vec<Mention>,
    /// `[text][label]` without that label anywhere.
    pub broken: Vec<Mention>,
    /// What is between backticks in a line.
    pub spans: Vec<Mention>,
    /// Paragraphs, and cells of tables; no headings, no code.
    pub texts: Vec<Text>,
}

/// Something that a document names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// From 1.
    pub line: usize,
    /// As it is written.
    pub text: String,
}

/// Words that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// Whether it is a cell of a table.
    pub is_cell: bool,
    /// With the lines that they are in.
    pub words: Vec<Mention>,
}

impl Document {
    /// Reads the file at `path`, which says `text`.
    pub fn of(path: &str, text: &str) -> Self {
        let starts: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let line_of = |at: usize| starts.partition_point(|start| *start <= at);
        let mut broken = Vec::new();
        let missed = |link: BrokenLink<'_>| {
            if matches!(link.link_type, LinkType::Reference | LinkType::Collapsed) {
                broken.push(Mention {
                    line: line_of(link.span.start),
                    text: link.reference.to_string(),
                });
            }
            None
        };
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_GFM;
        let events = Parser::new_with_broken_link_callback(text, options, Some(missed));
        let mut reader = Reader::default();
        for (event, range) in events.into_offset_iter() {
            reader.take(event, line_of(range.start));
        }
        let mut document = reader.document;
        document.path = path.to_owned();
        document.broken = broken;
        document
    }
}

/// What has been read so far, and in what the reader is.
#[derive(Default)]
struct Reader {
    document: Document,
    heading: Option<String>,
    text: Text,
    /// The word that is being read.
    word: Option<Mention>,
    is_code_block: bool,
    is_picture: bool,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, line: usize) {
        match event {
            Event::Start(tag) => self.start(tag, line),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.add(&text, line),
            Event::Code(text) => {
                self.document.spans.push(Mention { line, text: text.to_string() });
                if let Some(heading) = &mut self.heading {
                    heading.push_str(&text);
                } else {
                    self.add(&CODE.to_string(), line);
                }
            }
            Event::SoftBreak | Event::HardBreak => self.add(" ", line),
            Event::Html(html) | Event::InlineHtml(html) => self.add_html(&html, line),
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, line: usize) {
        match tag {
            Tag::Heading { .. } => {
                self.end_text();
                self.heading = Some(String::new());
            }
            Tag::Link { dest_url, .. } => self.add_link(&dest_url, line),
            Tag::Image { dest_url, .. } => {
                self.add_link(&dest_url, line);
                self.is_picture = true;
            }
            Tag::CodeBlock(_) => {
                self.end_text();
                self.is_code_block = true;
            }
            Tag::TableCell => {
                self.end_text();
                self.text.is_cell = true;
            }
            Tag::Paragraph | Tag::Item | Tag::List(_) => self.end_text(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                let heading = self.heading.take().unwrap_or_default();
                self.add_anchor(&heading);
            }
            TagEnd::Image => self.is_picture = false,
            TagEnd::CodeBlock => self.is_code_block = false,
            TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell => self.end_text(),
            _ => {}
        }
    }

    fn add(&mut self, text: &str, line: usize) {
        if let Some(heading) = &mut self.heading {
            heading.push_str(text);
        } else if !self.is_code_block && !self.is_picture {
            for character in text.chars() {
                if character.is_whitespace() {
                    self.text.words.extend(self.word.take());
                } else {
                    // A word may go on behind an emphasis.
                    let start = || Mention { line, text: String::new() };
                    self.word.get_or_insert_with(start).text.push(character);
                }
            }
        }
    }

    fn end_text(&mut self) {
        self.text.words.extend(self.word.take());
        let text = std::mem::take(&mut self.text);
        if !text.words.is_empty() {
            self.document.texts.push(text);
        }
    }

    fn add_link(&mut self, to: &str, line: usize) {
        self.document.links.push(Mention { line, text: to.to_owned() });
    }

    fn add_html(&mut self, html: &str, line: usize) {
        for (name, value) in attributes(html) {
            match name {
                "href" | "src" | "srcset" => self.add_link(value, line),
                "id" | "name" => _ = self.document.anchors.insert(value.to_owned()),
                _ => {}
            }
        }
    }

    /// Headings of the same words are numbered from the second on.
    fn add_anchor(&mut self, heading: &str) {
        let anchor = anchor(heading);
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered);
        let free = free.into_iter().find(|anchor| !self.document.anchors.contains(anchor));
        self.document.anchors.extend(free);
    }
}

/// What GitHub makes of a heading: letters in lower case, digits, `-`, `_`, and `-` for a space.
fn anchor(heading: &str) -> String {
    let kept =
        heading.trim().chars().filter(|c| c.is_alphanumeric() || ['-', '_', ' '].contains(c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The attributes of the tags in `html` that stand between quotation marks.
fn attributes(html: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once("=\"") {
        let Some((value, left)) = after.split_once('"') else { break };
        let name = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        found.push((name, value));
        rest = left;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(mentions: &[Mention]) -> Vec<(usize, &str)> {
        mentions.iter().map(|mention| (mention.line, &mention.text[..])).collect()
    }

    #[test]
    fn anchors_are_those_of_github() {
        let document = Document::of(
            "a.md",
            "# One `two` & three_4!\n\n## Twice\n\n## Twice\n\n<a id=\"own\"></a>\n\nSetext, \
             é\n---\n",
        );
        let expected = ["one-two--three_4", "own", "setext-é", "twice", "twice-1"];
        assert_eq!(
            document.anchors.iter().collect::<Vec<_>>(),
            expected.iter().collect::<Vec<_>>()
        );
    }

    #[test]
    fn links_and_spans_have_their_lines() {
        let text = "See [a](b.md#c), `code`\nand ![p](q.png)\n<img src=\"r.png\">.\n[x][nowhere] \
                    [y]\n\n    [n](o)\n";
        let document = Document::of("a.md", text);
        assert_eq!(texts(&document.links), [(1, "b.md#c"), (2, "q.png"), (3, "r.png")]);
        assert_eq!(texts(&document.spans), [(1, "code")]);
        assert_eq!(texts(&document.broken), [(4, "nowhere")]);
    }

    #[test]
    fn texts_are_paragraphs_items_and_cells() {
        let text = "# Heading\n\nOne *two*three\n`f o u r`.\n\n- five\n- six\n  - seven\n\n| a | b \
                    |\n|---|---|\n| c d | e |\n\n    code\n";
        let document = Document::of("a.md", text);
        let shown: Vec<_> = document
            .texts
            .iter()
            .map(|text| text.words.iter().map(|word| &word.text[..]).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(shown, ["One twothree \u{FFFC}.", "five", "six", "seven", "a", "b", "c d", "e"]);
        let cells: Vec<_> = document.texts.iter().map(|text| text.is_cell).collect();
        assert_eq!(cells, [false, false, false, false, true, true, true, true]);
        assert_eq!(document.texts[0].words[2].line, 4);
    }
}
