//! Stored entries are found, deleted ones are not, and TTLs are kept.

use bytes::Bytes;
use cache_core::admin::apply::apply;
use cache_core::admin::plan::{Plan, plan};
use cache_core::{Change, EntryId, EntryState, Error, ExpiryChange, Filter, RemoveStats, StorageLayout, Target, clock};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::samples::{DAY, HOUR, body_of, entry, eventually, is_about, list, listed, put};
use crate::stores::Subject;

const URL: &str = "https://api.jikan.moe/v4/anime/1/full";

pub async fn a_stored_response_is_found_with_its_body(s: Subject) {
    let mut stored = entry(URL, 10.0);
    let id = put(&s.store, &stored, "{}", DAY).await;
    assert_eq!(id, EntryId::Http(s.layout, stored.id));

    let mut found = s.store.lookup(&stored.cache_key, None).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, id);
    let mut found = (*found.remove(0).entry).clone();
    if found.created_at.is_none() {
        // hishel 2 does not record the storage time.
        stored.created_at = None;
    }
    // A layout may keep the TTL and nothing else in the metadata.
    found.request.extra = stored.request.extra.clone();
    found.response.extra = stored.response.extra.clone();
    assert_eq!(found, stored);
    assert_eq!(body_of(&*s.store, &id).await.as_deref(), Some(b"{}".as_slice()));
    let summary = listed(&s.store, &id).await.unwrap();
    assert!(is_about(summary.ttl(clock::now()), DAY.as_secs_f64()), "{summary:?}");
    assert_eq!(summary.state, EntryState::Live);
}

pub async fn newest_comes_first(s: Subject) {
    let mut ids = Vec::new();
    for ago in [300.0, 200.0, 100.0] {
        let entry = entry(URL, ago);
        put(&s.store, &entry, "{}", DAY).await;
        ids.push(entry.id);
    }
    ids.reverse();
    let found = s.store.lookup(&entry(URL, 0.0).cache_key, None).await.unwrap();
    assert_eq!(found.iter().map(|found| found.entry.id).collect::<Vec<_>>(), ids);
}

pub async fn nothing_is_visible_before_the_commit(s: Subject) {
    let entry = entry(URL, 0.0);
    let id = EntryId::Http(s.layout, entry.id);
    let mut writer = s.store.insert(entry.clone(), Some(DAY)).await.unwrap();
    writer.write(Bytes::from(vec![b'x'; 300_000])).await.unwrap();
    assert!(s.store.lookup(&entry.cache_key, None).await.unwrap().is_empty());
    assert_eq!(body_of(&*s.store, &id).await, None);
    let live = Filter { states: vec![EntryState::Live], ..Filter::default() };
    assert_eq!(list(&s.store, &live, 100).await, []);

    writer.write(Bytes::from("y")).await.unwrap();
    assert_eq!(writer.commit().await.unwrap(), id);
    assert_eq!(s.store.lookup(&entry.cache_key, None).await.unwrap().len(), 1);
    assert_eq!(body_of(&*s.store, &id).await.unwrap().len(), 300_001);
}

pub async fn a_dropped_writer_leaves_nothing(s: Subject) {
    let entry = entry(URL, 0.0);
    let mut writer = s.store.insert(entry.clone(), Some(DAY)).await.unwrap();
    writer.write(Bytes::from(vec![b'x'; 300_000])).await.unwrap();
    drop(writer);
    assert!(s.store.lookup(&entry.cache_key, None).await.unwrap().is_empty());
    assert_eq!(body_of(&*s.store, &EntryId::Http(s.layout, entry.id)).await, None);
    eventually(async || list(&s.store, &Filter::default(), 100).await.is_empty()).await;
}

