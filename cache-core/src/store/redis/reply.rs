//! Parsing replies of Redis without errors: the wrong type is `None`.

use redis::Value;

pub(crate) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        Value::Double(number) => Some(number.to_string().into_bytes()),
        Value::Attribute { data, .. } => bytes(*data),
        _ => None,
    }
}

pub(crate) fn text(value: Value) -> Option<String> {
    bytes(value).and_then(|bytes| String::from_utf8(bytes).ok())
}

pub(crate) fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

/// A score or another number that Redis writes as text.
pub(crate) fn float(value: Value) -> Option<f64> {
    match value {
        Value::Double(number) => Some(number),
        other => text(other)?.parse().ok(),
    }
}

/// The elements of a list. A map of RESP3 is a list of keys and values, as in RESP2.
pub(crate) fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) | Value::Set(items) => items,
        Value::Map(pairs) => pairs.into_iter().flat_map(|(key, value)| [key, value]).collect(),
        Value::Attribute { data, .. } => list(*data),
        _ => Vec::new(),
    }
}

/// Byte strings in a list.
pub(crate) fn strings(value: Value) -> Vec<Vec<u8>> {
    list(value).into_iter().filter_map(bytes).collect()
}

/// The expiry of a key in Unix seconds, from the reply of `PTTL` at `now`. The outer `None`: the key does not exist.
#[expect(clippy::option_option, reason = "no key and no expiry are different answers")]
pub(crate) fn expiry(pttl: &Value, now: f64) -> Option<Option<f64>> {
    match int(pttl)? {
        -1 => Some(None),
        milliseconds if milliseconds >= 0 => Some(Some(now + milliseconds as f64 / 1e3)),
        _ => None,
    }
}
