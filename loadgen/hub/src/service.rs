//! The hub's thread: accepts connections, and serves what handles ask for.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

use super::HubError;
use super::admission;
use super::config::INJECTIONS_MAX;
use super::lobby;
use super::methods::MethodCall;
use super::recorder;
use super::state::HubState;
use super::stream::Door;
use super::targets::Offer;
use super::telemetry::{HubMessage, Telemetry, Unroutable};
use super::workload::Workload;

/// How often a full `$upstream` queue is looked at while someone waits for its readers: they run
/// in other threads and wake nobody here.
const UPSTREAM_RETRY: Duration = Duration::from_millis(1);

/// Longest sleep without anything to wait for.
const IDLE: Duration = Duration::from_secs(3600);

/// A question to the state, answered through whatever the closure captured.
pub(super) type Question = Box<dyn FnOnce(&mut HubState) + Send>;

/// What a handle asks of the hub's thread.
pub(super) enum Command {
    /// Look at or change the state.
    Ask(Question),
    /// Send messages, as room allows.
    Inject(Injection),
    /// Call a direct method.
    Call(MethodCall),
    /// Close everything and end.
    Stop,
}

/// Messages on their way into the stores.
pub(super) struct Injection {
    /// Sending module.
    pub(super) source: String,
    pub(super) path: Path,
    pub(super) messages: std::vec::IntoIter<HubMessage>,
    /// Taken from `messages`, found no room.
    pub(super) held: Option<Telemetry<'static>>,
    /// Messages taken by the stores (or dropped by rule) so far.
    pub(super) accepted: usize,
    pub(super) deadline: Instant,
    pub(super) reply: Sender<Result<(), HubError>>,
}

/// Which way injected messages go.
pub(super) enum Path {
    /// Through the routes, as sent to this output.
    Output(String),
    /// Into this input of this module.
    Input(String, String),
}

/// Where clients come in.
pub(super) struct Listeners {
    /// MQTT, directly or over WebSocket.
    pub(super) doors: Vec<(std::net::TcpListener, Door)>,
    pub(super) tls: TlsAcceptor,
    /// The workload API.
    pub(super) workload: Workload,
}

/// Runs the hub until it is told to stop.
///
/// # Errors
/// The runtime does not take a listener.
pub(super) async fn serve(
    hub: Rc<RefCell<HubState>>,
    listeners: Listeners,
    commands: Receiver<Command>,
    wake: Arc<Notify>,
) -> Result<(), HubError> {
    let local = LocalSet::new();
    let Listeners { doors, tls, workload } = listeners;
    local
        .run_until(async {
            workload.spawn(&hub).map_err(HubError::Thread)?;
            for (listener, door) in doors {
                let listener = TcpListener::from_std(listener).map_err(HubError::Thread)?;
                tokio::task::spawn_local(accept(Rc::clone(&hub), listener, door, tls.clone()));
            }
            let writer = tokio::task::spawn_local(recorder::run(Rc::clone(&hub)));
            serve_commands(Rc::clone(&hub), commands, wake).await;
            if let Some(durable) = &mut hub.borrow_mut().durable {
                durable.stop();
            }
            writer.await.map_err(|error| HubError::Thread(std::io::Error::other(error)))?
        })
        .await
    // Dropping the set drops every connection.
}

async fn accept(hub: Rc<RefCell<HubState>>, listener: TcpListener, door: Door, tls: TlsAcceptor) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                if !hub.borrow_mut().has_room_in_lobby() {
                    continue;
                }
                hub.borrow_mut().counters.sockets += 1;
                let (hub, tls) = (Rc::clone(&hub), tls.clone());
                tokio::task::spawn_local(async move {
                    admission::serve(Rc::clone(&hub), socket, tls, door).await;
                    hub.borrow_mut().counters.sockets -= 1;
                });
                // Who was sent away for it leaves before the next one comes.
                tokio::task::yield_now().await;
            }
            Err(error) => lobby::recover(&error, || hub.borrow_mut().shed_oldest()).await,
        }
    }
}

async fn serve_commands(
    hub: Rc<RefCell<HubState>>,
    commands: Receiver<Command>,
    wake: Arc<Notify>,
) {
    let room = Rc::clone(&hub.borrow().service);
    let mut injections: Vec<Injection> = Vec::new();
    loop {
        let Ok(next) = work_off_commands(&mut hub.borrow_mut(), &commands, &mut injections) else {
            return;
        };
        tokio::select! {
            () = wake.notified() => {}
            () = room.notified() => {}
            () = tokio::time::sleep_until(next.into()) => {}
        }
    }
}

