//! Constructing a response from a stored one (RFC 9111, 4; RFC 9110, 13.2 and 14).

use crate::model::entry::{Request, Response};
use crate::policy::decision::BodyRange;
use crate::policy::directives::{MAX_DELTA_SECONDS, ResponseDirectives, members};
use crate::policy::range::Ranged;
use crate::policy::storable::is_named;
use crate::policy::{conditional, range};

/// A stored response for serving without validation: with `Age`, and without the fields that `no-cache` names.
pub(crate) fn without_validation(stored: &Response, directives: &ResponseDirectives<'_>, age: f64) -> Response {
    let mut response = stored.clone();
    // RFC 9111, 5.2.2.4: the qualified form of `no-cache`.
    let named: Vec<&str> = directives.no_cache_fields.iter().copied().flat_map(members).collect();
    response.headers.retain(|name| !is_named(name, &named));
    response.headers.set("age", [(age.min(MAX_DELTA_SECONDS) as u64).to_string()]);
    response
}

/// The response as a 304, as a part, or unchanged. `length`: the length of the body, if it is known.
pub(crate) fn stored_response(
    request: &Request,
    mut response: Response,
    length: Option<u64>,
    stored_at: Option<f64>,
) -> (Response, BodyRange) {
    if conditional::is_not_modified(&request.headers, &response, stored_at) {
        // RFC 9110, 15.4.5: the caller has the representation and the fields that describe it.
        response.headers.retain(|name| !name.starts_with("content-") || name == "content-location");
        response.status_code = 304;
        return (response, BodyRange::None);
    }
    if request.method == "HEAD" {
        return (response, BodyRange::None);
    }
    let ranged = match length {
        Some(length) if response.status_code == 200 => range::requested(&request.headers, &response.headers, length),
        _ => Ranged::Full,
    };
    let length = length.unwrap_or(0);
    match ranged {
        Ranged::Full => (response, BodyRange::Full),
        Ranged::Bytes(first, last) => {
            response.status_code = 206;
            response.headers.set("content-range", [format!("bytes {first}-{last}/{length}")]);
            response.headers.set("content-length", [(last - first + 1).to_string()]);
            (response, BodyRange::Range(first, last))
        }
        Ranged::Unsatisfiable => {
            response.headers.retain(|name| matches!(name, "date" | "age"));
            response.status_code = 416;
            response.headers.set("content-range", [format!("bytes */{length}")]);
            response.headers.set("content-length", ["0".to_owned()]);
            (response, BodyRange::None)
        }
    }
}
