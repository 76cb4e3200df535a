//! [`EntryView`]: a stored entry as lists need it, for stores that keep entries encoded.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_bytes::Bytes;

use crate::error::CodecError;
use crate::format::msgpack::{self, HeaderView};

/// The fields of an entry that lists show, read without copying the rest.
#[derive(Deserialize)]
pub(crate) struct EntryView<'a> {
    #[serde(borrow)]
    pub(crate) request: RequestView<'a>,
    #[serde(borrow)]
    pub(crate) response: ResponseView<'a>,
    /// `None` in hishel 2's layouts.
    pub(crate) meta: Option<StateView>,
    #[serde(borrow, default)]
    pub(crate) cache_key: Option<&'a Bytes>,
}

impl<'a> EntryView<'a> {
    /// hishel's mark for a soft deletion.
    pub(crate) fn is_deleted(&self) -> bool {
        self.meta.as_ref().and_then(|meta| meta.deleted_at).is_some_and(|at| at > 0.0)
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, CodecError> {
        msgpack::decode(bytes)
    }
}

#[derive(Deserialize)]
pub(crate) struct RequestView<'a> {
    #[serde(borrow)]
    pub(crate) method: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) url: Cow<'a, str>,
    /// Read only to validate the whole entry.
    #[serde(rename = "headers")]
    _headers: IgnoredAny,
    #[serde(default)]
    pub(crate) extra: MetadataView,
}

#[derive(Default, Deserialize)]
pub(crate) struct MetadataView {
    pub(crate) hishel_ttl: Option<f64>,
    /// [`crate::model::metadata::KEPT`].
    animecache_kept: Option<IgnoredAny>,
}

impl MetadataView {
    /// The TTL that the entry was stored with, unless it was the TTL of its storage.
    pub(crate) fn own_ttl(&self) -> Option<f64> {
        self.hishel_ttl.filter(|_| self.animecache_kept.is_none())
    }
}

#[derive(Deserialize)]
pub(crate) struct ResponseView<'a> {
    pub(crate) status_code: u16,
    #[serde(borrow)]
    pub(crate) headers: HeaderView<'a>,
}

#[derive(Deserialize)]
pub(crate) struct StateView {
    pub(crate) created_at: f64,
    pub(crate) deleted_at: Option<f64>,
}
