use super::*;
use std::os::unix::fs::symlink;

/// How a file of `folder` is changed.
type Change = fn(&Path);

fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(&new, path).unwrap();
}

/// Each way in which programs change a file shows, whatever length and time they give it.
#[test]
fn every_change_shows() {
    let changes: [(&str, Change); 9] = [
        ("grown", |path| fs::write(path, "longer").unwrap()),
        ("cut off", |path| fs::write(path, "").unwrap()),
        ("replaced by one of its length", |path| replace(path, "b")),
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("moved away", |path| fs::rename(path, path.with_extension("old")).unwrap()),
        ("a folder instead", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("a link instead", |path| {
            let target = path.with_extension("target");
            fs::write(&target, "a").unwrap();
            fs::remove_file(path).unwrap();
            symlink(&target, path).unwrap();
        }),
        ("written in place, with its length and its old times", |path| {
            let before = fs::metadata(path).unwrap();
            // The clock of a file system may tick every few milliseconds.
            while fs::metadata(path).unwrap().ctime_nsec() == before.ctime_nsec() {
                fs::write(path, "b").unwrap();
                let file = fs::File::options().write(true).open(path).unwrap();
                file.set_modified(before.modified().unwrap()).unwrap();
            }
        }),
        ("replaced, with its length and its old times", |path| {
            let times = fs::metadata(path).unwrap().modified().unwrap();
            replace(path, "c");
            fs::File::options().write(true).open(path).unwrap().set_modified(times).unwrap();
        }),
    ];
    for (name, change) in changes {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "a").unwrap();
        let watch = Watch::over(vec![path.clone()]);
        assert_eq!(watch.changed(), None, "{name}");
        change(&path);
        assert_eq!(watch.changed(), Some(path.as_path()), "{name}");
        assert_eq!(Watch::over(vec![path]).changed(), None, "{name}");
    }
}

/// Kubernetes gives a secret a new folder, and turns one link that the file's own leads through.
#[test]
fn a_change_of_a_kubernetes_secret_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, content) in [("..1", "old"), ("..2", "new")] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("key"), content).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/key", at("key")).unwrap();
    let watch = Watch::over(vec![at("key")]);
    assert_eq!(watch.changed(), None);
    symlink("..2", at("..tmp")).unwrap();
    fs::rename(at("..tmp"), at("..data")).unwrap();
    assert_eq!(watch.changed(), Some(at("key").as_path()));
}

#[test]
fn a_file_that_comes_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let watch = Watch::over(vec!["/nowhere/else".into(), path.clone()]);
    assert_eq!(watch.changed(), None);
    fs::write(&path, "").unwrap();
    assert_eq!(watch.changed(), Some(path.as_path()));
}

/// Word of a change comes within 5 s, and none without; nothing to look at never ends.
#[tokio::test(start_paused = true)]
async fn a_change_is_seen_within_five_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let watch = Watch::over(vec![path.clone()]);
    let long = Duration::from_secs(3600);
    assert!(tokio::time::timeout(long, watch.wait()).await.is_err());
    fs::write(&path, "").unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(5), watch.wait()).await.is_ok());
    let nothing = Watch::over(Vec::new());
    assert!(tokio::time::timeout(long, nothing.wait()).await.is_err());
}

/// A file that cannot be read leaves the value as it was, for the next time.
#[test]
fn a_value_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let read = {
        let path = path.clone();
        move |last: &String| {
            let now = fs::read_to_string(&path).map_err(|_| "no file".to_owned())?;
            Ok((now != *last).then_some(now))
        }
    };
    let mut value = Reread::new("given".to_owned(), [path.clone()], read);
    assert_eq!(value.again(), Err("no file".to_owned()));
    assert_eq!(value.last(), "given");
    for content in ["one", "one", "two"] {
        fs::write(&path, content).unwrap();
        assert_eq!(value.again().unwrap(), content);
    }
    assert!(!format!("{value:?}").contains("two"));
    let mut fixed = Reread::from(7);
    assert_eq!(fixed.again(), Ok(&7));
    assert_eq!(fixed.paths().len(), 0);
}
