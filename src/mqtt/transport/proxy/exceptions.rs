//! `NO_PROXY`: what is reached without the proxy.

use std::net::IpAddr;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// Whether `exceptions` hold for `host`, at `port`. Entries stand between commas or white space:
/// `*`, a domain with or without `.` or `*.` before it, which all of its names belong to, an
/// address, or a network; an entry with `:port` is for that port alone.
pub(super) fn apply_to(exceptions: &str, host: &str, port: u16) -> bool {
    let entries = exceptions.split(|c: char| c == ',' || c.is_whitespace());
    let entries: Vec<_> = entries.filter_map(|entry| of_port(entry, port)).collect();
    if entries.contains(&"*") {
        return true;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let authority = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let target = format!("https://{authority}/").parse::<Uri>();
    // Which proxy it would be otherwise changes nothing.
    let matcher = Matcher::builder().https("http://proxy").no(entries.join(",")).build();
    target.is_ok_and(|target| matcher.intercept(&target).is_none())
}

/// The host or network of an entry, unless it is for another port.
fn of_port(entry: &str, port: u16) -> Option<&str> {
    let is_network = |text: &str| {
        let address = text.split_once('/').map_or(text, |(address, _)| address);
        address.parse::<IpAddr>().is_ok()
    };
    let (host, wanted) = match entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, behind)) => (host, behind.strip_prefix(':')),
        None if is_network(entry) => (entry, None),
        None => entry.split_once(':').map_or((entry, None), |(host, port)| (host, Some(port))),
    };
    if wanted.is_some_and(|wanted| wanted.parse() != Ok(port)) {
        return None;
    }
    let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
    Some(host.strip_suffix('.').unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_domains_and_networks_are_read_in_all_their_forms() {
        let cases = [
            ("edge.local", "other, .local", true),
            ("edge.local", "edge.local", true),
            ("edge.local", "EDGE.Local", true),
            ("Edge.Local", "edge.local", true),
            ("edge.local", "local", true),
            ("edge.local", "*.local", true),
            ("a.edge.local", "*.local", true),
            ("edge.local", "edge.local.", true),
            ("edge.local.", "edge.local", true),
            ("edge.local", "*", true),
            ("edge.local", "other *", true),
            ("10.1.2.3", "*", true),
            ("::1", "*", true),
            ("edge.local", "other edge.local", true),
            ("edge.local", "other,\n\tedge.local", true),
            ("edge.local", "edge.local:443", true),
            ("edge.local", ".local:443", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "10.1.2.3:443", true),
            ("fe80::1", "fe80::1", true),
            ("fe80::1", "[fe80::1]", true),
            ("fe80::1", "[fe80::1]:443", true),
            ("fe80::1", "fe80::/10", true),
            ("edge.local", "notedge.local,10.0.0.0/8", false),
            ("edge.local", "dge.local", false),
            ("edge.local", "edge.local:8883", false),
            ("fe80::1", "[fe80::1]:8883", false),
            ("edge.local", "edge.local:", false),
            ("edge.local", "*edge.local", false),
            ("edge.local", "edge", false),
            ("10.1.2.3", "11.0.0.0/8", false),
            ("10.1.2.3", "10.1.2", false),
            ("edge.local", "", false),
            ("edge.local", " , ,", false),
        ];
        for (host, exceptions, expected) in cases {
            assert_eq!(apply_to(exceptions, host, 443), expected, "{host} {exceptions:?}");
        }
    }
}
