//! A gateway by script, for what the hub never does: refuse with any code, speak one TLS version.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, bounded};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{
    ProtocolVersion, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};
use tempfile::NamedTempFile;

use super::{MODULE, patience, sluicegate};

/// Connections whose course is kept for the test.
const KEPT: usize = 1_000;
/// First byte of CONNECT and of SUBSCRIBE (MQTT 3.1.1 §3.1.1, §3.8.1).
const CONNECT: u8 = 0x10;
pub(crate) const SUBSCRIBE: u8 = 0x82;

/// A listener that answers each CONNECT with one return code, one connection after the other.
pub(crate) struct Gateway {
    address: SocketAddr,
    ca: NamedTempFile,
    /// Of each connection that was accepted: its TLS version, and the first byte after CONNACK.
    pub(crate) accepted: Receiver<(ProtocolVersion, u8)>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Answers with CONNACK `code` over any of the TLS `versions`.
    pub(crate) fn start(versions: &[&'static SupportedProtocolVersion], code: u8) -> Self {
        Self::serving(versions, code, false)
    }

    /// Accepts what does not come together with the end of the handshake; that is lost.
    pub(crate) fn losing_early() -> Self {
        Self::serving(rustls::ALL_VERSIONS, 0, true)
    }

    fn serving(
        versions: &[&'static SupportedProtocolVersion],
        code: u8,
        loses_early: bool,
    ) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let mut ca = NamedTempFile::new().unwrap();
        ca.write_all(made.cert.pem().as_bytes()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let tls = Arc::new(tls);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, accepted) = bounded(KEPT);
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                // A module that gives up or is killed is the test's to judge.
                if let Ok(course) = socket.and_then(|socket| serve(socket, &tls, code, loses_early))
                {
                    let _ = sender.try_send(course);
                }
            }
        });
        Self { address, ca, accepted, over, thread: Some(thread) }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The file of its root.
    pub(crate) fn ca(&self) -> &Path {
        self.ca.path()
    }

    /// The command of `sluicegate run` for a module of this gateway.
    pub(crate) fn command(&self) -> Command {
        const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        let identity = format!(
            "HostName=h.net;GatewayHostName=localhost;DeviceId=edge1;ModuleId={MODULE};\
             SharedAccessKey={KEY}"
        );
        let mut command = sluicegate();
        command
            .arg("run")
            .env("EdgeHubConnectionString", identity)
            .env("EdgeModuleCACertificateFile", self.ca.path())
            .env("SLUICEGATE_GATEWAY_PORT", self.address.port().to_string());
        command
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener; when it has ended already there is nobody to wake.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    socket: TcpStream,
    tls: &Arc<ServerConfig>,
    code: u8,
    loses_early: bool,
) -> io::Result<(ProtocolVersion, u8)> {
    socket.set_read_timeout(Some(patience()))?;
    let session = ServerConnection::new(Arc::clone(tls)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, socket);
    if loses_early {
        stream.conn.complete_io(&mut stream.sock)?;
        let mut early = [0; 1024];
        while matches!(stream.conn.reader().read(&mut early), Ok(1..)) {}
    }
    if read_packet(&mut stream)? != CONNECT {
        return Err(io::ErrorKind::InvalidData.into());
    }
    stream.write_all(&[0x20, 2, 0, code])?;
    stream.flush()?;
    let next = read_packet(&mut stream)?;
    let version = stream.conn.protocol_version().expect("known after the handshake");
    Ok((version, next))
}

/// Reads one packet and gives its first byte.
fn read_packet(stream: &mut impl Read) -> io::Result<u8> {
    let mut byte = || {
        let mut byte = [0];
        stream.read_exact(&mut byte).map(|()| byte[0])
    };
    let first = byte()?;
    let mut length = 0;
    for place in 0..4 {
        let digit = byte()?;
        length |= u64::from(digit & 0x7f) << (7 * place);
        if digit & 0x80 == 0 {
            break;
        }
    }
    io::copy(&mut stream.take(length), &mut io::sink())?;
    Ok(first)
}