pub async fn an_empty_body_is_a_body(s: Subject) {
    let mut entry = entry(URL, 0.0);
    entry.response.status_code = 204;
    let id = s.store.insert(entry.clone(), Some(DAY)).await.unwrap().commit().await.unwrap();
    assert_eq!(s.store.lookup(&entry.cache_key, None).await.unwrap()[0].entry.response.status_code, 204);
    assert_eq!(body_of(&*s.store, &id).await, Some(Bytes::new()));
    let summary = listed(&s.store, &id).await.unwrap();
    assert_eq!((summary.state, summary.size, summary.http.unwrap().status), (EntryState::Live, 0, 204));
    assert_eq!(s.store.raw_body(&id, 100).await.unwrap(), Some(Bytes::new()));
}

pub async fn a_large_body_round_trips(s: Subject) {
    let entry = entry(URL, 0.0);
    let mut writer = s.store.insert(entry.clone(), Some(DAY)).await.unwrap();
    let mut whole = Vec::new();
    for number in 0..40_u32 {
        // Pieces of many sizes, an empty one among them, and no two with the same bytes.
        let piece: Vec<u8> = (0..number * 1_717).map(|at| (at.wrapping_mul(31) ^ number) as u8).collect();
        whole.extend_from_slice(&piece);
        writer.write(piece.into()).await.unwrap();
    }
    let id = writer.commit().await.unwrap();
    let body = body_of(&*s.store, &id).await.unwrap();
    assert_eq!(body.len(), whole.len());
    assert!(body == whole, "another body");
    assert_eq!(listed(&s.store, &id).await.unwrap().size, whole.len() as u64);
    let start = s.store.raw_body(&id, 1_000).await.unwrap().unwrap();
    assert!(start.len() >= 1_000 && whole.starts_with(&start));
}

pub async fn an_entry_stored_again_replaces_the_old_one(s: Subject) {
    let entry = entry(URL, 0.0);
    put(&s.store, &entry, &"old".repeat(100_000), DAY).await;
    for body in ["new", ""] {
        let id = put(&s.store, &entry, body, DAY).await;
        assert_eq!(s.store.lookup(&entry.cache_key, None).await.unwrap().len(), 1);
        assert_eq!(body_of(&*s.store, &id).await.as_deref(), Some(body.as_bytes()));
        drop(s.store.insert(entry.clone(), Some(DAY)).await.unwrap());
    }
    assert_eq!(list(&s.store, &Filter::default(), 100).await.len(), 1);
}

pub async fn a_deleted_response_has_no_body(s: Subject) {
    let mut entry = entry(URL, 100.0);
    entry.deleted_at = Some(clock::now());
    let id = put(&s.store, &entry, "{}", DAY).await;
    // hishel 2 has no such end marker.
    let has_mark = !matches!(s.layout, StorageLayout::Sqlite2 | StorageLayout::Hishel2);
    assert_eq!(s.store.lookup(&entry.cache_key, None).await.unwrap().is_empty(), has_mark);
    assert_eq!(body_of(&*s.store, &id).await.is_none(), has_mark);
}

pub async fn removal_spares_bodies_with_an_entry(s: Subject) {
    let entry = entry(URL, 0.0);
    let id = put(&s.store, &entry, "{}", DAY).await;
    let has_lost = s.lose_heads(&id);
    let planned = Filter { states: vec![EntryState::Orphan], ..Filter::default() };
    let orphans: Vec<_> = list(&s.store, &planned, 100).await.into_iter().map(|orphan| orphan.id).collect();
    assert_eq!(!orphans.is_empty(), has_lost);

    put(&s.store, &entry, "{}", DAY).await;
    assert_eq!(s.store.remove(&orphans).await.unwrap(), RemoveStats::default());
    assert_eq!(s.store.lookup(&entry.cache_key, None).await.unwrap().len(), 1);
    assert_eq!(body_of(&*s.store, &id).await.as_deref(), Some(b"{}".as_slice()));
}

