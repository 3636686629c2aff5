use super::*;
use std::time::Duration;

/// What the variables would give, in bounded time: whoever waits for an end may wait for ever.
fn named(file: Option<&Path>, folders: &[&Path]) -> Result<Option<Found>, String> {
    let file = file.map(Path::to_owned);
    let folders: Vec<_> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    let (told, hear) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || told.send(Found::named(file.as_deref(), &folders)));
    hear.recv_timeout(Duration::from_secs(30)).expect("reading does not end")
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
