//! The Redis store: one round trip for a lookup, bodies in parts, and no keys left behind without a TTL.

#![allow(clippy::unwrap_used)]

mod bounds;
#[path = "../harness/redis_server.rs"]
mod redis_server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_core::{
    Change, Config, Entry, EntryId, EntryState, Error, ExpiryChange, Filter, Inspect, Redis, RedisUrl, Request,
    Response, ResponseStore as _, ResultStore as _, ServiceName, StatsStore as _, StorageLayout, StoredResult, Target,
    admin, clock, collect_body,
};
use cache_core::{Counters, HourlyCounters, Scope, StatsDelta};
use futures_util::StreamExt as _;
use redis::{ConnectionLike as _, cmd};
use redis_server::RedisServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const RESULT: &str = "result_cache:p:82fce6a05e45281a:1";

fn store(url: &str) -> Redis {
    Redis::new(&Config { redis_url: RedisUrl::new(url), ..Config::default() }).unwrap()
}

/// The permissions of a restricted user.
fn store_of(user: &str, rules: [&str; 2], url: &str) -> Redis {
    let mut set = cmd("ACL");
    set.arg("SETUSER").arg(user).arg(&["on", "nopass", "~*"]).arg(&rules).exec(&mut raw(url)).unwrap();
    store(&url.replace("redis://", &format!("redis://{user}:any@")))
}

fn raw(url: &str) -> redis::Connection {
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

fn entry(name: &str) -> Entry {
    let url = format!("https://api.jikan.moe/v4/{name}");
    Entry {
        id: Uuid::new_v4(),
        cache_key: cache_core::hishel1_key(url.as_bytes()),
        request: Request { method: "GET".into(), url, ..Request::default() },
        response: Response { status_code: 200, ..Response::default() },
        created_at: Some(clock::now()),
        deleted_at: None,
    }
}

/// Bytes without repetitions.
fn noise(length: usize) -> Bytes {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

async fn put(store: &Redis, entry: &Entry, body: Bytes, ttl: Duration) -> EntryId {
    let mut writer = store.insert(entry.clone(), Some(ttl)).await.unwrap();
    writer.write(body).await.unwrap();
    writer.commit().await.unwrap()
}

/// Every key of the database with its remaining TTL in seconds (-1: none).
fn times(connection: &mut redis::Connection) -> Vec<(String, i64)> {
    let keys: Vec<String> = cmd("KEYS").arg("*").query(connection).unwrap();
    keys.into_iter().map(|key| (key.clone(), cmd("TTL").arg(key).query(connection).unwrap())).collect()
}

/// A proxy of a server that counts round trips of the client.
async fn counted(url: &str) -> (String, Arc<AtomicUsize>) {
    let (server, database) = url.strip_prefix("redis://").and_then(|place| place.split_once('/')).unwrap();
    let (server, database) = (server.to_owned(), database.to_owned());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let turns = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&turns);
    #[expect(clippy::disallowed_methods, reason = "the proxy ends with the test's runtime")]
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(server).await.unwrap();
        let (mut question, mut answer) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        let mut is_answered = true;
        loop {
            tokio::select! {
                length = client.read(&mut question) => match length.unwrap_or(0) {
                    0 => return,
                    length => {
                        counter.fetch_add(usize::from(std::mem::take(&mut is_answered)), Ordering::SeqCst);
                        server.write_all(&question[..length]).await.unwrap();
                    }
                },
                length = server.read(&mut answer) => {
                    is_answered = true;
                    client.write_all(&answer[..length.unwrap()]).await.unwrap();
                }
            }
        }
    });
    (format!("redis://{address}/{database}"), turns)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_takes_one_round_trip() {
    let url = RedisServer::fresh_database();
    let (proxy, turns) = counted(&url).await;
    let store = store(&proxy);
    let entry = entry("anime/1");
    put(&store, &entry, noise(300_000), HOUR).await;
    // The server learns the script.
    store.lookup(&entry.cache_key, None).await.unwrap();

    let before = turns.load(Ordering::SeqCst);
    let found = store.lookup(&entry.cache_key, Some(DAY)).await.unwrap().remove(0);
    assert_eq!(turns.load(Ordering::SeqCst) - before, 1);
    assert!(found.body.unwrap() == noise(300_000), "another body");
    assert!((found.expires_at.unwrap() - clock::now() - DAY.as_secs_f64()).abs() < 5.0);
    for (key, left) in times(&mut raw(&url)) {
        assert!((left - DAY.as_secs().cast_signed()).abs() < 5, "{key} has {left} s left");
    }
}

