use std::process::{Child, Command, Stdio};

use super::*;
use crate::cost::Usage;

const STAT: &str = "cpu  110 22 330 400 5 6 7 88 9 10\n\
    cpu0 10 2 30 400 5 6 7 8 9 10\ncpu1 100 20 300 0 0 0 0 80 0 0\nintr 7 8\ncpu_x 1 1 1\n";

#[test]
fn time_of_the_cores_asked_for_is_summed() {
    let of = |cores, busy, stolen| Some(Ticks { cores, busy, stolen });
    assert_eq!(ticks(STAT, |_| true), of(2, 462, 88));
    assert_eq!(ticks(STAT, |core| core == 1), of(1, 420, 80));
    assert_eq!(ticks("cpu3 1 2 3 4\n", |_| true), of(1, 6, 0), "a kernel without stolen time");
    for stat in ["", "cpu 1 2 3 4\n", "cpu0 1\n", "cpu0 a b c\n", "\u{0}"] {
        assert_eq!(ticks(stat, |_| true), None, "{stat}");
    }
    assert_eq!(ticks(STAT, |_| false), None);
}

#[test]
fn cores_of_others_are_busy_time_less_ours_and_stolen_time() {
    let table = [
        ([1.5, 0.0, 0.5], (1.0, 0.0)),
        ([1.5, 0.25, 0.5], (1.25, 0.25)),
        ([0.5, 0.0, 0.6], (0.0, 0.0)),
        ([0.0, 0.0, 0.0], (0.0, 0.0)),
        ([0.1, 1.75, 0.1], (1.75, 1.75)),
        ([9.0, 9.0, 0.0], (2.0, 2.0)),
    ];
    for (cores, (taken, stolen)) in table {
        assert_eq!(others(2, cores), Some(Others { taken, stolen, cores: 2 }), "{cores:?}");
    }
    assert_eq!(others(2, [f64::NAN, 0.0, 0.0]), None);
    assert_eq!(others(2, [f64::INFINITY, 0.0, 0.0]), None);
}

#[test]
fn a_crowd_leaves_no_core_idle() {
    let table = [
        (2, 0.2, 1.9, false),
        (2, 0.3, 0.8, true),
        (2, 0.3, 0.1, true),
        (4, 1.9, 0.1, false),
        (4, 2.1, 0.1, true),
        (2, 1.0, 0.1, true),
        (1, 0.3, 0.1, true),
        (8, 4.0, 1.9, false),
        (8, 6.0, 1.5, true),
        (64, 60.0, 1.0, false),
        (64, 62.0, 1.5, true),
    ];
    for (cores, taken, used, is_crowd) in table {
        let others = Others { taken, stolen: 0.0, cores };
        assert_eq!(others.is_crowd(used), is_crowd, "{others:?} beside {used}");
    }
}

#[test]
fn other_programs_are_shown_in_cores() {
    let table = [
        ((1.44, 0.0, 2), "other programs took 1.4 of 2 cores"),
        ((0.0, 0.0, 64), "other programs took 0.0 of 64 cores"),
        ((0.96, 0.04, 1), "other programs took 1.0 of 1 core"),
        (
            (1.5, 0.75, 4),
            "other programs took 1.5 of 4 cores (0.8 taken by other guests of the host)",
        ),
    ];
    for ((taken, stolen, cores), text) in table {
        assert_eq!(Others { taken, stolen, cores }.to_string(), text);
    }
}

/// A process that does nothing but burn, ended with the test.
struct Burner(Child);

impl Burner {
    fn start() -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn cpu_s(&self) -> f64 {
        Usage::of(self.0.id()).cpu_s()
    }

    /// While it burns for 0.3 s of CPU: what it burns, what others take with it among them, and
    /// without it, in cores.
    fn others(&self) -> [f64; 3] {
        let (burnt, before) = (self.cpu_s(), Reading::now(own_cpu_s()).unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.cpu_s() - burnt < 0.3 {
            assert!(Instant::now() < deadline, "it does not burn");
            std::thread::sleep(Duration::from_millis(5));
        }
        let (burnt_s, after) = (self.cpu_s() - burnt, Reading::now(own_cpu_s()).unwrap());
        let ours = Reading { ours_s: after.ours_s + burnt_s, ..after };
        let taken = |after: Reading| after.since(&before).unwrap().taken;
        [burnt_s / (after.at - before.at).as_secs_f64(), taken(after), taken(ours)]
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A busy process is one of the others, unless it belongs to the program under test.
#[test]
fn a_busy_process_is_seen() {
    let [burnt, with_it, without_it] = Burner::start().others();
    assert!(with_it > burnt * 0.5, "it burnt {burnt} cores, others took {with_it}");
    let its_part = with_it - without_it;
    assert!((0.5..=1.01).contains(&(its_part / burnt)), "{burnt} {with_it} {without_it}");
    assert!(look(Duration::from_millis(50)).unwrap().cores > 0);
}
