//! The authority of a URL, and masking of its password.

/// Masks the password in a URL, in the user information and in parameters.
pub fn redact(url: &str) -> String {
    let mut out = url.to_owned();
    // The scheme may be missing by mistake.
    let start = out.find("://").map_or(0, |at| at + 3);
    // A password may contain an unescaped slash or `@`: hide everything up to the last `@`.
    if let Some(at) = out[start..].rfind('@').map(|at| at + start)
        && let Some(colon) = out[start..at].find(':').map(|colon| colon + start)
    {
        out.replace_range(colon + 1..at, "***");
    }
    for name in ["password=", "pass="] {
        let mut from = 0;
        while let Some(start) = out[from..].find(name).map(|at| from + at + name.len()) {
            let end = out[start..].find('&').map_or(out.len(), |end| end + start);
            out.replace_range(start..end, "***");
            from = start;
        }
    }
    out
}

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
