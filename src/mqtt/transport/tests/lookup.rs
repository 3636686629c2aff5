//! A resolver that hangs: how many threads wait for it, and what becomes of answers that come late.

use super::*;
use crate::mqtt::transport::lookup::{Lookups, cause};
use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::io::Errno;
use std::fs::File;

/// A resolver that answers when it is let.
struct Resolver {
    release: Sender<io::Result<Vec<SocketAddr>>>,
    released: Receiver<io::Result<Vec<SocketAddr>>>,
    /// Each look-up holds it.
    held: Arc<()>,
}

impl Resolver {
    fn new() -> Self {
        let (release, released) = bounded(8);
        Self { release, released, held: Arc::default() }
    }

    /// Look-ups that have a thread.
    fn threads(&self) -> usize {
        Arc::strong_count(&self.held) - 1
    }

    /// Looks `host` up and waits as long as an attempt does.
    async fn find(&self, lookups: &Lookups, host: &str) -> io::Result<Vec<SocketAddr>> {
        let (released, held) = (self.released.clone(), Arc::clone(&self.held));
        let resolve = move |_: &str| {
            let _held = held;
            // When the test is over, so is the look-up.
            released.recv().unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))
        };
        lookups.find(host, Instant::now() + CONNECT_TIMEOUT, resolve).await
    }
}

fn address(last: u8) -> Vec<SocketAddr> {
    vec![([192, 0, 2, last], 0).into()]
}

/// However many attempts are made while the resolver hangs, one thread waits for each name and so
/// many in all; other names fail with a reason then.
#[tokio::test(start_paused = true)]
async fn a_resolver_that_hangs_holds_few_threads() {
    let (lookups, resolver) = (Lookups::default(), Resolver::new());
    for _ in 0..50 {
        for name in ["a", "b", "c", "d"] {
            let error = resolver.find(&lookups, name).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        }
        let error = resolver.find(&lookups, "e").await.unwrap_err().to_string();
        assert!(error.contains("4 look-ups of other names are still without an answer"), "{error}");
        // An address needs no resolver.
        let found = resolver.find(&lookups, "::1").await.unwrap();
        assert_eq!(found, [([0, 0, 0, 0, 0, 0, 0, 1], 0).into()]);
    }
    assert_eq!(resolver.threads(), LOOKUPS_MAX);
}

/// An attempt waits for the resolver as long as for a connection, and so does the next one, which
/// joins the same look-up.
#[tokio::test(start_paused = true)]
async fn a_resolver_that_hangs_is_waited_for_6_s() {
    let (lookups, resolver) = (Lookups::default(), Resolver::new());
    for _ in 0..2 {
        let start = Instant::now();
        let error = resolver.find(&lookups, "a").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        assert!(start.elapsed().abs_diff(CONNECT_TIMEOUT) <= Duration::from_millis(1));
    }
}

/// An answer that comes after its attempt has ended serves the next one; after that it is asked
/// anew.
#[tokio::test]
async fn an_answer_that_is_late_serves_the_next_attempt() {
    let (lookups, resolver) = (Lookups::default(), Resolver::new());
    let (first, second) = tokio::join!(
        timeout(Duration::from_millis(10), resolver.find(&lookups, "a")),
        timeout(Duration::from_millis(10), resolver.find(&lookups, "a")),
    );
    assert!(first.is_err() && second.is_err(), "both gave up");
    resolver.release.send(Ok(address(1))).unwrap();
    assert_eq!(resolver.find(&lookups, "a").await.unwrap(), address(1));
    resolver.release.send(Ok(address(2))).unwrap();
    assert_eq!(resolver.find(&lookups, "a").await.unwrap(), address(2));
}

/// A failure that came late is not told: the next attempt asks again.
#[tokio::test]
async fn a_failure_that_is_late_is_asked_again() {
    let (lookups, resolver) = (Lookups::default(), Resolver::new());
    let gave_up = timeout(Duration::from_millis(10), resolver.find(&lookups, "a")).await;
    assert!(gave_up.is_err());
    resolver.release.send(Err(io::ErrorKind::NotFound.into())).unwrap();
    // The thread has taken it, and has said so or is about to.
    let answered = async {
        while !lookups.is_idle() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(20), answered).await.expect("in time");
    resolver.release.send(Ok(address(1))).unwrap();
    assert_eq!(resolver.find(&lookups, "a").await.unwrap(), address(1));
    // A failure that is waited for is told.
    resolver.release.send(Err(io::ErrorKind::NotFound.into())).unwrap();
    let error = resolver.find(&lookups, "a").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

/// The end of a process does not wait for a look-up under way: dropping its runtime does not.
#[test]
fn a_look_up_does_not_delay_the_end() {
    let resolver = Resolver::new();
    let (ended, end) = bounded(1);
    std::thread::scope(|scope| {
        let Resolver { released, held, .. } = &resolver;
        scope.spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let (released, held) = (released.clone(), Arc::clone(held));
            runtime.block_on(async move {
                let lookups = Lookups::default();
                let find = lookups.find("a", Instant::now() + CONNECT_TIMEOUT, move |_| {
                    let _held = held;
                    released.recv().expect("released below")
                });
                assert!(timeout(Duration::from_millis(10), find).await.is_err(), "it hangs");
            });
            drop(runtime);
            ended.send(()).unwrap();
        });
        let outcome = end.recv_timeout(Duration::from_secs(20));
        assert_eq!(resolver.threads(), 1, "it hung all the time");
        resolver.release.send(Ok(address(1))).unwrap();
        assert!(outcome.is_ok(), "the end waited for the look-up");
    });
}

/// An answer that came too late for its attempt is kept for the next one, whatever else is looked
/// up meanwhile.
#[tokio::test(start_paused = true)]
async fn a_late_answer_outlives_the_look_up_of_another_name() {
    let (lookups, late, prompt) = (Lookups::default(), Resolver::new(), Resolver::new());
    assert!(late.find(&lookups, "a").await.is_err());
    // It has its thread before the first one is done, or it would tidy up as it begins.
    let mut other = std::pin::pin!(prompt.find(&lookups, "b"));
    assert!(timeout(Duration::ZERO, other.as_mut()).await.is_err());
    late.release.send(Ok(address(1))).unwrap();
    prompt.release.send(Ok(address(2))).unwrap();
    while !lookups.is_idle() {
        std::thread::yield_now();
    }
    assert_eq!(other.await.unwrap(), address(2));
    late.release.send(Ok(address(3))).unwrap();
    assert_eq!(late.find(&lookups, "a").await.unwrap(), address(1));
}

/// A name is not found for want of descriptors only where this process finds none either.
#[test]
fn a_shortage_is_the_cause_only_where_there_is_one() {
    let of = |probe: io::Result<File>| {
        let not_found = io::Error::new(io::ErrorKind::NotFound, "no such name");
        cause(not_found, || probe)
    };
    for errno in [Errno::MFILE, Errno::NFILE] {
        assert_eq!(of(Err(errno.into())).raw_os_error(), Some(errno.raw_os_error()));
    }
    for probe in [File::open("/dev/null"), Err(Errno::NOENT.into()), Err(Errno::ACCESS.into())] {
        assert_eq!(of(probe).to_string(), "no such name");
    }
}