pub async fn removal_deletes_every_key_of_an_entry(s: Subject) {
    let (gone, kept) = (entry(URL, 0.0), entry("https://kitsu.io/api/edge/anime/1", 0.0));
    let gone_id = put(&s.store, &gone, "{}", DAY).await;
    let kept_id = put(&s.store, &kept, "{}", DAY).await;
    s.store.set("result_cache:p:1", "1".into(), DAY).await.unwrap();
    let missing = EntryId::Http(s.layout, uuid::Uuid::new_v4());

    let ids = [gone_id.clone(), missing, EntryId::key(&b"result_cache:p:1"[..])];
    let removed = s.store.remove(&ids).await.unwrap();
    assert_eq!(removed.entries, 2);
    assert!(removed.keys >= removed.entries);
    assert!(s.store.lookup(&gone.cache_key, None).await.unwrap().is_empty());
    assert_eq!(body_of(&*s.store, &gone_id).await, None);
    assert_eq!(s.store.details(&gone_id).await.unwrap(), None);
    assert_eq!(s.store.get("result_cache:p:1").await.unwrap(), None);
    // The body stays for a moment for readers that have found the head.
    eventually(async || s.store.raw_body(&gone_id, 10).await.unwrap().is_none()).await;
    let left = list(&s.store, &Filter::default(), 100).await;
    assert_eq!(left.into_iter().map(|summary| summary.id).collect::<Vec<_>>(), [kept_id]);
    assert_eq!(s.store.remove(&ids).await.unwrap(), RemoveStats::default());
}

pub async fn responses_under_one_key_are_removed_apart(s: Subject) {
    let (older, newer) = (entry(URL, 60.0), entry(URL, 0.0));
    put(&s.store, &older, "older", DAY).await;
    let newer_id = put(&s.store, &newer, "newer", DAY).await;
    assert_eq!(s.store.remove(&[newer_id]).await.unwrap().entries, 1);
    let left = s.store.lookup(&older.cache_key, None).await.unwrap();
    assert_eq!(left.iter().map(|found| found.entry.id).collect::<Vec<_>>(), [older.id]);
    let body = body_of(&*s.store, &EntryId::Http(s.layout, older.id)).await;
    assert_eq!(body.as_deref(), Some(b"older".as_slice()));
}

pub async fn expire_sets_the_ttl(s: Subject) {
    let id = put(&s.store, &entry(URL, 1_000.0), "{}", HOUR).await;
    s.store.set("result_cache:p:1", "1".into(), HOUR).await.unwrap();
    let result = EntryId::key(&b"result_cache:p:1"[..]);
    let missing = EntryId::Http(s.layout, uuid::Uuid::new_v4());
    for ttl in [DAY, Duration::from_secs(60)] {
        let ids = [id.clone(), missing.clone(), result.clone(), EntryId::key(&b"result_cache:p:2"[..])];
        assert_eq!(s.store.expire(&ids, Some(ttl)).await.unwrap(), 2);
        for id in [&id, &result] {
            let left = listed(&s.store, id).await.unwrap().ttl(clock::now());
            assert!(is_about(left, ttl.as_secs_f64()), "{left:?}");
        }
    }
    assert_eq!(body_of(&*s.store, &id).await.as_deref(), Some(b"{}".as_slice()));
}

pub async fn expire_shortens_no_other_response(s: Subject) {
    let short = put(&s.store, &entry(URL, 60.0), "{}", DAY).await;
    let long = put(&s.store, &entry(URL, 0.0), "{}", DAY).await;
    assert_eq!(s.store.expire(&[short], Some(Duration::from_secs(60))).await.unwrap(), 1);
    let long = s.store.details(&long).await.unwrap().unwrap();
    assert!(is_about(long.summary.ttl(clock::now()), DAY.as_secs_f64()), "{long:?}");
    // Including the index, which both entries share.
    assert!(long.keys.iter().all(|key| key.ttl.is_some_and(|ttl| ttl > HOUR.as_secs_f64())), "{long:?}");
}

