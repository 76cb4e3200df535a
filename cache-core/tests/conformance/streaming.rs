//! Bodies larger than the memory: written and read in chunks, and complete or an error.

use std::sync::Arc;

use bytes::Bytes;
use cache_core::{EntryId, EntryState, Filter, Inspect};
#[cfg(feature = "sqlite")]
use cache_core::{IfMissing, Sqlite};
use futures_util::StreamExt as _;

use crate::samples::{DAY, body_of, entry, eventually, list};
#[cfg(feature = "sqlite")]
use crate::stores::Raw;
use crate::stores::Subject;

const URL: &str = "https://api.jikan.moe/v4/anime/1/full";
const MEGABYTE: usize = 1 << 20;

/// `megabytes` of bytes without nearby repetitions.
fn pieces(megabytes: usize) -> Vec<Bytes> {
    let piece = |number: usize| (0..MEGABYTE).map(|at| ((at * 31) ^ (at >> 8) ^ number) as u8).collect::<Vec<u8>>();
    (0..megabytes).map(|number| piece(number).into()).collect()
}

async fn put(store: &dyn Inspect, entry: &cache_core::Entry, pieces: &[Bytes]) -> EntryId {
    let mut writer = store.insert(entry.clone(), Some(DAY)).await.unwrap();
    for piece in pieces {
        writer.write(piece.clone()).await.unwrap();
    }
    writer.commit().await.unwrap()
}

pub async fn a_large_body_is_streamed_in_bounded_chunks(s: Subject) {
    let entry = entry(URL, 0.0);
    let written = pieces(5);
    let id = put(&*s.store, &entry, &written).await;
    let mut body = s.store.body(&id).await.unwrap().unwrap();
    let mut read = Vec::new();
    while let Some(piece) = body.next().await {
        let piece = piece.unwrap();
        assert!(piece.len() <= 2 * MEGABYTE, "a piece of {} bytes", piece.len());
        read.extend_from_slice(&piece);
    }
    assert_eq!(read.len(), 5 * MEGABYTE);
    assert!(read == written.concat(), "another body");
}

/// Reads one chunk, runs an operation, and reads the rest: the requested body, or an error.
async fn read_through(s: &Subject, id: &EntryId, written: &[Bytes], happens: impl AsyncFnOnce()) {
    let mut body = s.store.body(id).await.unwrap().unwrap();
    let mut read = body.next().await.unwrap().unwrap().to_vec();
    happens().await;
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => read.extend_from_slice(&piece),
            Err(error) => {
                assert!(!error.is_temporary(), "nothing was unreachable: {error:?}");
                assert!(body.next().await.is_none(), "an error is the end");
                return;
            }
        }
    }
    assert!(read == written.concat(), "another body of {} bytes, and no error", read.len());
}

pub async fn a_body_removed_while_it_is_read_is_whole_or_an_error(s: Subject) {
    let written = pieces(5);
    let id = put(&*s.store, &entry(URL, 0.0), &written).await;
    read_through(&s, &id, &written, async || {
        assert_eq!(s.store.remove(std::slice::from_ref(&id)).await.unwrap().entries, 1);
    })
    .await;
    assert_eq!(body_of(&*s.store, &id).await, None);
}

pub async fn a_body_stored_again_while_it_is_read_is_not_mixed(s: Subject) {
    let entry = entry(URL, 0.0);
    let written = pieces(5);
    let id = put(&*s.store, &entry, &written).await;
    let others: Vec<Bytes> = written.iter().map(|piece| piece.iter().map(|byte| !byte).collect()).collect();
    read_through(&s, &id, &written, async || {
        assert_eq!(put(&*s.store, &entry, &others).await, id);
    })
    .await;
    assert!(body_of(&*s.store, &id).await.unwrap() == others.concat(), "another body");
}

pub async fn a_dropped_writer_of_a_large_body_leaves_nothing(s: Subject) {
    let entry = entry(URL, 0.0);
    let mut writer = s.store.insert(entry.clone(), Some(DAY)).await.unwrap();
    for piece in pieces(5) {
        writer.write(piece).await.unwrap();
    }
    assert!(s.store.lookup(&entry.cache_key, None).await.unwrap().is_empty());
    drop(writer);
    assert!(s.store.lookup(&entry.cache_key, None).await.unwrap().is_empty());
    eventually(async || list(&s.store, &Filter::default(), 100).await.is_empty()).await;
    // Its place is free.
    let id = put(&*s.store, &entry, &pieces(2)).await;
    assert_eq!(body_of(&*s.store, &id).await.unwrap().len(), 2 * MEGABYTE);
}

pub async fn a_large_body_of_a_killed_writer_is_never_found(s: Subject) {
    let stores: Vec<Arc<dyn Inspect>> = match &s.raw {
        #[cfg(feature = "sqlite")]
        Raw::Sqlite(file) => {
            let other = Sqlite::open(file, crate::services::services(), IfMissing::Create).await.unwrap();
            vec![Arc::clone(&s.store), Arc::new(other)]
        }
        _ => vec![Arc::clone(&s.store)],
    };
    for written in [1, 5] {
        let entry = entry(URL, 0.0);
        let mut writer = s.store.insert(entry.clone(), Some(DAY)).await.unwrap();
        for piece in pieces(written) {
            writer.write(piece).await.unwrap();
        }
        // As in a process that is killed: no destructor runs.
        std::mem::forget(writer);
        for store in &stores {
            assert!(store.lookup(&entry.cache_key, None).await.unwrap().is_empty());
            assert!(store.body(&EntryId::Http(s.layout, entry.id)).await.unwrap().is_none());
            let found = list(store, &Filter::default(), 100).await;
            assert!(found.iter().all(|summary| summary.state != EntryState::Live), "{found:?}");
        }
        // Storing it again is not affected.
        let id = put(&*s.store, &entry, &pieces(2)).await;
        for store in &stores {
            assert_eq!(body_of(&**store, &id).await.unwrap().len(), 2 * MEGABYTE);
        }
        s.store.remove(&[id]).await.unwrap();
    }
}

pub async fn two_writers_at_once_do_not_mix(s: Subject) {
    let (one, other) = (entry(URL, 10.0), entry(URL, 0.0));
    let mut writers = Vec::new();
    for entry in [&one, &other] {
        writers.push((entry.id, s.store.insert(entry.clone(), Some(DAY)).await.unwrap()));
    }
    for piece in 0..3 * MEGABYTE / 100_000 {
        for (id, writer) in &mut writers {
            writer.write([id.as_bytes().as_slice(), &vec![piece as u8; 99_984]].concat().into()).await.unwrap();
        }
    }
    for (id, writer) in writers {
        let stored = writer.commit().await.unwrap();
        let body = body_of(&*s.store, &stored).await.unwrap();
        assert_eq!(body.len(), 3 * MEGABYTE / 100_000 * 100_000);
        for (number, piece) in body.chunks(100_000).enumerate() {
            assert_eq!((&piece[..16], piece[16]), (id.as_bytes().as_slice(), number as u8));
        }
    }
}
