//! The authority of a URL.

/// The `host:port` part of a URL, without user and password; empty if there is none.
pub fn authority(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return "" };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

pub(crate) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

pub(crate) fn is_host_or_below(host: &str, known: &str) -> bool {
    let (host, known) = (host.as_bytes(), known.as_bytes());
    host.len() >= known.len()
        && host[host.len() - known.len()..].eq_ignore_ascii_case(known)
        && (host.len() == known.len() || host[host.len() - known.len() - 1] == b'.')
}
