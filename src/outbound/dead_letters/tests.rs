use super::*;
use crate::testing::capture::capture;

const BODY: &[u8] = b"{\"machine\":\n{\"temperature\":99}}\xff\n\n";

fn park(letters: &mut DeadLetters) -> Result<FileName, Problem> {
    let properties = vec![("n".to_owned(), Some("1".to_owned())), ("bare".to_owned(), None)];
    letters.park("alerts/a b/\u{e4}", properties, "it hung up", BODY)
}

/// Topic, properties, reason and body come back byte for byte, in a later process too, and in
/// the order of writing; what goes elsewhere is left alone.
#[test]
fn a_parked_alert_is_on_disk_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made/when/needed");
    let mut letters = DeadLetters::new(&folder, "here");
    assert!(letters.pending().is_empty() && !folder.exists());
    let name = park(&mut letters).unwrap();
    park(&mut DeadLetters::new(&folder, "there")).unwrap();
    let again = DeadLetters::new(&folder, "here").pending();
    let [(found, head, body)] = &again[..] else { panic!("{again:?}") };
    assert_eq!((found, &body[..]), (&name, BODY));
    assert_eq!((head.topic.as_str(), head.reason.as_str()), ("alerts/a b/ä", "it hung up"));
    assert_eq!(head.properties.len(), 2);
    let parked_at = head.time.clone();
    let file = fs::read(letters.pending_path(&name)).unwrap();
    assert!(file.ends_with(BODY));

    let path = letters.refuse(&name, "for good").unwrap();
    let file = fs::read(path).unwrap();
    let line = file.split(|byte| *byte == b'\n').next().unwrap();
    let head: Header = serde_json::from_slice(line).unwrap();
    assert_eq!((head.reason.as_str(), head.topic.as_str()), ("for good", "alerts/a b/ä"));
    assert!(head.time > parked_at, "{}: when it was given up", head.time);
    assert_eq!(&file[line.len() + 1..], BODY);
    assert!(letters.pending().is_empty());
}

#[test]
fn what_has_arrived_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut letters = DeadLetters::new(folder.path(), "here");
    let name = park(&mut letters).unwrap();
    letters.delivered(&name);
    letters.delivered(&name);
    assert!(letters.pending().is_empty());
}

/// Files of any kind fill it; then nothing more is written, and the problem says what to do.
#[test]
fn a_full_folder_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut letters = DeadLetters::new(folder.path(), "here");
    for n in 1..FILES_MAX {
        File::create(folder.path().join(format!("{n}.refused"))).unwrap();
    }
    File::create(folder.path().join("a note")).unwrap();
    let name = park(&mut letters).unwrap();
    let problem = park(&mut letters).unwrap_err().to_string();
    assert!(problem.contains("full") && problem.contains("move away"), "{problem}");
    letters.delivered(&name);
    File::create(folder.path().join("1.refused")).unwrap().set_len(BYTES_MAX).unwrap();
    letters = DeadLetters::new(folder.path(), "here");
    assert!(matches!(park(&mut letters), Err(Problem::Full(_))));
}

/// Where there can be no folder the problem names it, and what to do.
#[test]
fn a_folder_that_cannot_be_written_is_reported() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut letters = DeadLetters::new(file.path().join("below"), "here");
    let problem = park(&mut letters).unwrap_err().to_string();
    assert!(problem.contains("cannot be written") && problem.contains("--refused-dir"));
    assert!(letters.pending().is_empty());
}

/// A file that is no alert, or was cut off, is left alone.
#[test]
fn a_broken_file_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut letters = DeadLetters::new(folder.path(), "here");
    let name = park(&mut letters).unwrap();
    let path = letters.pending_path(&name);
    let whole = fs::read(&path).unwrap();
    for part in [&whole[..whole.len() - 1], &whole[..20], b"{}\n", b""] {
        fs::write(&path, part).unwrap();
        assert!(letters.read(&name).is_err());
        assert!(letters.pending().is_empty() && path.exists());
    }
    File::create(&path).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(letters.read(&name).is_err());
}

/// Runs `work`; that it ends is part of what is tested.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || done.send(work()));
    ended.recv_timeout(Duration::from_secs(30)).expect("it does not end")
}

