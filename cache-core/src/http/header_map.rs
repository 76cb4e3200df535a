//! Conversion of header fields between the `http` crate and the stored form.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::model::headers::Headers;

/// The stored form. The values of a field keep their order and their bytes.
pub(crate) fn to_stored_headers(fields: &HeaderMap) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in fields {
        headers.append_line(name.as_str(), value.as_bytes());
    }
    headers
}

/// The form of the `http` crate. Fields that are invalid in HTTP are left out: other programs may have stored some. So
/// are those beyond the number that a map holds.
pub(crate) fn to_header_map(headers: &Headers) -> HeaderMap {
    let lines = headers.lines().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&value).ok()?))
    });
    let mut fields = HeaderMap::try_with_capacity(headers.len()).unwrap_or_default();
    for (name, value) in lines {
        if fields.try_append(name, value).is_err() {
            break;
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_values_keep_order_and_bytes() {
        let mut fields = HeaderMap::new();
        for (name, value) in [("set-cookie", &b"a=1"[..]), ("x-latin", b"caf\xe9"), ("set-cookie", b"b=2")] {
            fields.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        assert_eq!(to_header_map(&to_stored_headers(&fields)), fields);
    }

    #[test]
    fn any_number_of_fields_is_no_panic() {
        let headers = (0..40_000).map(|number| (format!("x-{number}"), "1".to_owned()));
        let mut stored = Headers::default();
        headers.for_each(|(name, value)| stored.append(&name, value));
        assert!(to_header_map(&stored).len() >= 24_000);
    }

    #[test]
    fn invalid_fields_are_left_out() {
        let headers = [("x-ok", "1"), ("x y", "2"), ("x-split", "3\r\nx-injected: 4")].into_iter().collect();
        let fields = to_header_map(&headers);
        assert_eq!(fields.len(), 1);
        assert_eq!(fields["x-ok"], "1");
    }
}
