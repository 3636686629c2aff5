use super::super::tests::{assert_waited, hub};
use super::*;
use tokio::io::duplex;
use tokio::time::Instant;

/// A client that stops within its head is closed after 30 s, and one that stops within its body is
/// told so; neither is waited for any longer.
#[tokio::test(start_paused = true)]
async fn a_request_is_waited_for_30_s() {
    const HEAD: &str = "POST /modules/m/genid/1/sign?api-version=2019-01-30 HTTP/1.1\r\n\
                        host: h\r\ncontent-length: 100\r\nconnection: close\r\n";
    for (request, answer) in [
        (HEAD.to_owned(), None),
        (format!("{HEAD}\r\n"), Some("HTTP/1.1 400")),
        (format!("{HEAD}\r\n{{\"keyId\":"), Some("HTTP/1.1 400")),
    ] {
        let (hub, _tls, _folder) = hub();
        let (ours, mut theirs) = duplex(4096);
        let start = Instant::now();
        let client = async {
            theirs.write_all(request.as_bytes()).await.unwrap();
            let mut said = [0; 12];
            let heard = theirs.read_exact(&mut said).await;
            assert_waited(start, Duration::from_secs(30));
            match answer {
                None => assert!(heard.is_err() || !said.starts_with(b"HTTP/1.1 200")),
                Some(answer) => assert_eq!(said, *answer.as_bytes(), "{request}"),
            }
            drop(theirs);
        };
        tokio::join!(serve_connection(hub, Rc::new(Scope::Every), ours), client);
    }
}
