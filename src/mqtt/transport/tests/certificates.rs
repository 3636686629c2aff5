//! Each thing that can be wrong with a certificate, over real TLS of both versions: accepted where
//! somebody chose that very certificate, and one sentence with what to do otherwise.

use std::fmt;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, SignatureAlgorithm, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::mqtt::tls::certificate::tests::made::{
    ByHand, Made, alt_name, as_authority, authority, extension, for_clients, named, p521, rsa,
    self_signed, sequence, valid,
};
use crate::mqtt::tls::{Roots, client_config, client_config_as, provider};

const NAMES: Names =
    Names { roots: "ROOTS", host: "HOST", certificate: "CERTIFICATE", ..Names::NONE };
const BOTH: [&rustls::SupportedProtocolVersion; 2] =
    [&rustls::version::TLS12, &rustls::version::TLS13];

type Der = CertificateDer<'static>;

/// What a server shows, and signs with.
struct Server {
    chain: Vec<Der>,
    key: Arc<dyn SigningKey>,
}

impl Server {
    fn of(made: &Made) -> Self {
        Self::with(vec![made.der.clone()], &made.key)
    }

    fn with(chain: Vec<Der>, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Self { chain, key: any_supported_type(&key).unwrap() }
    }

    /// One whose key nobody here can sign with.
    fn unsigned(certificate: Der) -> Self {
        Self { chain: vec![certificate], key: Arc::new(Junk) }
    }
}

/// A key that signs anything with zeros.
#[derive(Debug)]
struct Junk;

impl SigningKey for Junk {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Junk))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

impl Signer for Junk {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(vec![0; 128])
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::RSA_PSS_SHA256
    }
}

