//! What holds for any entry and for any bytes: the codec round trip, and that damage is an error, never a panic.

mod recorded;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::format::msgpack::{self, Done};
use crate::model::entry::{Entry, Request, Response};
use crate::model::headers::Headers;
use crate::model::key::CacheKey;

fn headers() -> impl Strategy<Value = Headers> {
    vec(("[a-z-]{1,12}", "\\PC{0,20}"), 0..8).prop_map(|fields| {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.append(&name, value);
        }
        headers
    })
}

prop_compose! {
    fn entry()(
        id in any::<u128>(),
        cache_key in vec(any::<u8>(), 0..80),
        (method, url) in ("[A-Z]{1,8}", "\\PC{0,60}"),
        (asked, answered) in (headers(), headers()),
        status_code in any::<u16>(),
        own_ttl in proptest::option::of(0.0..1e9),
        created_at in proptest::num::f64::NORMAL,
        deleted_at in proptest::option::of(proptest::num::f64::NORMAL),
    ) -> Entry {
        let mut request = Request { method, url, headers: asked, ..Request::default() };
        if let Some(ttl) = own_ttl {
            request.extra.set_ttl(ttl);
        }
        Entry {
            id: uuid::Uuid::from_u128(id),
            cache_key: CacheKey::new(cache_key),
            request,
            response: Response { status_code, headers: answered, ..Response::default() },
            created_at: Some(created_at),
            deleted_at,
        }
    }
}

prop_compose! {
    fn done()(
        chunk_count in any::<u64>(),
        ttl_deadline in proptest::option::of(proptest::num::f64::NORMAL),
        tti in proptest::option::of(proptest::num::f64::NORMAL),
        cache_key in vec(any::<u8>(), 0..80),
    ) -> Done {
        Done { chunk_count, ttl_deadline, tti, cache_key: CacheKey::new(cache_key) }
    }
}

/// Whether any of the decoders takes the bytes; none of them may panic.
fn is_accepted(bytes: &[u8]) -> bool {
    msgpack::decode_pair(bytes).is_ok() || msgpack::decode_head(bytes).is_ok() || msgpack::decode_done(bytes).is_ok()
}

proptest! {
    #[test]
    fn a_pair_comes_back(entry in entry()) {
        let bytes = msgpack::encode_pair(&entry);
        prop_assert_eq!(msgpack::decode_pair(&bytes).unwrap(), entry);
    }

    #[test]
    fn heads_come_back_without_metadata(entry in entry()) {
        let bytes = msgpack::encode_head(&entry);
        let (request, response) = msgpack::decode_head(&bytes).unwrap();
        prop_assert_eq!((&request.method, &request.url, &request.headers),
            (&entry.request.method, &entry.request.url, &entry.request.headers));
        prop_assert_eq!((response.status_code, &response.headers),
            (entry.response.status_code, &entry.response.headers));
        let again = Entry { request, response, ..entry };
        prop_assert_eq!(msgpack::encode_head(&again), bytes);
    }

    #[test]
    fn the_mark_comes_back(done in done()) {
        prop_assert_eq!(msgpack::decode_done(&msgpack::encode_done(&done)).unwrap(), done);
    }

    #[test]
    fn what_is_cut_short_or_has_a_tail_is_refused(
        entry in entry(), done in done(), cut in any::<prop::sample::Index>(), tail in vec(any::<u8>(), 1..20),
    ) {
        for whole in [msgpack::encode_pair(&entry), msgpack::encode_head(&entry), msgpack::encode_done(&done)] {
            prop_assert!(is_accepted(&whole));
            prop_assert!(!is_accepted(&whole[..cut.index(whole.len())]));
            prop_assert!(!is_accepted(&[&whole[..], &tail].concat()));
        }
    }

    #[test]
    fn any_bytes_are_an_entry_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        is_accepted(&bytes);
    }

    #[test]
    fn a_changed_byte_is_an_entry_or_an_error(entry in entry(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        for mut bytes in [msgpack::encode_pair(&entry), msgpack::encode_head(&entry)] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            is_accepted(&bytes);
        }
    }
}
