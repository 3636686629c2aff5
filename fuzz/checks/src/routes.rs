//! Routes: what is taken matches by whole segments, and is what its text says.

use loadgen_hub::route::{Route, Sink, message_source};

use crate::input::lines;

/// The lines of `data` are a route, a module and an output.
pub fn check(data: &[u8]) {
    let Some(mut lines) = lines(data) else { return };
    let mut line = || lines.next().unwrap_or_default();
    let (text, module, output) = (line(), line(), line());
    let route = match Route::parse("r", text) {
        Ok(route) => route,
        Err(error) => return assert!(!error.to_string().contains('\n'), "{error}"),
    };
    let again = format!("SELECT * FROM {} INTO {}", source_text(&route), sink_text(&route.sink));
    assert_eq!(Route::parse("r", &again).as_ref(), Ok(&route), "{text}");
    assert!(route.matches(route.source()));
    for source in [message_source(module, None), message_source(module, Some(output))] {
        let is_below = is_prefix(route.source(), &source);
        assert_eq!(route.matches(&source), is_below, "{text}: {source}");
    }
    if !module.contains('/') && route.takes_from(module) {
        assert!(route.can_match());
    }
}

fn source_text(route: &Route) -> String {
    format!("{}/*", route.source())
}

fn sink_text(sink: &Sink) -> String {
    match sink {
        Sink::Upstream => "$upstream".to_owned(),
        Sink::Input { module, input } => {
            let path = format!("/modules/{module}/inputs/{input}");
            let quote = if path.contains('"') { '\'' } else { '"' };
            format!("BrokeredEndpoint({quote}{path}{quote})")
        }
    }
}

/// Whether each segment of `prefix` is the one of `source` at its place.
fn is_prefix(prefix: &str, source: &str) -> bool {
    let mut source = source.split('/');
    prefix.is_empty()
        || prefix
            .split('/')
            .all(|wanted| source.next().is_some_and(|segment| segment.eq_ignore_ascii_case(wanted)))
}
