//! `sluicegate run` assembled: threads started, signals awaited, everything stopped in order.

use std::io;
use std::sync::Arc;
use std::thread::Builder;

use tokio::runtime::{Builder as RuntimeBuilder, Runtime};
use tokio::sync::{Notify, oneshot, watch};
use tracing::info;

use crate::credentials::Credentials;
use crate::link::{Link, LinkSettings, Summary};
use crate::mqtt::Route;
use crate::pool::Pool;
use crate::settings::{HubSettings, Proof, Settings};
use crate::signals::StopSignals;
use crate::threshold::{Setting, ThresholdCell};
use crate::trust::{Trust, trusting};

/// Why the module could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system refused a thread, a timer or a signal handler.
    #[error("the system refused a thread or a signal handler: {0}")]
    System(#[from] io::Error),
    /// The certificates cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The settings ask for what is not there yet.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// Runs until SIGTERM, SIGINT or SIGHUP, then drains and tells what was done.
///
/// # Errors
/// When it cannot start; once started it retries for ever.
pub fn run(settings: Settings) -> Result<Summary, StartError> {
    let Settings { hub: Some(hub), broker: None, .. } = &settings else {
        return Err(StartError::Unsupported(
            "a plain broker as source (--broker) is not served yet: give a hub identity alone",
        ));
    };
    let link_settings = link_settings(hub.clone(), &settings)?;
    let wake = Arc::new(Notify::new());
    let (stop, stopped) = watch::channel(false);
    let cell =
        Arc::new(ThresholdCell::new(Setting { threshold: settings.threshold, version: None }));
    // The ingest thread does not parse yet: somebody has to.
    let workers = settings.workers.max(1);
    let pool = Pool::start(workers, &settings.path, &wake)?;
    let link = Link::new(link_settings, pool, Arc::clone(&wake), stopped, cell);
    let runtime = runtime()?;
    let (done, finished) = oneshot::channel();
    let ingest = Builder::new().name("ingest".to_owned()).spawn(move || {
        let summary = run_to_end(runtime, link.run());
        // Nobody is there to listen only when the signal thread has failed.
        let _ = done.send(());
        summary
    })?;
    crate::module::runtime()?.block_on(async {
        let mut signals = StopSignals::new()?;
        tokio::select! {
            signal = signals.wait() => info!("{signal}"),
            _ = finished => {}
        }
        Ok::<_, io::Error>(())
    })?;
    // The link holds the receiver until it ends.
    let _ = stop.send(true);
    wake.notify_one();
    Ok(ingest.join().expect("the ingest thread panicked, which aborts release builds"))
}

fn link_settings(hub: HubSettings, settings: &Settings) -> Result<LinkSettings, rustls::Error> {
    let (credentials, trust) = match hub.proof {
        Proof::Key { key, roots } => (Credentials::Key(key), Trust::Fixed(trusting(roots)?)),
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
        drain_timeout: settings.drain_timeout,
        held_bytes_max: settings.held_bytes,
    })
}

fn runtime() -> io::Result<Runtime> {
    RuntimeBuilder::new_current_thread().enable_io().enable_time().build()
}

/// Runs `future` to its end. A name look-up under way is left behind: dropping the runtime would
/// wait for the system's resolver, which answers when it likes and cannot be interrupted.
pub(crate) fn run_to_end<T>(runtime: Runtime, future: impl Future<Output = T>) -> T {
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::Identity;
    use crate::parse::JsonPath;
    use crate::threshold::Threshold;
    use crate::workload::daemon::Daemon;
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
            };
            let settings = Settings {
                hub: None,
                broker: None,
                path: JsonPath::default(),
                linger: Duration::ZERO,
                threshold: Threshold::new(25.0).expect("finite"),
                workers: 1,
                keep_alive: Duration::from_secs(60),
                drain_timeout: Duration::ZERO,
                held_bytes: 1 << 20,
                log_level: LevelFilter::OFF,
            };
            let mut link = link_settings(hub, &settings).unwrap();
            link.trust.tls().await.unwrap();
            assert_eq!(daemon.requests().len(), fetches, "{}", link.route);
        }
    }

    /// The end does not wait for a blocking call under way, such as a name look-up.
    #[test]
    fn a_blocking_call_does_not_delay_the_end() {
        let (begun, beginning) = oneshot::channel();
        let (release, released) = crossbeam_channel::bounded::<()>(1);
        let (ended, end) = crossbeam_channel::bounded(1);
        let caller = std::thread::spawn(move || {
            run_to_end(runtime().unwrap(), async {
                tokio::task::spawn_blocking(move || {
                    begun.send(()).unwrap();
                    // Until the test has seen the end, or has failed.
                    let _ = released.recv();
                });
                beginning.await.unwrap();
            });
            ended.send(()).unwrap();
        });
        let outcome = end.recv_timeout(Duration::from_secs(20));
        drop(release);
        caller.join().unwrap();
        assert!(outcome.is_ok(), "the end waited for the blocking call");
    }
}
