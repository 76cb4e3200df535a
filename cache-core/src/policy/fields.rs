//! Kinds of header fields, by their lower-case names.

/// Whether the field may change the response from the whole representation (RFC 9110, 13.1 and 14.2).
pub(crate) fn is_condition(name: &str) -> bool {
    name.starts_with("if-") || name == "range"
}

/// Whether the field identifies the caller.
pub(crate) fn is_credential(name: &str) -> bool {
    matches!(name, "authorization" | "cookie" | "proxy-authorization")
}

/// Whether responses usually vary by the field (RFC 9110, 12.5; for CORS, `Origin`).
pub(crate) fn is_negotiated(name: &str) -> bool {
    name == "accept" || name.starts_with("accept-") || name == "origin"
}

/// Whether the field is hop-by-hop (RFC 9110, 7.6.1 and 11.7). Trailers are not stored, and so not announced.
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authentication-info"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}