pub async fn results_can_be_persisted(s: Subject) {
    s.store.set("result_cache:p:1", "1".into(), HOUR).await.unwrap();
    let id = EntryId::key(&b"result_cache:p:1"[..]);
    assert_eq!(s.store.expire(std::slice::from_ref(&id), None).await.unwrap(), 1);
    assert_eq!(listed(&s.store, &id).await.unwrap().expires_at, None);
    assert_eq!(s.store.expire(std::slice::from_ref(&id), Some(HOUR)).await.unwrap(), 1);
    assert!(is_about(listed(&s.store, &id).await.unwrap().ttl(clock::now()), HOUR.as_secs_f64()));
}

pub async fn http_entries_can_be_persisted_or_are_unsupported(s: Subject) {
    let id = put(&s.store, &entry(URL, 0.0), "{}", HOUR).await;
    let touched = s.store.expire(std::slice::from_ref(&id), None).await;
    let expires_at = listed(&s.store, &id).await.unwrap().expires_at;
    // hishel 1 counts a TTL from the storage time of each entry.
    if matches!(s.layout, StorageLayout::Sqlite1 | StorageLayout::Hishel1) {
        assert!(matches!(touched, Err(Error::Unsupported(_))), "{touched:?}");
        assert!(is_about(expires_at, clock::now() + HOUR.as_secs_f64()));
    } else {
        assert_eq!((touched.unwrap(), expires_at), (1, None));
    }
}

pub async fn update_head_keeps_body_and_ttl(s: Subject) {
    let old = entry(URL, 1_000.0);
    let id = put(&s.store, &old, "the body", HOUR).await;
    let mut new = old.clone();
    new.created_at = Some(clock::now());
    new.response.headers.append("etag", "\"2\"");
    assert!(s.store.update_head(&id, &new).await.unwrap());

    let found = s.store.lookup(&old.cache_key, None).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].entry.response.headers, new.response.headers);
    assert_eq!(found[0].entry.id, old.id);
    assert_eq!(body_of(&*s.store, &id).await.as_deref(), Some(b"the body".as_slice()));
    let left = listed(&s.store, &id).await.unwrap().ttl(clock::now());
    assert!(is_about(left, HOUR.as_secs_f64()), "{left:?}");
}

pub async fn update_head_of_a_missing_entry_returns_false(s: Subject) {
    let entry = entry(URL, 0.0);
    let id = put(&s.store, &entry, "{}", HOUR).await;
    s.store.remove(std::slice::from_ref(&id)).await.unwrap();
    assert!(!s.store.update_head(&id, &entry).await.unwrap());
    assert!(s.store.lookup(&entry.cache_key, None).await.unwrap().is_empty());
}

pub async fn an_expired_response_is_a_miss(s: Subject) {
    let entry = entry(URL, 0.0);
    let id = put(&s.store, &entry, "{}", Duration::from_secs(1)).await;
    assert_eq!(s.store.lookup(&entry.cache_key, None).await.unwrap().len(), 1);
    eventually(async || s.store.lookup(&entry.cache_key, None).await.unwrap().is_empty()).await;
    // In Redis a response is several keys, which expire a moment apart.
    eventually(async || body_of(&*s.store, &id).await.is_none()).await;
    let live = Filter { states: vec![EntryState::Live], ..Filter::default() };
    assert_eq!(list(&s.store, &live, 100).await, []);
    assert!(!s.store.update_head(&id, &entry).await.unwrap());
}

pub async fn results_are_stored_and_overwritten(s: Subject) {
    let key = "result_cache:anisearch_anime:82fce6a05e45281a:18878";
    assert_eq!(s.store.get(key).await.unwrap(), None);
    s.store.set(key, "{\"a\": 1}".into(), HOUR).await.unwrap();
    s.store.set(key, "[2]".into(), DAY).await.unwrap();
    let stored = s.store.get(key).await.unwrap().unwrap();
    assert_eq!(stored.value, "[2]");
    assert!(is_about(stored.expires_at.map(|at| at - clock::now()), DAY.as_secs_f64()));
    let summary = listed(&s.store, &EntryId::key(key.as_bytes())).await.unwrap();
    assert_eq!((summary.size, summary.service), (3, cache_core::ServiceName::new("anisearch")));
    assert!(is_about(summary.ttl(clock::now()), DAY.as_secs_f64()));
}

