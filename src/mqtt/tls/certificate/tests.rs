pub(crate) mod made;

use super::*;
use made::{
    ByHand, alt_name, as_authority, authority, extension, for_clients, named, p521, rsa,
    self_signed, sequence, valid,
};
use rcgen::KeyPair;

fn read(der: &[u8]) -> Certificate {
    Certificate::read(der).expect("a certificate")
}

#[test]
fn fields_of_a_certificate_are_read() {
    let root = authority("the root");
    let leaf = root.issue("leaf", |params| {
        named(&["a.example", "10.0.0.1", "::1", "*.b.example"])(params);
        valid(2020, 2090)(params);
    });
    let (root, leaf) = (read(&root.der), read(&leaf.der));
    assert_eq!((root.version, root.is_authority, root.names.len()), (3, true, 0));
    assert_eq!((leaf.version, leaf.is_authority), (3, false));
    assert_eq!(leaf.names, ["a.example", "10.0.0.1", "::1", "*.b.example"]);
    assert_eq!(leaf.issuer, root.subject);
    assert_eq!(
        (root.common_name.as_deref(), root.issuer == root.subject),
        (Some("the root"), true)
    );
    assert_eq!((leaf.not_before_s, leaf.not_after_s), (1_577_836_800, 3_786_912_000));
    assert_eq!(leaf.key.kind, KeyKind::Ecdsa("P-256"));
    assert!(leaf.is_for_servers && leaf.is_for_clients && !leaf.is_beyond_us);
    let client = self_signed("c", for_clients);
    assert!(!read(&client.der).is_for_servers && read(&client.der).is_for_clients);
}

#[test]
fn old_versions_and_keys_are_read() {
    let key = KeyPair::generate().unwrap();
    let v1 = read(&ByHand::v1("old", &key).signed("issuer", &key));
    assert_eq!((v1.version, v1.common_name.as_deref()), (1, Some("old")));
    assert_eq!((v1.not_before_s, v1.not_after_s), (1_577_836_800, 4_070_908_800));
    let of = |key_info: Vec<u8>| {
        let made = ByHand { version: 2, key: key_info, ..ByHand::v1("x", &key) };
        read(&made.signed("x", &key)).key.kind
    };
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let info = |key: &KeyPair| rcgen::PublicKeyData::subject_public_key_info(key);
    for (key, kind, shown, is_taken) in [
        (rsa(128), KeyKind::Rsa(1024), "RSA with 1024 bits", false),
        (rsa(256), KeyKind::Rsa(2048), "RSA with 2048 bits", true),
        (rsa(2048), KeyKind::Rsa(16_384), "RSA with 16384 bits", false),
        (p521(), KeyKind::Ecdsa("P-521"), "ECDSA on P-521", false),
        (info(&p384), KeyKind::Ecdsa("P-384"), "ECDSA on P-384", true),
        (info(&ed25519), KeyKind::Ed25519, "Ed25519", true),
    ] {
        assert_eq!(of(key), kind);
        assert_eq!((kind.to_string().as_str(), kind.is_taken()), (shown, is_taken));
    }
}

#[test]
fn critical_extensions_are_known_or_not() {
    let key = KeyPair::generate().unwrap();
    for (id, is_critical, is_beyond_us) in [
        (&[0x55, 29, 15][..], true, false),
        (&[0x55, 29, 30], true, false),
        (&[0x55, 29, 36], true, true),
        (&[0x2a, 3, 4], true, true),
        (&[0x2a, 3, 4], false, false),
    ] {
        let extensions = extension(id, is_critical, sequence(&[]));
        let made = ByHand { version: 3, extensions, ..ByHand::v1("x", &key) };
        assert_eq!(read(&made.signed("x", &key)).is_beyond_us, is_beyond_us, "{id:?}");
    }
}

#[test]
fn a_common_name_stands_in_for_names_alone() {
    let called = |made: &made::Made, host: &str| read(&made.der).is_called(host);
    let plain = self_signed("Host.Example.", as_authority);
    assert!(called(&plain, "host.example") && called(&plain, "HOST.example."));
    assert!(!called(&plain, "other.example") && !called(&plain, "x.host.example"));
    let address = self_signed("10.0.0.1", as_authority);
    assert!(called(&address, "10.0.0.1") && !called(&address, "10.0.0.2"));
    assert!(!called(&address, "host"));
    let with_names = self_signed("host.example", named(&["other.example"]));
    assert!(!called(&with_names, "host.example"));
    let wild = self_signed("*.example", as_authority);
    assert!(!called(&wild, "host.example"));
}

/// Whatever a peer sends: an end in place of each byte, and another byte there.
#[test]
fn damaged_ones_do_not_panic() {
    let key = KeyPair::generate().unwrap();
    let made = ByHand { version: 3, extensions: alt_name("a"), ..ByHand::v1("x", &key) };
    let whole = made.signed("x", &key);
    assert_eq!(read(&whole).names, ["a"]);
    for at in 0..whole.len() {
        assert_eq!(Certificate::read(&whole[..at]), None);
        for byte in [0, 0x7f, 0x80, 0x84, 0xff, whole[at].wrapping_add(1)] {
            let mut bytes = whole.to_vec();
            bytes[at] = byte;
            let _ = Certificate::read(&bytes);
        }
    }
    for junk in [&b""[..], b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"-----BEGIN"] {
        assert_eq!(Certificate::read(junk), None);
    }
}

#[test]
fn times_are_read() {
    let of = |tag, text: &str| seconds(&Item { tag, content: text.as_bytes(), whole: &[] });
    let (utc, general) = (der::UTC_TIME, der::GENERALIZED_TIME);
    for (tag, text, expected) in [
        (utc, "700101000000Z", Some(0)),
        (utc, "491231235959Z", Some(2_524_607_999)),
        (utc, "500101000000Z", Some(0)),
        (general, "20500101000000Z", Some(2_524_608_000)),
        (general, "99991231235959Z", Some(253_402_300_799)),
        (utc, "20500101000000Z", None),
        (general, "700101000000Z", None),
        (utc, "701301000000Z", None),
        (utc, "70010100000Z", None),
        (utc, "7001010000+1Z", None),
        (utc, "", None),
    ] {
        assert_eq!(of(tag, text), expected, "{text}");
    }
}
