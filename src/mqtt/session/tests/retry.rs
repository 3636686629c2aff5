//! What ends a wait before its time, and how many lines long outages take.

use std::fs;
use std::io::Write;
use std::iter::Cycle;
use std::sync::Mutex;
use std::vec::IntoIter;

use tokio::task::JoinHandle;

use super::*;

/// A client that connects once a file says `good`.
struct Reader {
    file: PathBuf,
    answer: Answer,
    attempts: Arc<Mutex<Vec<tokio::time::Instant>>>,
    /// How long connections last before the peer hangs up, one after the other, and over again.
    lasts: Cycle<IntoIter<Duration>>,
    wake: Arc<Notify>,
    stop: watch::Receiver<bool>,
}

impl Serve for Reader {
    type Leave = ();

    fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }

    fn puback_timeout(&self) -> Duration {
        PUBACK_TIMEOUT
    }

    fn open(&mut self, _session_present: bool, _now: Instant) -> Result<Ask, End> {
        Ok(Ask { packet_id: 1, filters: vec!["a".to_owned()] })
    }

    fn turn<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        _now: Instant,
    ) -> Result<Step<()>, End> {
        for packet in session.inbox.packets() {
            if let Packet::SubAck(ack) = packet {
                session.subscription.acknowledged(&ack)?;
            }
        }
        let wait = Wait { read: true, ..Wait::default() };
        Ok(if *self.stop.borrow() { Step::Leave(()) } else { Step::Wait(wait) })
    }
}

impl Client for Reader {
    type Stream = DuplexStream;

    fn client_id(&self) -> &str {
        "reader"
    }

    fn stop(&self) -> &watch::Receiver<bool> {
        &self.stop
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.file.clone()]
    }

    async fn connect(&mut self) -> Result<Connected<DuplexStream>, FailedAttempt> {
        self.attempts.lock().unwrap().push(tokio::time::Instant::now());
        if fs::read_to_string(&self.file).unwrap_or_default() != "good" {
            let text = format!("{} is no good", self.file.display());
            return Err(FailedAttempt { text, answer: Some(self.answer) });
        }
        let (ours, theirs) = duplex(1 << 16);
        tokio::spawn(peer(theirs, self.lasts.next()));
        Ok(Connected {
            connection: Connection::new(ours, KEEP_ALIVE),
            session_present: false,
            endpoint: "memory".to_owned(),
            names: &Names::NONE,
        })
    }

    fn left(&mut self, (): ()) -> bool {
        false
    }

    fn lost(&mut self, _end: &End) -> Cause {
        Cause::Unknown
    }
}

/// Grants what is asked for and answers pings, for a while.
async fn peer(stream: DuplexStream, lasts: Option<Duration>) {
    let mut connection = Connection::new(stream, Duration::ZERO);
    let serve = async {
        while let Ok(packet) = connection.next_packet().await {
            let answer = match packet {
                Packet::Subscribe(ask) => {
                    Packet::SubAck(SubAck::new(ask.pkid, vec![Code::Success(QoS::AtLeastOnce)]))
                }
                Packet::PingReq => Packet::PingResp,
                _ => continue,
            };
            connection.send(&answer).unwrap();
            connection.flush().await.unwrap();
        }
    };
    let lasts = lasts.unwrap_or(Duration::from_secs(1 << 30));
    let _ = tokio::time::timeout(lasts, serve).await;
}

struct Running {
    folder: tempfile::TempDir,
    attempts: Arc<Mutex<Vec<tokio::time::Instant>>>,
    client: JoinHandle<()>,
    stop: watch::Sender<bool>,
    wake: Arc<Notify>,
}

impl Running {
    fn start(answer: Answer, lasts: impl Into<Vec<Duration>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (attempts, wake) = (Arc::default(), Arc::new(Notify::new()));
        let mut reader = Reader {
            file: folder.path().join("file"),
            answer,
            attempts: Arc::clone(&attempts),
            lasts: lasts.into().into_iter().cycle(),
            wake: Arc::clone(&wake),
            stop: stopped,
        };
        let client = tokio::spawn(async move { run(&mut reader).await });
        Self { folder, attempts, client, stop, wake }
    }

    /// As programs do that must not be seen half way.
    fn write(&self, content: &str) {
        let (new, file) = (self.folder.path().join("new"), self.folder.path().join("file"));
        fs::write(&new, content).unwrap();
        fs::rename(new, file).unwrap();
    }

    fn attempts_since(&self, then: tokio::time::Instant) -> usize {
        self.attempts.lock().unwrap().iter().filter(|at| **at >= then).count()
    }

    async fn end(self) {
        self.stop.send(true).unwrap();
        self.wake.notify_one();
        self.client.await.unwrap();
    }
}

