//! Range requests served from a complete stored response (RFC 9110, 14).

use crate::format::http_date;
use crate::model::headers::Headers;
use crate::policy::conditional::is_same_strong;

/// The part of a stored body that a request selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ranged {
    /// All of it: the request has no range, or none that is supported. A server may ignore ranges (14.2).
    Full,
    /// These bytes, both ends included.
    Bytes(u64, u64),
    /// The range lies beyond the body.
    Unsatisfiable,
}

/// The part of a stored body of this length that a request selects.
pub(crate) fn requested(request: &Headers, stored: &Headers, length: u64) -> Ranged {
    match request.get("range").and_then(|range| parse(range, length)) {
        Some(ranged) if is_current(request, stored) => ranged,
        _ => Ranged::Full,
    }
}

/// A single range of bytes; `None` for anything else: several ranges would need a multipart body, and the whole is
/// served.
fn parse(range: &str, length: u64) -> Option<Ranged> {
    let (unit, spec) = range.split_once('=')?;
    let (first, last) = spec.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || length == 0 {
        return None;
    }
    let ranged = match (first.is_empty(), last.is_empty()) {
        (true, _) => match position(last)? {
            0 => Ranged::Unsatisfiable,
            suffix => Ranged::Bytes(length.saturating_sub(suffix), length - 1),
        },
        (false, is_open) => {
            let first = position(first)?;
            let last = if is_open { u64::MAX } else { position(last)? };
            match first {
                _ if first > last => return None,
                _ if first >= length => Ranged::Unsatisfiable,
                _ => Ranged::Bytes(first, last.min(length - 1)),
            }
        }
    };
    Some(ranged)
}

/// A number that is too large is past the end of any body.
fn position(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// RFC 9110, 13.1.5: whether `If-Range`, if present, names the stored representation.
fn is_current(request: &Headers, stored: &Headers) -> bool {
    let Some(validator) = request.get("if-range") else { return true };
    let Some(date) = http_date::parse(validator) else {
        return stored.get("etag").is_some_and(|tag| is_same_strong(tag, validator.trim()));
    };
    // RFC 9110, 8.8.2.2: the date is a strong validator if the response was sent at least a second later.
    let modified = stored.get("last-modified").and_then(http_date::parse);
    let sent = stored.get("date").and_then(http_date::parse);
    modified == Some(date) && sent.is_some_and(|sent| sent >= date + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        fields.iter().copied().collect()
    }

    #[rstest]
    #[case("bytes=0-1", Ranged::Bytes(0, 1))]
    #[case("bytes=3-", Ranged::Bytes(3, 9))]
    #[case("bytes=-1", Ranged::Bytes(9, 9))]
    #[case("bytes=-100", Ranged::Bytes(0, 9))]
    #[case("BYTES= 8-100", Ranged::Bytes(8, 9))]
    #[case("bytes=9-99999999999999999999999", Ranged::Bytes(9, 9))]
    #[case("bytes=10-", Ranged::Unsatisfiable)]
    #[case("bytes=99999999999999999999999-", Ranged::Unsatisfiable)]
    #[case("bytes=-0", Ranged::Unsatisfiable)]
    #[case("bytes=2-1", Ranged::Full)]
    #[case("bytes=0-1,3-4", Ranged::Full)]
    #[case("bytes=-", Ranged::Full)]
    #[case("bytes=a-b", Ranged::Full)]
    #[case("bytes=1-b", Ranged::Full)]
    #[case("bytes=+1-2", Ranged::Full)]
    #[case("lines=0-1", Ranged::Full)]
    #[case("0-1", Ranged::Full)]
    fn one_range_of_bytes_is_served(#[case] range: &str, #[case] expected: Ranged) {
        assert_eq!(requested(&headers(&[("range", range)]), &Headers::default(), 10), expected);
        assert_eq!(requested(&headers(&[("range", range)]), &Headers::default(), 0), Ranged::Full);
    }

    #[rstest]
    #[case("\"a\"", &[("etag", "\"a\"")], true)]
    #[case("\"b\"", &[("etag", "\"a\"")], false)]
    #[case("W/\"a\"", &[("etag", "W/\"a\"")], false)]
    #[case("Sun, 06 Nov 1994 08:49:37 GMT", &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("date", "Sun, 06 Nov 1994 08:49:38 GMT")], true)]
    #[case("Sun, 06 Nov 1994 08:49:37 GMT", &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT")], false)]
    #[case("Sun, 06 Nov 1994 08:49:38 GMT", &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("date", "Sun, 06 Nov 1994 08:50:37 GMT")], false)]
    fn if_range_wants_the_same_representation(
        #[case] validator: &str,
        #[case] stored: &[(&str, &str)],
        #[case] is_part: bool,
    ) {
        let request = headers(&[("range", "bytes=0-1"), ("if-range", validator)]);
        let expected = if is_part { Ranged::Bytes(0, 1) } else { Ranged::Full };
        assert_eq!(requested(&request, &headers(stored), 10), expected);
    }
}