/// Number of commands that set a TTL since the server was started.
fn times_set(connection: &mut redis::Connection) -> usize {
    let statistics: String = cmd("INFO").arg("commandstats").query(connection).unwrap();
    let line = statistics.lines().find_map(|line| line.strip_prefix("cmdstat_pexpire:calls="));
    line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hits_renew_the_body_once_a_second() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let (store, mut raw) = (store(&url), raw(&url));
    let entry = entry("anime/1");
    put(&store, &entry, noise(200), HOUR).await;
    let is_extended = |(_, left): &(String, i64)| (left - DAY.as_secs().cast_signed()).abs() < 5;
    store.lookup(&entry.cache_key, Some(DAY)).await.unwrap();
    assert!(times(&mut raw).iter().all(is_extended));

    let (before, since) = (times_set(&mut raw), Instant::now());
    let hits = 200;
    for _ in 0..hits {
        let found = store.lookup(&entry.cache_key, Some(DAY)).await.unwrap().remove(0);
        assert!((found.expires_at.unwrap() - clock::now() - DAY.as_secs_f64()).abs() < 5.0);
    }
    let (body_and_index, seconds) = (2, since.elapsed().as_secs() as usize + 1);
    let renewals = times_set(&mut raw) - before;
    assert!((hits..=hits + body_and_index * seconds).contains(&renewals), "{renewals} in {seconds} s");

    // A TTL that another client shortened is extended again: of the entry by the next hit, of the other keys within a
    // second.
    for shortened in times(&mut raw) {
        cmd("EXPIRE").arg(&shortened.0).arg(60).exec(&mut raw).unwrap();
        let hits = async {
            let mut hits = 0;
            while !times(&mut raw).iter().all(is_extended) {
                let found = store.lookup(&entry.cache_key, Some(DAY)).await.unwrap().remove(0);
                assert!((found.expires_at.unwrap() - clock::now() - DAY.as_secs_f64()).abs() < 5.0);
                hits += 1;
            }
            hits
        };
        let hits = tokio::time::timeout(Duration::from_secs(30), hits).await.expect("it is extended again");
        assert!(hits == 1 || !shortened.0.starts_with("hishel_cache:entry:"), "{shortened:?} {hits}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_reflects_a_change_by_another_client() {
    let url = RedisServer::fresh_database();
    let (ours, theirs) = (store(&url), store(&url));
    let mut entry = entry("anime/1");
    let id = put(&ours, &entry, noise(200), HOUR).await;
    for version in ["1", "2"] {
        entry.response.headers = [("version", version)].into_iter().collect();
        assert!(theirs.update_head(&id, &entry).await.unwrap());
        for _ in 0..3 {
            let found = ours.lookup(&entry.cache_key, Some(DAY)).await.unwrap().remove(0);
            assert_eq!(*found.entry, entry);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn short_bodies_are_one_element_except_in_hishel_2() {
    for layout in [StorageLayout::Pipeline, StorageLayout::Hishel1, StorageLayout::Hishel2] {
        let url = RedisServer::fresh_database();
        let config = Config { redis_url: RedisUrl::new(&*url), write_layout: layout, ..Config::default() };
        let store = Redis::new(&config).unwrap();
        for length in [131_072, 300_000, 524_287, 524_288, 700_000] {
            let entry = entry("anime/1");
            let mut writer = store.insert(entry.clone(), Some(HOUR)).await.unwrap();
            for piece in noise(length).chunks(100_000) {
                writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            let id = writer.commit().await.unwrap();
            let elements =
                if layout != StorageLayout::Hishel2 && length < 524_288 { 1 } else { length.div_ceil(131_072) };
            let stored = store.details(&id).await.unwrap().unwrap();
            assert_eq!(stored.chunks, elements as u64, "{layout:?} {length}");
            assert_eq!(collect_body(store.body(&id).await.unwrap().unwrap()).await.unwrap(), noise(length));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_and_its_time_take_one_round_trip() {
    let url = RedisServer::fresh_database();
    let (proxy, turns) = counted(&url).await;
    let store = store(&proxy);
    store.set(RESULT, "1".into(), HOUR).await.unwrap();
    let before = turns.load(Ordering::SeqCst);
    let stored = store.get(RESULT).await.unwrap().unwrap();
    assert_eq!(turns.load(Ordering::SeqCst) - before, 1);
    assert_eq!(stored.value, "1");
    assert!((stored.expires_at.unwrap() - clock::now() - HOUR.as_secs_f64()).abs() < 5.0);
    // As another program may have stored it.
    cmd("PERSIST").arg(RESULT).exec(&mut raw(&url)).unwrap();
    let for_ever = Some(StoredResult { value: "1".into(), expires_at: None });
    assert_eq!(store.get(RESULT).await.unwrap(), for_ever);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_does_not_renew_an_entry_with_its_own_ttl() {
    let url = RedisServer::fresh_database();
    let store = store(&url);
    let mut own = entry("anime/1");
    own.request.extra.set_ttl(HOUR.as_secs_f64());
    put(&store, &own, noise(200), HOUR).await;
    let found = store.lookup(&own.cache_key, Some(DAY)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(times(&mut raw(&url)).iter().all(|(_, left)| *left <= HOUR.as_secs().cast_signed()));

    // Nor what another response under its key has replaced.
    let (older, newer) = (Entry { created_at: Some(1.0), ..entry("anime/2") }, entry("anime/2"));
    let older_id = put(&store, &older, noise(200), HOUR).await;
    put(&store, &newer, noise(200), HOUR).await;
    let found = store.lookup(&newer.cache_key, Some(DAY)).await.unwrap();
    assert_eq!(found.iter().map(|found| found.entry.id).collect::<Vec<_>>(), [newer.id, older.id]);
    let older = store.details(&older_id).await.unwrap().unwrap();
    assert!(older.keys[..2].iter().all(|key| key.ttl.unwrap() <= HOUR.as_secs_f64()), "{older:?}");
    let newer = store.details(&EntryId::Http(StorageLayout::Pipeline, newer.id)).await.unwrap().unwrap();
    assert!(newer.keys.iter().all(|key| key.ttl.unwrap() > HOUR.as_secs_f64()), "{newer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_user_still_hits() {
    let url = RedisServer::fresh_database();
    let entry = entry("anime/1");
    put(&store(&url), &entry, noise(200), HOUR).await;
    for (user, rules) in [("reader", ["+@all", "-@write"]), ("silent", ["+@read", "+@connection"])] {
        let reader = store_of(user, rules, &url);
        let found = reader.lookup(&entry.cache_key, Some(DAY)).await.unwrap().remove(0);
        assert!(found.expires_at.unwrap() <= clock::now() + HOUR.as_secs_f64() + 1.0, "{found:?}");
        let body = reader.body(&found.id).await.unwrap().unwrap();
        assert_eq!(collect_body(body).await.unwrap(), noise(200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_pttl_still_gets_the_value() {
    let url = RedisServer::fresh_database();
    store(&url).set(RESULT, "1".into(), HOUR).await.unwrap();
    let reader = store_of("getter", ["+get", "+@connection"], &url);
    assert_eq!(reader.get(RESULT).await.unwrap(), Some(StoredResult { value: "1".into(), expires_at: None }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_comes_in_windows() {
    let url = RedisServer::fresh_database();
    let store = store(&url);
    let entry = entry("anime/1");
    let id = put(&store, &entry, noise(9_000_000), HOUR).await;
    assert_eq!(store.lookup(&entry.cache_key, None).await.unwrap()[0].body, None);
    let windows: Vec<Bytes> = store.body(&id).await.unwrap().unwrap().map(Result::unwrap).collect().await;
    assert!(windows.len() > 5 && windows.iter().all(|window| window.len() < 1_500_000), "{}", windows.len());
    assert!(windows.concat() == noise(9_000_000), "another body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_removed_while_read_ends_with_an_error() {
    let url = RedisServer::fresh_database();
    let store = store(&url);
    for goes in ["removed", "replaced by a shorter one", "replaced by one of the same length of list"] {
        let entry = entry("anime/1");
        let id = put(&store, &entry, noise(9_000_000), HOUR).await;
        let mut body = store.body(&id).await.unwrap().unwrap();
        body.next().await.unwrap().unwrap();
        match goes {
            "removed" => {
                let (here, gone) = (store.identity().await.unwrap(), [Target::any(id.clone())]);
                let removed = store.apply(&here, Change::Remove, &gone).await.unwrap();
                assert_eq!(removed.bodies, [id]);
                assert_eq!(store.remove_bodies(&here, &removed.bodies).await.unwrap(), 1);
            }
            "replaced by a shorter one" => _ = put(&store, &entry, noise(5_000_000), HOUR).await,
            _ => {
                let stream = format!("hishel_cache:stream:{}", entry.id);
                let mut raw = raw(&url);
                let length: isize = cmd("LLEN").arg(&stream).query(&mut raw).unwrap();
                cmd("LTRIM").arg(&stream).arg(0).arg(length - 2).exec(&mut raw).unwrap();
                cmd("RPUSH").arg(&stream).arg("not the end").exec(&mut raw).unwrap();
            }
        }
        let rest: Vec<_> = body.collect().await;
        assert!(rest.last().unwrap().is_err(), "{goes}");
    }
}

/// Commands of a client on these keys, in order.
fn commands(monitor: &mut redis::Connection, upto: &str) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let redis::Value::SimpleString(line) = monitor.recv_response().unwrap() else { continue };
        let command = line.split_once("] ").map_or("", |(_, command)| command).replace('"', "");
        if command.starts_with(upto) {
            return seen;
        }
        seen.push(command);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_deletes_entries() {
    let server = RedisServer::start("--maxmemory-policy noeviction");
    let url = format!("redis://{}/0", server.address());
    for layout in [StorageLayout::Pipeline, StorageLayout::Hishel1, StorageLayout::Hishel2] {
        let config = Config { redis_url: RedisUrl::new(&*url), write_layout: layout, ..Config::default() };
        let store = Redis::new(&config).unwrap();
        for number in 0..3 {
            put(&store, &entry(&format!("anime/{number}")), noise(200_000), HOUR).await;
        }
        store.set(RESULT, "1".into(), HOUR).await.unwrap();
        let kept = entry("anime/kept");
        let kept_id = put(&store, &kept, noise(2_000), HOUR).await;
        let mut raw = raw(&url);
        let limit = |bytes: &str, raw: &mut redis::Connection| {
            cmd("CONFIG").arg(&["SET", "maxmemory", bytes]).exec(raw).unwrap();
        };
        limit("1mb", &mut raw);
        assert!(cmd("SET").arg("x").arg("1").exec(&mut raw).unwrap_err().to_string().contains("OOM"));

        // As a cache removes what is invalid, and as an administrator flushes.
        assert_eq!(store.remove(&[kept_id]).await.unwrap().entries, 1);
        let store: Arc<dyn Inspect> = Arc::new(store);
        let go_on = AtomicBool::new(false);
        let live = Filter { states: vec![EntryState::Live], ..Filter::default() };
        let plan = admin::plan::plan(&store, &live, None, &go_on, |_| ()).await.unwrap().unwrap();
        let report = admin::apply::apply(&store, &plan, Change::Remove, None, &go_on, |_| ()).await;
        assert!(report.error.is_none(), "{:?}", report.error);
        assert_eq!(report.done.entries, 4);
        // Of each entry its head, its body, its mark and its index.
        let parts = if layout == StorageLayout::Pipeline { 3 } else { 4 };
        assert_eq!(report.done.keys, 3 * parts + 1);
        assert_eq!(times(&mut raw), []);
        limit("0", &mut raw);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_outlives_its_head_for_readers() {
    let url = RedisServer::fresh_database();
    let (store, mut raw) = (store(&url), raw(&url));
    let entry = entry("anime/1");
    let keys = |raw: &mut redis::Connection| {
        let mut names: Vec<_> = times(raw).into_iter().map(|(key, _)| key).collect();
        // A removal raises the generation of all keys.
        names.retain(|key| !key.starts_with("animecache:generation"));
        names.sort();
        names
    };
    let stream = format!("hishel_cache:stream:{}", entry.id);
    let id = [put(&store, &entry, noise(200), HOUR).await];
    let here = store.identity().await.unwrap();
    let removed = store.apply(&here, Change::Remove, &[Target::any(id[0].clone())]).await.unwrap();
    assert_eq!((removed.entries, removed.keys, &removed.bodies[..]), (1, 2, &id[..]));
    assert_eq!(keys(&mut raw), std::slice::from_ref(&stream));
    assert_eq!(store.remove_bodies(&here, &id).await.unwrap(), 1);
    assert_eq!(keys(&mut raw), [""; 0]);

    // An entry that was stored again keeps its body.
    put(&store, &entry, noise(200), HOUR).await;
    assert_eq!(store.remove_bodies(&here, &id).await.unwrap(), 0);
    let removed = store.remove(&id).await.unwrap();
    assert_eq!((removed.entries, removed.keys), (1, 3));
    assert_eq!(keys(&mut raw), std::slice::from_ref(&stream));
    let left: i64 = cmd("PTTL").arg(&stream).query(&mut raw).unwrap();
    assert!((1..=500).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_void_on_another_server_at_the_address() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let here: Arc<dyn Inspect> = Arc::new(store(&url));
    here.set(RESULT, "1".into(), HOUR).await.unwrap();
    let go_on = AtomicBool::new(false);
    let plan = admin::plan::plan(&here, &Filter::default(), None, &go_on, |_| ()).await.unwrap().unwrap();
    let _server = server.stop().start();
    // The connection of the first server is found to be broken, or is replaced.
    while here.set(RESULT, "1".into(), HOUR).await.is_err() {}
    let report = admin::apply::apply(&here, &plan, Change::Remove, None, &go_on, |_| ()).await;
    assert!(matches!(report.error, Some(Error::BackendChanged { .. })), "{report:?}");
    assert_eq!((report.done.entries, report.failed), (0, 1));
    assert!(here.get(RESULT).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_what_changed_since_the_plan_stays() {
    let url = RedisServer::fresh_database();
    let here: Arc<dyn Inspect> = Arc::new(store_of("scriptless", ["+@all", "-@scripting"], &url));
    let (replaced, kept) = (entry("anime/1"), entry("anime/2"));
    let ours = store(&url);
    let id = put(&ours, &replaced, noise(200), HOUR).await;
    put(&ours, &kept, noise(200), HOUR).await;
    let go_on = AtomicBool::new(false);
    let plan = admin::plan::plan(&here, &Filter::default(), None, &go_on, |_| ()).await.unwrap().unwrap();
    let newer = Entry { created_at: Some(clock::now() + 1.0), ..replaced.clone() };
    assert!(ours.update_head(&id, &newer).await.unwrap());
    let extend = Change::Expire(ExpiryChange::Extend(HOUR));
    for (change, left) in [(extend, 2 * HOUR), (Change::Remove, HOUR)] {
        let done = admin::apply::apply(&here, &plan, change, None, &go_on, |_| ()).await.done;
        assert_eq!((done.entries, done.changed_meanwhile, done.gone), (1, 1, 0), "{change:?}");
        let longest = times(&mut raw(&url)).into_iter().map(|(_, left)| left).max().unwrap();
        assert!((longest - left.as_secs().cast_signed()).abs() < 5, "{longest}");
    }
    assert_eq!(ours.lookup(&replaced.cache_key, None).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_never_outlives_its_body() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    for layout in [StorageLayout::Pipeline, StorageLayout::Hishel1, StorageLayout::Hishel2] {
        let config = Config { redis_url: RedisUrl::new(&*url), write_layout: layout, ..Config::default() };
        let store = Redis::new(&config).unwrap();
        let id = [put(&store, &entry("anime/1"), noise(200), HOUR).await];
        let (mut monitor, mut raw) = (raw(&url), raw(&url));
        monitor.send_packed_command(&cmd("MONITOR").get_packed_command()).unwrap();
        for (ttl, expected) in [(DAY, ["key", "stream", "entry"]), (Duration::from_secs(60), ["entry", "stream", ""])] {
            assert_eq!(store.expire(&id, Some(ttl)).await.unwrap(), 1);
            cmd("ECHO").arg("end").exec(&mut raw).unwrap();
            let changed: Vec<_> = commands(&mut monitor, "ECHO")
                .into_iter()
                .filter(|command| command.starts_with("PEXPIRE"))
                .filter_map(|command| {
                    command.split(':').nth(1).map(|part| part.replace("key_index", "key").replace("idx", "key"))
                })
                .filter(|part| part != "stream_done")
                .collect();
            assert_eq!(changed, expected.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>(), "{layout:?}");
        }
        store.remove(&id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_deletion_removes_nothing() {
    let url = RedisServer::fresh_database();
    let store = store_of("keeper", ["+@all", "-@dangerous"], &url);
    let entry = entry("anime/1");
    let id = [put(&store, &entry, noise(200), HOUR).await];
    let mut raw = raw(&url);
    cmd("ACL").arg(&["SETUSER", "keeper", "-unlink", "-del"]).exec(&mut raw).unwrap();
    assert!(store.remove(&id).await.is_err());
    assert_eq!(store.lookup(&entry.cache_key, None).await.unwrap().len(), 1);
    cmd("ACL").arg(&["SETUSER", "keeper", "+del"]).exec(&mut raw).unwrap();
    assert_eq!(store.remove(&id).await.unwrap().entries, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_does_not_expire_under_its_reader() {
    let url = RedisServer::fresh_database();
    let store = store(&url);
    let entry = entry("anime/1");
    let id = put(&store, &entry, noise(9_000_000), Duration::from_secs(20)).await;
    let mut body = store.body(&id).await.unwrap().unwrap();
    for _ in 0..2 {
        body.next().await.unwrap().unwrap();
    }
    let mut raw = raw(&url);
    let left: i64 = cmd("TTL").arg(format!("hishel_cache:stream:{}", entry.id)).query(&mut raw).unwrap();
    assert!(left > 50, "{left}");
    let left: i64 = cmd("TTL").arg(format!("hishel_cache:entry:{}", entry.id)).query(&mut raw).unwrap();
    assert!(left <= 20, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_writes_expire() {
    let url = RedisServer::fresh_database();
    for layout in [StorageLayout::Pipeline, StorageLayout::Hishel1, StorageLayout::Hishel2] {
        let config = Config { redis_url: RedisUrl::new(&*url), write_layout: layout, ..Config::default() };
        let store = Redis::new(&config).unwrap();
        for ttl in [Some(HOUR), Some(Duration::from_secs(1)), None] {
            let mut writer = store.insert(entry("anime/1"), ttl).await.unwrap();
            writer.write(noise(600_000)).await.unwrap();
            // As in a process that is killed: no destructor runs.
            std::mem::forget(writer);
        }
    }
    let left = times(&mut raw(&url));
    assert_eq!(left.len(), 9);
    assert!(left.iter().all(|(_, left)| *left >= 3_599), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_lost_its_beginning_is_never_served() {
    let url = RedisServer::fresh_database();
    for layout in [StorageLayout::Pipeline, StorageLayout::Hishel1, StorageLayout::Hishel2] {
        let config = Config { redis_url: RedisUrl::new(&*url), write_layout: layout, ..Config::default() };
        let store = Redis::new(&config).unwrap();
        for at_once in [100, 600_000] {
            let entry = entry("anime/1");
            let mut writer = store.insert(entry.clone(), Some(HOUR)).await.unwrap();
            writer.write(noise(600_000)).await.unwrap();
            cmd("FLUSHDB").exec(&mut raw(&url)).unwrap();
            let outcome = writer.write(noise(at_once)).await;
            assert!(outcome.is_err() == (at_once > 1_000), "{layout:?} {outcome:?}");
            let outcome = writer.commit().await;
            assert!(outcome.is_err(), "{layout:?} {at_once} {outcome:?}");
            assert!(store.lookup(&entry.cache_key, None).await.unwrap().is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_died_while_idle_is_not_used() {
    let server = RedisServer::start("");
    let url = format!("redis://{}/0", server.address());
    let config = Config {
        redis_url: RedisUrl::new(&*url),
        redis_health_check_interval: Duration::from_nanos(1),
        ..Config::default()
    };
    let store = Redis::new(&config).unwrap();
    let counts = Counters { hits: 1, ..Counters::default() };
    let hour = (clock::now() / 3_600.0) as i64;
    let batch =
        || StatsDelta::single(vec![HourlyCounters { hour, scope: Scope::Http(ServiceName::new("jikan")), counts }]);
    store.add_stats(&batch()).await.unwrap();
    let mut raw = raw(&url);
    cmd("CLIENT").arg("KILL").arg(&["TYPE", "normal", "SKIPME", "yes"]).exec(&mut raw).unwrap();
    assert!(raw.check_connection());
    store.add_stats(&batch()).await.unwrap();
    assert_eq!(store.stats(0.0).await.unwrap().hours[0].counts.hits, 2);
}
