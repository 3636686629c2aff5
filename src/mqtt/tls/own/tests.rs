use super::*;
use crate::mqtt::tls::certificate::tests::made::{
    ByHand, Made, as_authority, authority, for_clients, rsa, self_signed, valid,
};
use crate::mqtt::tls::{Roots, client_config_as};
use rcgen::{ExtendedKeyUsagePurpose, KeyPair};

fn chain_of(made: &[&Made]) -> Vec<CertificateDer<'static>> {
    made.iter().map(|made| made.der.clone()).collect()
}

/// Root, intermediate and leaf are shown leaf first, in whatever order they stand.
#[test]
fn a_chain_in_any_order_is_put_right() {
    let root = authority("root");
    let middle = root.issue("middle", as_authority);
    let leaf = middle.issue("leaf", |_| {});
    let right = chain_of(&[&leaf, &middle, &root]);
    let public = rcgen::PublicKeyData::subject_public_key_info(&leaf.key);
    for order in [
        [&leaf, &middle, &root],
        [&root, &middle, &leaf],
        [&middle, &leaf, &root],
        [&root, &leaf, &middle],
    ] {
        assert_eq!(in_order(chain_of(&order), &public).unwrap(), right);
    }
    // What has no place stays, behind the others; a root that signs itself is no loop.
    let (other, twice) = (authority("other"), chain_of(&[&root, &leaf, &root]));
    assert_eq!(in_order(twice, &public).unwrap().len(), 3);
    let ordered = in_order(chain_of(&[&other, &leaf]), &public).unwrap();
    assert_eq!(ordered, chain_of(&[&leaf, &other]));
}

#[test]
fn an_unfit_certificate_or_key_is_refused_with_its_fault() {
    let (one, two) = (self_signed("one", |_| {}), self_signed("two", |_| {}));
    let shown = |chain, key| client_config_as(Roots::none(), chain, key).map(drop).unwrap_err();
    let problem = shown(chain_of(&[&one]), two.key());
    assert!(problem.contains("does not belong to the certificate"), "{problem}");
    let problem = shown(vec![CertificateDer::from(b"0".to_vec())], two.key());
    assert_eq!(problem, "certificate 1 cannot be used: it is damaged");
    let signer = KeyPair::generate().unwrap();
    let weak = ByHand { key: rsa(128), ..ByHand::v1("weak", &signer) }.signed("x", &signer);
    let no_key = PrivateKeyDer::Pkcs8(b"secret".to_vec().into());
    let problem = shown(vec![weak], no_key);
    assert!(
        problem.contains("the key cannot be used (by its certificate it is RSA with 1024 bits)")
    );
    assert!(problem.contains("P-384") && !problem.contains("secret"), "{problem}");
}

/// Many brokers take a client certificate of X.509 v1: it is for them to say.
#[test]
fn a_client_certificate_of_v1_is_shown() {
    let key = KeyPair::generate().unwrap();
    let v1 = ByHand::v1("client", &key).signed("issuer", &key);
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = client_config_as(Roots::none(), vec![v1], private).unwrap();
    assert!(config.client_auth_cert_resolver.has_certs());
}

#[test]
fn doubts_about_an_own_certificate_are_named() {
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_225_600));
    let doubt_of = |der: &CertificateDer<'_>| doubt(&Certificate::read(der).unwrap(), now);
    let key = KeyPair::generate().unwrap();
    let for_servers = |params: &mut rcgen::CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    for (der, part) in [
        (self_signed("c", valid(2020, 2025)).der, "expired at 2025-01-01 00:00 UTC"),
        (self_signed("c", valid(2027, 2030)).der, "is valid from 2027-01-01 00:00 UTC on"),
        (self_signed("c", for_servers).der, "clientAuth"),
        (authority("c").der, "certification authority"),
        (ByHand::v1("c", &key).signed("c", &key), "X.509 v1"),
    ] {
        let shown = doubt_of(&der).expect("a doubt");
        assert!(shown.contains(part) && shown.contains("our client certificate"), "{shown}");
    }
    assert_eq!(doubt_of(&self_signed("c", |_| {}).der), None);
    assert_eq!(doubt_of(&self_signed("c", for_clients).der), None);
}
