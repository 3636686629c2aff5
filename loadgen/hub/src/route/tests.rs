use proptest::prelude::*;

use super::*;

fn upstream(source: &str) -> Route {
    Route::parse("r", &format!("FROM {source} INTO $upstream")).unwrap()
}

fn input(module: &str, input: &str) -> Sink {
    Sink::Input { module: module.to_owned(), input: input.to_owned() }
}

/// Every accepted spelling gives the expected sink.
#[test]
fn accepted_texts() {
    let table = [
        ("FROM /messages/* INTO $upstream", Sink::Upstream),
        ("select * from /messages/* into $UPSTREAM", Sink::Upstream),
        ("\n SELECT\t*\n FROM  /*\n INTO $upstream \n", Sink::Upstream),
        ("FROM /twinChangeNotifications INTO $upstream", Sink::Upstream),
        ("FROM /twinchangenotifications/* INTO $upstream", Sink::Upstream),
        (
            r#"FROM /messages/* INTO BrokeredEndpoint("/modules/x/inputs/input1")"#,
            input("x", "input1"),
        ),
        (
            r#"FROM /messages/* INTO brokeredendpoint ( '/modules/x/inputs/in put' )"#,
            input("x", "in put"),
        ),
        (r#"FROM /messages/* INTO BrokeredEndpoint("modules/x/inputs/i/")"#, input("x", "i")),
    ];
    for (text, sink) in table {
        let route = Route::parse("name", text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(route.sink, sink, "{text}");
        assert_eq!((route.name.as_str(), route.priority), ("name", PRIORITY_UNSPECIFIED));
    }
}

/// Every refused text is refused for the right reason, and the message names the bad part.
#[test]
fn refused_texts() {
    let table = [
        ("", "the end of the route"),
        ("INTO $upstream", "`INTO`"),
        ("SELECT body FROM /messages/* INTO $upstream", "`SELECT *`"),
        ("FROM", "is not a source"),
        ("FROM messages/* INTO $upstream", "`messages/*` is not a source"),
        ("FROM /messages//x/* INTO $upstream", "is not a source"),
        ("FROM /messages/*/x INTO $upstream", "is not a source"),
        ("FROM /messages/mod* INTO $upstream", "is not a source"),
        ("FROM /message/* INTO $upstream", "is not a source"),
        ("FROM /messages/* WHERE temperature > 21 INTO $upstream", "`WHERE` is not supported"),
        ("FROM /messages/* where 1=1 INTO $upstream", "`WHERE` is not supported"),
        ("FROM /messages/*", "expected `INTO` after the source, found the end"),
        ("FROM /messages/* TO $upstream", "found `TO`"),
        ("FROM /messages/* INTO", "`` is not a sink"),
        ("FROM /messages/* INTO $upstream x", "`$upstream x` is not a sink"),
        ("FROM /messages/* INTO upstream", "`upstream` is not a sink"),
        ("FROM /messages/* INTO BrokeredEndpoint(/modules/x/inputs/i)", "is not a sink"),
        ("FROM /messages/* INTO BrokeredEndpoint(\"/modules/x\")", "is not a sink"),
        ("FROM /messages/* INTO BrokeredEndpoint(\"/modules/x/inputs/a\u{7}\")", "is not a sink"),
        ("FROM /messages/* INTO BrokeredEndpoint(\"/modules/x/inputs/#\")", "is not a sink"),
        ("FROM /messages/* INTO BrokeredEndpoint(\"/modules//inputs/i\")", "is not a sink"),
        ("FROM /messages/* INTO BrokeredEndpoint(\"/modules/x/inputs/i", "is not a sink"),
    ];
    for (text, part) in table {
        let error = Route::parse("r", text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let long = format!("FROM /messages/{} INTO $upstream", "x".repeat(ROUTE_BYTES_LIMIT));
    assert!(matches!(Route::parse("r", &long), Err(RouteError::TooLong(_))));
}

/// Matching is by whole-segment prefix in any letter case.
#[test]
fn matching_table() {
    let o1 = message_source("A", Some("o1"));
    let bare = message_source("A", None);
    let table = [
        ("/*", o1.as_str(), true),
        ("/*", "/twinChangeNotifications", true),
        ("/messages/*", &o1, true),
        ("/messages/*", &bare, true),
        ("/messages/*", "/twinChangeNotifications", false),
        ("/messages", &o1, true),
        ("/messages/modules/A/*", &o1, true),
        ("/messages/modules/A/*", &bare, true),
        ("/MESSAGES/Modules/a/*", &o1, true),
        ("/messages/modules/A/*", "/messages/modules/AB/outputs/o1", false),
        ("/messages/modules/AB/*", &o1, false),
        ("/messages/modules/A/outputs/*", &o1, true),
        ("/messages/modules/A/outputs/*", &bare, false),
        ("/messages/modules/A/outputs/o1", &o1, true),
        ("/messages/modules/A/outputs/o1", "/messages/modules/A/outputs/o10", false),
        ("/messages/modules/A/outputs/o10", &o1, false),
        ("/twinChangeNotifications", "/twinChangeNotifications", true),
    ];
    for (source, message, expected) in table {
        assert_eq!(upstream(source).matches(message), expected, "{source} on {message}");
    }
}

#[test]
fn source_module_is_the_named_one() {
    assert_eq!(upstream("/messages/modules/A/outputs/*").source_module(), Some("A"));
    assert_eq!(upstream("/messages/modules/A/*").source_module(), Some("A"));
    assert_eq!(upstream("/messages/*").source_module(), None);
    assert_eq!(upstream("/*").source_module(), None);
}

/// The rule as the service states it: trim, put one `/` behind both, compare lower-cased heads.
fn naive_matches(source: &str, message: &str) -> bool {
    let source = source.trim_end_matches('*').trim_end_matches('/').to_ascii_lowercase() + "/";
    (message.to_ascii_lowercase() + "/").starts_with(&source)
}

proptest! {
    /// No text whatever makes the parser panic.
    #[test]
    fn parse_never_panics(text in "\\PC*") {
        let _ = Route::parse("r", &text);
    }

    /// Texts built of route words reach every branch without a panic.
    #[test]
    fn word_soup_never_panics(words in proptest::collection::vec(
        prop_oneof!["(?i)select|from|into|where", "[*/$\"'() é]{1,4}",
            Just("BrokeredEndpoint(\"/modules/a/inputs/b\")".to_owned()),
            Just("/messages/*".to_owned()), Just("$upstream".to_owned())], 0..9)) {
        let _ = Route::parse("r", &words.join(" "));
    }

    /// The allocation-free match equals the naive one.
    #[test]
    fn match_equals_naive(
        source in "/messages(/[aAbB]{1,2}){0,3}(/\\*)?", message in "/messages(/[aAbB]{1,2}){0,3}",
    ) {
        prop_assert_eq!(upstream(&source).matches(&message), naive_matches(&source, &message));
    }
}
