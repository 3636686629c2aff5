//! The order of runs, and the ratios that come of it. Pure but for what `measure` does.

/// One of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What is compared with.
    A,
    /// What is judged.
    B,
}

/// What one run found.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct PairReading {
    /// CPU of the module, nanoseconds a message.
    pub cpu_ns: f64,
    /// Messages per second that it took.
    pub rate: f64,
}

/// Two runs within moments of each other.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Pair {
    /// Of A.
    pub a: PairReading,
    /// Of B.
    pub b: PairReading,
}

/// Measures so many pairs, A B, B A, A B and so on: a machine that grows slower or faster favours
/// nobody.
///
/// # Errors
/// The first one of `measure`.
pub fn pairs<E>(
    count: u32,
    measure: &mut dyn FnMut(Side) -> Result<PairReading, E>,
) -> Result<Vec<Pair>, E> {
    let mut found = Vec::new();
    for index in 0..count {
        found.push(if index % 2 == 0 {
            let a = measure(Side::A)?;
            Pair { a, b: measure(Side::B)? }
        } else {
            let b = measure(Side::B)?;
            Pair { a: measure(Side::A)?, b }
        });
    }
    Ok(found)
}

/// CPU of B by that of A, of each pair.
pub fn ratios(pairs: &[Pair]) -> Vec<f64> {
    pairs.iter().map(|pair| pair.b.cpu_ns / pair.a.cpu_ns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that gets steadily slower makes every other ratio too large and the rest too small
    /// by the same factor.
    #[test]
    fn pairs_turn_round() {
        let (mut order, mut cpu_ns) = (String::new(), 1.0);
        let mut measure = |side| {
            order.push(if side == Side::A { 'A' } else { 'B' });
            cpu_ns *= 2.0;
            Ok::<_, ()>(PairReading { cpu_ns, rate: 1.0 })
        };
        let found = pairs(5, &mut measure).unwrap();
        assert_eq!(order, "ABBAABBAAB");
        assert_eq!(ratios(&found), [2.0, 0.5, 2.0, 0.5, 2.0]);
        assert_eq!(pairs(3, &mut |_| Err("no figure")), Err("no figure"));
    }
}
