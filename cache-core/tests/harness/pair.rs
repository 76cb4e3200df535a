//! An entry as the pipeline's own code writes it, independent of the code under test.

#![allow(dead_code, reason = "each test binary uses a part")]

use cache_core::{Entry, Request, Response};
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

#[derive(Serialize)]
struct Pair<'a> {
    id: &'a Bytes,
    request: &'a Request,
    response: &'a Response,
    meta: Meta,
    cache_key: &'a Bytes,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    created_at: Option<f64>,
    deleted_at: Option<f64>,
}

/// The `data` of an entry.
pub fn encode_pair(entry: &Entry) -> Vec<u8> {
    let pair = Pair {
        id: Bytes::new(entry.id.as_bytes()),
        request: &entry.request,
        response: &entry.response,
        meta: Meta { created_at: entry.created_at, deleted_at: entry.deleted_at },
        cache_key: Bytes::new(entry.cache_key.as_bytes()),
    };
    rmp_serde::to_vec_named(&pair).expect("plain values")
}

/// Whether the `data` of an entry says that it was deleted.
pub fn is_deleted(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Pair {
        meta: Meta,
    }
    rmp_serde::from_slice::<Pair>(data).expect("an entry").meta.deleted_at.is_some()
}
