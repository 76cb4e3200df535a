//! Recorded SQLite files of hishel: their rows are written with the same bytes.

use crate::format::msgpack;
use crate::model::entry::Entry;
use crate::model::key::CacheKey;

/// The `data` of every row in a copy of a recorded file.
fn rows(file: &str) -> Vec<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join(file);
    std::fs::copy(format!("{}/tests/fixtures/{file}", env!("CARGO_MANIFEST_DIR")), &copy).unwrap();
    let connection = rusqlite::Connection::open(&copy).unwrap();
    let mut query = connection.prepare("SELECT data FROM entries").unwrap();
    let rows: Vec<Vec<u8>> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(!rows.is_empty());
    rows
}

#[test]
fn layout_c_is_encoded_as_recorded() {
    for data in ["hishel-1.0.db", "hishel-1.3.db"].into_iter().flat_map(rows) {
        assert_eq!(msgpack::encode_pair(&msgpack::decode_pair(&data).unwrap()), data);
    }
}

#[test]
fn layout_e_is_encoded_as_recorded() {
    for data in rows("hishel-2.0.db") {
        let (request, response) = msgpack::decode_head(&data).unwrap();
        let (id, cache_key) = (uuid::Uuid::nil(), CacheKey::new(*b"k"));
        let entry = Entry { id, cache_key, request, response, created_at: None, deleted_at: None };
        assert_eq!(msgpack::encode_head(&entry), data);
    }
}
