use super::*;
use proptest::prelude::*;

fn filter(text: &str) -> TopicFilter {
    text.parse().unwrap_or_else(|problem| panic!("{text:?}: {problem}"))
}

fn template(text: &str) -> AlertsTopic {
    text.parse().unwrap_or_else(|problem| panic!("{text:?}: {problem}"))
}

#[test]
fn filters_are_checked_as_the_standard_says() {
    use TopicProblem::*;
    let good = [
        "#",
        "+",
        "/",
        "a",
        "+/+",
        "/+",
        "+/",
        "a/#",
        "a/+/b/#",
        "a//b",
        "a b/é",
        "$SYS/#",
        "$share/g/#",
        "$share/g/a/+",
        "$share/g//a",
        "$share/a b/$SYS/#",
        "$shared/x",
        "a/$share",
    ];
    for text in good {
        assert_eq!(filter(text).as_str(), text);
    }
    let bad = [
        ("", Empty),
        ("a\0", Character),
        ("a\tb", Character),
        ("a\n", Character),
        ("\u{7f}", Character),
        ("a/\u{85}", Character),
        ("a/\u{fdd0}/b", Character),
        ("a\u{fffe}", Character),
        ("\u{10ffff}", Character),
        ("a#", Hash),
        ("#/a", Hash),
        ("a/#/b", Hash),
        ("a/##", Hash),
        ("a/b#", Hash),
        ("a+", Plus),
        ("++", Plus),
        ("a/+b/c", Plus),
        ("$share", Share),
        ("$share/", Share),
        ("$share/g", Share),
        ("$share/g/", Share),
        ("$share//a", Share),
        ("$share/+/a", Share),
        ("$share/g#/a", Share),
        ("$share/g/a#", Hash),
        ("$share/g/a+/b", Plus),
    ];
    for (text, problem) in bad {
        assert_eq!(text.parse::<TopicFilter>(), Err(problem), "{text:?}");
    }
    assert!("é".repeat(TOPIC_BYTES_MAX / 2).parse::<TopicFilter>().is_ok());
    assert_eq!("é".repeat(TOPIC_BYTES_MAX / 2 + 1).parse::<TopicFilter>(), Err(TooLong));
}

#[test]
fn a_shared_filter_is_held_against_topics_without_its_group() {
    let shared = filter("$share/g/sensors/+");
    assert_eq!((shared.as_str(), shared.pattern()), ("$share/g/sensors/+", "sensors/+"));
    assert!(shared.matches("sensors/1"));
    assert!(!shared.matches("$share/g/sensors/1"));
    assert!(!filter("$share/g/#").matches("$SYS/x"));
    for text in ["$queue/sensors/+", "$exclusive/sensors/+"] {
        assert_eq!((filter(text).as_str(), filter(text).pattern()), (text, "sensors/+"));
    }
    for text in ["$queue", "$queue/", "$queues/a", "a/$queue/b"] {
        assert_eq!(filter(text).pattern(), text);
    }
}

