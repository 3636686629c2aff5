use super::*;
use std::time::Duration;

/// What the variables would give, in bounded time: whoever waits for an end may wait for ever.
fn named(file: Option<&Path>, folders: &[&Path]) -> Result<Option<RootsFound>, String> {
    let file = file.map(Path::to_owned);
    let folders: Vec<_> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    let (done, ended) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || done.send(RootsFound::named(file.as_deref(), &folders)));
    ended.recv_timeout(Duration::from_secs(30)).expect("reading does not end")
}

fn certificate() -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    made.cert.pem()
}

#[test]
fn roots_that_variables_name_are_read_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a.pem"), folder.path().join("b.pem"));
    fs::write(&first, certificate() + &certificate()).unwrap();
    fs::write(&second, certificate()).unwrap();
    std::os::unix::fs::symlink(&first, folder.path().join("0123.0")).unwrap();
    std::os::unix::fs::symlink("/nowhere", folder.path().join("dangling")).unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    let count = |file: Option<&Path>, folders: &[&Path]| {
        named(file, folders).unwrap().map(|found| found.certificates.len())
    };
    assert_eq!(count(None, &[]), None);
    assert_eq!(count(None, &[Path::new("")]), None);
    assert_eq!(count(Some(&first), &[]), Some(2));
    assert_eq!(count(None, &[folder.path()]), Some(3));
    assert_eq!(count(Some(&second), &[folder.path(), folder.path()]), Some(3));
    assert_eq!(count(Some(&second), &[Path::new("/nowhere")]), Some(1));
    let nothing = named(None, &[Path::new("/nowhere")]).unwrap().unwrap();
    assert!(nothing.problem.unwrap().contains("SSL_CERT_DIR"));
    let empty = named(Some(Path::new("")), &[]).unwrap().unwrap();
    assert_eq!(empty.problem.unwrap(), "variable SSL_CERT_FILE is empty");
}

/// The kernel's own files call themselves regular, and some end only when something happens.
#[test]
fn files_without_an_end_are_refused_or_end_at_once() {
    for file in ["/proc/kmsg", "/dev/zero", "/proc/self/pagemap"].map(Path::new) {
        let problem = named(Some(file), &[]).expect_err("no file of certificates");
        assert!(problem.contains("variable SSL_CERT_FILE: cannot read"), "{problem}");
    }
}

#[test]
fn roots_of_more_bytes_than_the_bound_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.pem");
    let made = fs::File::create(&large).unwrap();
    made.set_len(SYSTEM_BYTES_MAX + 1).unwrap();
    let expected = "it is larger than 16 MiB, the most that is read";
    let problem = named(Some(&large), &[]).unwrap_err();
    assert!(problem.starts_with("variable SSL_CERT_FILE") && problem.ends_with(expected));
    let problem = named(None, &[folder.path()]).unwrap_err();
    assert!(problem.starts_with("variable SSL_CERT_DIR") && problem.ends_with(expected));
    // Two that are small enough, and too large together.
    made.set_len(SYSTEM_BYTES_MAX - 10).unwrap();
    fs::write(folder.path().join("small.pem"), certificate()).unwrap();
    let problem = named(None, &[folder.path()]).unwrap_err();
    assert!(problem.ends_with(expected), "{problem}");
}

/// What a file holds in place of what is wanted, and what is said of it: never a piece of it.
#[test]
fn a_file_that_is_no_pem_of_the_kind_is_refused_with_a_remedy() {
    use base64::Engine;
    let encoded = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let label = |label: &str, text: &str| {
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n").into_bytes()
    };
    let secret = encoded(&made.signing_key.serialize_der());
    let legacy = format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n{secret}");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(key.bytes().flat_map(|b| [b, 0])).collect();
    let (is_key, is_not) =
        ("it holds a key and no PEM certificate", "it holds a certificate and no PEM key");
    let cut = &key.as_bytes()[..key.len() / 2];
    let rows: [(&[u8], &str, &str); 16] = [
        (b"", "it is empty", "it is empty"),
        (b" \r\n\n", "it is empty", "it is empty"),
        (made.cert.der(), "openssl x509 -inform DER -in FILE", is_not),
        (&made.signing_key.serialize_der(), is_key, "openssl pkey -inform DER -in FILE"),
        (&[0x30, 0x82, 1, 0, 2, 1, 3, 0x30], "openssl pkcs12 -in FILE -nokeys", "-nocerts -nodes"),
        (&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], "Java key store", "Java key store"),
        (&utf16, "UTF-16", "UTF-16"),
        (key.as_bytes(), is_key, ""),
        (certificate.as_bytes(), "", is_not),
        (&label("ENCRYPTED PRIVATE KEY", &secret), is_key, "openssl pkey -in FILE"),
        (&label("RSA PRIVATE KEY", &legacy), is_key, "the key is encrypted"),
        (&label("PUBLIC KEY", &secret), is_key, "it holds a public key"),
        (&label("CERTIFICATE REQUEST", &secret), "request for a cert", "request for a certificate"),
        (&label("PKCS7", &secret), "openssl pkcs7 -in FILE -print_certs", "PKCS #7"),
        (&label("TRUSTED CERTIFICATE", &secret), "OpenSSL's own form: openssl x509", is_not),
        (cut, is_key, "it is not PEM, or is cut off"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let shown = path.display().to_string();
    for (content, of_certificate, of_key) in rows {
        fs::write(&path, content).unwrap();
        let refusal = [
            (certificate_chain(&path).map(drop), of_certificate),
            (private_key(&path).map(drop), of_key),
        ];
        for (refusal, expected) in refusal {
            // It is what was wanted.
            if expected.is_empty() {
                assert_eq!(refusal, Ok(()));
                continue;
            }
            let refusal = refusal.expect_err(expected);
            assert!(refusal.replace(&shown, "FILE").contains(expected), "{expected}: {refusal}");
            assert!(refusal.contains(&shown) && !refusal.contains(&secret[20..40]), "{refusal}");
        }
    }
}