pub async fn an_expired_result_is_a_miss(s: Subject) {
    s.store.set("result_cache:p:1", "1".into(), Duration::from_secs(1)).await.unwrap();
    eventually(async || s.store.get("result_cache:p:1").await.unwrap().is_none()).await;
    let live = Filter { states: vec![EntryState::Live], ..Filter::default() };
    assert_eq!(list(&s.store, &live, 100).await, []);
}

pub async fn a_response_requested_before_an_invalidation_is_refused(s: Subject) {
    let old = entry(URL, 10.0);
    let key = &old.cache_key;
    put(&s.store, &old, "old", DAY).await;
    let before = s.store.generation(key.as_bytes()).await.unwrap();
    // A fallback reports that its first store is still to be invalidated.
    let _ = s.store.invalidate(key).await;
    assert!(s.store.lookup(key, None).await.unwrap().is_empty());

    for length in [3, 3_000_000] {
        let mut writer = s.store.insert(entry(URL, 0.0), Some(DAY)).await.unwrap();
        writer.write(Bytes::from(vec![b'x'; length])).await.unwrap();
        writer.expect_generation(before);
        assert!(matches!(writer.commit().await, Err(Error::Removed { .. })), "{length}");
        assert!(s.store.lookup(key, None).await.unwrap().is_empty(), "{length}");
    }

    let now = s.store.generation(key.as_bytes()).await.unwrap();
    let mut writer = s.store.insert(entry(URL, 0.0), Some(DAY)).await.unwrap();
    writer.expect_generation(now);
    writer.commit().await.unwrap();
    assert_eq!(s.store.lookup(key, None).await.unwrap().len(), 1);
    let other = entry("https://api.jikan.moe/v4/other", 0.0);
    let mut writer = s.store.insert(other.clone(), Some(DAY)).await.unwrap();
    writer.expect_generation(s.store.generation(other.cache_key.as_bytes()).await.unwrap());
    let _ = s.store.invalidate(key).await;
    writer.commit().await.unwrap();
}

pub async fn what_began_before_a_flush_is_refused(s: Subject) {
    let (entry, key) = (entry(URL, 0.0), "result_cache:p:0123456789abcdef:1");
    let id = put(&s.store, &entry, "old", DAY).await;
    let response = s.store.generation(entry.cache_key.as_bytes()).await.unwrap();
    let result = s.store.generation(key.as_bytes()).await.unwrap();
    assert!(s.store.set_if(key, "1".into(), DAY, result).await.unwrap());
    let targets = [Target::any(id), Target::any(EntryId::key(key.as_bytes()))];
    s.store.apply(&s.store.id().into(), Change::Remove, &targets).await.unwrap();

    let mut writer = s.store.insert(entry.clone(), Some(DAY)).await.unwrap();
    writer.expect_generation(response);
    assert!(matches!(writer.commit().await, Err(Error::Removed { .. })));
    assert!(!s.store.set_if(key, "1".into(), DAY, result).await.unwrap());
    assert_eq!(s.store.get(key).await.unwrap(), None);
    let now = s.store.generation(key.as_bytes()).await.unwrap();
    assert!(s.store.set_if(key, "2".into(), DAY, now).await.unwrap());
    assert_eq!(s.store.get(key).await.unwrap().unwrap().value, "2");
}

/// The result, a response, and a plan for both.
async fn planned(s: &Subject, filter: &Filter) -> (EntryId, cache_core::Entry, Plan) {
    s.store.set("result_cache:p:1", "1".into(), HOUR).await.unwrap();
    let entry = entry(URL, 100.0);
    let id = put(&s.store, &entry, "{}", HOUR).await;
    let plan = plan(&s.store, filter, None, &AtomicBool::new(false), |_| ()).await.unwrap().unwrap();
    assert_eq!(plan.targets.len(), 2);
    (id, entry, plan)
}

