//! `show --json`: the documented fields of one entry.

use base64::Engine as _;
use cache_core::redact::{Redacted, Secrets};
use cache_core::{BackendKind, EntryDetails, Headers, RedisKeyInfo, body_text, decode_body};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::commands::show::encoding::{content_type, encoding};
use crate::output::json;
use crate::output::row::{Id, Row};

/// An entry as JSON.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Head>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Head>,
    body: Option<Body>,
    /// Of the body as stored.
    body_sha256: Option<String>,
    chunks: u64,
    redis_keys: Vec<RedisKey<'a>>,
    /// Set if the entry is one of the fallback, which is another cache than the configured one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fallback: Option<bool>,
}

/// The part of a request or response that the row does not have.
#[derive(Serialize)]
struct Head {
    headers: Value,
}

#[derive(Serialize)]
struct RedisKey<'a> {
    #[serde(rename = "key")]
    name: Id<'a>,
    #[serde(rename = "type")]
    kind: Redacted<'a>,
    ttl: Option<f64>,
    bytes: Option<u64>,
}

impl<'a> Document<'a> {
    /// The entry with its stored body, if that was read; `now` in Unix seconds.
    pub(crate) fn new(
        found: &'a EntryDetails,
        stored: Option<&[u8]>,
        backend: BackendKind,
        now: f64,
        secrets: Secrets,
    ) -> Self {
        let head = |headers| Head { headers: fields(headers, secrets) };
        Self {
            row: Row::new(&found.summary, backend, now, secrets),
            request: found.entry.as_ref().map(|entry| head(&entry.request.headers)),
            response: found.entry.as_ref().map(|entry| head(&entry.response.headers)),
            body: stored.map(|stored| Body::new(&decode_body(stored, encoding(found)), content_type(found), secrets)),
            body_sha256: stored.map(|stored| hex::encode(Sha256::digest(stored))),
            chunks: found.chunks,
            redis_keys: found.keys.iter().map(|fact| RedisKey::new(fact, secrets)).collect(),
            fallback: None,
        }
    }
}

impl<'a> RedisKey<'a> {
    fn new(fact: &'a RedisKeyInfo, secrets: Secrets) -> Self {
        Self {
            name: Id::from_key(&fact.key, secrets),
            kind: secrets.text(&fact.kind),
            ttl: fact.ttl,
            bytes: fact.bytes,
        }
    }
}

/// Name: values, in their stored order.
fn fields(headers: &Headers, secrets: Secrets) -> Value {
    let shown = |name, value: &String| Value::from(String::from(secrets.header(name, value)));
    let values = |name, values: &[String]| values.iter().map(|value| shown(name, value)).collect();
    headers.iter().map(|(name, all)| (name.to_owned(), Value::Array(values(name, all)))).collect()
}

/// JSON as JSON, text as a string, anything else as base64.
#[derive(Serialize)]
#[serde(untagged)]
enum Body {
    Json(Box<RawValue>),
    Text(Redacted<'static>),
    Bytes { base64: String },
}

impl Body {
    fn new(decoded: &[u8], content_type: Option<&str>, secrets: Secrets) -> Self {
        let Some(text) = body_text(decoded, content_type) else {
            let base64 = base64::engine::general_purpose::STANDARD.encode(secrets.body(decoded));
            return Self::Bytes { base64 };
        };
        let text = secrets.text(&text).into_owned();
        match json::compact(&text).and_then(|json| RawValue::from_string(json).ok()) {
            Some(json) => Self::Json(json),
            None => Self::Text(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(body: &[u8]) -> String {
        serde_json::to_string(&Body::new(body, None, Secrets::Masked)).unwrap()
    }

    #[test]
    fn a_body_is_shown_as_what_it_is() {
        assert_eq!(value(br#"{"b": 1, "a": [null]}"#), r#"{"b":1,"a":[null]}"#);
        assert_eq!(value(b"\xef\xbb\xbf{\n}"), "{}");
        assert_eq!(value("<anime/> é".as_bytes()), "\"<anime/> é\"");
        assert_eq!(value(b"\xff"), r#"{"base64":"/w=="}"#);
        assert_eq!(value(&b"[".repeat(10_000)), format!("\"{}\"", "[".repeat(10_000)));
        assert_eq!(value(br#"{"access_token": 5, "n": 1}"#), r#"{"access_token":"***","n":1}"#);
    }

    #[test]
    fn numbers_and_members_stay_as_they_are_stored() {
        let stored = r#"{"id":248480010225057793,"huge":123456789012345678901234567890,"neg":-9223372036854775809,"exp":1E5,"dec":0.1000,"b":2,"b":3}"#;
        assert_eq!(value(stored.as_bytes()), stored);
    }

    #[test]
    fn secret_fields_are_hidden_unless_revealed() {
        let headers: Headers = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("etag", "x")].into_iter().collect();
        let shown = |secrets| fields(&headers, secrets).to_string();
        assert_eq!(shown(Secrets::Masked), r#"{"set-cookie":["***","***"],"etag":["x"]}"#);
        assert_eq!(shown(Secrets::Revealed), r#"{"set-cookie":["a=1","b=2"],"etag":["x"]}"#);
    }
}
