//! What a stream over TLS has taken leaves with a flush, not with the next write.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_flush_over_tls_ends_with_the_last_byte() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder_with_provider(crate::mqtt::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = Endpoint {
        host: "localhost".to_owned(),
        port: listener.local_addr().unwrap().port(),
        route: Route::Direct,
        tls: crate::hub::trust::trusting([made.cert.der().clone()]).unwrap(),
        peers: Peers::default(),
        names: &Names::NONE,
    };
    let accept = async {
        let (socket, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(tls)).accept(socket).await.unwrap()
    };
    let (ours, mut theirs) = tokio::join!(shake_hands(&endpoint, false), accept);
    let mut ours = Stream(Inner::Tls(Box::new(ours.unwrap().0)));
    // As much as is taken while nobody reads: more than the socket has room for.
    let mut taken = 0;
    while let Ok(written) = timeout(Duration::ZERO, ours.write(&[7; 4096])).await {
        taken += written.unwrap();
    }
    let read = async {
        let (mut count, mut bytes) = (0, vec![0; 1 << 16]);
        while count < taken {
            count += theirs.read(&mut bytes).await.unwrap();
        }
        count
    };
    let both = async { tokio::join!(ours.flush(), read) };
    let (flushed, count) = timeout(PATIENCE, both).await.expect("all of it in time");
    flushed.unwrap();
    assert_eq!(count, taken);
}
