use super::*;

const REFUSED: &str = "cannot connect to hub:8883: Connection refused (os error 111)";

/// What is told at each of the times, in seconds.
fn shown(outage: &mut Outage, start: Instant, at: &[(u64, &str)]) -> Vec<&'static str> {
    let notice =
        |(s, reason): &(u64, &str)| match outage.failed(reason, start + Duration::from_secs(*s)) {
            Notice::Full => "full",
            Notice::Still(_) => "still",
            Notice::Nothing => "",
        };
    at.iter().map(notice).collect()
}

#[test]
fn one_reason_is_logged_in_growing_intervals() {
    let (mut outage, start) = (Outage::default(), Instant::now());
    let mut lines = Vec::new();
    for attempt in 1..=50_u32 {
        let now = start + Duration::from_secs(u64::from(attempt - 1));
        match outage.failed(REFUSED, now) {
            Notice::Full => lines.push((attempt, None)),
            Notice::Still(away) => lines.push((attempt, Some(away))),
            Notice::Nothing => {}
        }
    }
    let attempts: Vec<_> = lines.iter().map(|(attempt, _)| *attempt).collect();
    assert_eq!(attempts, [1, 3, 6, 12, 24, 48]);
    let away = lines[3].1.unwrap();
    assert_eq!(away.to_string(), "12 failures in 11 s");
    let end = outage.works(start + Duration::from_secs(180)).unwrap();
    assert_eq!(end.to_string(), "50 failures in 3 min");
    assert_eq!(outage.works(start), None);
}

/// A minute apart, it is told once in ten minutes, for ever.
#[test]
fn a_long_outage_is_logged_once_in_ten_minutes() {
    let (mut outage, start) = (Outage::default(), Instant::now());
    let attempts: Vec<_> = (0..24 * 60).map(|minute| (minute * 60, REFUSED)).collect();
    let lines = shown(&mut outage, start, &attempts);
    let shown = |lines: &[&str]| lines.iter().filter(|line| !line.is_empty()).count();
    assert!((5..=7).contains(&shown(&lines[..24])), "{lines:?}");
    for hour in lines[60..].chunks(60) {
        assert!((5..=7).contains(&shown(hour)), "{}", shown(hour));
    }
}

#[test]
fn another_reason_is_logged_in_full_and_two_in_turns_are_not() {
    let (mut outage, start) = (Outage::default(), Instant::now());
    let other = "d refused: CONNACK 4 (bad user name or password)";
    let third = "d refused: CONNACK 5 (not authorized)";
    let lines = shown(
        &mut outage,
        start,
        &[(0, REFUSED), (1, REFUSED), (2, other), (3, REFUSED), (4, other), (5, third), (6, other)],
    );
    assert_eq!(lines, ["full", "", "full", "still", "", "full", "still"]);
    let turns: Vec<_> = (7..107).flat_map(|s| [(s, REFUSED), (s, other)]).collect();
    let lines = shown(&mut outage, start, &turns);
    let count = lines.iter().filter(|line| !line.is_empty()).count();
    assert!(count <= 12, "{count}");
}

/// What changes with the clock is no other reason; a code is.
#[test]
fn numbers_of_time_and_place_make_no_reason() {
    let same = [
        ("no answer in 2.5 s; see X", "no answer in 4.9 s; see X"),
        (
            "the clock here says 2026-11-28 00:06 UTC: set it",
            "the clock here says 2026-11-29 13:59 UTC: set it",
        ),
        ("cannot connect to 10.0.0.1:1883: refused", "cannot connect to 10.0.0.2:1884: refused"),
        ("lost after 45 s of silence", "lost after 46 s of silence"),
        ("lost after 900 ms", "lost after 850 ms"),
        ("packet of 17 bytes", "packet of 90 bytes"),
    ];
    for (one, two) in same {
        assert_eq!(key(one), key(two));
    }
    let different = [
        ("CONNACK 4 (bad user name)", "CONNACK 5 (not authorized)"),
        ("answered 401", "answered 503"),
        ("(os error 111)", "(os error 113)"),
        ("cannot read /a/key: it is empty", "cannot read /a/key: No such file"),
        ("host a", "host b"),
    ];
    for (one, two) in different {
        assert_ne!(key(one), key(two));
    }
}

#[test]
fn cuts_of_a_working_connection_are_logged_longer() {
    let (mut outage, start) = (Outage::default(), Instant::now());
    let lines: Vec<_> = (0..30)
        .map(|s| {
            let now = start + Duration::from_secs(s);
            let notice = outage.cut("lost", now);
            assert_eq!(outage.works(now).map(|away| away.failures), Some(1));
            notice
        })
        .collect();
    assert!(lines[..10].iter().all(|notice| *notice == Notice::Full), "{lines:?}");
    let later: Vec<_> =
        (10..30).filter(|at| lines[*at] != Notice::Nothing).map(|at| at + 1).collect();
    assert_eq!(later, [12, 24]);
    assert_eq!(
        outage.so_far(start + Duration::from_secs(300)).unwrap().to_string(),
        "30 failures in 5 min"
    );
}

#[test]
fn a_reason_is_logged_anew_once_the_outage_is_over() {
    let (mut outage, start) = (Outage::default(), Instant::now());
    assert_eq!(shown(&mut outage, start, &[(0, REFUSED), (1, REFUSED)]), ["full", ""]);
    outage.forget();
    assert_eq!(outage.so_far(start), None);
    assert_eq!(shown(&mut outage, start, &[(2, REFUSED)]), ["full"]);
}

#[test]
fn reasons_are_bounded() {
    let (mut outage, start) = (Outage::default(), Instant::now());
    for number in 0..100 {
        let reason = format!("reason{number}");
        assert_eq!(outage.failed(&reason, start), Notice::Full);
        assert!(outage.reasons.len() <= REASONS_MAX);
    }
}

#[test]
fn times_are_shown_in_one_suitable_unit() {
    for (s, text) in [
        (0.85, "850 ms"),
        (1.0, "1 s"),
        (119.9, "119 s"),
        (180.0, "3 min"),
        (7_200.0, "2 h"),
        (345_600.0, "4 d"),
    ] {
        assert_eq!(Lasting(Duration::from_secs_f64(s)).to_string(), text);
    }
}
