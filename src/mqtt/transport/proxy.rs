//! A way through an HTTP proxy: CONNECT (RFC 9110 §9.3.6), then the bytes are ours.

use std::fmt;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{At, Failure};

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
#[error("not the URL of an HTTP proxy: http://[user:password@]host[:port]")]
pub struct ProxyUrlError;

impl Proxy {
    /// The proxy at `url`, unless `exceptions` (`NO_PROXY`, as curl reads it) name `host`.
    ///
    /// # Errors
    /// When `url` is none of an HTTP proxy. User and password are percent-decoded.
    pub fn to(host: &str, url: &str, exceptions: &str) -> Result<Option<Self>, ProxyUrlError> {
        let authority = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let target: Uri = format!("https://{authority}/").parse().map_err(|_| ProxyUrlError)?;
        let all = Matcher::builder().https(url).build();
        let proxy = all.intercept(&target).ok_or(ProxyUrlError)?;
        let uri = proxy.uri();
        let (Some("http"), Some(proxy_host)) = (uri.scheme_str(), uri.host()) else {
            return Err(ProxyUrlError);
        };
        let excepted = Matcher::builder().https(url).no(exceptions).build();
        if excepted.intercept(&target).is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            host: proxy_host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authorization: proxy.basic_auth().cloned(),
        }))
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

    /// The same failure, told of the proxy.
    pub(super) fn away(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Dns { source, .. } | Failure::Tcp { source, .. } => {
                Failure::ProxyAway { proxy: self.to_string(), source }
            }
            other => other,
        }
    }
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
        Proxy::to(host, url, exceptions).expect("a good URL")
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

    #[test]
    fn other_urls_are_refused_without_repeating_them() {
        for url in ["", "https://p:1", "socks5://p:1", "http://", "ftp://u:secret@p", "a b"] {
            let error = Proxy::to("hub.net", url, "").expect_err(url);
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn exceptions_go_direct() {
        let cases = [
            ("edge.local", "other, .local", true),
            ("edge.local", "edge.local", true),
            ("edge.local", "*", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("edge.local", "notedge.local,10.0.0.0/8", false),
            ("edge.local", "", false),
        ];
        for (host, exceptions, is_direct) in cases {
            assert_eq!(
                to(host, "http://p:1", exceptions).is_none(),
                is_direct,
                "{host} {exceptions}"
            );
        }
    }
}
