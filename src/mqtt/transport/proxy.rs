//! A way through an HTTP proxy: CONNECT (RFC 9110 §9.3.6), then the bytes are ours.

mod exceptions;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{At, Failure};
use crate::mqtt::url::{Password, Schemes, ServerUrl, UrlProblem};

/// The scheme of a proxy that is asked by CONNECT, with its port.
const SCHEMES: Schemes = Schemes {
    known: &[("http", 80)],
    wanted: "http://, as no proxy is spoken to over TLS (https://) or by SOCKS",
};

/// Largest answer to CONNECT.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// An HTTP proxy. Neither `Debug` nor `Display` shows its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Host name or address; IPv6 without its brackets.
    pub(super) host: String,
    /// TCP port.
    pub(super) port: u16,
    /// `Basic` and the credentials, marked as sensitive.
    authorization: Option<HeaderValue>,
}

/// The text is no URL of a proxy that can be used. Does not repeat it: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyUrlError {
    /// It cannot be read.
    #[error("not the URL of an HTTP proxy, http://[user:password@]host[:port]: {0}")]
    Url(#[from] UrlProblem),
    /// Basic credentials end the user name at its first colon (RFC 7617 §2).
    #[error(
        "not the URL of an HTTP proxy: its user name holds a ':', which HTTP has no way to send"
    )]
    Colon,
}

impl Proxy {
    /// The proxy at `url` for what is at `host` and `port`, unless `exceptions` (`NO_PROXY`) name
    /// it.
    ///
    /// # Errors
    /// When `url` is none of an HTTP proxy. User and password are percent-decoded.
    pub fn to(
        host: &str,
        port: u16,
        url: &str,
        exceptions: &str,
    ) -> Result<Option<Self>, ProxyUrlError> {
        // As curl and others read it, the scheme may be missing.
        let url = match url.contains("://") {
            true => ServerUrl::read(url, &SCHEMES)?,
            false => ServerUrl::read(&format!("http://{}", url.trim()), &SCHEMES)?,
        };
        let authorization = url.user.map(|user| basic(&user, url.password.as_ref())).transpose()?;
        if exceptions::apply_to(exceptions, host, port) {
            return Ok(None);
        }
        Ok(Some(Self { host: url.host, port: url.port, authorization }))
    }

    /// Asks the proxy at the other end of `tcp` for a way to `host` and `port`.
    pub(super) async fn tunnel(&self, tcp: TcpStream, at: At) -> Result<TcpStream, Failure> {
        let At { host, port } = &at;
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(&authority)
            .header(HOST, &authority)
            .body(Empty::<Bytes>::new())
            .map_err(|error| self.failed(at.clone(), error.to_string()))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        converse(tcp, request).await.map_err(|problem| self.failed(at, problem))
    }

    fn failed(&self, at: At, problem: String) -> Failure {
        Failure::Proxy { proxy: self.to_string(), at, problem }
    }

    /// The same failure, as one of the proxy's.
    pub(super) fn away(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Dns { source, .. } | Failure::Tcp { source, .. } => {
                Failure::ProxyAway { proxy: self.to_string(), source }
            }
            Failure::Shortage { source, .. } => {
                Failure::Shortage { to: format!("the proxy {self}"), source }
            }
            other => other,
        }
    }
}

/// Basic credentials (RFC 7617).
fn basic(user: &str, password: Option<&Password>) -> Result<HeaderValue, ProxyUrlError> {
    if user.contains(':') {
        return Err(ProxyUrlError::Colon);
    }
    let login = format!("{user}:{}", password.map_or("", Password::reveal));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(login)))
        .expect("Base64 is a header's text");
    value.set_sensitive(true);
    Ok(value)
}

async fn converse(tcp: TcpStream, request: Request<Empty<Bytes>>) -> Result<TcpStream, String> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(tcp)).await.map_err(unanswered)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(unanswered)?;
        if !response.status().is_success() {
            return Err(refusal(response.status()));
        }
        hyper::upgrade::on(response).await.map_err(unanswered)
    };
    // The connection moves the bytes; its own end shows in the answer too.
    let connection = async {
        let _ = connection.with_upgrades().await;
        std::future::pending().await
    };
    let upgraded = tokio::select! {
        biased;
        answer = answer => answer?,
        never = connection => never,
    };
    let parts = upgraded.downcast::<TokioIo<TcpStream>>();
    let parts = parts.map_err(|_| "the connection is of another kind".to_owned())?;
    // TLS begins with the client: whatever came already is not from the peer.
    if parts.read_buf.is_empty() {
        Ok(parts.io.into_inner())
    } else {
        Err("it sent bytes behind its answer: is it an HTTP proxy?".to_owned())
    }
}