/// How a client gets on with `server`: `accepted`, or the sentence.
async fn meet(
    server: &Server,
    version: &'static rustls::SupportedProtocolVersion,
    tls: Arc<rustls::ClientConfig>,
    clients: Option<&Made>,
) -> String {
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&[version]).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(root) => {
            let mut roots = RootCertStore::empty();
            roots.add(root.der.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let certified = CertifiedKey::new(server.chain.clone(), Arc::clone(&server.key));
    let config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut heard = [0; 64];
            if stream.read(&mut heard).await.is_ok() {
                let _ = stream.write_all(b"\x20\x02\x00\x00").await;
                let _ = stream.flush().await;
            }
        }
    });
    let (host, peers) = ("localhost".to_owned(), Peers::default());
    let endpoint = Endpoint { host, port, route: Route::Direct, tls, peers, names: &NAMES };
    let met = timeout(Duration::from_secs(30), connect(&endpoint, Connect::new("c"))).await;
    serving.abort();
    match met.expect("an end in time") {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn trusting(roots: &[&Der]) -> Arc<rustls::ClientConfig> {
    let mut chosen = Roots::none();
    roots.iter().for_each(|root| chosen.choose((*root).clone()).unwrap());
    client_config(chosen).unwrap()
}

/// No sentence is a library's, none is two, and none shows how a program writes its cases.
#[track_caller]
fn check_words(shown: &dyn fmt::Display) {
    let shown = shown.to_string();
    for alien in ["Other", "Error(", "://", "Context", "{", "Unknown", "invalid peer", "_"] {
        assert!(!shown.contains(alien), "{alien}: {shown}");
    }
}

/// A server with `chain`, whom the client trusts by `roots`: what comes of it, in both versions.
async fn check(row: &str, server: Server, roots: &[&Der], parts: &[&str]) {
    for version in BOTH {
        let shown = meet(&server, version, trusting(roots), None).await;
        check_words(&shown);
        for part in parts {
            assert!(shown.contains(part), "{row}, {version:?}: {part}: {shown}");
        }
    }
}

const ACCEPTED: &[&str] = &["accepted"];
const AS_IT_STANDS: &str = "put this very certificate into the file of trusted roots; see ROOTS";
const UNTRUSTED: &[&str] = &["its certificate is not signed by a trusted root", "see ROOTS"];

#[tokio::test]
async fn of_version_1() {
    let (root, key) = (authority("root"), KeyPair::generate().unwrap());
    let signed = ByHand::v1("localhost", &key).signed("root", &root.key);
    let alone = ByHand::v1("localhost", &key).signed("localhost", &key);
    let server = |der: &Der| Server::with(vec![der.clone()], &key);
    check("by a root", server(&signed), &[&root.der], &["X.509 v1", AS_IT_STANDS]).await;
    check("chosen", server(&signed), &[&root.der, &signed], ACCEPTED).await;
    check("chosen alone", server(&signed), &[&signed], ACCEPTED).await;
    check("unknown", server(&alone), &[&root.der], &["X.509 v1", AS_IT_STANDS]).await;
    check("self-signed and chosen", server(&alone), &[&alone], ACCEPTED).await;
    let of = |subject, not_before, not_after| {
        let made = ByHand { subject, not_before, not_after, ..ByHand::v1(subject, &key) };
        made.signed("issuer", &key)
    };
    let other = of("other", "200101000000Z", "20990101000000Z");
    check("another name", server(&other), &[&other], &["host name localhost, but other"]).await;
    let old = of("localhost", "200101000000Z", "210101000000Z");
    let parts = ["expired at 2021-01-01 00:00 UTC", "the clock here says 20"];
    check("expired", server(&old), &[&old], &parts).await;
    let new = of("localhost", "20980101000000Z", "20990101000000Z");
    let parts = ["is valid from 2098-01-01 00:00 UTC on", "set the clock"];
    check("not yet valid", server(&new), &[&new], &parts).await;
}

#[tokio::test]
async fn of_authorities_as_servers() {
    let root = authority("root");
    let named_authority = |params: &mut CertificateParams| {
        as_authority(params);
        named(&["localhost"])(params);
    };
    let alone = self_signed("small authority", named_authority);
    check("chosen", Server::of(&alone), &[&alone.der], ACCEPTED).await;
    let called = authority("localhost");
    check("by its common name", Server::of(&called), &[&called.der], ACCEPTED).await;
    let below = root.issue("x", named_authority);
    let parts = ["certification authority (CA:TRUE)", AS_IT_STANDS];
    check("below a root", Server::of(&below), &[&root.der], &parts).await;
    check("below a root, chosen", Server::of(&below), &[&root.der, &below.der], ACCEPTED).await;
    check("unknown", Server::of(&alone), &[&root.der], &parts).await;
    let misnamed = self_signed("x", |params| {
        as_authority(params);
        named(&["a.example", "10.0.0.1"])(params);
    });
    let parts = ["host name localhost, but a.example, 10.0.0.1: connect by a name", "see HOST"];
    check("misnamed", Server::of(&misnamed), &[&misnamed.der], &parts).await;
    let old = self_signed("localhost", |params| {
        as_authority(params);
        valid(2019, 2020)(params);
    });
    check("expired", Server::of(&old), &[&old.der], &["expired at 2020-01-01"]).await;
    let strange = self_signed("localhost", |params| {
        as_authority(params);
        for_clients(params);
    });
    check("for clients", Server::of(&strange), &[&strange.der], &["serverAuth"]).await;
}

#[tokio::test]
async fn of_servers_below_an_authority() {
    let (root, stranger) = (authority("root"), authority("stranger"));
    let here = || named(&["localhost"]);
    let leaf = root.issue("x", here());
    check("good", Server::of(&leaf), &[&root.der], ACCEPTED).await;
    check("unknown issuer", Server::of(&leaf), &[&stranger.der], UNTRUSTED).await;
    check("chosen", Server::of(&leaf), &[&leaf.der], ACCEPTED).await;
    check("root of the same name", Server::of(&leaf), &[&authority("root").der], UNTRUSTED).await;
    let unnamed = root.issue("localhost", |_| {});
    let parts = ["no host name but in its common name, \"localhost\"", AS_IT_STANDS];
    check("common name", Server::of(&unnamed), &[&root.der], &parts).await;
    check("common name, chosen", Server::of(&unnamed), &[&unnamed.der], ACCEPTED).await;
    let other = root.issue("localhost", named(&["b.example", "::1"]));
    let parts = ["host name localhost, but b.example, ::1: connect by a name", "see HOST"];
    check("another name", Server::of(&other), &[&root.der], &parts).await;
    check("another name, chosen", Server::of(&other), &[&root.der, &other.der], &parts).await;
    let dated = |first, last| {
        root.issue("x", move |params| {
            named(&["localhost"])(params);
            valid(first, last)(params);
        })
    };
    let (old, new) = (dated(2020, 2021), dated(2090, 2091));
    let parts = ["expired at 2021-01-01 00:00 UTC, and the clock here says", "renew it"];
    check("expired", Server::of(&old), &[&root.der], &parts).await;
    check("expired, chosen", Server::of(&old), &[&old.der], &parts).await;
    let parts = ["is valid from 2090-01-01 00:00 UTC on", "set the clock"];
    check("not yet valid", Server::of(&new), &[&root.der], &parts).await;
    check("not yet valid, chosen", Server::of(&new), &[&new.der], &parts).await;
    let reversed = Server::with(vec![root.der.clone(), leaf.der.clone()], &leaf.key);
    check("wrong order", reversed, &[&root.der], &["certificates are in the wrong order"]).await;
}

#[tokio::test]
async fn of_keys_of_unsupported_kinds() {
    let signer = KeyPair::generate().unwrap();
    for (key, kind) in [
        (rsa(128), "RSA with 1024 bits"),
        (rsa(64), "RSA with 512 bits"),
        (rsa(1280), "RSA with 10240 bits"),
        (p521(), "ECDSA on P-521"),
    ] {
        let hand = ByHand { version: 3, key, ..ByHand::v1("localhost", &signer) };
        let made = ByHand { extensions: alt_name("localhost"), ..hand };
        let der = made.signed("issuer", &signer);
        let other = authority("issuer");
        for root in [&der, &other.der] {
            let parts = [kind, "which is not taken", "P-384"];
            check(kind, Server::unsigned(der.clone()), &[root], &parts).await;
        }
    }
}

/// Whoever shows a certificate without its key is refused, however much it was chosen.
#[tokio::test]
async fn of_thieves_of_a_certificate() {
    let (key, thief) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let v1 = ByHand::v1("localhost", &key).signed("localhost", &key);
    let (authority, leaf) = (authority("localhost"), self_signed("x", named(&["localhost"])));
    for der in [&v1, &authority.der, &leaf.der] {
        let server = Server::with(vec![der.clone()], &thief);
        check("another's key", server, &[der], &["TLS handshake", "failed"]).await;
        check("no key", Server::unsigned(der.clone()), &[der], &["TLS handshake", "failed"]).await;
    }
}

#[tokio::test]
async fn of_unknown_critical_extensions() {
    let key = KeyPair::generate().unwrap();
    let extensions =
        [alt_name("localhost"), extension(&[0x2a, 3, 4], true, sequence(&[]))].concat();
    let made = ByHand { version: 3, extensions, ..ByHand::v1("localhost", &key) };
    let der = made.signed("issuer", &key);
    check("chosen", Server::with(vec![der.clone()], &key), &[&der], &["critical extension"]).await;
}

/// What a peer says of ours: each alert has its sentence, and what it may be about.
#[tokio::test]
async fn of_client_certificates() {
    let (root, other) = (authority("clients"), authority("others"));
    let server = self_signed("x", named(&["localhost"]));
    let expired = root.issue("c", valid(2020, 2021));
    let rows: [(Option<&Made>, &str); 4] = [
        (None, "it asks for a client certificate: give one (TLS alert: certificate required)"),
        (Some(&expired), "our client certificate is not valid now: renew it, or check both clocks"),
        (Some(&other.issue("c", |_| {})), "it does not trust who signed our client certificate"),
        (Some(&root.issue("c", |_| {})), "accepted"),
    ];
    for (own, expected) in rows {
        let mut roots = Roots::none();
        roots.choose(server.der.clone()).unwrap();
        let tls = match own {
            None => client_config(roots).unwrap(),
            Some(own) => client_config_as(roots, vec![own.der.clone()], own.key()).unwrap(),
        };
        let shown = meet(&Server::of(&server), &rustls::version::TLS13, tls, Some(&root)).await;
        check_words(&shown);
        assert!(shown.contains(expected), "{expected}: {shown}");
        assert!(shown.ends_with("see CERTIFICATE") || expected == "accepted", "{shown}");
    }
}