/// A FIFO, a device without an end, a folder, a socket, what leads nowhere and what is too large
/// are passed over, and stay. What is beside them is taken up.
#[test]
fn what_is_no_regular_file_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut letters = DeadLetters::new(folder.path(), "here");
    let name = park(&mut letters).unwrap();
    for ending in [PENDING, REFUSED, UNFINISHED] {
        let fifo = path(&format!("1-1.{ending}"));
        assert!(std::process::Command::new("mkfifo").arg(fifo).status().unwrap().success());
        let link = path(&format!("1-2.{ending}"));
        std::os::unix::fs::symlink("/dev/zero", link).unwrap();
        fs::create_dir(path(&format!("1-3.{ending}"))).unwrap();
        std::os::unix::fs::symlink("nowhere", path(&format!("1-4.{ending}"))).unwrap();
        std::os::unix::net::UnixListener::bind(path(&format!("1-5.{ending}"))).unwrap();
    }
    File::create(path("1-6.pending")).unwrap().set_len(1 << 40).unwrap();
    let before = fs::read_dir(folder.path()).unwrap().count();
    let found = DeadLetters::new(folder.path(), "here");
    let found = in_time(move || found.pending());
    assert_eq!(found.iter().map(|(name, ..)| name).collect::<Vec<_>>(), [&name]);
    let same = DeadLetters::new(folder.path(), "here");
    for odd in ["1-1", "1-2", "1-3", "1-5", "1-6"] {
        let error = same.read(&FileName(odd.to_owned())).unwrap_err().to_string();
        assert!(error.contains("not a regular file") || error.contains("larger"), "{error}");
        assert!(same.refuse(&FileName(odd.to_owned()), "why").is_err());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

/// What is not finished is left to whoever writes it for ten minutes, by the system's clock, which
/// the files go by.
#[test]
fn an_unfinished_file_is_cleared_away_after_ten_minutes() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, age_s: u64| {
        let path = folder.path().join(name);
        let file = File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age_s)).unwrap();
        path
    };
    let (old, young) = (make("1-1.tmp", 601), make("1-2.tmp", 540));
    assert!(DeadLetters::new(folder.path(), "here").pending().is_empty());
    assert!(!old.exists() && young.exists());
}

/// However much of others is in the folder, a bounded part of it is looked at, and alerts are
/// parked still.
#[test]
fn many_foreign_files_are_not_all_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..ENTRIES_MAX + 100 {
        File::create(folder.path().join(format!("{n}.refused"))).unwrap();
    }
    let mut letters = DeadLetters::new(folder.path(), "here");
    assert_eq!(letters.files().unwrap().len(), ENTRIES_MAX);
    assert!(matches!(park(&mut letters), Err(Problem::Full(_))));
    for n in 0..ENTRIES_MAX + 100 {
        let name = |ending| folder.path().join(format!("{n}.{ending}"));
        fs::rename(name("refused"), name("note")).unwrap();
    }
    letters = DeadLetters::new(folder.path(), "here");
    park(&mut letters).unwrap();
    assert!(letters.pending().len() <= 1);
}

/// What others put there counts from the next minute on, and in the second after one when it is
/// full: alerts in between cost no look at the folder.
#[tokio::test(start_paused = true)]
async fn the_folder_is_counted_once_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let mut letters = DeadLetters::new(folder.path(), "here");
    park(&mut letters).unwrap();
    for n in 0..FILES_MAX {
        File::create(folder.path().join(format!("{n}.refused"))).unwrap();
    }
    let instant = Duration::from_millis(1);
    for wait in [Duration::ZERO, RECOUNT_INTERVAL - instant] {
        tokio::time::advance(wait).await;
        let name = park(&mut letters).unwrap();
        letters.delivered(&name);
    }
    assert_eq!(letters.usage.as_ref().map(|usage| usage.files), Some(1));
    tokio::time::advance(instant).await;
    assert!(matches!(park(&mut letters), Err(Problem::Full(_))));
    for n in 0..FILES_MAX {
        fs::remove_file(folder.path().join(format!("{n}.refused"))).unwrap();
    }
    for wait in [Duration::ZERO, RECOUNT_INTERVAL_MIN - instant] {
        tokio::time::advance(wait).await;
        assert!(matches!(park(&mut letters), Err(Problem::Full(_))), "it was looked at again");
    }
    tokio::time::advance(instant).await;
    park(&mut letters).unwrap();
    let usage = letters.usage.as_ref().unwrap();
    let sizes = fs::read_dir(folder.path()).unwrap();
    let bytes: u64 = sizes.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert_eq!((usage.files, usage.bytes), (2, bytes));
}

