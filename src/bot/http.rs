//! Calls of services: where they may go, and what they may carry.

use super::template::{Piece, Template};

/// Headers that the engine sets itself.
const OWN_HEADERS: [&str; 8] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "idempotency-key",
    "expect",
    "upgrade",
];

/// Splits an address into what the operator must allow (scheme, host and port) and what may hold variables (path and query).
///
/// # Errors
/// What is wrong with it, and what to write.
pub(super) fn split_url(url: &Template) -> Result<(String, Template), String> {
    let Some((Piece::Literal(first), rest)) = url.pieces().split_first() else {
        return Err(
            "a variable cannot stand for the host: write scheme and host out, as https://crm.example.com/".into()
        );
    };
    let scheme = ["https://", "http://"].into_iter().find(|scheme| first.starts_with(scheme));
    let Some(scheme) = scheme else { return Err("must begin with https:// or http://".into()) };
    let after = &first[scheme.len()..];
    let end = after.find(['/', '?', '#']);
    if end.is_none() && !rest.is_empty() {
        return Err("a variable cannot stand in the host: put a / before the first variable".into());
    }
    let (authority, path) = after.split_at(end.unwrap_or(after.len()));
    check_authority(authority)?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let text = |piece: &Piece| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Variable { .. } => "x".into(),
    };
    let whole: String = [path.clone()].into_iter().chain(rest.iter().map(text)).collect();
    if has_dot_segment(&whole) {
        return Err("a part . or .. of a path leads elsewhere: write the path without it".into());
    }
    if whole.contains('#') {
        return Err("a part behind # is never sent: remove it, or write %23".into());
    }
    if let Some(bad) = whole.chars().find(|c| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(*c)) {
        return Err(format!("{bad:?} cannot stand in an address: percent-encode it"));
    }
    let path = Template::from_pieces([Piece::Literal(path)].into_iter().chain(rest.iter().cloned()));
    Ok((format!("{scheme}{}", authority.to_ascii_lowercase()), path))
}

fn check_authority(authority: &str) -> Result<(), String> {
    if authority.contains('@') {
        return Err("cannot carry a user or password: use a header with secretKeyRef".into());
    }
    let (host, port) = authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let host_is_plain = !host.is_empty() && host.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'.');
    if !host_is_plain {
        return Err(format!("{host:?} is no host: write a name such as crm.example.com"));
    }
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err("the port must be a number from 1 to 65535".into());
    }
    Ok(())
}

/// Whether a part of the path is `.` or `..`, which clients and servers resolve (RFC 3986, section 5.2.4). Percent-encoded or not, and behind an
/// encoded slash too: servers there are decode it first.
pub(super) fn has_dot_segment(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default().to_ascii_lowercase();
    let path = path.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Whether a header of this name may be set.
///
/// # Errors
/// Why not, and what to do.
pub(super) fn check_header(name: &str) -> Result<(), String> {
    if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("{name} is set by the engine: remove it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(url: &str) -> Result<(String, String), String> {
        let (origin, path) = split_url(&Template::parse(url).unwrap())?;
        let piece = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Variable { path, .. } => format!("<{path}>"),
        };
        Ok((origin, path.pieces().iter().map(piece).collect()))
    }

    #[test]
    fn an_address_falls_into_origin_and_path() {
        let cases = [
            ("https://CRM.example.com", "https://crm.example.com", "/"),
            ("http://crm:8080/a/{{ id }}?q={{ q }}&r=1", "http://crm:8080", "/a/<id>?q=<q>&r=1"),
            ("https://x?a={{ a }}", "https://x", "/?a=<a>"),
        ];
        for (url, origin, path) in cases {
            assert_eq!(split(url), Ok((origin.into(), path.into())), "{url}");
        }
    }

    #[test]
    fn an_address_that_could_lead_elsewhere_is_refused() {
        let cases = [
            ("{{ url }}", "cannot stand for the host"),
            ("https://{{ host }}/", "cannot stand in the host"),
            ("https://crm.{{ host }}/", "cannot stand in the host"),
            ("https://crm{{ host }}", "cannot stand in the host"),
            ("https://user:word@crm/", "cannot carry a user"),
            ("https://crm@evil/", "cannot carry a user"),
            ("https:///path", "is no host"),
            ("https://[::1]/", "is no host"),
            ("https://crm\\evil/", "is no host"),
            ("https://crm:99999/", "port"),
            ("ftp://crm/", "must begin with"),
            ("https://crm/a b", "percent-encode"),
            ("https://crm/a#b", "never sent"),
            ("https://crm/a/../b", "leads elsewhere"),
            ("https://crm/%2E%2e/{{ id }}", "leads elsewhere"),
            ("https://crm/a%2F..%2fb", "leads elsewhere"),
            ("https://crm/a%5C..%5cb", "leads elsewhere"),
        ];
        for (url, words) in cases {
            let error = split(url).unwrap_err();
            assert!(error.contains(words), "{url}: {error}");
        }
    }
}
