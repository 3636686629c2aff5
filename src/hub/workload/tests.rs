use super::*;
use crate::azure::Key;
use crate::testing::daemon::{Daemon, KEY, Mood};

fn certificate() -> String {
    rcgen::generate_simple_self_signed(vec!["root".to_owned()]).expect("a certificate").cert.pem()
}

async fn failure(daemon: &Daemon, moods: impl IntoIterator<Item = Mood>) -> String {
    daemon.moods(moods);
    let client = daemon.client();
    let error = client.sign(b"text to sign").await.expect_err("no good answer");
    let shown = error.to_string();
    assert!(shown.contains(&client.address.to_string()), "names the socket: {shown}");
    assert!(!shown.contains("text to sign"), "{shown}");
    shown
}

#[tokio::test]
async fn signs_and_fetches_the_bundle_as_the_runtime_specifies() {
    let daemon = Daemon::start(certificate() + &certificate() + "\n");
    let client = daemon.client();
    let expected = Key::from_base64(KEY).unwrap().sign(b"text");
    assert_eq!(client.sign(b"text").await.unwrap(), expected);
    assert_eq!(client.trust_bundle().await.unwrap().len(), 2);
    let requests = [
        "POST /modules/m%201/genid/637/sign?api-version=2022-08-03 localhost",
        "GET /trust-bundle?api-version=2022-08-03 localhost",
    ];
    assert_eq!(daemon.requests(), requests);
}

/// After 50 ms, and then after twice as long each time, of which chance takes up to one half.
#[tokio::test(start_paused = true)]
async fn a_daemon_that_hangs_up_is_asked_again_and_not_for_ever() {
    let daemon = Daemon::start("");
    daemon.moods([Mood::Close, Mood::Raw(Vec::new()), Mood::Raw(b"HTTP/1.1 200".to_vec())]);
    daemon.client().sign(b"text").await.expect("the fourth answer is good");
    assert_eq!(daemon.connections(), 4);

    let start = tokio::time::Instant::now();
    let shown = failure(&daemon, std::iter::repeat_n(Mood::Close, 20)).await;
    let waited_ms = start.elapsed().as_millis();
    let longest_ms = 50 + 100 + 200 + 400;
    assert!((longest_ms / 2..=longest_ms + 4).contains(&waited_ms), "{waited_ms} ms");
    assert!(shown.contains("closed the connection without an answer 5 times"), "{shown}");
    assert_eq!(daemon.connections(), 9);
}

