//! Why a filter is not the one that it may be meant for: level by level, in words. Pure.

/// Most characters of a client's level in a reason.
const LEVEL_CHARS_MAX: usize = 64;
/// Most edits between a misspelt level and the one that is meant.
const EDITS_MAX: usize = 2;
/// Levels that tell filters from one another; behind them is an input.
const HEAD: usize = 5;

/// Who asks, and which modules there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) device: &'a str,
    pub(super) module: Option<&'a str>,
    /// All modules, the asking one among them.
    pub(super) modules: &'a [&'a str],
}

/// Where a level stands, as far as words for it differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LevelKind {
    Device,
    Module,
    Word,
}

impl Asker<'_> {
    /// The difference between a filter and the one of `known` that has most levels alike; `None`
    /// when no one has enough.
    pub(super) fn difference(&self, filter: &str, known: &[String]) -> Option<String> {
        let levels: Vec<&str> = filter.split('/').collect();
        let mut known: Vec<Vec<&str>> = known.iter().map(|k| k.split('/').collect()).collect();
        if let Some(odd) = known.iter().find_map(|known| odd_level(&levels, known)) {
            return Some(odd);
        }
        // The input may be any: what is wrong before it counts.
        let own = self.module.map(|module| ["devices", self.device, "modules", module, "inputs"]);
        if let (Some(own), Some(input)) =
            (&own, levels.get(HEAD..).filter(|rest| rest.ends_with(&["#"])))
        {
            known.push([own, input].concat());
        }
        let alike = |known: &Vec<&str>| {
            known
                .iter()
                .zip(&levels)
                .take(HEAD)
                .filter(|(known, level)| is_alike(known, level))
                .count()
        };
        let same_length = known.iter().filter(|known| known.len() == levels.len());
        let nearest = same_length.max_by_key(|known| alike(known))?;
        if 2 * alike(nearest) < levels.len().min(HEAD) {
            return None;
        }
        let reasons: Vec<String> = levels
            .iter()
            .zip(nearest)
            .enumerate()
            .filter_map(|(index, (level, known))| {
                self.level(level, known, place(nearest[0], index))
            })
            .collect();
        (!reasons.is_empty()).then(|| reasons.join(", and "))
    }

    /// Why a level is not the known one.
    fn level(&self, level: &str, known: &str, place: LevelKind) -> Option<String> {
        if level == known || level == "+" && known != "#" {
            return None;
        }
        let shown = shortened(level);
        Some(if known == "#" {
            "it does not end in `/#`".to_owned()
        } else if place == LevelKind::Module && self.modules.contains(&level) {
            format!("it names another module, {shown}, and a module gets its own inputs alone")
        } else if is_same_letters(level, known) {
            format!("letter case counts, and its {shown} is not {known:?}")
        } else if place == LevelKind::Device {
            format!("it names another device, {shown}, and this client belongs to {known:?}")
        } else if is_near(level, known) {
            format!("its {shown} is misspelt for {known:?}")
        } else if place == LevelKind::Module {
            format!("it names another module, {shown}, and a module gets its own inputs alone")
        } else {
            format!("its {shown} stands where {known:?} belongs")
        })
    }
}

/// The difference to a filter that has one level more, or one less, and is the same otherwise.
fn odd_level(levels: &[&str], known: &[&str]) -> Option<String> {
    if levels.len() + 1 == known.len() {
        let missing = known[left_over(known, levels)?];
        return Some(match missing {
            "#" => "it does not end in `/#`".to_owned(),
            missing => format!("its level {missing:?} is missing"),
        });
    }
    if known.len() + 1 == levels.len() {
        let odd = shortened(levels[left_over(levels, known)?]);
        return Some(format!("its level {odd} is one too many"));
    }
    None
}

/// The place of the one level that `long` has beside those of `short`.
fn left_over(long: &[&str], short: &[&str]) -> Option<usize> {
    let at = long.iter().zip(short).take_while(|(long, short)| long == short).count();
    (long[at + 1..] == short[at..]).then_some(at)
}

fn place(first: &str, index: usize) -> LevelKind {
    match (first, index) {
        ("devices", 1) => LevelKind::Device,
        ("devices", 3) => LevelKind::Module,
        _ => LevelKind::Word,
    }
}

fn is_alike(known: &str, level: &str) -> bool {
    level == "+" || is_same_letters(known, level) || is_near(known, level)
}

/// Whether two levels differ in letter case alone.
pub(super) fn is_same_letters(level: &str, other: &str) -> bool {
    level.to_lowercase() == other.to_lowercase()
}

fn is_near(level: &str, known: &str) -> bool {
    let length = known.chars().count();
    let is_short = level.chars().take(length + EDITS_MAX + 1).count() <= length + EDITS_MAX;
    let edits = || strsim::osa_distance(&level.to_lowercase(), &known.to_lowercase());
    is_short && edits() <= EDITS_MAX.min(length / 2)
}

/// A client's level in quotation marks, with its control characters escaped.
pub(super) fn shortened(level: &str) -> String {
    let is_cut = level.chars().nth(LEVEL_CHARS_MAX).is_some();
    let start: String = level.chars().take(LEVEL_CHARS_MAX).collect();
    format!("{start:?}{}", if is_cut { "…" } else { "" })
}
