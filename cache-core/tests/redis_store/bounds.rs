//! Round trips of a hit in every layout, and the bounds of what is stored beside an entry.

use cache_core::{Config, LeaseStore as _, Redis, RedisUrl, StorageLayout};

use super::*;

fn store_in(layout: StorageLayout, url: &str) -> Redis {
    Redis::new(&Config { redis_url: RedisUrl::new(url), write_layout: layout, ..Config::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_of_any_layout_takes_few_round_trips() {
    for layout in [StorageLayout::Pipeline, StorageLayout::Hishel1, StorageLayout::Hishel2] {
        for (length, renew, most) in
            [(5_000, None, 1), (5_000, Some(DAY), 2), (200_000, None, 2), (200_000, Some(DAY), 3)]
        {
            let url = RedisServer::fresh_database();
            let (proxy, turns) = counted(&url).await;
            let (entry, other) = (entry("anime/1"), store_in(layout, &url));
            put(&other, &entry, noise(length), HOUR).await;
            let store = store_in(layout, &proxy);
            // The server learns the script.
            store.lookup(&cache_core::hishel1_key(b"other"), renew).await.unwrap();

            let before = turns.load(Ordering::SeqCst);
            let found = store.lookup(&entry.cache_key, renew).await.unwrap().remove(0);
            let body = match found.body {
                Some(body) => body,
                None => collect_body(store.body(&found.id).await.unwrap().unwrap()).await.unwrap(),
            };
            let turns = turns.load(Ordering::SeqCst) - before;
            assert!(body == noise(length), "another body");
            assert!(turns <= most, "{turns} round trips for {length} bytes in {layout:?}, renewed: {renew:?}");
            if let Some(ttl) = renew {
                let left = other.lookup(&entry.cache_key, None).await.unwrap()[0].expires_at.unwrap() - clock::now();
                assert!((ttl.as_secs_f64() - 60.0..=ttl.as_secs_f64() + 1.0).contains(&left), "{layout:?}: {left}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_removes_ids_of_entries_that_are_gone() {
    for layout in [StorageLayout::Pipeline, StorageLayout::Hishel1, StorageLayout::Hishel2] {
        let url = RedisServer::fresh_database();
        let (store, mut raw) = (store_in(layout, &url), raw(&url));
        let key = entry("anime/1").cache_key;
        for number in 0..3 {
            let id = put(&store, &entry("anime/1"), noise(10), HOUR).await;
            // As an eviction does.
            if number > 0 {
                cmd("DEL").arg(&*id.redis_key()).exec(&mut raw).unwrap();
            }
        }
        assert_eq!(store.lookup(&key, None).await.unwrap().len(), 1);
        let index: String = cmd("KEYS").arg("*i*d*x*:*").query::<Vec<String>>(&mut raw).unwrap().remove(0);
        let count = if layout == StorageLayout::Hishel2 { "ZCARD" } else { "SCARD" };
        assert_eq!(cmd(count).arg(index).query::<u64>(&mut raw), Ok(1), "{layout:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_of_many_variants_are_deleted() {
    for layout in [StorageLayout::Pipeline, StorageLayout::Hishel1, StorageLayout::Hishel2] {
        let url = RedisServer::fresh_database();
        let store = store_in(layout, &url);
        let first = clock::now() - 1_000.0;
        let mut ids = Vec::new();
        for number in 0..40_u32 {
            let entry = Entry { created_at: Some(first + f64::from(number)), ..entry("anime/1") };
            ids.push(entry.id);
            put(&store, &entry, noise(10), HOUR + Duration::from_secs(number.into())).await;
        }
        let found = store.lookup(&entry("anime/1").cache_key, None).await.unwrap();
        let mut found: Vec<Uuid> = found.into_iter().map(|found| found.entry.id).collect();
        found.sort();
        ids.drain(..8);
        ids.sort();
        assert_eq!(found, ids, "{layout:?}");
    }
}

#[tokio::test]
async fn the_end_mark_is_no_part_of_a_body_of_any_length() {
    let url = RedisServer::fresh_database();
    let (store, mut raw) = (store(&url), raw(&url));
    let EntryId::Http(_, id) = put(&store, &entry("anime/1"), noise(10), HOUR).await else { unreachable!() };
    let key = format!("hishel_cache:stream:{id}");
    for pieces in [62, 63, 64, 127, 128] {
        cmd("DEL").arg(&key).exec(&mut raw).unwrap();
        let elements = [vec!["x"; pieces], vec!["__STREAM_COMPLETE__"]].concat();
        cmd("RPUSH").arg(&key).arg(elements).exec(&mut raw).unwrap();
        let body = store.raw_body(&EntryId::Http(StorageLayout::Pipeline, id), usize::MAX).await.unwrap().unwrap();
        assert_eq!(body, "x".repeat(pieces));
    }
}

fn delta(process: Uuid, number: u64, hour: i64) -> StatsDelta {
    let counts = Counters { hits: 4, misses: 1, ..Counters::default() };
    let buckets = vec![HourlyCounters { hour, scope: Scope::Http(ServiceName::OTHER), counts }];
    StatsDelta { process, number, buckets }
}

#[tokio::test]
async fn counters_are_read_over_both_protocols() {
    let url = RedisServer::fresh_database();
    let hour = (clock::now() / 3_600.0) as i64;
    store(&url).add_stats(&delta(Uuid::new_v4(), 1, hour)).await.unwrap();
    for protocol in ["2", "3"] {
        let read = store(&format!("{url}?protocol={protocol}")).stats(0.0).await.unwrap();
        assert_eq!(read.ever[&Scope::Http(ServiceName::OTHER)].hits, 4, "RESP{protocol}");
        assert_eq!((read.hours.len(), read.unavailable), (1, None));
    }
}

#[tokio::test]
async fn a_slow_clock_shortens_no_counters() {
    let url = RedisServer::fresh_database();
    let (store, mut raw) = (store(&url), raw(&url));
    let hour = (clock::now() / 3_600.0) as i64;
    store.add_stats(&delta(Uuid::new_v4(), 1, hour)).await.unwrap();
    // As a machine counts that is eight days behind.
    store.add_stats(&delta(Uuid::new_v4(), 1, hour - 8 * 24)).await.unwrap();
    let left: i64 = cmd("TTL").arg("animecache:{counters}:ever").query(&mut raw).unwrap();
    assert!(left > 6 * 86_400, "{left}");
}

#[tokio::test]
async fn a_refused_command_in_the_lookup_is_no_miss() {
    let url = RedisServer::fresh_database();
    let key = entry("anime/1").cache_key;
    put(&store(&url), &entry("anime/1"), noise(10), HOUR).await;
    for (user, denied) in [("a", "-hget"), ("b", "-pttl"), ("c", "-smembers")] {
        let store = store_of(user, ["+@all", denied], &url);
        for _ in 0..2 {
            let refused = store.lookup(&key, None).await;
            assert!(matches!(refused, Err(cache_core::Error::Refused { .. })), "{denied}: {refused:?}");
        }
    }
    // The keys of leases take no right to look up with them.
    let few = store_of("d", ["resetkeys", "~hishel_cache:*"], &url);
    assert!(few.acquire("x", Uuid::new_v4(), HOUR).await.is_err());
}
