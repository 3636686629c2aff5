//! `loadgen hub`: the development hub, its simulated sensors and its control socket.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use sluicegate::azure::Key;
use sluicegate::host::files;
use sluicegate::host::logging::Log;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::control::server::{CONNECTIONS_MAX, ControlServer};
use super::control::socket::ControlSocket;
use super::control::socket_path;
use super::output::{note, note_in, print};
use super::sensors::{Destination, Sensor, SensorThread, clock_seed};
use super::text::parse_duration;
use super::{CommandError, EXIT_BAD_DATA, EXIT_USAGE, STATE_DEFAULT, descriptors, signals};
use loadgen_hub::manifest::{Manifest, Module, ModuleStatus, PROBLEMS_LISTED_LIMIT};
use loadgen_hub::simulator::{OUTPUT, Simulator, SimulatorSettings, is_simulated_sensor};
use loadgen_hub::{
    GroupKey, Hub, HubConfig, HubError, HubFault, HubHandle, HubMessage, ProvisioningConfig,
    host_name,
};

mod greeting;
mod port_owner;

use greeting::Greeting;
use port_owner::PortOwner;

/// Time between two messages of a simulated sensor whose manifest names none. The module's own
/// default is 5 s, which is slow to watch.
const MESSAGE_DELAY_DEFAULT: Duration = Duration::from_secs(1);
/// How long a sensor waits when its module's store is full, before its message is lost.
const PUBLISH_WAIT: Duration = Duration::from_secs(1);
/// How long requests in progress may hold up the end.
const REQUESTS_WAIT: Duration = Duration::from_secs(1);

/// Most that is read of a file that can be one key.
const KEY_FILE_BYTES_MAX: u64 = 4096;

#[derive(Debug, Args)]
pub(crate) struct HubArgs {
    /// Deployment manifest or template; without one: a simulated sensor, the filter, upstream.
    /// Given again, a layered deployment to put over it; the last one wins
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
    /// Folder for certificates, keys, twins, sessions and messages; created when absent
    #[arg(long, value_name = "DIR", default_value = STATE_DEFAULT)]
    state: PathBuf,
    /// Keep messages on disk from before their PUBACK until they are delivered: a killed hub loses
    /// none. `--durable=false` keeps them in memory alone
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true",
        num_args = 0..=1, action = clap::ArgAction::Set)]
    durable: bool,
    /// As `--durable=false`
    #[arg(long, conflicts_with = "durable")]
    no_durable: bool,
    /// Address to listen on; official SDKs know no other port than 8883
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8883")]
    listen: SocketAddr,
    /// Address for MQTT over WebSocket [default: none]; official SDKs know no other port than 443
    #[arg(long, value_name = "ADDRESS")]
    listen_websocket: Option<SocketAddr>,
    /// Input messages in flight per module; a real edge hub has 1
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=65_535))]
    window: usize,
    /// How long an input message may stay unacknowledged before it is sent again
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    ack_timeout: Duration,
    /// Close a connection when its token has expired, as an edge hub does
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true",
        num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    expire_tokens: bool,
    /// How long past its expiry a token is accepted
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    token_skew: Duration,
    /// File with the key of the enrollment group, in base64 [default: one of the hub's own]
    #[arg(long, value_name = "FILE")]
    enrol_group_key_file: Option<PathBuf>,
    /// Start no simulated sensor
    #[arg(long)]
    no_simulator: bool,
    /// Time between two messages of each simulated sensor [default: the manifest's, else 1s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    message_delay: Option<Duration>,
    /// What the hub does wrong: `early-connect` loses a CONNECT that comes together with the end
    /// of the TLS handshake, as edgeHub 1.6.0 and 1.6.1 do
    #[arg(long, value_name = "FAULT")]
    fault: Option<HubFault>,
}

