//! Serialization of entries as hishel does it (MessagePack). Layouts A to C store the whole entry; D and E store
//! request and response metadata only.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;
use uuid::Uuid;

use crate::error::CodecError;
use crate::model::entry::{Entry, Request, Response};
use crate::model::key::CacheKey;
use crate::model::metadata::HishelMetadata;

/// hishel 2's `stream_done` value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Done {
    /// The number of chunks of the body.
    pub(crate) chunk_count: u64,
    /// The latest expiry, in Unix seconds.
    pub(crate) ttl_deadline: Option<f64>,
    /// "Time to idle": seconds after its last use when it expires.
    pub(crate) tti: Option<f64>,
    /// The cache key.
    pub(crate) cache_key: CacheKey,
}

#[derive(Deserialize)]
struct PairIn<'a> {
    #[serde(borrow)]
    id: &'a Bytes,
    request: Request,
    response: Response,
    meta: Meta,
    #[serde(borrow)]
    cache_key: &'a Bytes,
}

#[derive(Serialize)]
struct PairOut<'a> {
    id: &'a Bytes,
    request: &'a Request,
    response: &'a Response,
    meta: Meta,
    cache_key: &'a Bytes,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    created_at: f64,
    #[serde(default)]
    deleted_at: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct EntryHead<Q, S> {
    request: Q,
    response: S,
}

/// Reads an entry of layouts A, B and C.
pub(crate) fn decode_pair(bytes: &[u8]) -> Result<Entry, CodecError> {
    let pair: PairIn<'_> = decode(bytes)?;
    let id = Uuid::from_slice(pair.id).map_err(|_| CodecError::Pair("the ID is not a UUID".into()))?;
    Ok(Entry {
        id,
        cache_key: CacheKey::new(&pair.cache_key[..]),
        request: pair.request,
        response: pair.response,
        created_at: Some(pair.meta.created_at),
        deleted_at: pair.meta.deleted_at,
    })
}

/// Writes an entry of layouts A, B and C, byte-identical to hishel's.
pub(crate) fn encode_pair(entry: &Entry) -> Vec<u8> {
    encode(&PairOut {
        id: Bytes::new(entry.id.as_bytes()),
        request: &entry.request,
        response: &entry.response,
        meta: Meta { created_at: entry.created_at.unwrap_or(0.0), deleted_at: entry.deleted_at },
        cache_key: Bytes::new(entry.cache_key.as_bytes()),
    })
}

/// Reads the request and response metadata of layouts D and E.
pub(crate) fn decode_head(bytes: &[u8]) -> Result<(Request, Response), CodecError> {
    let head: EntryHead<Request, Response> = decode(bytes)?;
    Ok((head.request, head.response))
}

/// Writes the request and response metadata of layouts D and E.
pub(crate) fn encode_head(entry: &Entry) -> Vec<u8> {
    let request = Request { extra: HishelMetadata::absent(), ..entry.request.clone() };
    let response = Response { extra: HishelMetadata::absent(), ..entry.response.clone() };
    encode(&EntryHead { request, response })
}

/// Whether the bytes are request and response metadata only (layouts D and E), which begin with a map of two.
#[cfg(feature = "redis")]
pub(crate) fn is_head_only(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x82)
}

/// Reads hishel 2's `stream_done` value.
pub(crate) fn decode_done(bytes: &[u8]) -> Result<Done, CodecError> {
    let (chunk_count, ttl_deadline, tti, cache_key): (u64, Option<f64>, Option<f64>, &Bytes) = decode(bytes)?;
    Ok(Done { chunk_count, ttl_deadline, tti, cache_key: CacheKey::new(&cache_key[..]) })
}

/// Writes hishel 2's `stream_done` value.
pub(crate) fn encode_done(done: &Done) -> Vec<u8> {
    encode(&(done.chunk_count, done.ttl_deadline, done.tti, Bytes::new(done.cache_key.as_bytes())))
}

/// The values of one header field. Nearly all fields have one value, which needs no allocation: lists read millions of
/// fields.
#[derive(Default)]
pub(crate) struct Values<'a> {
    first: Option<&'a str>,
    rest: Vec<&'a str>,
}

impl<'a> Values<'a> {
    pub(crate) fn first(&self) -> Option<&'a str> {
        self.first
    }

    #[cfg(any(feature = "redis", feature = "sqlite"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.first.into_iter().chain(self.rest.iter().copied())
    }
}

impl<'a> FromIterator<&'a str> for Values<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(values: I) -> Self {
        let mut values = values.into_iter();
        Self { first: values.next(), rest: values.collect() }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Values<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of strings")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut values = Values { first: list.next_element()?, rest: Vec::new() };
                while let Some(value) = list.next_element()? {
                    values.rest.push(value);
                }
                Ok(values)
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}

/// The header fields that freshness and lists need.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct HeaderView<'a> {
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    #[serde(borrow, default)]
    pub(crate) cache_control: Values<'a>,
    #[serde(borrow, default)]
    pub(crate) age: Values<'a>,
    #[serde(borrow, default)]
    pub(crate) date: Values<'a>,
    #[serde(borrow, default)]
    pub(crate) expires: Values<'a>,
    #[serde(borrow, default)]
    pub(crate) last_modified: Values<'a>,
    #[cfg(any(feature = "redis", feature = "sqlite"))]
    #[serde(borrow, default)]
    pub(crate) content_type: Values<'a>,
}

/// Reads one value that must fill the input. Texts are copied once.
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    let value = T::deserialize(&mut deserializer).map_err(|error| CodecError::Pair(error.to_string()))?;
    // The reader has no position: reading one more value fails at its first byte only if nothing is left. A unit has no
    // inner values that could be missing instead.
    match <()>::deserialize(&mut deserializer) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err(CodecError::Trailing),
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    // Named: structs become maps, as in hishel. Writing to a Vec fails only for types that MessagePack cannot
    // represent.
    if let Err(error) = value.serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map()) {
        unreachable!("a plain value could not be encoded: {error}");
    }
    bytes
}
