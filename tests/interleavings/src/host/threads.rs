//! Threads, queues, wake-ups and a cell with the names of the product's, as far as it uses them,
//! each of whose steps shuttle may put off.

use std::collections::VecDeque;
use std::sync::Arc;

use shuttle::sync::{Condvar, Mutex};
pub use shuttle::thread::{Builder, JoinHandle};

/// Both ends of a queue, and who still has one.
#[derive(Debug)]
struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    limit: usize,
    senders: usize,
    receivers: usize,
}

impl<T> Queue<T> {
    /// Changes the state, and wakes all who wait for a change.
    fn change<R>(&self, change: impl FnOnce(&mut State<T>) -> R) -> R {
        let result = change(&mut self.state.lock().expect("no thread panics"));
        self.changed.notify_all();
        result
    }
}

/// The end that puts items in.
#[derive(Debug)]
pub struct Sender<T>(Arc<Queue<T>>);

/// The end that takes them out; several share them.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Queue<T>>);

/// An item that was not taken, as its queue is full or nobody takes from it.
#[derive(Debug)]
pub struct TrySendError<T>(T);

impl<T> TrySendError<T> {
    /// The item.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// A queue of at most `limit` items.
pub fn bounded<T>(limit: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { items: VecDeque::new(), limit, senders: 1, receivers: 1 };
    let queue = Arc::new(Queue { state: Mutex::new(state), changed: Condvar::new() });
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

impl<T> Sender<T> {
    /// Puts an item in, if there is room.
    ///
    /// # Errors
    /// The item comes back when there is none, or nobody takes from the queue.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        self.0.change(|state| {
            if state.items.len() >= state.limit || state.receivers == 0 {
                return Err(TrySendError(item));
            }
            state.items.push_back(item);
            Ok(())
        })
    }

    /// Puts an item in, for one who must never wait for room.
    ///
    /// # Errors
    /// The item comes back when nobody takes from the queue.
    ///
    /// # Panics
    /// When the queue is full: the product promises that no thread waits for a later stage.
    pub fn send(&self, item: T) -> Result<(), TrySendError<T>> {
        let result = self.try_send(item);
        let is_full = || self.0.state.lock().expect("no thread panics").receivers > 0;
        assert!(result.is_ok() || !is_full(), "a thread waits for a later stage");
        result
    }
}

impl<T> Receiver<T> {
    /// Takes an item out, if there is one.
    ///
    /// # Errors
    /// When there is none.
    pub fn try_recv(&self) -> Result<T, Nothing> {
        self.0.change(|state| state.items.pop_front().ok_or(Nothing))
    }
}

/// There is no item.
#[derive(Debug)]
pub struct Nothing;

/// Waits for each item, and ends when nobody puts any in.
impl<T> Iterator for Receiver<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let mut state = self.0.state.lock().expect("no thread panics");
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if state.senders == 0 {
                return None;
            }
            state = self.0.changed.wait(state).expect("no thread panics");
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.change(|state| state.senders += 1);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.0.change(|state| state.receivers += 1);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.change(|state| state.senders -= 1);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.change(|state| state.receivers -= 1);
    }
}

/// One wake-up, kept until somebody waits: what tokio's does for one who waits.
#[derive(Debug, Default)]
pub struct Notify {
    is_due: Mutex<bool>,
    changed: Condvar,
}

impl Notify {
    /// Wakes who waits, or who waits next.
    pub fn notify_one(&self) {
        *self.is_due.lock().expect("no thread panics") = true;
        self.changed.notify_one();
    }

    /// Waits for a wake-up, and takes it.
    pub fn wait(&self) {
        let mut is_due = self.is_due.lock().expect("no thread panics");
        while !*is_due {
            is_due = self.changed.wait(is_due).expect("no thread panics");
        }
        *is_due = false;
    }
}

/// A cell that holds one value.
#[derive(Debug, Default)]
pub struct ArcSwap<T>(Mutex<Arc<T>>);

impl<T> ArcSwap<T> {
    /// A cell that holds `value`.
    pub fn from_pointee(value: T) -> Self {
        Self(Mutex::new(Arc::new(value)))
    }

    /// What it holds now.
    pub fn load(&self) -> Box<Arc<T>> {
        Box::new(Arc::clone(&self.0.lock().expect("no thread panics")))
    }

    /// Replaces what it holds.
    pub fn store(&self, value: Arc<T>) {
        *self.0.lock().expect("no thread panics") = value;
    }
}
