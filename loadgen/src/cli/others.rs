//! A warning before a measurement on a machine that has no core to spare.

use std::time::Duration;

use super::output::note;
use loadgen_load::others::look;
use loadgen_load::outcome::Others;

/// How long it is looked what other programs take.
const LOOK: Duration = Duration::from_millis(300);

/// Looks at the machine, and tells when others leave too little of it. Signals are caught by then,
/// so that a reader who takes nothing holds up no end.
pub(super) fn warn() {
    if let Some(text) = look(LOOK).and_then(warning) {
        note(format_args!("warning: {text}"));
    }
}

fn warning(others: Others) -> Option<String> {
    // Nothing is known of the program yet.
    others.is_crowd(0.0).then(|| {
        format!(
            "other programs take {} now, and may make the result INVALID: end them first, or \
             measure when they have ended",
            others.share()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_warned_of() {
        let of = |taken, stolen, cores| warning(Others { taken, stolen, cores });
        let text = of(1.44, 0.0, 2).unwrap();
        assert!(text.starts_with("other programs take 1.4 of 2 cores now, and may make"), "{text}");
        let text = of(0.5, 0.5, 1).unwrap();
        assert!(text.contains("0.5 of 1 core (0.5 taken by other guests of the host)"), "{text}");
        assert!(of(6.5, 0.0, 8).is_some());
        for (taken, cores) in [(0.1, 2), (0.2, 1), (1.9, 4), (5.9, 8), (0.0, 64)] {
            assert_eq!(of(taken, 0.0, cores), None, "{taken} of {cores}");
        }
    }
}
