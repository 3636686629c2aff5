//! What to make of the summaries: faster, slower, the same, or no answer. Pure.
//!
//! ```text
//!  A/A --beyond 3 %, or no chance--> too noisy
//!   |
//!  A/B, 1st set --surely within 3 %--> same
//!   |  2nd, 3rd, 4th set, each pooled with all before it
//!   |--slower (or faster) twice running, the second time with p < 0.001: slower (or faster)
//!   `--still unsure at the end: same where the median is within 3 %, else too noisy
//! ```
//! More than 3 % that chance explains is no pass: it is no answer.

use paired::Summary;

/// A change of the median beyond this, either way, counts.
pub const CHANGE: f64 = 0.03;
/// A difference whose p is below this is not put down to chance.
pub const P_MAX: f64 = 0.01;
/// The same for the look that confirms it: who looks several times finds more by chance.
pub const P_CONFIRMED_MAX: f64 = 0.001;
/// Most sets of pairs of A against B.
pub const SETS_MAX: usize = 4;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PairsVerdict {
    /// B takes more CPU than A, beyond 3 % and beyond chance, seen twice.
    Slower,
    /// B takes less, in the same way.
    Faster,
    /// Neither.
    Same,
    /// The machine gives no answer today.
    TooNoisy,
}

/// What one look at the pairs says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Slower,
    Faster,
    /// The whole interval is within 3 %.
    Same,
    Unsure,
}

impl PairsVerdict {
    /// Exit code of the comparison.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Same | Self::Faster => 0,
            Self::Slower => 1,
            Self::TooNoisy => 2,
        }
    }
}

/// Why A against itself shows that this machine cannot tell now, if it does.
pub fn noise(same: &Summary) -> Option<&'static str> {
    if is_beyond(same.median) {
        Some("A differs from itself by more than 3 %")
    } else if same.p < P_MAX {
        Some("A differs from itself by more than chance")
    } else {
        None
    }
}

/// The verdict after these looks, each at all pairs of A and B until then; `None`: measure another
/// set of pairs.
pub fn verdict(looks: &[Summary]) -> Option<PairsVerdict> {
    let last = looks.last()?;
    let before = looks.len().checked_sub(2).map(|index| call(&looks[index]));
    let confirmed = last.p < P_CONFIRMED_MAX;
    match call(last) {
        Call::Same => Some(PairsVerdict::Same),
        Call::Slower if confirmed && before == Some(Call::Slower) => Some(PairsVerdict::Slower),
        Call::Faster if confirmed && before == Some(Call::Faster) => Some(PairsVerdict::Faster),
        _ if looks.len() < SETS_MAX => None,
        _ if is_beyond(last.median) => Some(PairsVerdict::TooNoisy),
        _ => Some(PairsVerdict::Same),
    }
}

fn call(look: &Summary) -> Call {
    match (is_beyond(look.median), look.p < P_MAX) {
        (true, true) if look.median > 1.0 => Call::Slower,
        (true, true) => Call::Faster,
        (false, _) if !is_beyond(look.low) && !is_beyond(look.high) => Call::Same,
        _ => Call::Unsure,
    }
}

/// Ratios are symmetric: 1.03 one way is 1 / 1.03 the other.
fn is_beyond(ratio: f64) -> bool {
    ratio.ln().abs() > CHANGE.ln_1p()
}

#[cfg(test)]
mod tests;