pub(crate) fn run(args: HubArgs) -> Result<(), CommandError> {
    let _log = start_log().map_err(CommandError::no_start)?;
    descriptors::raise_limit();
    let manifest = read_manifest(&args.manifest)?;
    let group_key = args.enrol_group_key_file.as_deref().map(read_key).transpose()?;
    let provisioning = ProvisioningConfig {
        group_key: group_key.map_or_else(GroupKey::default, GroupKey::Given),
        ..ProvisioningConfig::default()
    };
    let sensors =
        if args.no_simulator { Vec::new() } else { sensors(&manifest, args.message_delay)? };
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(CONNECTIONS_MAX);
    let runtime =
        sluicegate::host::signals::runtime(&mut builder).map_err(CommandError::no_start)?;
    let stopped = stopped(&runtime)?;
    let host_name = host_name(args.listen, args.listen_websocket)
        .map_err(|error| CommandError::usage(format!("--listen, --listen-websocket: {error}")))?;
    let greeting = Greeting::new(&manifest, &sensors, &args.state);
    // Before anything in the folder is touched: another hub's folder is the likeliest mistake.
    ControlSocket::check(&socket_path(&args.state)).map_err(CommandError::unavailable)?;
    let hub = start_hub(HubConfig {
        listen: args.listen,
        listen_websocket: args.listen_websocket,
        state_dir: args.state.clone(),
        manifest,
        host_name,
        window: args.window,
        ack_timeout: args.ack_timeout,
        close_on_token_expiry: args.expire_tokens,
        token_skew: args.token_skew,
        provisioning,
        publish_timeout: PUBLISH_WAIT,
        durable: args.durable && !args.no_durable,
        fault: args.fault,
        ..HubConfig::default()
    })?;
    let hub = Arc::new(hub);
    let socket =
        ControlSocket::bind(&socket_path(&args.state)).map_err(CommandError::unavailable)?;
    let failed = CommandError::no_start;
    let thread =
        SensorThread::start(sensors, HubDestination { hub: Arc::clone(&hub), failing: false })
            .map_err(failed)?;
    let server = ControlServer::new(Arc::clone(&hub), thread.control());
    let stop_pump = Arc::new(AtomicBool::new(false));
    let pump = server.start_pump(Arc::clone(&stop_pump)).map_err(failed)?;
    // A reader that has gone is as good as a signal: stopped in order, and no error.
    let served = greeting
        .print(&hub)
        .and_then(|()| serve(&runtime, &server, &socket, stopped).map_err(failed))
        .and_then(|()| print("stopping"));
    drop(socket);
    runtime.shutdown_timeout(REQUESTS_WAIT);
    thread.stop();
    stop_pump.store(true, Ordering::Relaxed);
    // A panic in the thread was already printed by the panic hook.
    let _ = pump.join();
    let farewell = greeting::farewell(&hub);
    // A method call that still waits for its module holds the hub too; then it ends with us.
    drop(server);
    let saved = match Arc::into_inner(hub) {
        Some(hub) => hub.finish().map_err(|error| CommandError::unavailable(error.to_string())),
        None => Ok(()),
    };
    served.and(farewell).and(saved)
}

/// What hears of a signal to stop, from a thread of its own: this one may wait for whoever reads
/// the greeting.
fn stopped(runtime: &tokio::runtime::Runtime) -> Result<oneshot::Receiver<()>, CommandError> {
    let (stop, stopped) = oneshot::channel();
    let on_stop = move || {
        // Nobody is there to listen when the hub ends already.
        let _ = stop.send(());
    };
    signals::on_stop(on_stop).map_err(CommandError::no_start)?;
    {
        let _context = runtime.enter();
        signals::outlive_file_limit().map_err(CommandError::no_start)?;
    }
    Ok(stopped)
}

/// Connections, refusals and dropped messages, with their reasons; the hub waits for no reader.
fn start_log() -> io::Result<Log> {
    let errors = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let log = Log::start(errors, |count| format!("loadgen: {count} lines of this log dropped\n"))?;
    note_in(log.lines());
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_target(false)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(log.lines())
        .finish();
    // Fails only when a subscriber is set: in tests, and then that one is wanted.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(log)
}

/// Serves the control socket until a signal comes.
fn serve(
    runtime: &Runtime,
    server: &ControlServer,
    socket: &ControlSocket,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    runtime.block_on(async {
        tokio::select! {
            _ = stopped => Ok(()),
            served = server.serve(socket) => served,
        }
    })
}

fn read_manifest(paths: &[PathBuf]) -> Result<Manifest, CommandError> {
    if paths.is_empty() {
        return Ok(Manifest::built_in());
    }
    let manifest = Manifest::from_files(paths)
        .map_err(|error| CommandError { code: EXIT_BAD_DATA, text: error.to_string() })?;
    for warning in manifest.warnings.iter().take(PROBLEMS_LISTED_LIMIT) {
        note(format_args!("loadgen: warning: {warning}"));
    }
    if let Some(more @ 1..) = manifest.warnings.len().checked_sub(PROBLEMS_LISTED_LIMIT) {
        note(format_args!("loadgen: warning: and {more} more"));
    }
    Ok(manifest)
}

