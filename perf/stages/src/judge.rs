//! Parse a body and decide.

use sluicegate::pipeline::parse::{Malformed, Parser, Verdict};
use sluicegate::pipeline::threshold::Threshold;

use crate::body;
use crate::stage::{Runner, Work};

pub(crate) fn hit(size: usize) -> Runner {
    over(body::HOT.map(|reading| (body::sensor(size, reading), Verdict::Alert(reading))))
}

pub(crate) fn miss(size: usize) -> Runner {
    over(body::COLD.map(|reading| (body::sensor(size, reading), Verdict::Below)))
}

pub(crate) fn malformed(size: usize) -> Runner {
    let verdict = Verdict::Malformed(Malformed::NotJson);
    over(body::HOT.map(|reading| (body::malformed(size, reading), verdict)))
}

fn over(cases: [(Vec<u8>, Verdict); 8]) -> Runner {
    let mut parser = Parser::default();
    let mut next = 0;
    Box::new(move |messages| {
        for _ in 0..messages {
            let (body, expected) = &cases[next];
            let found = parser.judge(body, Threshold::DEFAULT);
            if found != *expected {
                return Err(format!("{found:?} in place of {expected:?}"));
            }
            next = (next + 1) % cases.len();
        }
        Ok(Work::default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_judged() {
        for size in body::SIZES {
            for runner in [hit, miss, malformed] {
                assert_eq!(runner(size)(20), Ok(Work::default()));
            }
        }
    }

    #[test]
    fn another_verdict_is_noticed() {
        let cold = body::COLD.map(|reading| (body::sensor(140, reading), Verdict::Below));
        for wrong in [Verdict::Alert(25.0), Verdict::NoTemperature] {
            let mut cases = cold.clone();
            cases[7].1 = wrong;
            let mut runner = over(cases);
            assert!(runner(7).is_ok());
            assert!(runner(1).is_err(), "{wrong:?}");
        }
    }
}