/// The examples of MQTT 3.1.1 §4.7.1 and §4.7.2.
#[test]
fn filters_match_as_the_standard_says() {
    let cases = [
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/tennis/player1/#", "sport/tennis/player10", false),
        ("sport/#", "sport", true),
        ("#", "a/b", true),
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        ("#", "$SYS/x", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("$SYS/#", "$SYS/x", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("a", "A", false),
        ("a", "a/", false),
        ("a/", "a", false),
    ];
    for (pattern, topic, expected) in cases {
        assert_eq!(filter(pattern).matches(topic), expected, "{pattern} {topic}");
    }
}

#[test]
fn alert_topics_are_checked_and_written() {
    use TopicProblem::*;
    let cases = [
        ("alerts/{topic}", "alerts/sensors/1"),
        ("{topic}", "sensors/1"),
        ("{topic}/alert", "sensors/1/alert"),
        ("a-{topic}-b/c", "a-sensors/1-b/c"),
        ("alerts", "alerts"),
        ("{Topic}/{x}", "{Topic}/{x}"),
    ];
    for (text, expected) in cases {
        let mut out = String::from("> ");
        template(text).write(&mut out, "sensors/1");
        assert_eq!(out, format!("> {expected}"));
        assert_eq!(template(text).to_string(), text);
    }
    let bad = [
        ("", Empty),
        ("alerts/#", Wildcard),
        ("+/{topic}", Wildcard),
        ("a\0", Character),
        ("a\tb", Character),
        ("a\n", Character),
        ("\u{7f}", Character),
        ("a/\u{85}", Character),
        ("a/\u{fdd0}/b", Character),
        ("a\u{fffe}", Character),
        ("\u{10ffff}", Character),
        ("{topic}/{topic}", Repeated),
    ];
    for (text, problem) in bad {
        assert_eq!(text.parse::<AlertsTopic>(), Err(problem), "{text:?}");
    }
    let long = "x".repeat(TOPIC_BYTES_MAX + 1);
    assert_eq!(long.parse::<AlertsTopic>(), Err(TooLong));
    assert_eq!(check_topic(&long), Err(TooLong));
    assert_eq!(check_topic("a/b c"), Ok(()));
}

/// The topic of a message that comes back, checked to be one.
fn comes_back(sources: &[TopicFilter], alerts: &AlertsTopic, back: &TopicFilter) -> Option<String> {
    let topic = returning(sources, alerts, back)?;
    let mut alert = String::new();
    alerts.write(&mut alert, &topic);
    assert!(check_topic(&topic).is_ok(), "{topic:?}");
    assert!(sources.iter().any(|source| source.matches(&topic)), "{topic}");
    assert!(back.matches(&alert), "{topic}: {alert}");
    Some(topic)
}

/// Through the same filter, or through one of several separated by spaces.
fn is_loop(filters: &str, alerts: &str) -> bool {
    let filters: Vec<_> = filters.split(' ').map(filter).collect();
    filters.iter().any(|back| comes_back(&filters, &template(alerts), back).is_some())
}

#[test]
fn a_loop_is_seen_and_nothing_else() {
    let loops = [
        ("sensors/#", "sensors"),
        ("#", "alerts/{topic}"),
        ("+/+ +", "alerts/{topic}"),
        ("sensors/#", "{topic}"),
        ("$share/g/alerts/#", "alerts/{topic}"),
        ("$queue/alerts/#", "alerts/{topic}"),
        ("sensors/# alerts/#", "alerts/{topic}"),
        ("sensors/+ alerts/+/+", "alerts/{topic}"),
        ("sensors/+ sensors/+/alert", "{topic}/alert"),
        ("a/# a/+/c", "{topic}/c"),
        ("$data/#", "$data/{topic}"),
        ("$SYS/x", "{topic}"),
        ("+", "{topic}"),
        ("+ +/+", "a/{topic}"),
        ("a/# xaz/#", "x{topic}z"),
        ("b/xyz/c y", "b/x{topic}z/c"),
        ("+/#", "{topic}/alert"),
        ("+/+/#", "alerts/{topic}"),
        // As `temperature/temperature` is a topic, too.
        ("+/temperature/#", "alerts/{topic}"),
        ("site/+/# site/+/alerts/#", "site/1/alerts/{topic}"),
    ];
    for (filters, alerts) in loops {
        assert!(is_loop(filters, alerts), "{filters} {alerts}");
    }
    let safe = [
        // The levels differ: an alert has more than the messages.
        ("+/sensor/+/state", "alerts/{topic}"),
        ("+/+/+/+/+/Data", "alerts/{topic}"),
        ("+/devices/+/+", "alerts/{topic}"),
        ("+/+", "alerts/{topic}"),
        ("+", "{topic}/alert"),
        ("$share/g/+/+/state", "alerts/{topic}"),
        ("+/+/+ sensors/+", "alerts/now/{topic}"),
        ("sensors/+", "{topic}/alert"),
        // Levels that are there say something else.
        ("sensors/#", "alerts/{topic}"),
        ("sensors/+", "sensors"),
        ("sensors/+", "sensors/a/{topic}"),
        ("$share/g/sensors/#", "alerts/{topic}"),
        ("sensors/#", "sen{topic}"),
        ("sensors/#", "sensor/{topic}"),
        ("sensors/#", "sensors-{topic}"),
        ("sensors/1", "{topic}/alert"),
        ("sensors/alert", "sensors/{topic}"),
        ("a/xyz/b", "a/x{topic}z/b"),
        ("a/x1/2z/b", "a/x{topic}z/b"),
        ("a/+/c", "{topic}/c"),
        ("a", "a{topic}"),
        ("a/#", "a{topic}"),
        ("+/temperature", "alerts/{topic}"),
        // Wildcards in front let no `$` in.
        ("#", "$alerts/{topic}"),
        ("+/x", "$x{topic}"),
        ("+/#", "$alerts/{topic}"),
    ];
    for (filters, alerts) in safe {
        assert!(!is_loop(filters, alerts), "{filters} {alerts}");
    }
}

#[test]
fn overlaps_are_seen() {
    let cases = [
        ("sensors/#", "sensors/hall/+", true),
        ("sensors/#", "sensors", true),
        ("sensors/+", "+/hall", true),
        ("$share/g/sensors/#", "sensors/1", true),
        ("$share/g/sensors/#", "$share/h/sensors/#", true),
        ("$queue/a", "a", true),
        ("#", "$SYS/#", false),
        ("+/x", "$SYS/x", false),
        ("sensors/+", "sensors", false),
        ("sensors/+", "sensors/a/b", false),
        ("a/+/c", "a/b/d", false),
        ("a", "a/", false),
    ];
    for (one, other, expected) in cases {
        assert_eq!(overlap(&filter(one), &filter(other)), expected, "{one} {other}");
        assert_eq!(overlap(&filter(other), &filter(one)), expected, "{other} {one}");
    }
}

/// Every topic of up to `len` of these characters.
fn all_topics(len: u32) -> impl Iterator<Item = String> {
    const LETTERS: [char; 4] = ['a', 'b', '/', '$'];
    (1..=len).flat_map(|len| {
        (0..4_usize.pow(len)).map(move |number| {
            (0..len).map(|place| LETTERS[number / 4_usize.pow(place) % 4]).collect()
        })
    })
}

/// Turns levels of `topic` into `+`, and cuts it off for a `#`, as `choices` say.
fn generalised(topic: &str, choices: &[u8]) -> String {
    let mut levels: Vec<&str> = topic.split('/').collect();
    for (level, choice) in levels.iter_mut().zip(choices) {
        if choice % 3 == 0 {
            *level = "+";
        }
    }
    if let Some(&cut) = choices.last()
        && cut % 2 == 0
    {
        levels.truncate(usize::from(cut / 2) % (levels.len() + 1));
        levels.push("#");
    }
    levels.join("/")
}

proptest! {
    /// For every source, template and topic: if the alert of a message that comes through the
    /// source comes through a filter, that is seen.
    #[test]
    fn no_loop_passes_as_safe(
        before in "\\$?[ab/]{0,4}",
        after in "[ab/$]{0,4}",
        topic in "[ab/$]{1,5}",
        choices in prop::collection::vec(any::<u8>(), 1..8),
        source_choices in prop::collection::vec(any::<u8>(), 1..8),
        share in any::<bool>(),
    ) {
        let template = template(&format!("{before}{PLACEHOLDER}{after}"));
        let mut alert = String::new();
        template.write(&mut alert, &topic);
        let share = if share { "$share/g/" } else { "" };
        let back = format!("{share}{}", generalised(&alert, &choices)).parse::<TopicFilter>();
        let source = format!("{share}{}", generalised(&topic, &source_choices)).parse();
        if let (Ok(back), Ok(source)) = (back, source)
            && back.matches(&alert)
            && TopicFilter::matches(&source, &topic)
        {
            let found = comes_back(std::slice::from_ref(&source), &template, &back);
            prop_assert!(found.is_some(), "{source} {template} {back} {topic}");
        }
    }

    /// For every source, template and filter of few characters: a loop is seen exactly when there
    /// is a topic that makes one.
    #[test]
    fn the_check_is_exact(
        sources in prop::collection::vec("[ab/+$]{1,3}(/#)?|#|\\+/[ab+]|\\+/\\+/\\+|/#", 1..3),
        back in "[ab/+$]{1,4}(/#)?|#|[ab+]/[ab+]/[ab+]|\\+/\\+/\\+/#",
        before in "[ab/$]{0,3}",
        after in "[ab/$]{0,2}",
    ) {
        let sources = sources.iter().filter_map(|text| text.parse().ok());
        let sources: Vec<TopicFilter> = sources.collect();
        let Ok(back) = back.parse::<TopicFilter>() else { return Ok(()) };
        let template = template(&format!("{before}{PLACEHOLDER}{after}"));
        let mut alert = String::new();
        let witness = all_topics(6).find(|topic| {
            alert.clear();
            template.write(&mut alert, topic);
            back.matches(&alert) && sources.iter().any(|source| source.matches(topic))
        });
        let found = comes_back(&sources, &template, &back);
        prop_assert_eq!(
            found.is_some(), witness.is_some(),
            "{:?} {} {}: {:?} {:?}", sources, template, back, witness, found
        );
    }

    /// For every two filters of few characters: they overlap exactly when there is a topic that
    /// comes through both, and whichever is named first.
    #[test]
    fn an_overlap_is_seen_and_nothing_else(
        one in "[ab/+$]{1,3}(/#)?|#",
        other in "[ab/+$]{1,3}(/#)?|#",
        share in any::<bool>(),
    ) {
        let (Ok(one), Ok(other)) = (one.parse::<TopicFilter>(), other.parse::<TopicFilter>()) else {
            return Ok(());
        };
        let one = if share { filter(&format!("$share/g/{one}")) } else { one };
        let witness = all_topics(6).find(|topic| one.matches(topic) && other.matches(topic));
        let found = overlap(&one, &other);
        prop_assert_eq!(found, witness.is_some(), "{} {} {:?}", one, other, witness);
        prop_assert_eq!(overlap(&one, &other), overlap(&other, &one));
    }

    /// Filters and topics without `$` match as the codec's own function says.
    #[test]
    fn matching_agrees_with_the_codec(topic in "[ab/]{1,6}", pattern in "[ab/+]{0,5}(/?#)?") {
        if let Ok(filter) = pattern.parse::<TopicFilter>() {
            let expected = rumqttc::mqttbytes::matches(&topic, &pattern);
            prop_assert_eq!(filter.matches(&topic), expected, "{} {}", pattern, topic);
        }
    }

    /// A topic without placeholder could match exactly when it does.
    #[test]
    fn a_fixed_topic_is_held_against_the_filter_itself(
        topic in "\\$?[ab/]{1,5}", choices in proptest::collection::vec(any::<u8>(), 1..8),
    ) {
        if let Ok(filter) = generalised(&topic, &choices).parse::<TopicFilter>() {
            let found = returning(std::slice::from_ref(&filter), &template(&topic), &filter);
            prop_assert_eq!(found.is_some(), filter.matches(&topic));
        }
    }

    /// No text makes the checks panic.
    #[test]
    fn any_text_is_read(pattern in any::<String>(), text in any::<String>()) {
        let filter = pattern.parse::<TopicFilter>().unwrap_or_else(|_| filter("a/+/#"));
        filter.matches(&text);
        if let Ok(template) = format!("{text}{PLACEHOLDER}{pattern}").parse::<AlertsTopic>() {
            let _ = comes_back(std::slice::from_ref(&filter), &template, &filter);
        }
    }
}