/// The hub has been told to stop, or its handle is gone.
struct Stopped;

/// Takes what has been asked, moves what can be moved, and gives the instant to come back.
fn work_off_commands(
    state: &mut HubState,
    commands: &Receiver<Command>,
    injections: &mut Vec<Injection>,
) -> Result<Instant, Stopped> {
    receive_commands(state, commands, injections)?;
    Ok(work(state, injections))
}

fn receive_commands(
    state: &mut HubState,
    commands: &Receiver<Command>,
    injections: &mut Vec<Injection>,
) -> Result<(), Stopped> {
    loop {
        match commands.try_recv() {
            Ok(Command::Ask(question)) => question(state),
            Ok(Command::Call(call)) => state.start_call(call),
            Ok(Command::Inject(injection)) if injections.len() < INJECTIONS_MAX => {
                injections.push(injection);
            }
            Ok(Command::Inject(injection)) => {
                // The caller has a buffer for exactly one answer.
                let _ = injection.reply.try_send(Err(HubError::Busy));
            }
            Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return Err(Stopped),
            Err(TryRecvError::Empty) => return Ok(()),
        }
    }
}

/// Moves what can be moved, and gives the instant to come back at the latest.
fn work(state: &mut HubState, injections: &mut Vec<Injection>) -> Instant {
    let now = Instant::now();
    if state.upstream_blocked && state.upstream.has_room() {
        state.upstream_blocked = false;
        state.announce_upstream_room();
    }
    if let Some(durable) = &mut state.durable {
        durable.release_upstream();
    }
    injections.retain_mut(|injection| !injection.advance(state, now));
    state.service_waits = !injections.is_empty();
    let calls = state.calls.expire(now);
    state.save();
    let next = now + if state.upstream_blocked { UPSTREAM_RETRY } else { IDLE };
    let deadlines = injections.iter().map(|injection| injection.deadline).chain(calls);
    deadlines.fold(next, Instant::min)
}

impl Injection {
    /// Offers messages until one finds no room; `true` when the injection is over.
    fn advance(&mut self, state: &mut HubState, now: Instant) -> bool {
        loop {
            let telemetry = match self.held.take() {
                Some(held) => held,
                None => match self.messages.next() {
                    Some(message) => match self.prepare(state, message) {
                        Ok(telemetry) => telemetry,
                        Err(problem) => {
                            let accepted = self.accepted;
                            return self.finish(Err(HubError::Message { accepted, problem }));
                        }
                    },
                    None => return self.finish(Ok(())),
                },
            };
            match self.offer(state, &telemetry, now) {
                Ok(Offer::Taken) => self.accepted += 1,
                Ok(Offer::NoRoom) if now < self.deadline => {
                    self.held = Some(telemetry);
                    return false;
                }
                Ok(Offer::NoRoom) => {
                    return self.finish(Err(HubError::Full { accepted: self.accepted }));
                }
                Err(error) => return self.finish(Err(error)),
            }
        }
    }

    fn finish(&self, result: Result<(), HubError>) -> bool {
        // The caller has a buffer for exactly one answer.
        let _ = self.reply.try_send(result);
        true
    }

    fn prepare(
        &self,
        state: &HubState,
        message: HubMessage,
    ) -> Result<Telemetry<'static>, Unroutable> {
        let mut properties = message.properties;
        if let Path::Output(output) = &self.path {
            properties.set("$.on", Some(output));
        }
        let device = state.config.manifest.device.clone();
        Telemetry::new(device.into(), Some(self.source.clone().into()), properties, message.body)
    }

    fn offer(
        &self,
        state: &mut HubState,
        telemetry: &Telemetry<'_>,
        now: Instant,
    ) -> Result<Offer, HubError> {
        match &self.path {
            Path::Output(_) => {
                let offer = state.route(telemetry, now);
                state.counters.telemetry_received += u64::from(offer == Offer::Taken);
                Ok(offer)
            }
            Path::Input(module, input) => {
                let peer = state
                    .peer_of_module(module)
                    .ok_or_else(|| HubError::UnknownModule(module.clone()))?;
                Ok(state.offer_to_input(telemetry, peer, input, now))
            }
        }
    }
}
