//! `sluicegate run` assembled: threads started, signals awaited, everything stopped in order.

pub mod settings;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::Builder;

use rustls::pki_types::CertificateDer;
use tokio::runtime::{Builder as RuntimeBuilder, Runtime};
use tokio::sync::{Notify, oneshot, watch};
use tracing::info;

use crate::broker::{Context, Login, Outlet, Source};
use crate::host::signals::{self, StopSignals};
use crate::hub::credentials::Credentials;
use crate::hub::link::{HubLink, LinkSettings};
use crate::hub::trust::{Trust, trusting};
use crate::mqtt::linger;
use crate::mqtt::{Peers, Route};
use crate::outbound::dead_letters::DeadLetters;
use crate::pipeline::metrics::Summary;
use crate::pipeline::threshold::{Setting, ThresholdCell};
use crate::pipeline::{Pipeline, SharedPipeline};
use crate::start::StartError;
use settings::{HubSettings, Proof, Settings};

/// Runs until SIGTERM, SIGINT or SIGHUP, then drains and tells what was done.
///
/// # Errors
/// When it cannot start; once started it retries for ever.
pub fn run(settings: Settings) -> Result<Summary, StartError> {
    without_huge_pages();
    let (stop, stopped) = watch::channel(false);
    let wakes = Wakes::default();
    let assembled = Connections::assemble(&settings, &wakes, &stopped)?;
    let pipeline = assembled.pipeline.clone();
    // Before the first connection: whoever sees one may send a signal.
    let waiting = runtime()?;
    let mut signals = {
        let _entered = waiting.enter();
        StopSignals::new()?
    };
    let runtime = runtime()?;
    let (done, finished) = oneshot::channel();
    let ingest = Builder::new().name("ingest".to_owned()).spawn(move || {
        linger::sleep_exactly();
        runtime.block_on(assembled.run());
        // Nobody is there to listen only when the signal thread has failed.
        let _ = done.send(());
    })?;
    waiting.block_on(async {
        tokio::select! {
            signal = signals.wait() => info!("{signal}"),
            _ = finished => {}
        }
    });
    // The connections hold receivers until they end.
    let _ = stop.send(true);
    wakes.notify();
    ingest.join().expect("the ingest thread panicked, which aborts release builds");
    let summary = pipeline.lock().stop();
    Ok(summary)
}

/// Huge pages would make a thread's stack, or a heap of some hundred KiB, resident by 2 MiB each.
/// Where they cannot be switched off, they are there.
fn without_huge_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// What wakes each connection.
#[derive(Clone, Default)]
struct Wakes {
    hub: Arc<Notify>,
    source: Arc<Notify>,
    outlet: Arc<Notify>,
}

impl Wakes {
    fn notify(&self) {
        for wake in [&self.hub, &self.source, &self.outlet] {
            wake.notify_one();
        }
    }
}

/// The connections that the settings ask for, around their pipeline.
struct Connections {
    pipeline: SharedPipeline,
    hub: Option<HubLink>,
    source: Option<Source>,
    outlet: Option<Outlet>,
}

impl Connections {
    fn assemble(
        settings: &Settings,
        wakes: &Wakes,
        stop: &watch::Receiver<bool>,
    ) -> Result<Self, StartError> {
        let setting = Setting { threshold: settings.threshold, version: None };
        let cell = Arc::new(ThresholdCell::new(setting));
        let Settings { workers, held_bytes, linger, path, .. } = settings;
        // Alerts leave by the hub where there is one.
        let outlet = if settings.hub.is_some() { &wakes.hub } else { &wakes.outlet };
        let sources = [Arc::clone(&wakes.hub), Arc::clone(&wakes.source)];
        let pipeline = Pipeline::start(&sources, outlet, *workers, path, *held_bytes, cell)?;
        let pipeline = SharedPipeline::new(pipeline);
        let mut connections = Self { pipeline, hub: None, source: None, outlet: None };
        let pipeline = || connections.pipeline.clone();
        let peers = Peers::default();
        if let Some(hub) = &settings.hub {
            let (wake, stop) = (Arc::clone(&wakes.hub), stop.clone());
            let destination = format!("hub as {}", hub.identity.client_id());
            let dead_letters = DeadLetters::new(&settings.refused_dir, destination);
            let settings = link_settings(hub.clone(), settings)?;
            let link = HubLink::new(settings, pipeline(), wake, stop);
            connections.hub = Some(link.with_peers(peers.clone()).parking_in(dead_letters));
        }
        let Some(broker) = &settings.broker else { return Ok(connections) };
        let login = Login::new(broker, settings.keep_alive).with_peers(peers);
        let (pipeline, stop) = (connections.pipeline.clone(), stop.clone());
        let Settings { puback_timeout, drain_timeout, .. } = *settings;
        let context = Context { pipeline, stop, puback_timeout, drain_timeout };
        if let Some(topics) = &broker.standalone {
            let wake = Arc::clone(&wakes.outlet);
            let outlet = Outlet::new(&login, topics, context.clone(), wake);
            let dead_letters = DeadLetters::new(&settings.refused_dir, login.destination());
            connections.outlet = Some(outlet.parking_in(dead_letters));
        }
        let wake = Arc::clone(&wakes.source);
        connections.source = Some(Source::new(&login, &broker.filters, context, wake, *linger));
        Ok(connections)
    }

