//! What can be seen of Rust without its grammar: so macros are read as well.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// Words that a name follows.
const DECLARE: [&str; 9] =
    ["fn", "const", "static", "struct", "enum", "union", "trait", "type", "mod"];

/// Every text between quotation marks, as it is written.
pub(super) fn literals(tokens: TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each_stream(tokens, &mut |tokens| {
        for token in tokens {
            if let TokenTree::Literal(literal) = token {
                let text = literal.to_string();
                if let Some((first, last)) = text.find('"').zip(text.rfind('"'))
                    && first < last
                {
                    found.insert(text[first + 1..last].to_owned());
                }
            }
        }
    });
    found
}

/// The names behind words such as `fn`.
pub(super) fn declared(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    each_stream(tokens, &mut |tokens| {
        for pair in tokens.windows(2) {
            if let [TokenTree::Ident(word), TokenTree::Ident(name)] = pair
                && declares(word)
            {
                found.push(name.to_string());
            }
        }
    });
    found
}

fn declares(word: &Ident) -> bool {
    DECLARE.iter().any(|declare| word == declare)
}

/// Hands over the tokens, and those of each group in them.
fn each_stream(tokens: TokenStream, take: &mut impl FnMut(&[TokenTree])) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    take(&tokens);
    for token in tokens {
        if let TokenTree::Group(group) = token {
            each_stream(group.stream(), take);
        }
    }
}

/// A path as `a::b`, or a single name that stands for a type, a constant, or a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Where it stands, from 1.
    pub line: usize,
    /// Its segments.
    pub path: Vec<String>,
}

/// What is named in `tokens`, and the `use` items in them. What is there for tests alone is passed
/// over.
pub(super) fn named(tokens: TokenStream, paths: &mut Vec<Named>, uses: &mut Vec<syn::ItemUse>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if is_for_tests(&tokens[at..]) {
            at += length_of_item(&tokens[at..]);
            continue;
        }
        match &tokens[at] {
            TokenTree::Group(group) => named(group.stream(), paths, uses),
            TokenTree::Ident(word) if word == "use" => {
                let end = tokens[at..].iter().position(|token| is_punct(token, ';'));
                let end = end.map_or(tokens.len(), |end| at + end + 1);
                uses.extend(syn::parse2(tokens[at..end].iter().cloned().collect()));
                at = end;
                continue;
            }
            TokenTree::Ident(_) => {
                at = take_path(&tokens, at, paths);
                continue;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        at += 1;
    }
}

/// Takes the path that begins at `at`, and returns where it ends.
fn take_path(tokens: &[TokenTree], at: usize, paths: &mut Vec<Named>) -> usize {
    let mut path = Vec::new();
    let mut end = at;
    while let Some(TokenTree::Ident(segment)) = tokens.get(end) {
        path.push(segment.to_string());
        end += 1;
        if !is_separator(tokens.get(end..).unwrap_or_default()) {
            break;
        }
        end += 2;
    }
    let before = at.checked_sub(1).and_then(|before| tokens.get(before));
    // A member, a lifetime, what is declared, and what a path from outside goes on with name
    // nothing.
    let is_member = before
        .is_some_and(|token| ['.', '\''].iter().any(|mark| is_punct(token, *mark)))
        && !(at >= 2 && is_punct(&tokens[at - 2], '.'));
    let is_declared = matches!(before, Some(TokenTree::Ident(word)) if declares(word));
    let is_outside = at >= 2 && is_separator(&tokens[at - 2..]);
    let is_name = path.len() > 1 || is_naming(&path[0], tokens.get(end));
    if is_name && !is_member && !is_declared && !is_outside {
        paths.push(Named { line: tokens[at].span().start().line, path });
    }
    end
}

/// Whether a single word is the name of an item, as far as that can be seen: a variable is in lower
/// case, and not called.
fn is_naming(word: &str, next: Option<&TokenTree>) -> bool {
    let is_called = match next {
        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
        Some(next) => is_punct(next, '!'),
        None => false,
    };
    is_called || word.starts_with(char::is_uppercase)
}

fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

/// Whether `tokens` begin with `::`.
fn is_separator(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [first, second, ..] if is_punct(first, ':') && is_punct(second, ':'))
}

/// Whether `tokens` begin with an attribute by which what follows is built for tests alone.
fn is_for_tests(tokens: &[TokenTree]) -> bool {
    let [hash, TokenTree::Group(group), ..] = tokens else { return false };
    is_punct(hash, '#') && is_test_attribute(group.stream())
}

/// Whether an attribute is `test`, or `cfg` with a condition that only tests meet.
pub(super) fn is_test_attribute(attribute: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = attribute.into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(test)] => test == "test",
        [TokenTree::Ident(cfg), TokenTree::Group(condition)] => {
            cfg == "cfg" && implies_test(condition.stream())
        }
        _ => false,
    }
}

/// Whether a condition of `cfg` is met in tests alone.
fn implies_test(condition: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = condition.into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(group)] => {
            let parts: Vec<TokenTree> = group.stream().into_iter().collect();
            let mut parts = parts
                .split(|token| is_punct(token, ','))
                .map(|part| implies_test(part.iter().cloned().collect()));
            (word == "all" && parts.any(|implies| implies))
                || (word == "any" && parts.all(|implies| implies))
        }
        _ => false,
    }
}

/// How many tokens there are to the end of what `tokens` begin with: a `;`, a `,`, or braces.
fn length_of_item(tokens: &[TokenTree]) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        other => is_punct(other, ';') || is_punct(other, ','),
    };
    tokens.iter().position(ends).map_or(tokens.len(), |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths_of(text: &str) -> Vec<String> {
        let (mut paths, mut uses) = (Vec::new(), Vec::new());
        named(text.parse().unwrap(), &mut paths, &mut uses);
        paths.iter().map(|named| named.path.join("::")).collect()
    }

    #[test]
    fn paths_types_and_calls_are_named() {
        let text = "fn f<'a>(x: &'a super::A) -> B { x.c(); let d = e(g); ::std::h(); \
                    format!(\"{}\", crate::i::j()) }";
        assert_eq!(paths_of(text), ["super::A", "B", "e", "format", "crate::i::j"]);
        assert_eq!(paths_of("..a::b; ..=C; x.D"), ["a::b", "C"]);
    }

    #[test]
    fn what_is_for_tests_names_nothing() {
        for (condition, expected) in [
            ("test", true),
            ("cfg(test)", true),
            ("cfg(all(unix, test))", true),
            ("cfg(any(test, unix))", false),
            ("cfg(not(test))", false),
            ("cfg(unix)", false),
        ] {
            let text = format!("#[{condition}] fn f() {{ a::b() }} c::d()");
            let expected: &[&str] = if expected { &["c::d"] } else { &["cfg", "a::b", "c::d"] };
            let found: Vec<_> =
                paths_of(&text).into_iter().filter(|path| path != "any" && path != "not").collect();
            assert_eq!(found, expected, "{condition}");
        }
    }

    #[test]
    fn uses_within_a_function_are_found() {
        let (mut paths, mut uses) = (Vec::new(), Vec::new());
        named("fn f() { use a::{b, c::*}; }".parse().unwrap(), &mut paths, &mut uses);
        assert_eq!((paths.len(), uses.len()), (0, 1));
    }
}
