//! The hub's end of the control socket.
//!
//! Runs on the caller's runtime. Bounds: [`CONNECTIONS_MAX`] connections (further ones wait in the
//! socket's backlog), [`REQUEST_WAIT`] for the request line, and those of `unread` for monitors.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use rustix::io::Errno;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::message::MonitoredMessage;
use super::socket::ControlSocket;
use super::unread::{Next, Unread};
use super::{Answer, METHOD_TIMEOUT_S_MAX, REQUEST_BYTES_LIMIT, Request, environment};
use crate::cli::sensors::SensorControl;
use loadgen_hub::{HubError, HubHandle};

/// Connections served at once; also the most threads that wait for the hub.
pub(crate) const CONNECTIONS_MAX: usize = 32;
/// The port that every SDK dials.
const SDK_PORT: u16 = 8883;
/// How long a client may take to send its request.
const REQUEST_WAIT: Duration = Duration::from_secs(10);
/// Pause after an accept that failed for want of a descriptor, before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);
/// How often the pump looks whether it shall end.
const PUMP_WAIT: Duration = Duration::from_millis(100);

/// Everything a request may need.
#[derive(Clone)]
pub(crate) struct ControlServer {
    hub: Arc<HubHandle>,
    sensors: SensorControl,
    unread: Arc<Unread>,
}

impl ControlServer {
    /// A server for this hub and these simulated sensors.
    pub(crate) fn new(hub: Arc<HubHandle>, sensors: SensorControl) -> Self {
        let unread = Arc::new(Unread::new(hub.is_durable()));
        Self { hub, sensors, unread }
    }

