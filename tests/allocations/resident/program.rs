//! The program as a process of its own, and its far ends.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Duration;

use sluicegate::mqtt::QoS;
use test_support::Process;
use test_support::kernel::{resident_of_files, resident_peak};
use tokio::time::timeout;

use super::far_end::{Acknowledge, Hub, Item, Outlet, Source};

/// How long one mix may take.
const PATIENCE: Duration = Duration::from_secs(100);
/// More than a release build of the program and its libraries have resident, which is 5.4 MiB.
const FILES_BYTES: u64 = 6 << 20;
const IDENTITY: &str =
    "HostName=h.net;GatewayHostName=127.0.0.1;DeviceId=d;ModuleId=m;SharedAccessKey=a2V5";

/// Who the messages come from, and where alerts go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Hub,
    Broker,
}

/// What it takes, from whom, and how it is started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) way: Way,
    pub(super) qos: QoS,
    pub(super) workers: usize,
    pub(super) held_bytes: usize,
}

/// Most bytes that the program had resident until it had sent every alert of the mix.
pub(super) fn peak_bytes(
    run: Run,
    items: &[Item],
    alerts: usize,
    acknowledge: Acknowledge,
) -> usize {
    let Run { way, qos, workers, held_bytes } = run;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    listener.set_nonblocking(true).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluicegate"));
    command.args(["run", "--held-bytes", &held_bytes.to_string(), "--log-level", "error"]);
    command.args(["--workers", &workers.to_string()]);
    match way {
        Way::Hub => command
            .args(["--plain", "--gateway-port", &port])
            .env("EdgeHubConnectionString", IDENTITY),
        Way::Broker => command.args(["--broker", &format!("mqtt://127.0.0.1:{port}")]),
    };
    let program = Process::spawn("sluicegate", &mut command);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = runtime.block_on(async {
        timeout(PATIENCE, async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let source = Source::new(qos, items, alerts);
            match way {
                Way::Hub => Hub::new(source, acknowledge).run(&listener).await,
                Way::Broker => Outlet::new(acknowledge).run(&listener, source).await,
            }
        })
        .await
    });
    done.unwrap_or_else(|_| panic!("{run:?} {items:?}: not all came in {PATIENCE:?}"));
    peak_of(program.id())
}

/// By the kernel's account. Of what is mapped from files counts no more than [`FILES_BYTES`]: a
/// debug build is larger.
fn peak_of(process: u32) -> usize {
    let files = resident_of_files(process).saturating_sub(FILES_BYTES);
    usize::try_from(resident_peak(process) - files).unwrap()
}