    /// All of them on one thread, until the last has ended.
    async fn run(self) {
        let Self { hub, source, outlet, .. } = self;
        let hub = async {
            if let Some(hub) = hub {
                hub.run().await;
            }
        };
        let source = async {
            if let Some(source) = source {
                source.run().await;
            }
        };
        let outlet = async {
            if let Some(outlet) = outlet {
                outlet.run().await;
            }
        };
        tokio::join!(hub, source, outlet);
    }
}

fn link_settings(hub: HubSettings, settings: &Settings) -> Result<LinkSettings, rustls::Error> {
    let (credentials, trust) = match hub.proof {
        Proof::Key { key, roots, ca_file } => (Credentials::Key(key), trust(roots, ca_file)?),
        Proof::Runtime(workload) => {
            (Credentials::Workload(workload.clone()), Trust::bundle(workload))
        }
    };
    // Without TLS there is nobody to trust, and no bundle to fetch.
    let trust = match hub.route {
        Route::Plain | Route::Tcp => Trust::Fixed(trusting([])?),
        Route::Direct | Route::WebSocket { .. } => trust,
    };
    Ok(LinkSettings {
        identity: hub.identity,
        credentials,
        trust,
        port: hub.gateway_port,
        route: hub.route,
        keep_alive: settings.keep_alive,
        token_lifetime: hub.token_lifetime,
        puback_timeout: settings.puback_timeout,
        drain_timeout: settings.drain_timeout,
        linger: settings.linger,
        judge_own_alerts: hub.judge_own_alerts,
    })
}

fn trust(
    roots: Vec<CertificateDer<'static>>,
    ca_file: Option<PathBuf>,
) -> Result<Trust, rustls::Error> {
    match ca_file {
        Some(file) => Trust::file(file, roots),
        None => trusting(roots).map(Trust::Fixed),
    }
}

fn runtime() -> io::Result<Runtime> {
    signals::runtime(RuntimeBuilder::new_current_thread().enable_io().enable_time())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::Identity;
    use crate::pipeline::parse::JsonPath;
    use crate::pipeline::threshold::Threshold;
    use crate::testing::daemon::Daemon;
    use std::time::Duration;
    use tracing_subscriber::filter::LevelFilter;

    /// Inside the runtime roots come from its bundle, unless plain TCP has no use for any.
    #[tokio::test]
    async fn plain_tcp_fetches_no_trust_bundle() {
        let certificate = rcgen::generate_simple_self_signed(vec!["root".to_owned()]).unwrap();
        for (route, fetches) in [(Route::Plain, 0), (Route::Direct, 1)] {
            let daemon = Daemon::start(certificate.cert.pem());
            let hub = HubSettings {
                identity: Identity {
                    hub: "h.net".to_owned(),
                    gateway: "localhost".to_owned(),
                    device: "d".to_owned(),
                    module: Some("m".to_owned()),
                },
                proof: Proof::Runtime(daemon.client()),
                gateway_port: 1,
                route,
                token_lifetime: Duration::from_secs(60),
                judge_own_alerts: false,
            };
            let settings = Settings {
                hub: None,
                broker: None,
                path: JsonPath::default(),
                linger: Duration::ZERO,
                threshold: Threshold::new(25.0).expect("finite"),
                workers: 1,
                keep_alive: Duration::from_secs(60),
                puback_timeout: Duration::from_secs(60),
                drain_timeout: Duration::ZERO,
                held_bytes: 1 << 20,
                refused_dir: "refused".into(),
                log_level: LevelFilter::OFF,
                warnings: Vec::new(),
            };
            let mut link = link_settings(hub, &settings).unwrap();
            link.trust.tls().await.unwrap();
            assert_eq!(daemon.requests().len(), fetches, "{}", link.route);
        }
    }
}