/// Whatever the back-off, and however often it goes wrong: a file that comes, changes, is cut off
/// or goes is tried within 5 s, and one that stays is not looked into any sooner.
#[tokio::test(start_paused = true)]
async fn a_changed_file_is_tried_within_five_seconds() {
    for answer in [Answer::Identity, Answer::Refusal, Answer::Nothing] {
        let running = Running::start(answer, []);
        sleep(Duration::from_secs(600)).await;
        for content in [Some("bad"), Some(""), Some("go"), None, Some("worse")] {
            // Just behind an attempt, so that the whole wait lies ahead.
            let before = running.attempts.lock().unwrap().len();
            while running.attempts.lock().unwrap().len() == before {
                sleep(Duration::from_millis(10)).await;
            }
            let then = tokio::time::Instant::now();
            match content {
                Some(content) => running.write(content),
                None => fs::remove_file(running.folder.path().join("file")).unwrap(),
            }
            sleep(Duration::from_secs(5)).await;
            assert!(running.attempts_since(then) >= 1, "{answer:?}, {content:?}");
            sleep(Duration::from_secs(120)).await;
        }
        let then = tokio::time::Instant::now();
        sleep(Duration::from_secs(600)).await;
        let longest_s = if answer == Answer::Nothing { 2 } else { 5 };
        assert!(running.attempts_since(then) <= 600 / longest_s * 2 + 1, "{answer:?}");
        running.write("good");
        let then = tokio::time::Instant::now();
        sleep(Duration::from_secs(5)).await;
        assert!(running.attempts_since(then) >= 1, "{answer:?}");
        // It is connected: files are looked at no more.
        let then = tokio::time::Instant::now();
        running.write("bad");
        sleep(Duration::from_secs(600)).await;
        assert_eq!(running.attempts_since(then), 0, "{answer:?}");
        running.end().await;
    }
}

/// The lines of this thread, for as long as the guard lives.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .without_time()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// What came since the last call.
    fn take(&self) -> Vec<String> {
        let text = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }
}

/// One line an event: an hour away takes a dozen lines, and the end of it one.
#[tokio::test(start_paused = true)]
async fn a_long_outage_takes_few_lines() {
    let (lines, _guard) = Lines::start();
    let running = Running::start(Answer::Nothing, []);
    sleep(Duration::from_secs(3600)).await;
    let shown = lines.take();
    assert!((5..=16).contains(&shown.len()), "{shown:#?}");
    assert!(shown[0].contains("as reader: ") && shown[0].contains("is no good; next attempt in "));
    assert!(shown[1].contains("as reader: still, after 3 failures in "), "{}", shown[1]);
    assert!(shown[1].contains("is no good; next attempt in "), "{}", shown[1]);
    running.write("good");
    sleep(Duration::from_secs(10)).await;
    let shown = lines.take();
    // The next attempt may have been due anyway.
    let (connected, before) = shown.split_last().expect("a line");
    assert!(before.iter().all(|line| line.contains("file has changed: next attempt now")));
    assert!(before.len() <= 1, "{shown:#?}");
    let parts = ["connected to memory as reader", "session present: false", " failures in 60 min"];
    assert!(parts.iter().all(|part| connected.contains(part)), "{connected}");
    running.end().await;
}

/// A peer that hangs up soon after each CONNACK: as many lines, not one for each connection.
#[tokio::test(start_paused = true)]
async fn connections_that_end_at_once_take_few_lines() {
    let (lines, _guard) = Lines::start();
    let running = Running::start(Answer::Nothing, [Duration::from_millis(500)]);
    running.write("good");
    sleep(Duration::from_secs(3600)).await;
    let shown = lines.take();
    assert!(running.attempts.lock().unwrap().len() > 200);
    assert!(shown.len() <= 30, "{shown:#?}");
    let is_of = |part: &str| shown.iter().filter(|line| line.contains(part)).count();
    assert!(is_of("connected to memory") >= 1 && is_of("still, after ") >= 4, "{shown:#?}");
    running.end().await;
}

/// What has lasted for a minute is well: the same end behind it is told in full again, and folded
/// from there on.
#[tokio::test(start_paused = true)]
async fn an_end_behind_a_good_connection_is_logged_in_full() {
    let (lines, _guard) = Lines::start();
    let (short, long) = (Duration::from_secs(3), STEADY_AFTER + Duration::from_secs(1));
    let running = Running::start(Answer::Nothing, [short, short, short, short, long]);
    running.write("good");
    let mut lost = Vec::new();
    for rounds in 2..=3 {
        let is_lost = |line: &&String| line.contains("as reader: connection to memory lost: ");
        while lost.iter().filter(is_lost).count() < rounds {
            assert!(running.attempts.lock().unwrap().len() <= 5 * rounds, "{lost:#?}");
            sleep(Duration::from_millis(100)).await;
            lost.extend(lines.take());
        }
    }
    running.end().await;
}