/// The key in a file, white space around it ignored.
fn read_key(path: &Path) -> Result<Key, CommandError> {
    let refused = |reason: &dyn fmt::Display| {
        let text = format!("--enrol-group-key-file {}: {reason}", path.display());
        CommandError { code: EXIT_USAGE, text }
    };
    let text = files::read_text(path, KEY_FILE_BYTES_MAX).map_err(|problem| refused(&problem))?;
    Key::from_base64(text.trim()).map_err(|error| refused(&error))
}

/// Starts the hub, or says what to do.
pub(crate) fn start_hub(config: HubConfig) -> Result<HubHandle, CommandError> {
    let websocket = config.listen_websocket;
    Hub::start(config).map_err(|error| {
        let advice = match &error {
            HubError::Listen { address, .. } if is_address_in_use(&error) => {
                let flag =
                    if websocket == Some(*address) { "--listen-websocket" } else { "--listen" };
                let stop = who_has(address.port());
                format!(": {stop}, or choose another port with {flag} {}:PORT", address.ip())
            }
            _ => String::new(),
        };
        CommandError::unavailable(format!("{error}{advice}"))
    })
}

/// Who has the port, and how that ends.
fn who_has(port: u16) -> String {
    match PortOwner::find(port) {
        Some(owner) => format!("{owner} has port {port}: `kill {}` stops it", owner.id),
        None => format!(
            "another program has port {port} (`ss -ltnp 'sport = :{port}'` names it): stop it"
        ),
    }
}

/// Whether the port is somebody else's.
pub(crate) fn is_address_in_use(error: &HubError) -> bool {
    matches!(error, HubError::Listen { error, .. } if error.kind() == io::ErrorKind::AddrInUse)
}

/// The simulated sensors of a manifest: modules that run and are one by image or name.
fn sensors(manifest: &Manifest, delay: Option<Duration>) -> Result<Vec<Sensor>, CommandError> {
    let simulated = manifest.modules.values().filter(|module| {
        module.status == ModuleStatus::Running && is_simulated_sensor(&module.name, &module.image)
    });
    let seed = clock_seed();
    let (mut sensors, mut problems) = (Vec::new(), Vec::new());
    for (number, module) in (0u64..).zip(simulated) {
        match sensor_settings(module, delay) {
            Ok(settings) => sensors.push(Sensor {
                name: module.name.clone(),
                simulator: Simulator::new(settings, seed.wrapping_add(number)),
            }),
            Err(texts) => problems
                .extend(texts.iter().map(|text| format!("\n  module {}: env {text}", module.name))),
        }
    }
    if problems.is_empty() {
        Ok(sensors)
    } else {
        let text = format!("simulated sensors cannot start:{}", problems.concat());
        Err(CommandError { code: EXIT_BAD_DATA, text })
    }
}

fn sensor_settings(
    module: &Module,
    delay: Option<Duration>,
) -> Result<SimulatorSettings, Vec<String>> {
    let defaults =
        SimulatorSettings { message_delay: MESSAGE_DELAY_DEFAULT, ..SimulatorSettings::default() };
    let mut settings = defaults.with_environment(&module.env)?;
    settings.message_delay = delay.unwrap_or(settings.message_delay);
    Ok(settings)
}

/// Publishes to the hub, and has the sensors' twins and inputs from there.
struct HubDestination {
    hub: Arc<HubHandle>,
    /// The last publish failed: said once, not for each message.
    failing: bool,
}

impl Destination for HubDestination {
    fn publish(&mut self, sensor: &str, _temperature: f64, message: HubMessage) {
        match self.hub.publish_as(sensor, OUTPUT, vec![message]) {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                note(format_args!("loadgen: messages of {sensor} are lost: {error}"));
            }
            Err(_) => {}
        }
    }

    fn desired(&mut self, sensor: &str) -> Option<Value> {
        self.hub.twin(sensor).ok().map(|mut twin| twin["desired"].take())
    }

    fn report(&mut self, sensor: &str, patch: Value) {
        if let Err(error) = self.hub.report(sensor, patch) {
            note(format_args!("loadgen: {sensor} cannot report its properties: {error}"));
        }
    }

    fn drain_inputs(&mut self, sensor: &str, messages_max: usize) -> Vec<(String, HubMessage)> {
        // A connected client of that name takes its messages itself.
        self.hub.drain_inputs(sensor, messages_max).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