/// What hyper says stands behind, in brackets.
fn unanswered(error: hyper::Error) -> String {
    let meaning = if error.is_parse() {
        "what it answered is no HTTP: is it an HTTP proxy?"
    } else {
        "it did not answer: is it an HTTP proxy, and does it allow CONNECT to this host and port?"
    };
    format!("{meaning} ({error})")
}

fn refusal(status: StatusCode) -> String {
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            format!("it answered {status}: check user and password in the proxy's URL")
        }
        StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED => {
            format!("it answered {status}: it must allow CONNECT to this host and port")
        }
        _ => format!("it answered {status}: it must reach this host and port"),
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(host: &str, url: &str, exceptions: &str) -> Option<Proxy> {
        Proxy::to(host, 443, url, exceptions).expect("a good URL")
    }

    #[test]
    fn urls_are_read_and_credentials_never_shown() {
        let proxy = to("hub.net", "http://us%40er:pa%3Ass@proxy.local:3128/", "").expect("a proxy");
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.local", 3128));
        assert_eq!(proxy.authorization.as_ref().expect("credentials"), "Basic dXNAZXI6cGE6c3M=");
        let shown = format!("{proxy} {proxy:?}");
        assert!(!shown.contains("dXNA") && !shown.contains("pa"), "{shown}");
        let bare = to("hub.net", "proxy:81", "").expect("a proxy");
        assert_eq!((bare.port, bare.authorization), (81, None));
        let v6 = to("fe80::1", "http://[::1]", "").expect("a proxy");
        assert_eq!((v6.host.as_str(), v6.port), ("::1", 80));
    }

    /// The login ends at the last `@`, and is sent as it was meant.
    #[test]
    fn a_login_is_decoded_as_a_broker_s_is() {
        let cases = [
            ("http://user:p@ss@proxy:3128", "user:p@ss"),
            ("user:p@ss@proxy", "user:p@ss"),
            ("http://user:p:q@proxy", "user:p:q"),
            ("http://%C3%A9:%23%2F%3F%25%3A@proxy", "\u{e9}:#/?%:"),
            ("http://user@proxy", "user:"),
            ("http://user:@@proxy", "user:@"),
            ("http://user:p%40ss@proxy:8080", "user:p@ss"),
            ("http://user:p@ss:1@proxy:8080/", "user:p@ss:1"),
            ("http://DOMAIN%5Cuser:p@proxy", "DOMAIN\\user:p"),
            ("http://DOMAIN\\user:p@proxy", "DOMAIN\\user:p"),
        ];
        for (url, login) in cases {
            let proxy = to("hub.net", url, "").expect("a proxy");
            let expected = format!("Basic {}", STANDARD.encode(login));
            assert_eq!(proxy.host, "proxy", "{url}");
            assert_eq!(proxy.authorization.expect("credentials"), expected.as_str(), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused_without_repeating_them() {
        let urls = [
            "",
            "https://p:1",
            "socks5://p:1",
            "http://",
            "ftp://u:secret@p",
            "a b",
            "http://u:sec#ret@p",
            "http://u:sec/ret@p",
            "http://u:sec?ret@p",
            "u:sec#ret@p:1",
            "http://u:secret%@p",
            "http://u:%zzsecret@p",
            "http://:secret@p",
            "http://u:secret",
            "http://secret%3Au:x@p",
            "http://p:0",
            "http://p:65536",
            "http://p:+1",
            "http://p:x",
            "http://p:port",
            "http://p:99999",
            "http://p:1 2",
            "http://p: 1",
            "http://p:-1",
            "http://user:1234#5@proxy:8080",
            "http://user:sec/ret@proxy:8080",
            "http://user:sec?ret@proxy:8080",
            "http://user:sec\\ret/@proxy:8080",
            "user:sec://ret@proxy:8080",
            "http://user:secret@",
            "http://user:secret@:8080",
            "http://:8080",
            "http:///p:1",
            "http:/p:1",
            "http:\\\\p:1",
            "http://secret host:1",
            "HTTPS://u:secret@p:1",
            "socks5h://u:secret@p:1",
            "socks4://p:1",
            "//p:1",
            "http://p:",
            "http://[::1",
            "http://::1",
            "http://[::1]8",
            "http://p/secret",
        ];
        for url in urls {
            let error = Proxy::to("hub.net", 443, url, "").expect_err(url).to_string();
            assert!(!error.contains("sec") && error.contains("HTTP proxy"), "{url}: {error}");
        }
    }

    #[test]
    fn exceptions_go_direct() {
        assert!(to("edge.local", "http://p:1", "other, .local").is_none());
        assert!(to("edge.local", "http://p:1", "edge.local:443").is_none());
        assert!(to("edge.local", "http://p:1", "edge.local:8883").is_some());
        // A proxy that nobody needs is read all the same.
        assert!(Proxy::to("edge.local", 443, "http://p:0", "*").is_err());
    }
}