/// Half an answer is none.
#[tokio::test]
async fn an_answer_that_is_cut_off_is_asked_for_again() {
    let daemon = Daemon::start("");
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 80\r\n\r\n{\"digest\":\"".to_vec();
    daemon.moods([Mood::Raw(cut)]);
    daemon.client().sign(b"text").await.expect("the second answer is good");
    assert_eq!(daemon.connections(), 2);
}

#[tokio::test]
async fn a_refusal_carries_the_daemons_words() {
    let daemon = Daemon::start("");
    let answer = |status, body: &str| [Mood::Answer(status, body.to_owned())];
    let shown = failure(&daemon, answer(403, r#"{"message":"module not\nfound"}"#)).await;
    assert!(shown.contains("403: module not found (it takes this process"), "{shown}");
    let shown = failure(&daemon, answer(500, "<html>")).await;
    assert!(shown.contains("answered 500: no message"), "{shown}");
    let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(9000));
    assert!(failure(&daemon, answer(400, &long)).await.len() < 600);
    assert_eq!(daemon.connections(), 3, "a refusal is not asked again at once");
}

#[tokio::test]
async fn garbage_is_an_error_and_not_an_answer() {
    let daemon = Daemon::start("");
    let shown = failure(&daemon, [Mood::Raw(b"220 smtp ready\r\n".to_vec())]).await;
    assert!(shown.contains("no HTTP answer"), "{shown}");
    for body in ["", "garbage", "{}", r#"{"digest":"QQ=="}"#] {
        let shown = failure(&daemon, [Mood::Answer(200, body.to_owned())]).await;
        assert!(shown.contains("unusable signature"), "{shown}");
    }
    let huge = "x".repeat(ANSWER_BYTES_MAX + 1);
    let shown = failure(&daemon, [Mood::Answer(200, huge)]).await;
    assert!(shown.contains("larger than"), "{shown}");
}

/// Hanging before the answer or within it ends at the time-out.
#[tokio::test(start_paused = true)]
async fn a_daemon_that_hangs_is_given_up() {
    for mood in [Mood::Hang, Mood::Drip] {
        let daemon = Daemon::start("");
        let start = tokio::time::Instant::now();
        let shown = failure(&daemon, [mood]).await;
        assert!(shown.contains("no answer within 6s"), "{shown}");
        let waited = start.elapsed();
        let latest = REQUEST_TIMEOUT + Duration::from_millis(10);
        assert!((REQUEST_TIMEOUT..latest).contains(&waited), "{waited:?}");
    }
}

#[tokio::test]
async fn a_missing_socket_says_what_to_look_at() {
    let client = Daemon::start("").client();
    let shown = client.sign(b"text").await.unwrap_err().to_string();
    assert!(shown.contains("cannot connect") && shown.contains("socket mounted"), "{shown}");
}

#[tokio::test]
async fn a_damaged_bundle_is_refused_whole() {
    let whole = certificate();
    let cases = [
        (String::new(), "no PEM certificate"),
        ("garbage".to_owned(), "no PEM certificate"),
        (whole.clone() + &whole[..whole.len() / 2], "certificate 2 is cut off or damaged"),
        (whole.replace("MII", "M!I"), "certificate 1 is cut off or damaged"),
    ];
    let daemon = Daemon::start("");
    for (bundle, expected) in cases {
        daemon.set_bundle(bundle);
        let shown = daemon.client().trust_bundle().await.unwrap_err().to_string();
        assert!(shown.contains("unusable trust bundle") && shown.contains(expected), "{shown}");
    }
}

/// The same over TCP, for runtimes without unix sockets.
#[tokio::test]
async fn http_addresses_are_dialled() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answered = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let count = socket.read(&mut request).await.unwrap();
        let body = text::sign_response(&[7; 32]);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        socket.write_all(head.as_bytes()).await.unwrap();
        String::from_utf8(request[..count].to_vec()).unwrap()
    });
    let mut client = Daemon::start("").client();
    client.address = format!("http://127.0.0.1:{port}").parse().unwrap();
    assert_eq!(client.sign(b"text").await.unwrap(), [7; 32]);
    let request = answered.await.unwrap();
    assert!(request.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{request}");
}

/// A shortage of this process's own is not the edge runtime's fault.
#[test]
fn too_few_descriptors_are_named_as_the_reason() {
    for (errno, expected) in
        [(rustix::io::Errno::MFILE, "ulimit -n"), (rustix::io::Errno::NFILE, "fs.file-max")]
    {
        let advice = connect_advice(&errno.into());
        assert!(advice.contains(expected) && !advice.contains("edge runtime"), "{advice}");
    }
}

/// What stands in the way to the daemon decides what to look at.
#[test]
fn each_way_not_to_connect_has_its_advice() {
    let advice = |kind: io::ErrorKind| connect_advice(&kind.into());
    let user = "this user may not write to the socket";
    let runtime = "is the edge runtime running and its socket mounted here?";
    assert_eq!(advice(io::ErrorKind::PermissionDenied), user);
    assert_eq!(advice(io::ErrorKind::NotFound), runtime);
    assert_eq!(advice(io::ErrorKind::ConnectionRefused), runtime);
}

/// Whatever status the daemon answers: two of them name the variable to look at.
#[tokio::test]
async fn each_status_has_its_advice() {
    let daemon = Daemon::start("");
    for (status, end) in [
        (201, "201: why"),
        (400, "400: why (does it know this IOTEDGE_APIVERSION?)"),
        (401, "401: why"),
        (403, "403: why (it takes this process for another module than IOTEDGE_MODULEID says)"),
        (500, "500: why"),
    ] {
        let shown = failure(&daemon, [Mood::Answer(status, r#"{"message":"why"}"#.into())]).await;
        assert!(shown.ends_with(&format!(" answered {end}")), "{shown}");
    }
}
