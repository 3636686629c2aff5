//! The readings of a machine that ends in failure, one in 5 minutes; where their file is not there,
//! a series made with the same figures.
//!
//! The file is `machine_temperature_system_failure.csv` of the Numenta Anomaly Benchmark. It is
//! looked for in the folder `SLUICEGATE_TEST_DATA` (from the top folder of the repository; default
//! `../shared/data`).

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The file's name.
pub const FILE: &str = "machine_temperature_system_failure.csv";
/// Rows without the header line.
pub const READINGS: usize = 22_695;
/// Readings above [`THRESHOLD`].
pub const ALERTS: usize = 4_896;
/// What most tests set.
pub const THRESHOLD: u32 = 95;
/// How many readings are above so many degrees, counted in the file.
pub const ABOVE: [(u64, usize); 8] = [
    (25, 22_680),
    (40, 22_296),
    (60, 21_156),
    (80, 18_308),
    (90, 10_550),
    (95, ALERTS),
    (100, 1_586),
    (105, 28),
];

const SEED: u64 = 22_695;
/// Values are made in units of the eighth decimal place.
const DEGREE: u64 = 100_000_000;
/// Coldest and hottest reading of the file.
const COLDEST: u64 = 208_472_120;
const HOTTEST: u64 = 10_851_054_280;
/// The clock of the file once goes back by nearly an hour, in front of this row.
const CLOCK_BACK_AT: u64 = 10_149;
const CLOCK_BACK_S: u64 = 3_600;
const EVERY_S: u64 = 300;

/// A header line and [`READINGS`] lines of time and temperature.
#[derive(Debug, Clone)]
pub struct Readings {
    /// All lines.
    pub text: String,
    /// They are those of the file.
    pub are_real: bool,
}

impl Readings {
    /// Those of the file, or made ones where it is absent.
    ///
    /// # Panics
    /// The file is there and cannot be read.
    pub fn load() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = std::env::var_os("SLUICEGATE_TEST_DATA");
        Self::from_folder(&root.join(folder.unwrap_or_else(|| "../shared/data".into())))
    }

    /// As [`Self::load`], from this folder.
    ///
    /// # Panics
    /// The file is there and cannot be read.
    pub fn from_folder(folder: &Path) -> Self {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self { text, are_real: true },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("{} is absent: readings made with seed {SEED}", path.display());
                Self { text: made(), are_real: false }
            }
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }

    /// Time and temperature of each, as written there.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.lines().skip(1).filter_map(|line| line.split_once(','))
    }
}

/// A series with the file's figures: rows, times, counts above each of [`ABOVE`], coldest and
/// hottest, no value twice, and about as often from one side of the threshold to the other. Whole
/// numbers alone, so that it is the same on every architecture.
fn made() -> String {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut text = "timestamp,value\n".to_owned();
    let values = values(&mut random);
    for (row, value) in (0..).zip(values) {
        let seconds = 21 * 3_600 + 15 * 60 + row * EVERY_S;
        let back = if row < CLOCK_BACK_AT { 0 } else { CLOCK_BACK_S };
        let mut digits = format!("{}.{:08}", value / DEGREE, value % DEGREE);
        if random.u8(..20) == 0 {
            // What a sum of binary fractions looks like in the file.
            let _ = write!(digits, "{:06}", random.u32(..1_000_000));
        }
        let _ = writeln!(text, "{},{}", time(seconds - back), digits.trim_end_matches('0'));
    }
    text
}

/// A walk that is drawn back to its middle, with each of its places replaced by the value that has
/// the same rank in the file, or nearly so.
fn values(random: &mut fastrand::Rng) -> Vec<u64> {
    let mut place = 0i64;
    let mut walk: Vec<(i64, usize)> = Vec::with_capacity(READINGS);
    for row in 0..READINGS {
        place += random.i64(-1_000_000..=1_000_000) - place / 156;
        walk.push((place, row));
    }
    walk.sort_unstable();
    let mut values = vec![0; READINGS];
    for ((_, row), value) in walk.into_iter().zip(ascending()) {
        values[row] = value;
    }
    values
}

/// The values from the coldest to the hottest, evenly between the degrees of [`ABOVE`].
fn ascending() -> Vec<u64> {
    let counts = ABOVE.map(|(degrees, above)| (degrees * DEGREE, READINGS - above));
    let ends = [&counts[..], &[(HOTTEST, READINGS)]].concat();
    let mut values: Vec<u64> = Vec::with_capacity(READINGS);
    let mut from = COLDEST;
    for (to, count) in ends {
        let count = (count - values.len()) as u64;
        // Up to but not at the end, so that what is above a degree is so by the file's margin.
        values.extend((0..count).map(|n| from + (to - from) * (2 * n + 1) / (2 * count)));
        from = to;
    }
    values[0] = COLDEST;
    values[READINGS - 1] = HOTTEST;
    values
}

/// So many seconds after the first moment of December 2, 2013, which is less than three months.
fn time(seconds: u64) -> String {
    let (day, second) = (2 + seconds / 86_400, seconds % 86_400);
    let (year, month, day) = match day {
        ..32 => (2013, 12, day),
        32..63 => (2014, 1, day - 31),
        _ => (2014, 2, day - 62),
    };
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}", second % 60)
}
