//! Lines put together: each scenario with its entries by time. Pure.

use std::collections::BTreeMap;

use loadgen_load::machine::Machine;

use super::read::Line;
use crate::record::scenario::SCENARIOS;

/// Most scenarios; there are not that many.
pub const SCENARIOS_MAX: usize = 100;
/// Most entries of a scenario: the newest.
pub const ENTRIES_MAX: usize = 200;
/// Machines that are told apart; the others look like the last of them.
pub const MACHINES_MAX: usize = 12;

/// Everything that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// In the order in which they appear; an entry names its machine by its place here.
    pub machines: Vec<String>,
    /// Known ones first, in the order of the record.
    pub scenarios: Vec<Course>,
    /// Entries and scenarios beyond the bounds.
    pub hidden: usize,
}

/// The course of one scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// By time; not empty.
    pub entries: Vec<PlacedLine>,
}

/// A line, and the machine it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedLine {
    /// What was recorded.
    pub line: Line,
    /// Its place among the machines.
    pub machine: usize,
}

impl History {
    /// Of these lines, in any order.
    pub fn of(lines: &[Line]) -> Self {
        let mut sorted: Vec<&Line> = lines.iter().collect();
        sorted.sort_by_key(|line| line.time);
        let mut machines: Vec<String> = Vec::new();
        let mut by_name: BTreeMap<(usize, &str), Vec<PlacedLine>> = BTreeMap::new();
        for line in sorted {
            let name = name_of(&line.machine);
            let known = machines.iter().position(|machine| *machine == name);
            let machine = known.unwrap_or_else(|| {
                if machines.len() < MACHINES_MAX {
                    machines.push(name);
                }
                machines.len() - 1
            });
            let entry = PlacedLine { line: line.clone(), machine };
            by_name.entry((rank(&line.scenario), &line.scenario)).or_default().push(entry);
        }
        let mut hidden = 0;
        let mut scenarios = Vec::new();
        for mut entries in by_name.into_values() {
            if scenarios.len() == SCENARIOS_MAX {
                hidden += entries.len();
                continue;
            }
            let surplus = entries.len().saturating_sub(ENTRIES_MAX);
            hidden += surplus;
            entries.drain(..surplus);
            scenarios.push(Course { entries });
        }
        Self { machines, scenarios, hidden }
    }
}

impl Course {
    /// The newest entry.
    pub fn newest(&self) -> Option<&PlacedLine> {
        self.entries.last()
    }

    /// How much more the entry at `index` is than the one before it of the same machine: 0.1 is a
    /// tenth more.
    pub fn change(&self, index: usize) -> Option<f64> {
        let entry = self.entries.get(index)?;
        let before = self.entries[..index].iter().rev();
        let mut before = before.filter(|other| other.machine == entry.machine);
        let change = entry.line.median? / before.find_map(|other| other.line.median)? - 1.0;
        change.is_finite().then_some(change)
    }

    /// Whether the entry is better than the one before it of the same machine; less is better where
    /// the aim is below the floor.
    pub fn is_better(&self, index: usize) -> Option<bool> {
        let line = &self.entries.get(index)?.line;
        let change = self.change(index).filter(|change| *change != 0.0)?;
        Some((change > 0.0) == (line.aim > line.floor))
    }
}

/// Known scenarios come as the record has them.
fn rank(scenario: &str) -> usize {
    SCENARIOS.iter().position(|known| known.name == scenario).unwrap_or(SCENARIOS.len())
}

/// What tells machines apart: not the release of a system, which changes under them, nor their
/// load.
fn name_of(machine: &Machine) -> String {
    let gibibytes = machine.memory_kib.div_ceil(1 << 20);
    let processor = if machine.processor.is_empty() { "unknown" } else { &machine.processor };
    format!("{processor}, {} cores, {gibibytes} GiB, {}", machine.cores, machine.architecture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trend::tests::line;

    fn medians(course: &Course) -> Vec<Option<f64>> {
        course.entries.iter().map(|entry| entry.line.median).collect()
    }

    /// Whatever the order of the lines, a course is by time, and known scenarios come first.
    #[test]
    fn courses_are_by_time() {
        let lines = [
            line("own", "2026-01-01T00:00:00Z", &[1.0]),
            line("tls_qos1", "2026-01-03T00:00:00Z", &[3.0]),
            line("tls_qos1", "2026-01-01T00:00:00.5Z", &[1.0]),
            line("plain_qos1", "2026-01-01T00:00:00Z", &[]),
            line("tls_qos1", "2026-01-01T00:00:00Z", &[2.0]),
        ];
        let history = History::of(&lines);
        let names: Vec<_> =
            history.scenarios.iter().map(|course| &*course.entries[0].line.scenario).collect();
        assert_eq!(names, ["plain_qos1", "tls_qos1", "own"]);
        assert_eq!(medians(&history.scenarios[1]), [Some(2.0), Some(1.0), Some(3.0)]);
        assert_eq!((history.machines.len(), history.hidden), (1, 0));
    }

    /// A change is against the last figure of the same machine, and good or bad as the aim has it.
    #[test]
    fn changes_are_of_one_machine() {
        let mut lines: Vec<Line> = (1..=5)
            .map(|day| line("own", &format!("2026-01-0{day}T00:00:00Z"), &[f64::from(day)]))
            .collect();
        lines[1].machine.cores = 64;
        lines[2].median = None;
        lines[4].median = Some(3.0);
        let history = History::of(&lines);
        assert_eq!(history.machines.len(), 2);
        let course = &history.scenarios[0];
        let changes: Vec<_> = (0..5).map(|index| course.change(index)).collect();
        assert_eq!(changes, [None, None, None, Some(3.0), Some(-0.25)]);
        assert_eq!((course.is_better(3), course.is_better(4)), (Some(true), Some(false)));
        lines[3].aim = 0.5;
        assert_eq!(History::of(&lines).scenarios[0].is_better(3), Some(false));
    }

    /// Of too much the newest is shown, and the rest counted.
    #[test]
    fn everything_is_bounded() {
        let mut lines: Vec<Line> =
            (0..ENTRIES_MAX + 3).map(|_| line("own", "2026-01-01T00:00:00Z", &[1.0])).collect();
        lines[ENTRIES_MAX + 2].time = "2027-01-01T00:00:00Z".parse().unwrap();
        let history = History::of(&lines);
        assert_eq!((history.scenarios[0].entries.len(), history.hidden), (ENTRIES_MAX, 3));
        assert_eq!(history.scenarios[0].newest().unwrap().line, lines[ENTRIES_MAX + 2]);
        for (index, line) in lines.iter_mut().enumerate() {
            line.scenario = format!("{index:03}");
            line.machine.cores = index as u64;
        }
        let history = History::of(&lines);
        assert_eq!(
            (history.scenarios.len(), history.machines.len()),
            (SCENARIOS_MAX, MACHINES_MAX)
        );
        assert_eq!(history.hidden, lines.len() - SCENARIOS_MAX);
    }
}