async fn applied(s: &Subject, plan: &Plan, change: Change) -> (u64, u64, u64) {
    let report = apply(&s.store, plan, change, None, &AtomicBool::new(false), |_| ()).await;
    assert!(report.error.is_none(), "{:?}", report.error);
    (report.done.entries, report.done.changed_meanwhile, report.done.gone)
}

pub async fn what_is_as_planned_is_removed_once(s: Subject) {
    let (_, _, plan) = planned(&s, &Filter::default()).await;
    assert_eq!(applied(&s, &plan, Change::Remove).await, (2, 0, 0));
    assert_eq!(list(&s.store, &Filter::default(), 100).await, []);
    assert_eq!(applied(&s, &plan, Change::Remove).await, (0, 0, 2));
}

pub async fn what_was_replaced_since_the_plan_stays(s: Subject) {
    let (id, mut entry, plan) = planned(&s, &Filter::default()).await;
    s.store.set("result_cache:p:1", "another".into(), DAY).await.unwrap();
    entry.created_at = Some(clock::now());
    entry.response.status_code = 404;
    assert!(s.store.update_head(&id, &entry).await.unwrap());
    for change in [Change::Remove, Change::Expire(ExpiryChange::Set(Duration::from_secs(60)))] {
        assert_eq!(applied(&s, &plan, change).await, (0, 2, 0), "{change:?}");
    }
    assert_eq!(s.store.lookup(&entry.cache_key, None).await.unwrap()[0].entry.response.status_code, 404);
    assert_eq!(s.store.get("result_cache:p:1").await.unwrap().unwrap().value, "another");
}

pub async fn a_renewed_response_is_still_as_planned(s: Subject) {
    let (id, entry, plan) = planned(&s, &Filter::default()).await;
    s.store.lookup(&entry.cache_key, Some(DAY)).await.unwrap();
    eventually(async || is_about(listed(&s.store, &id).await.unwrap().ttl(clock::now()), DAY.as_secs_f64())).await;
    assert_eq!(applied(&s, &plan, Change::Remove).await, (2, 0, 0));
}

pub async fn a_selection_by_ttl_spares_what_was_renewed(s: Subject) {
    let soon = Filter { ttl_under: Some(2.0 * HOUR.as_secs_f64()), ..Filter::default() };
    let (id, entry, plan) = planned(&s, &soon).await;
    s.store.lookup(&entry.cache_key, Some(DAY)).await.unwrap();
    eventually(async || is_about(listed(&s.store, &id).await.unwrap().ttl(clock::now()), DAY.as_secs_f64())).await;
    assert_eq!(applied(&s, &plan, Change::Remove).await, (1, 1, 0));
    assert!(listed(&s.store, &id).await.is_some());
}

pub async fn an_extension_adds_to_what_is_left_then(s: Subject) {
    let (id, entry, plan) = planned(&s, &Filter::default()).await;
    s.store.lookup(&entry.cache_key, Some(DAY)).await.unwrap();
    eventually(async || is_about(listed(&s.store, &id).await.unwrap().ttl(clock::now()), DAY.as_secs_f64())).await;
    let extend = Change::Expire(ExpiryChange::Extend(HOUR));
    assert_eq!(applied(&s, &plan, extend).await, (2, 0, 0));
    assert!(is_about(listed(&s.store, &id).await.unwrap().ttl(clock::now()), (DAY + HOUR).as_secs_f64()));
    let result = listed(&s.store, &EntryId::key(&b"result_cache:p:1"[..])).await.unwrap();
    assert!(is_about(result.ttl(clock::now()), 2.0 * HOUR.as_secs_f64()));
    let details = s.store.details(&id).await.unwrap().unwrap();
    let least = (DAY + HOUR).as_secs_f64() - 5.0;
    assert!(details.keys.iter().all(|key| key.ttl.is_some_and(|ttl| ttl > least)), "{details:?}");
}
