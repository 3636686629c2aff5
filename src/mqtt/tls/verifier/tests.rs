use super::*;
use crate::mqtt::tls::certificate::tests::made::{authority, named, self_signed};
use crate::mqtt::tls::{Roots, provider};

fn verifier(roots: Roots) -> Verifier {
    Verifier::new(roots.anchors, roots.chosen, provider()).unwrap()
}

fn verify(verifier: &Verifier, der: &CertificateDer<'_>, host: &str) -> Result<(), Error> {
    let host = ServerName::try_from(host).unwrap();
    verifier.verify_server_cert(der, &[], &host, &[], UnixTime::now()).map(drop)
}

/// Only what somebody chose is trusted as it stands; the system's roots are not.
#[test]
fn roots_of_the_system_are_not_chosen() {
    let server = authority("localhost");
    let mut chosen = Roots::none();
    chosen.choose(server.der.clone()).unwrap();
    let mut anchors = RootCertStore::empty();
    anchors.add(server.der.clone()).unwrap();
    assert!(verify(&verifier(chosen), &server.der, "localhost").is_ok());
    let refused = verify(&verifier(Roots::of_system(anchors)), &server.der, "localhost");
    let Err(Error::InvalidCertificate(Bad::Other(other))) = refused else { panic!("{refused:?}") };
    assert_eq!(other.0.downcast_ref(), Some(&Flaw::Authority));
}

/// A certificate that was chosen changes nothing for another, whatever the two have in common.
#[test]
fn another_certificate_is_judged_by_the_rules() {
    let server = self_signed("localhost", named(&["localhost"]));
    let twin = server.issue("localhost", named(&["other"]));
    let again = authority("localhost");
    let mut roots = Roots::none();
    roots.choose(server.der.clone()).unwrap();
    let verifier = verifier(roots);
    assert!(verify(&verifier, &server.der, "localhost").is_ok());
    assert!(verify(&verifier, &server.der, "other").is_err());
    assert!(verify(&verifier, &twin.der, "localhost").is_err());
    assert!(verify(&verifier, &again.der, "localhost").is_err());
    let mut changed = server.der.to_vec();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    assert!(verify(&verifier, &changed.into(), "localhost").is_err());
}
