//! Keys of responses and results.

use std::borrow::Cow;
use std::fmt;

use crate::redact::Secrets;

/// The prefix of every key of the result cache.
pub const RESULT_PREFIX: &str = "result_cache";

/// The prefix of every key of the HTTP cache.
pub const HTTP_PREFIX: &str = "hishel_cache";

/// Cache key of a request. Any bytes; usually text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(Box<[u8]>);

impl CacheKey {
    /// A key from its bytes.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key as text, with its credentials; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

/// Without credentials: a key may be a URL.
impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Secrets::Masked.key_bytes(&self.0), f)
    }
}

/// Parsed key of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultKey<'a> {
    /// The key prefix or function name.
    pub prefix: &'a [u8],
    /// The 16 hexadecimal digits of the schema hash; older keys have none.
    pub schema: Option<&'a str>,
    /// The arguments, joined with `:`, or their SHA-256.
    pub arguments: &'a [u8],
}

impl<'a> ResultKey<'a> {
    /// Parses a Redis key; `None` if it is not a key of the result cache.
    pub fn parse(key: &'a [u8]) -> Option<Self> {
        let rest = key.strip_prefix(RESULT_PREFIX.as_bytes())?.strip_prefix(b":")?;
        let (prefix, rest) = split_colon(rest);
        let (first, arguments) = split_colon(rest);
        match std::str::from_utf8(first) {
            Ok(schema) if is_schema_hash(schema) => Some(Self { prefix, schema: Some(schema), arguments }),
            _ => Some(Self { prefix, schema: None, arguments: rest }),
        }
    }

    /// The arguments as text, bytes that are not UTF-8 replaced.
    pub fn arguments_text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.arguments)
    }
}

fn split_colon(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|b| *b == b':') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

fn is_schema_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
