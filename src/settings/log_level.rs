//! The log level, as edgeHub and edgeAgent read their `RuntimeLogLevel`.

use tracing_subscriber::filter::LevelFilter;

use super::Spec;
use super::layers::Layers;
use crate::host::logging::LEVELS;
use crate::host::text::{nearest, shown};

/// What an unknown level counts as, there and here.
const DEFAULT: LevelFilter = LevelFilter::INFO;
/// What other programs call a level.
const MEANT: [(&str, &str); 4] =
    [("trace", "verbose"), ("warn", "warning"), ("critical", "fatal"), ("err", "error")];

/// The level; one that edgeHub does not know counts as info, with a warning: the same variable is
/// often set for all modules, and none of them stops for it.
pub(crate) fn resolve(layers: &mut Layers, spec: &Spec) -> Option<LevelFilter> {
    let given = layers.required(spec, |text| Ok(level(text).ok_or_else(|| advice(text))))?;
    Some(given.unwrap_or_else(|advice| {
        let source = layers.source_or_default(spec);
        layers.warning(format!("{source}: {advice}"));
        DEFAULT
    }))
}

fn level(text: &str) -> Option<LevelFilter> {
    let is_named = |(name, _): &&(&str, _)| name.eq_ignore_ascii_case(text.trim());
    LEVELS.iter().find(is_named).map(|(_, level)| *level)
}

fn advice(text: &str) -> String {
    let names: Vec<_> = LEVELS.iter().map(|(name, _)| *name).collect();
    // Of `info,edge=debug`, as other programs have it, the first.
    let first = text.split([',', ';', '=']).next().unwrap_or_default();
    let first = first.trim().to_ascii_lowercase();
    let names_too = LEVELS.iter().map(|(name, _)| (*name, *name));
    let meant = nearest(&first, MEANT.into_iter().chain(names_too));
    let meant = meant.map_or_else(String::new, |meant| format!(" (did you mean {meant}?)"));
    format!("{:?} is none of {} and counts as info{meant}", shown(text), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What edgeHub's own table has, in any letter case.
    #[test]
    fn every_spelling_of_edge_hub_is_taken() {
        let cases = [
            ("fatal", LevelFilter::ERROR),
            ("Error", LevelFilter::ERROR),
            ("warning", LevelFilter::WARN),
            ("WARNING", LevelFilter::WARN),
            ("info", LevelFilter::INFO),
            ("information", LevelFilter::INFO),
            ("Information", LevelFilter::INFO),
            ("INFORMATION", LevelFilter::INFO),
            ("Debug", LevelFilter::DEBUG),
            ("verbose", LevelFilter::TRACE),
            (" Verbose\r\n", LevelFilter::TRACE),
        ];
        for (text, expected) in cases {
            assert_eq!(level(text), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn an_unknown_level_is_reported_with_what_it_counts_as() {
        let cases = [
            ("trace", "did you mean verbose?"),
            ("Warn", "did you mean warning?"),
            ("critical", "did you mean fatal?"),
            ("info,edge=debug", "did you mean info?"),
            ("warn;edge=debug", "did you mean warning?"),
            ("vebose", "did you mean verbose?"),
            ("informations", "did you mean information?"),
            ("loud", "counts as info"),
            ("7", "counts as info"),
            ("off", "counts as info"),
        ];
        for (text, expected) in cases {
            assert_eq!(level(text), None, "{text}");
            let advice = advice(text);
            assert!(advice.contains(expected), "{text}: {advice}");
            assert!(advice.contains("counts as info"), "{text}: {advice}");
        }
    }
}
