//! A name with several addresses: each has its share of the time, in paused time.

use super::*;
use std::cell::RefCell;
use std::future::pending;

/// What an address does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Swallows packets.
    Nothing,
    /// Answers after this time.
    Refuse(Duration),
    Accept(Duration),
}

const AT_ONCE: Duration = Duration::ZERO;

/// The port of the address that took the connection, or the error; when each was dialled; and how
/// long all took. The ports are the places in the list.
async fn dial(list: &[Does]) -> (io::Result<u16>, Vec<Duration>, Duration) {
    let addresses: Vec<SocketAddr> =
        (0..).take(list.len()).map(|port| ([192, 0, 2, 1], port).into()).collect();
    let start = Instant::now();
    let dialled = RefCell::new(Vec::new());
    let connect = async |address: SocketAddr| {
        dialled.borrow_mut().push(start.elapsed());
        match list[usize::from(address.port())] {
            Does::Nothing => pending().await,
            Does::Refuse(after) => {
                tokio::time::sleep(after).await;
                Err(io::ErrorKind::ConnectionRefused.into())
            }
            Does::Accept(after) => {
                tokio::time::sleep(after).await;
                Ok(address.port())
            }
        }
    };
    let outcome = dial_each(&addresses, start + CONNECT_TIMEOUT, connect).await;
    (outcome, dialled.into_inner(), start.elapsed())
}

/// An address that swallows packets takes its share and no more.
#[tokio::test(start_paused = true)]
async fn an_unresponsive_address_leaves_time_for_the_others() {
    use Does::{Accept, Nothing, Refuse};
    let half = CONNECT_TIMEOUT / 2;
    let (outcome, dialled, _) = dial(&[Nothing, Accept(half - Duration::from_millis(100))]).await;
    assert_eq!(outcome.unwrap(), 1);
    assert!(dialled[1].abs_diff(half) < Duration::from_millis(10), "{dialled:?}");
    // What one does not need the others have.
    let (outcome, dialled, _) = dial(&[Refuse(AT_ONCE), Nothing, Accept(AT_ONCE)]).await;
    assert_eq!(outcome.unwrap(), 2);
    assert!(dialled[2].abs_diff(half) < Duration::from_millis(10), "{dialled:?}");
    // A single one has it all.
    let (outcome, _, _) = dial(&[Accept(CONNECT_TIMEOUT - Duration::from_millis(100))]).await;
    assert_eq!(outcome.unwrap(), 0);
}

/// However many addresses there are, each that is tried has a second, and all end in time.
#[tokio::test(start_paused = true)]
async fn many_unresponsive_addresses_end_in_time() {
    for count in [1, 2, 9, 30, 70] {
        let (outcome, dialled, took) = dial(&vec![Does::Nothing; count]).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut, "{count}");
        assert!(took.abs_diff(CONNECT_TIMEOUT) < Duration::from_millis(50), "{count}: {took:?}");
        for pair in dialled.windows(2) {
            assert!(pair[1] - pair[0] >= ADDRESS_TIMEOUT_MIN, "{count}: {dialled:?}");
        }
    }
}

/// The error is that of the last address, and no address at all is one too.
#[tokio::test(start_paused = true)]
async fn without_any_connection_the_last_error_counts() {
    let (outcome, dialled, _) = dial(&[Does::Nothing, Does::Refuse(AT_ONCE)]).await;
    assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(dialled.len(), 2);
    let (outcome, ..) = dial(&[]).await;
    assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::NotFound);
}