/// The start says of each file that is not taken up why, at most ten lines of them, and how many
/// wait for others; a folder that is not there, as before the first fault, is worth no line.
#[test]
fn files_that_are_not_taken_up_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let log = capture();
    let mut letters = DeadLetters::new(folder.path().join("none yet"), "here");
    assert!(letters.pending().is_empty());
    assert_eq!(log.lines(""), [""; 0]);
    letters = DeadLetters::new(folder.path(), "here");
    let broken = |n| File::create(folder.path().join(format!("{n}.pending"))).unwrap();
    (0..LINES_MAX).for_each(|n| drop(broken(n)));
    assert!(letters.pending().is_empty());
    assert_eq!(log.lines("is left: it has no first line").len(), LINES_MAX);
    assert_eq!(log.lines("").len(), LINES_MAX, "no other line");
    (LINES_MAX..LINES_MAX + 2).for_each(|n| drop(broken(n)));
    park(&mut letters).unwrap();
    (0..2).for_each(|_| drop(park(&mut DeadLetters::new(folder.path(), "there")).unwrap()));
    let log = capture();
    assert_eq!(letters.pending().len(), 1);
    assert_eq!(log.lines("is left: ").len(), LINES_MAX);
    assert_eq!(log.lines(" 2 more files in ").len(), 1);
    assert_eq!(log.lines(" 2 alerts in ").len(), 1);
    assert_eq!(log.lines("wait for other destinations").len(), 1);
    assert_eq!(log.lines(" 1 alerts in ").len(), 1);
    assert_eq!(log.lines("are tried again").len(), 1);
    assert_eq!(log.lines("").len(), LINES_MAX + 3, "no other line");
}

/// No more than a folder may hold is taken up at a start, by number and by bytes; the rest waits.
#[test]
fn what_is_taken_up_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut letters = DeadLetters::new(folder.path(), "here");
    let first = park(&mut letters).unwrap();
    let first = letters.pending_path(&first);
    for n in 0..=FILES_MAX {
        fs::copy(&first, folder.path().join(format!("{n}.pending"))).unwrap();
    }
    let log = capture();
    assert_eq!(letters.pending().len(), FILES_MAX);
    assert_eq!(log.lines(" 2 more alerts in ").len(), 1);
    for n in 0..=FILES_MAX {
        fs::remove_file(folder.path().join(format!("{n}.pending"))).unwrap();
    }

    const LARGE: u64 = 1 << 20;
    let large = letters.park("t", Vec::new(), "why", &vec![b' '; 1 << 20]).unwrap();
    let large = letters.pending_path(&large);
    for n in 1..BYTES_MAX / LARGE + 3 {
        fs::copy(&large, folder.path().join(format!("0{n}.pending"))).unwrap();
    }
    // The copies come first by their names, then the two that were parked.
    let bytes = |found: &[(FileName, Header, Vec<u8>)]| -> u64 {
        found.iter().map(|(_, _, body)| body.len() as u64).sum()
    };
    assert_eq!(bytes(&letters.pending()), BYTES_MAX + LARGE);
}

/// What cannot be looked at is told of, and what cannot be removed once it has arrived, too: it
/// will be sent again. That it is gone already is no problem.
#[test]
fn a_folder_that_is_a_file_is_logged() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let log = capture();
    let mut letters = DeadLetters::new(file.path(), "here");
    assert!(letters.pending().is_empty());
    assert_eq!(log.lines("are not tried again").len(), 1);
    letters.delivered(&FileName("1-1".to_owned()));
    assert_eq!(log.lines("has arrived and stays").len(), 1);

    let folder = tempfile::tempdir().unwrap();
    DeadLetters::new(folder.path(), "here").delivered(&FileName("1-1".to_owned()));
    assert_eq!(log.lines("has arrived and stays").len(), 1);
}

/// An alert that would take the folder over its bytes is not written, one that fills it is.
#[test]
fn bytes_are_counted_to_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut letters = DeadLetters::new(folder.path(), "here");
    let rest = BODY.len() as u64;
    File::create(folder.path().join("1.refused")).unwrap().set_len(BYTES_MAX - rest).unwrap();
    let name = park(&mut letters).unwrap();
    let file = fs::metadata(letters.pending_path(&name)).unwrap().len();
    assert_eq!(letters.usage.as_ref().unwrap().bytes, BYTES_MAX - rest + file);
    letters.delivered(&name);
    File::create(folder.path().join("1.refused")).unwrap().set_len(BYTES_MAX - rest + 1).unwrap();
    letters = DeadLetters::new(folder.path(), "here");
    assert!(matches!(park(&mut letters), Err(Problem::Full(_))));
}