    /// Starts the thread that takes upstream messages from the hub to the monitors.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn start_pump(&self, stop: Arc<AtomicBool>) -> io::Result<JoinHandle<()>> {
        let (hub, unread) = (Arc::downgrade(&self.hub), Arc::clone(&self.unread));
        let queue = self.hub.upstream();
        std::thread::Builder::new().name("monitor".to_owned()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                match queue.recv_timeout(PUMP_WAIT) {
                    Ok(message) => {
                        let (gone, dropped) = unread.push(message);
                        if let Some((hub, number)) = hub.upgrade().zip(gone) {
                            hub.release_upstream(number);
                            note_dropped(dropped);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            unread.close();
        })
    }

    /// Serves until the listener fails or the future is dropped.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub(crate) async fn serve(&self, socket: &ControlSocket) -> io::Result<()> {
        let listener = socket.listener().try_clone()?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) if is_shortage(&error) => {
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let server = self.clone();
            tokio::spawn(async move {
                // A client that went away needs no answer.
                let _ = server.connection(stream).await;
                drop(place);
            });
        }
    }

    async fn connection(self, stream: UnixStream) -> io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let line = tokio::time::timeout(REQUEST_WAIT, request_line(&mut reader)).await;
        let request = match line {
            Ok(line) => parse_request(&line?),
            Err(_) => Err(error(408, "the request did not come in time")),
        };
        match request {
            Ok(Request::Monitor { only_new }) => self.monitor(only_new, reader, writer).await,
            Ok(request) => {
                let answer = tokio::task::spawn_blocking(move || self.answer(request)).await;
                let answer = answer.unwrap_or_else(|_| error(500, "the request failed"));
                send(&mut writer, &answer).await
            }
            Err(answer) => send(&mut writer, &answer).await,
        }
    }

    /// Answers everything but a monitor; waits for the hub, within the hub's bounds.
    fn answer(&self, request: Request) -> Answer {
        match request {
            Request::TwinGet { module } => match self.hub.twin(&module) {
                Ok(document) => Answer::Twin { document },
                Err(failure) => error(400, &failure.to_string()),
            },
            Request::TwinSet { module, patch } => match self.hub.set_desired(&module, patch) {
                Ok(version) => Answer::Version { version },
                Err(failure) => error(status_of(&failure), &failure.to_string()),
            },
            Request::Method { module, name, payload, timeout_s } => {
                self.method(&module, &name, payload, timeout_s)
            }
            Request::Environment { module, runtime } => {
                let variables = if runtime {
                    self.hub.runtime_environment(&module)
                } else {
                    self.hub.environment(&module)
                };
                let deployed = self.hub.deployed_environment(&module);
                match variables.and_then(|variables| Ok((variables, deployed?))) {
                    Ok((variables, deployed)) => {
                        let own = with_port(variables, self.hub.address());
                        let (variables, left_out) = environment::merge(own, deployed);
                        Answer::Environment { variables, left_out }
                    }
                    Err(failure) => error(404, &failure.to_string()),
                }
            }
            Request::Enrollment { registration } => {
                match self.hub.enrollment_environment(&registration) {
                    Ok(variables) => Answer::Environment { variables, left_out: Vec::new() },
                    Err(failure) => error(404, &failure.to_string()),
                }
            }
            Request::Monitor { .. } => error(500, "a monitor is served elsewhere"),
        }
    }

    fn method(&self, module: &str, name: &str, payload: Value, timeout_s: u64) -> Answer {
        // A simulated sensor has no connection of its own; a real module of its name wins.
        if !self.hub.is_connected(module)
            && let Some(status) = self.sensors.method(module, name)
        {
            return Answer::Method { status, payload: Value::Null };
        }
        let timeout = Duration::from_secs(timeout_s.clamp(1, METHOD_TIMEOUT_S_MAX));
        match self.hub.call_method(module, name, payload, timeout) {
            Ok((status, payload)) => Answer::Method { status, payload },
            Err(failure) => error(failure.status(), &failure.to_string()),
        }
    }

    async fn monitor(
        self,
        only_new: bool,
        mut reader: BufReader<OwnedReadHalf>,
        mut writer: OwnedWriteHalf,
    ) -> io::Result<()> {
        let (mut messages, unread, passed_over) = self.unread.read(only_new);
        if let Some(number) = passed_over {
            self.hub.release_upstream(number);
        }
        // The hub ends when nobody has it any more.
        let hub = Arc::downgrade(&self.hub);
        drop(self);
        send(&mut writer, &Answer::Listening { unread }).await?;
        let mut shown = [0; 256];
        loop {
            let next = tokio::select! {
                biased;
                // A byte for each message that was shown; none when the client has gone.
                count = reader.read(&mut shown) => match count? {
                    0 => return Ok(()),
                    count => {
                        if let Some((hub, number)) = hub.upgrade().zip(messages.shown(count)) {
                            hub.release_upstream(number);
                        }
                        continue;
                    }
                },
                next = messages.next() => next,
            };
            match next {
                Some(Next::Message(message)) => {
                    let answer = MonitoredMessage::from(&*message);
                    send(&mut writer, &Answer::Message(Box::new(answer))).await?;
                    messages.sent(&message);
                }
                Some(Next::Lost(count)) => send(&mut writer, &Answer::Lost { count }).await?,
                None => return Ok(()),
            }
        }
    }
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// A line at 1, 2, 4, 8, ... of them.
fn note_dropped(dropped: u64) {
    if dropped.is_power_of_two() {
        tracing::warn!(
            total = dropped,
            "messages upstream dropped: no monitor reads them, and no more are kept"
        );
    }
}

async fn request_line(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let limit = REQUEST_BYTES_LIMIT as u64 + 1;
    reader.take(limit).read_until(b'\n', &mut line).await?;
    Ok(line)
}

fn parse_request(line: &[u8]) -> Result<Request, Answer> {
    if line.len() > REQUEST_BYTES_LIMIT {
        let text = format!("the request is longer than {REQUEST_BYTES_LIMIT} bytes");
        return Err(error(413, &text));
    }
    serde_json::from_slice(line)
        .map_err(|failure| error(400, &format!("the request is not understood: {failure}")))
}

async fn send(writer: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(io::Error::other)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// The caller's fault, or the hub's.
fn status_of(failure: &HubError) -> u32 {
    match failure {
        HubError::NotSaved { .. } | HubError::Stopped => 500,
        _ => 400,
    }
}

fn error(status: u32, text: &str) -> Answer {
    Answer::Error { status, text: text.to_owned() }
}

/// SDKs know one port only; sluicegate can be told another, and would wait at the usual one.
fn with_port(
    mut variables: Vec<(String, String)>,
    hub: std::net::SocketAddr,
) -> Vec<(String, String)> {
    if hub.port() != SDK_PORT {
        variables.push(("SLUICEGATE_GATEWAY_PORT".to_owned(), hub.port().to_string()));
    }
    variables
}
