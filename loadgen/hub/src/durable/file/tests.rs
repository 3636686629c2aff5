//! The file against a model, cut off, damaged, and of another version.

use proptest::prelude::*;

use super::*;

fn input(number: u64, body_bytes: usize) -> KeptInput {
    let body = vec![u8::try_from(number % 251).unwrap(); body_bytes];
    KeptInput { number, client_id: "d/m".to_owned(), topic: format!("t/{number}"), body }
}

fn upstream(number: u64) -> UpstreamMessage {
    let mut properties = Properties::new();
    properties.set("a=b", Some("ä & %"));
    properties.set("bare", None);
    properties.set("empty", Some(""));
    UpstreamMessage {
        device: "d".to_owned(),
        module: number.is_multiple_of(2).then(|| "m".to_owned()),
        output: number.is_multiple_of(3).then(|| "o".to_owned()),
        body: Bytes::from(number.to_string()),
        properties,
        received_at: Instant::now(),
        number,
    }
}

fn numbers(kept: &Kept) -> Vec<u64> {
    let inputs = kept.inputs.iter().map(|input| input.number);
    let mut numbers: Vec<u64> = inputs.chain(kept.upstream.iter().map(|m| m.number)).collect();
    numbers.sort_unstable();
    numbers
}

/// What another hub would find if this one were killed now.
fn after_a_kill(path: &Path) -> Kept {
    let copy = path.with_extension("copy");
    std::fs::copy(path, &copy).unwrap();
    let (_, kept) = MessageFile::open(copy.clone()).unwrap();
    let _ = std::fs::remove_file(copy);
    kept
}

fn batch(inputs: impl IntoIterator<Item = KeptInput>, done: &[u64]) -> Batch {
    let mut batch = Batch::default();
    inputs.into_iter().for_each(|input| batch.insert_input(input));
    done.iter().for_each(|number| batch.remove(*number));
    batch
}

#[test]
fn messages_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(MESSAGES_FILE);
    let (mut file, kept) = MessageFile::open(path.clone()).unwrap();
    assert!(numbers(&kept).is_empty());
    assert!(!path.exists(), "an idle hub leaves nothing behind");
    let mut batch = batch([input(1, 10), input(2, 200_000), input(5, 0)], &[]);
    batch.insert_upstream(upstream(3));
    batch.insert_upstream(upstream(4));
    file.apply(&batch).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let kept = after_a_kill(&path);
    assert_eq!(kept.inputs, [input(1, 10), input(2, 200_000), input(5, 0)]);
    for (found, number) in kept.upstream.iter().zip([3, 4]) {
        let expected = upstream(number);
        assert_eq!((found.number, &found.body), (number, &expected.body));
        assert_eq!((&found.device, &found.module), (&expected.device, &expected.module));
        assert_eq!((&found.output, &found.properties), (&expected.output, &expected.properties));
    }
    assert_eq!(kept.upstream.len(), 2);
    let error = MessageFile::open(path.clone()).err().unwrap().to_string();
    assert!(error.contains("messages.redb is in use by another program"), "{error}");
    drop(file);
    let (mut file, kept) = MessageFile::open(path.clone()).unwrap();
    assert_eq!(numbers(&kept), [1, 2, 3, 4, 5]);
    let mut batch = Batch::default();
    [1, 2, 5].into_iter().for_each(|number| batch.remove(number));
    batch.release_upstream(5);
    file.apply(&batch).unwrap();
    file.close();
    assert!(!path.exists(), "nothing is left");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// After any batches, a killed hub has left what was inserted and not removed, all of it.
    #[test]
    fn a_file_is_what_its_batches_made_it(
        steps in proptest::collection::vec((0..20_u64, 0..20_usize, any::<u64>()), 1..12)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MESSAGES_FILE);
        let mut file = MessageFile::closed(path.clone());
        let mut there: Vec<u64> = Vec::new();
        let mut next = 1;
        for (inserts, removals, pick) in steps {
            let mut done = Vec::new();
            for _ in 0..removals.min(there.len()) {
                let index = usize::try_from(pick % 1000).unwrap() % there.len();
                done.push(there.swap_remove(index));
            }
            let new = next..next + inserts;
            next = new.end;
            there.extend(new.clone());
            file.apply(&batch(new.map(|n| input(n, 100)), &done)).unwrap();
            there.sort_unstable();
            prop_assert_eq!(numbers(&after_a_kill(&path)), there.clone());
        }
    }
}

/// Cut off or changed anywhere, a file is refused by name, or gives what some batch left; nothing
/// panics, and nothing that nobody wrote comes out.
#[test]
fn a_damaged_file_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(MESSAGES_FILE);
    let mut file = MessageFile::closed(path.clone());
    let states: [Vec<u64>; 3] = [vec![], (1..=20).collect(), (1..=40).collect()];
    file.apply(&batch((1..=20).map(|n| input(n, 300)), &[])).unwrap();
    file.apply(&batch((21..=40).map(|n| input(n, 300)), &[])).unwrap();
    drop(file);
    let whole = std::fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.redb");
    let mut refused = 0;
    let mut look = |bytes: &[u8], what: &str| {
        std::fs::write(&damaged, bytes).unwrap();
        match MessageFile::open(damaged.clone()) {
            Ok((_, kept)) => {
                assert!(states.contains(&numbers(&kept)), "{what}: {:?}", numbers(&kept));
                assert!(kept.inputs.iter().all(|i| *i == input(i.number, 300)), "{what}");
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("damaged.redb"), "{what}: {error}");
            }
        }
    };
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..60 {
        let length = random.usize(1..whole.len());
        look(&whole[..length], &format!("cut to {length}"));
    }
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let anywhere: Vec<usize> = (0..200).map(|_| used[random.usize(..used.len())]).collect();
    for at in (0..400).chain(anywhere) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << random.u8(..8);
        look(&bytes, &format!("byte {at}"));
    }
    look(b"[]", "no store at all");
    assert!(refused > 200, "{refused}");
}

#[test]
fn a_file_of_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(MESSAGES_FILE);
    MessageFile::closed(path.clone()).apply(&batch([input(1, 1)], &[])).unwrap();
    let database = open(&path, false).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(ABOUT).unwrap().insert(FORMAT_KEY, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = MessageFile::open(path.clone()).err().unwrap().to_string();
    assert!(error.contains("of another version") && error.contains("remove the file"), "{error}");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let error = MessageFile::open(path.clone()).err().unwrap().to_string();
    assert!(error.contains("messages.redb"), "{error}");
}

/// What could not be written leaves the file as it was, and the next batch goes into it.
#[test]
fn a_failed_write_is_not_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(MESSAGES_FILE);
    std::fs::create_dir_all(path.with_extension("redb.new").join("inside")).unwrap();
    let mut file = MessageFile::closed(path.clone());
    let error = file.apply(&batch([input(1, 1)], &[])).unwrap_err().to_string();
    assert!(error.contains("messages.redb cannot be written"), "{error}");
    assert!(!path.exists());
    std::fs::remove_dir_all(path.with_extension("redb.new")).unwrap();
    file.apply(&batch([input(1, 1)], &[])).unwrap();
    assert_eq!(numbers(&after_a_kill(&path)), [1]);
}
