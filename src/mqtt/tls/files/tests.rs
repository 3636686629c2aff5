use super::*;
use crate::mqtt::tls::certificate::tests::made::{Made, authority, self_signed};
use std::fs;

/// The files of a client with a certificate, in a folder.
struct Scene {
    folder: tempfile::TempDir,
    tls: Reread<TlsSettings>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files = TlsFiles { ca: CaSource::File(at("ca")), own: Some((at("cert"), at("key"))) };
        let scene = Self { tls: files.reread(crate::mqtt::tls::trusting([]).unwrap()), folder };
        scene.write("ca", &authority("a").pem());
        scene.write_own(&self_signed("one", |_| {}));
        scene
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn write_own(&self, made: &Made) {
        self.write("cert", &made.pem());
        self.write("key", &made.key.serialize_pem());
    }

    fn config(&mut self) -> Arc<ClientConfig> {
        self.tls.again().unwrap().config()
    }

    fn problem(&mut self) -> String {
        self.tls.again().map(drop).expect_err("nothing of use")
    }
}

/// What rustls keeps of earlier connections lives as long as the files are the same.
#[test]
fn settings_are_made_anew_when_a_file_has_changed_alone() {
    let mut scene = Scene::new();
    let first = scene.config();
    assert!(Arc::ptr_eq(&first, &scene.config()));
    let rotated = self_signed("two", |_| {});
    scene.write_own(&rotated);
    let second = scene.config();
    assert!(!Arc::ptr_eq(&first, &second));
    let own = scene.tls.last().own.as_ref().and_then(|own| own.common_name.clone());
    assert_eq!(own.as_deref(), Some("two"));
    scene.write("ca", &authority("b").pem());
    assert!(!Arc::ptr_eq(&second, &scene.config()));
}

/// A writer that is not done, in each of the files, and then is.
#[test]
fn half_a_file_is_reported_and_waited_for() {
    let mut scene = Scene::new();
    scene.config();
    for name in ["ca", "cert", "key"] {
        let path = scene.folder.path().join(name);
        let whole = fs::read_to_string(&path).unwrap();
        for (part, why) in [
            ("", "it is empty"),
            (&whole[..whole.len() / 2], "it is not PEM, or is cut off"),
            (&whole[..20], "cut off"),
        ] {
            fs::write(&path, part).unwrap();
            let shown = scene.problem();
            assert!(shown.contains(&path.display().to_string()) && shown.contains(why), "{shown}");
        }
        fs::remove_file(&path).unwrap();
        assert!(scene.problem().contains("No such file"));
        fs::write(&path, whole).unwrap();
        scene.config();
    }
    // A new certificate, and the old key as yet.
    scene.write("cert", &self_signed("two", |_| {}).pem());
    let shown = scene.problem();
    assert!(shown.contains("cert and ") && shown.contains("does not belong"), "{shown}");
}

/// The system's roots are looked at where they are.
#[test]
fn system_roots_are_watched() {
    let files = TlsFiles { ca: CaSource::System { instead: "X" }, own: None };
    let tls = files.reread(crate::mqtt::tls::trusting([]).unwrap());
    assert_eq!(tls.paths(), pem::system_places());
}
