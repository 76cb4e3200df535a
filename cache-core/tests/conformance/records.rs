//! Entries are saved to a file as they are stored, and come back from it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use cache_core::admin::archive::{ArchiveReader, ArchiveWriter, Header, Source};
use cache_core::admin::undo::{UndoReport, restore, save};
use cache_core::{EntryId, Filter, Inspect, StorageLayout, Summary, clock};

use crate::samples::{DAY, HOUR, body_of, entry, list, put};
use crate::stores::{Raw, Subject};

const RESULT: &str = "result_cache:p:82fce6a05e45281a:1";
const URL: &str = "https://api.jikan.moe/v4/anime/1/full";

async fn saved(store: &Arc<dyn Inspect>, ids: &[EntryId]) -> Vec<u8> {
    let header = Header::for_undo("flush", clock::now(), ids.len() as u64, Source::new(&store.id(), None));
    let mut writer = ArchiveWriter::new(Vec::new(), &header).unwrap();
    save(store, ids, &mut writer).await.unwrap();
    writer.finish().unwrap().0
}

async fn restored(store: &Arc<dyn Inspect>, file: &[u8]) -> UndoReport {
    let mut reader = ArchiveReader::new(file).unwrap();
    let report = restore(store, &mut reader, &AtomicBool::new(false), |_| ()).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    report
}

/// Everything that is listed, with bodies, by ID.
async fn content(store: &Arc<dyn Inspect>) -> Vec<(Summary, Option<bytes::Bytes>, u64)> {
    let mut all = Vec::new();
    for summary in list(store, &Filter::default(), 100).await {
        let body = match &summary.id {
            EntryId::Http(..) => body_of(&**store, &summary.id).await,
            id @ EntryId::Key(_) => store.raw_body(id, usize::MAX).await.unwrap(),
        };
        let chunks = store.details(&summary.id).await.unwrap().unwrap().chunks;
        all.push((summary, body, chunks));
    }
    all.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    all
}

fn assert_same(before: &[(Summary, Option<bytes::Bytes>, u64)], after: &[(Summary, Option<bytes::Bytes>, u64)]) {
    assert_eq!(before.len(), after.len());
    for ((before, body, chunks), (after, body_after, chunks_after)) in before.iter().zip(after) {
        let at = |summary: &Summary| summary.expires_at.unwrap_or(f64::MAX);
        assert!((at(before) - at(after)).abs() < 1.0, "{before:?}\n{after:?}");
        let times = |summary: &Summary| Summary { expires_at: None, last_used: None, ..summary.clone() };
        assert_eq!(times(before), times(after));
        assert!(body == body_after, "the body of {}", before.id);
        assert_eq!(chunks, chunks_after, "the chunks of {}", before.id);
    }
}

/// Entries of all sizes; their IDs.
async fn fill(s: &Subject) -> Vec<EntryId> {
    let mut ids = Vec::new();
    for (url, body, ttl) in [
        (URL, "{}".to_owned(), DAY),
        ("https://api.jikan.moe/v4/anime/2", String::new(), HOUR),
        ("https://api.jikan.moe/v4/anime/3", "abcdefgh".repeat(500_000), DAY),
    ] {
        ids.push(put(&s.store, &entry(url, 10.0), &body, ttl).await);
    }
    for (key, length, ttl) in [(RESULT, 9, DAY), ("result_cache:p:82fce6a05e45281a:2", 3_000_000, HOUR)] {
        s.store.set(key, "7".repeat(length).into(), ttl).await.unwrap();
        ids.push(EntryId::key(key.as_bytes()));
    }
    s.store.expire(&ids[3..4], None).await.unwrap();
    ids
}

pub async fn saved_entries_come_back_as_they_were(s: Subject) {
    if matches!(s.raw, Raw::None) {
        return;
    }
    let ids = fill(&s).await;
    let before = content(&s.store).await;
    let file = saved(&s.store, &ids).await;
    s.store.remove(&ids).await.unwrap();
    // Where bodies stay a moment for their readers, they are taken for what they are.
    let report = restored(&s.store, &file).await;
    assert_eq!((report.entries, report.done()), (5, 5), "{report:?}");
    assert_same(&before, &content(&s.store).await);

    let again = restored(&s.store, &file).await;
    assert_eq!((again.entries, again.present), (0, 5), "{again:?}");
    assert_same(&before, &content(&s.store).await);
}

pub async fn a_restored_response_is_found(s: Subject) {
    if matches!(s.raw, Raw::None) {
        return;
    }
    let stored = entry(URL, 10.0);
    let id = put(&s.store, &stored, "{}", DAY).await;
    let file = saved(&s.store, std::slice::from_ref(&id)).await;
    s.store.remove(std::slice::from_ref(&id)).await.unwrap();
    assert!(s.store.lookup(&stored.cache_key, None).await.unwrap().is_empty());
    restored(&s.store, &file).await;
    let found = s.store.lookup(&stored.cache_key, None).await.unwrap();
    assert_eq!(found.iter().map(|found| &found.id).collect::<Vec<_>>(), [&id]);
}

