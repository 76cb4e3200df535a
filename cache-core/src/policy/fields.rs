//! Kinds of header fields, by their lower-case names: not every field is the business of the origin, of the store and of
//! the next request.

/// What makes the answer another one than the whole representation (RFC 9110, 13.1 and 14.2).
pub(crate) fn is_condition(name: &str) -> bool {
    name.starts_with("if-") || name == "range"
}

/// Who asks.
pub(crate) fn is_credential(name: &str) -> bool {
    matches!(name, "authorization" | "cookie" | "proxy-authorization")
}

/// For one connection, or for the proxy at its other end (RFC 9110, 7.6.1 and 11.7). Trailers are not stored, and so not
/// announced.
pub(crate) fn is_of_connection(name: &str) -> bool {
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
