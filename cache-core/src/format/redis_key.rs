//! What a Redis key stands for, read from its name. Apart from the Redis store, because a cache in memory reads the names
//! in invalidations.

use uuid::Uuid;

use crate::format::hex::unhex;
use crate::model::entry::StorageLayout;
use crate::model::key::{CacheKey, HTTP_PREFIX, ResultKey};

/// What a Redis key is, by its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// The head of an entry; with a dashed id in layout A, else in B or D (`Hishel1` stands for both here).
    Entry(StorageLayout, Uuid),
    Stream(StorageLayout, Uuid),
    Done(Uuid),
    /// With `Hishel1` standing for B and D.
    Index(StorageLayout, CacheKey),
    Result,
    /// Under our prefixes, but of no layout.
    Unknown,
    /// Not ours.
    Foreign,
}

impl Name {
    pub(crate) fn parse(key: &[u8]) -> Self {
        if let Some(rest) = key.strip_prefix(HTTP_PREFIX.as_bytes()).and_then(|rest| rest.strip_prefix(b":")) {
            return Self::parse_http(rest).unwrap_or(Self::Unknown);
        }
        if ResultKey::parse(key).is_some() { Self::Result } else { Self::Foreign }
    }

    fn parse_http(rest: &[u8]) -> Option<Self> {
        if let Some(id) = rest.strip_prefix(b"entry:") {
            parse_id(id).map(|(layout, id)| Self::Entry(layout, id))
        } else if let Some(id) = rest.strip_prefix(b"stream:") {
            parse_id(id).map(|(layout, id)| Self::Stream(layout, id))
        } else if let Some(id) = rest.strip_prefix(b"stream_done:") {
            parse_id(id).filter(|(layout, _)| *layout == StorageLayout::Hishel1).map(|(_, id)| Self::Done(id))
        } else if let Some(digits) = rest.strip_prefix(b"key_index:") {
            unhex(digits).map(|key| Self::Index(StorageLayout::Pipeline, CacheKey::new(key)))
        } else {
            rest.strip_prefix(b"idx:").map(|key| Self::Index(StorageLayout::Hishel1, CacheKey::new(key)))
        }
    }
}

/// Ids are written in lower case, with dashes in layout A only; any other key is foreign.
pub(crate) fn parse_id(text: &[u8]) -> Option<(StorageLayout, Uuid)> {
    let layout = match text.len() {
        36 => StorageLayout::Pipeline,
        32 => StorageLayout::Hishel1,
        _ => return None,
    };
    let id = Uuid::try_parse_ascii(text).ok()?;
    (layout.id_text(id).as_bytes() == text).then_some((layout, id))
}