pub async fn what_was_stored_anew_is_kept(s: Subject) {
    if matches!(s.raw, Raw::None) {
        return;
    }
    let old = put(&s.store, &entry(URL, 10.0), "old", HOUR).await;
    s.store.set(RESULT, "1".into(), DAY).await.unwrap();
    let ids = [old, EntryId::key(RESULT.as_bytes())];
    let file = saved(&s.store, &ids).await;
    s.store.remove(&ids).await.unwrap();
    let new = put(&s.store, &entry(URL, 0.0), "new", DAY).await;
    s.store.set(RESULT, "2".into(), DAY).await.unwrap();
    let report = restored(&s.store, &file).await;
    assert_eq!((report.entries, report.newer), (0, 2), "{report:?}");
    assert_eq!(body_of(&*s.store, &new).await.as_deref(), Some(&b"new"[..]));
    assert_eq!(s.store.get(RESULT).await.unwrap().unwrap().value, "2");
}

pub async fn responses_under_one_key_come_back_together(s: Subject) {
    if matches!(s.raw, Raw::None) || s.layout == StorageLayout::Hishel2 || s.layout == StorageLayout::Sqlite2 {
        return;
    }
    let mut ids = Vec::new();
    for (ago, ttl) in [(10.0, DAY), (300.0, HOUR), (200.0, DAY)] {
        ids.push(put(&s.store, &entry(URL, ago), "{}", ttl).await);
    }
    let file = saved(&s.store, &ids).await;
    s.store.remove(&ids[1..]).await.unwrap();
    let report = restored(&s.store, &file).await;
    assert_eq!((report.entries, report.present, report.newer), (2, 1, 0), "{report:?}");
}

pub async fn what_would_have_expired_stays_away(s: Subject) {
    if matches!(s.raw, Raw::None) {
        return;
    }
    let id = put(&s.store, &entry(URL, 0.0), "{}", Duration::from_secs(2)).await;
    let file = saved(&s.store, std::slice::from_ref(&id)).await;
    s.store.remove(&[id]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let report = restored(&s.store, &file).await;
    assert_eq!((report.entries, report.expired), (0, 1), "{report:?}");
}

pub async fn an_orphan_comes_back(s: Subject) {
    let id = put(&s.store, &entry(URL, 0.0), "the body", DAY).await;
    if !s.lose_heads(&id) {
        return;
    }
    let orphans = list(&s.store, &Filter::default(), 100).await;
    let ids: Vec<_> = orphans.iter().map(|orphan| orphan.id.clone()).collect();
    assert!(!ids.is_empty());
    let before = s.store.raw_body(&ids[0], 100).await.unwrap();
    let file = saved(&s.store, &ids).await;
    assert_eq!(s.store.remove(&ids).await.unwrap().entries, ids.len() as u64);
    let report = restored(&s.store, &file).await;
    assert_eq!(report.entries, ids.len() as u64, "{report:?}");
    assert_eq!(s.store.raw_body(&ids[0], 100).await.unwrap(), before);
    let after: BTreeSet<_> =
        list(&s.store, &Filter::default(), 100).await.into_iter().map(|orphan| orphan.id).collect();
    assert_eq!(after, ids.into_iter().collect());
}

/// A program was ended between two steps: the head of an entry is gone, and its place in the index or its body is left.
pub async fn a_half_removed_response_comes_back(s: Subject) {
    #[cfg(feature = "redis")]
    if let Raw::Redis(url) = &s.raw {
        let stored = entry(URL, 10.0);
        let id = put(&s.store, &stored, &"x".repeat(600_000), DAY).await;
        let before = content(&s.store).await;
        let file = saved(&s.store, std::slice::from_ref(&id)).await;
        let mut connection = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
        let body = String::from_utf8_lossy(&id.redis_key()).replace(":entry:", ":stream:");
        for step in ["index", "head", "body"] {
            let mut delete = redis::cmd("DEL");
            match step {
                "index" => {
                    let indexes: Vec<String> = ["*:key_index:*", "*:idx:*"]
                        .iter()
                        .flat_map(|like| -> Vec<String> {
                            redis::cmd("KEYS").arg(like).query(&mut connection).unwrap()
                        })
                        .collect();
                    delete.arg(indexes);
                }
                "head" => _ = delete.arg(&*id.redis_key()),
                _ => {
                    redis::cmd("LTRIM").arg(&body).arg(0).arg(0).exec(&mut connection).unwrap();
                    delete.arg(&*id.redis_key());
                }
            }
            delete.exec(&mut connection).unwrap();
            let report = restored(&s.store, &file).await;
            assert_eq!(report.entries, 1, "after the {step}: {report:?}");
            assert_same(&before, &content(&s.store).await);
            assert_eq!(s.store.lookup(&stored.cache_key, None).await.unwrap().len(), 1, "after the {step}");
        }
        // A body that is not its own is left alone.
        redis::cmd("DEL").arg(&*id.redis_key()).arg(&body).exec(&mut connection).unwrap();
        redis::cmd("RPUSH").arg(&body).arg("another").exec(&mut connection).unwrap();
        let report = restored(&s.store, &file).await;
        assert_eq!((report.entries, report.present), (0, 1), "{report:?}");
        let now: Vec<String> = redis::cmd("LRANGE").arg(&body).arg(0).arg(-1).query(&mut connection).unwrap();
        assert_eq!(now, ["another"]);
    }
    let _ = s;
}
