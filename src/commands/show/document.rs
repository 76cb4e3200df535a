//! `show --json`: the documented fields of one entry.

use base64::Engine as _;
use cache_core::{BackendKind, EntryDetails, Headers, RedisKeyInfo, decode_body};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::commands::show::encoding::encoding;
use crate::output::row::{Id, Row};
use crate::output::secrets;

/// An entry as JSON.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Head>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Head>,
    body: Option<Value>,
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
    kind: &'a str,
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
        reveal: bool,
    ) -> Self {
        let head = |headers| Head { headers: fields(headers, reveal) };
        Self {
            row: Row::new(&found.summary, backend, now, reveal),
            request: found.entry.as_ref().map(|entry| head(&entry.request.headers)),
            response: found.entry.as_ref().map(|entry| head(&entry.response.headers)),
            body: stored.map(|stored| value(&decode_body(stored, encoding(found)), reveal)),
            body_sha256: stored.map(|stored| hex::encode(Sha256::digest(stored))),
            chunks: found.chunks,
            redis_keys: found.keys.iter().map(|fact| RedisKey::new(fact, reveal)).collect(),
            fallback: None,
        }
    }
}

impl<'a> RedisKey<'a> {
    fn new(fact: &'a RedisKeyInfo, reveal: bool) -> Self {
        Self { name: Id::from_key(&fact.key, reveal), kind: &fact.kind, ttl: fact.ttl, bytes: fact.bytes }
    }
}

/// Name: values, in their stored order.
fn fields(headers: &Headers, reveal: bool) -> Value {
    let shown = |name, value: &String| if reveal { value.as_str().into() } else { secrets::header(name, value).into() };
    let values = |name, values: &[String]| values.iter().map(|value| shown(name, value)).collect();
    headers.iter().map(|(name, all)| (name.to_owned(), Value::Array(values(name, all)))).collect()
}

/// JSON as JSON, text as a string, anything else as base64.
fn value(body: &[u8], reveal: bool) -> Value {
    if let Ok(mut json) = serde_json::from_slice(body) {
        if !reveal {
            secrets::mask_members(&mut json);
        }
        return json;
    }
    match std::str::from_utf8(body) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": base64::engine::general_purpose::STANDARD.encode(body) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_as_what_it_is() {
        assert_eq!(value(br#"{"b":1,"a":[null]}"#, false).to_string(), r#"{"b":1,"a":[null]}"#);
        assert_eq!(value("<anime/> é".as_bytes(), false), json!("<anime/> é"));
        assert_eq!(value(b"\xff", false), json!({"base64": "/w=="}));
        assert_eq!(value(&b"[".repeat(10_000), false), json!("[".repeat(10_000)));
    }

    #[test]
    fn secret_fields_are_hidden_unless_revealed() {
        let headers: Headers = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("etag", "x")].into_iter().collect();
        assert_eq!(fields(&headers, false), json!({"set-cookie": ["***", "***"], "etag": ["x"]}));
        assert_eq!(fields(&headers, true), json!({"set-cookie": ["a=1", "b=2"], "etag": ["x"]}));
    }
}
