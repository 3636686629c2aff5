//! Name look-ups: the system's resolver, on threads named `resolver`.
//!
//! - It answers when it likes and cannot be interrupted: a look-up goes on although the attempt
//!   that began it has ended. The next attempt waits for the same one, and takes what came
//!   meanwhile: an answer that is always later than an attempt lasts is found all the same.
//! - Bounded: one look-up of each name, [`LOOKUPS_MAX`] in all. Beyond that an attempt fails.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::error::shortage;
use super::{CONNECT_TIMEOUT, no_answer};

/// Look-ups under way at once: a hub, a broker, a proxy, and one more.
pub const LOOKUPS_MAX: usize = 4;

/// The look-ups of a process that are under way; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookups(Arc<Mutex<Vec<Lookup>>>);

/// The addresses with port 0, or why there are none.
type Addresses = Result<Vec<SocketAddr>, NotFound>;

/// An [`io::Error`] that two attempts can have.
#[derive(Debug, Clone)]
struct NotFound {
    kind: io::ErrorKind,
    /// The system's number, where there is one.
    number: Option<i32>,
    text: String,
}

impl From<io::Error> for NotFound {
    fn from(error: io::Error) -> Self {
        Self { kind: error.kind(), number: error.raw_os_error(), text: error.to_string() }
    }
}

impl From<NotFound> for io::Error {
    fn from(NotFound { kind, number, text }: NotFound) -> Self {
        number.map_or_else(|| Self::new(kind, text), Self::from_raw_os_error)
    }
}

/// Why `error` came: a resolver without descriptors says that there is no such name, or to try
/// later. `probe` opens any file, and so finds out.
pub(super) fn cause(error: io::Error, probe: impl FnOnce() -> io::Result<File>) -> io::Error {
    match probe() {
        Err(own) if shortage(&own).is_some() => own,
        _ => error,
    }
}

#[derive(Debug)]
struct Lookup {
    host: String,
    found: watch::Receiver<Option<Addresses>>,
}

impl Lookup {
    fn is_done(&self) -> bool {
        self.found.borrow().is_some()
    }

    fn has_failed(&self) -> bool {
        matches!(&*self.found.borrow(), Some(Err(_)))
    }
}

impl Lookups {
    /// The addresses of `host`, with port 0, by `resolve` where it is a name.
    pub(super) async fn find(
        &self,
        host: &str,
        deadline: Instant,
        resolve: impl FnOnce(&str) -> io::Result<Vec<SocketAddr>> + Send + 'static,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![(address, 0).into()]);
        }
        let mut found = self.begin_or_join(host, resolve)?;
        let found = match timeout_at(deadline, found.wait_for(Option::is_some)).await {
            Err(_) => return Err(no_answer(CONNECT_TIMEOUT)),
            Ok(Err(_)) => return Err(io::Error::other("the resolver's thread has ended")),
            Ok(Ok(found)) => found.clone(),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|lookup| lookup.host != host || !lookup.is_done());
        match found {
            Some(Ok(addresses)) => Ok(addresses),
            Some(Err(error)) => Err(error.into()),
            None => unreachable!("it was waited for"),
        }
    }

    #[cfg(test)]
    pub(super) fn are_those_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether no thread waits for the resolver.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().all(Lookup::is_done)
    }

    /// What will be found. A failure that nobody waited for is no answer: it is asked again.
    fn begin_or_join(
        &self,
        host: &str,
        resolve: impl FnOnce(&str) -> io::Result<Vec<SocketAddr>> + Send + 'static,
    ) -> io::Result<watch::Receiver<Option<Addresses>>> {
        let mut lookups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.retain(|lookup| !lookup.has_failed());
        if let Some(lookup) = lookups.iter().find(|lookup| lookup.host == host) {
            return Ok(lookup.found.clone());
        }
        lookups.retain(|lookup| !lookup.is_done());
        if lookups.len() >= LOOKUPS_MAX {
            let text = format!("{LOOKUPS_MAX} look-ups of other names are still without an answer");
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
        }
        let (done, found) = watch::channel(None);
        let name = host.to_owned();
        Builder::new().name("resolver".to_owned()).spawn(move || {
            let found = resolve(&name).map_err(|error| cause(error, || File::open("/dev/null")));
            let found = found.map_err(NotFound::from);
            // Nobody listens when the process has other things to do.
            let _ = done.send(Some(found));
        })?;
        lookups.push(Lookup { host: host.to_owned(), found: found.clone() });
        Ok(found)
    }
}
