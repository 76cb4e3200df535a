//! Watching a real server while programs use the cache in it, by the commands that the pipeline's own code sends.

#![allow(clippy::unwrap_used)]

#[path = "harness/redis_server.rs"]
mod redis_server;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{
    CacheKey, Config, Entry, EntryId, Error, Event, EventKind, Events, Inspect, Kind, Layout, Memory, ReadOnly, Redis,
    RedisUrl, Request, Response, Sample, Seen, ServiceName, ServiceRegistry, Source, Store, clock, codec,
};
use futures_util::FutureExt as _;
use redis::{Connection, cmd};
use redis_server::RedisServer;
use rstest::rstest;
use uuid::Uuid;

const NOTIFICATIONS: Source = Source::Notifications { enables: true };
const COMMANDS: Source = Source::Commands { window: Duration::from_secs(60), limit: 1_000_000 };
const SETTING: &str = "notify-keyspace-events";

/// A server of its own, since settings are of the whole server.
struct Watched {
    server: RedisServer,
    store: Redis,
    redis: Connection,
}

impl Watched {
    fn new() -> Self {
        // A server looks through only some of its databases a time for what has expired.
        let server = RedisServer::start("--databases 4");
        let config =
            Config { redis_url: RedisUrl::new(format!("redis://{}/3", server.address())), ..Config::default() };
        let redis = connect(&server, 3);
        Self { store: Redis::new(&config).unwrap(), redis, server }
    }

    async fn watch(&self, source: Source) -> Events {
        self.store.watch(source).await.unwrap().unwrap()
    }

    fn setting(&mut self) -> String {
        let (_, value): (String, String) = cmd("CONFIG").arg("GET").arg(SETTING).query(&mut self.redis).unwrap();
        value
    }

    fn set(&mut self, value: &str) {
        cmd("CONFIG").arg("SET").arg(SETTING).arg(value).exec(&mut self.redis).unwrap();
    }

    /// Everything that was seen of what was done before; ends the watch.
    async fn all(&mut self, mut events: Events) -> Vec<Event> {
        cmd("GET").arg("result_cache:the_end").exec(&mut self.redis).unwrap();
        let mut all = Vec::new();
        loop {
            let event = next(&mut events).await;
            if event.id == Some(EntryId::key(*b"result_cache:the_end")) {
                break;
            }
            all.push(event);
        }
        events.stop();
        while let Some(seen) = events.next().await {
            match seen.unwrap() {
                Seen::Event(event) => all.push(event),
                other => panic!("{other:?}"),
            }
        }
        events.close().await.unwrap();
        all
    }
}

fn connect(server: &RedisServer, database: u8) -> Connection {
    redis::Client::open(format!("redis://{}/{database}", server.address())).unwrap().get_connection().unwrap()
}

async fn seen(events: &mut Events) -> Result<Seen, Error> {
    tokio::time::timeout(Duration::from_secs(30), events.next()).await.expect("something is seen").unwrap()
}

async fn next(events: &mut Events) -> Event {
    match seen(events).await.unwrap() {
        Seen::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

/// The pipeline's `AsyncRedisStorage`, command by command.
struct Pipelines<'a>(&'a mut Connection);

impl Pipelines<'_> {
    fn index(key: &str) -> String {
        let hex = |digits: String, byte| digits + &format!("{byte:02x}");
        key.bytes().fold("hishel_cache:key_index:".to_owned(), hex)
    }

    fn entry(id: Uuid) -> String {
        format!("hishel_cache:entry:{id}")
    }

    fn pack(id: Uuid, key: &str, url: &str, deleted_at: Option<f64>) -> Vec<u8> {
        codec::encode_pair(&Entry {
            id,
            cache_key: CacheKey::new(key.as_bytes()),
            request: Request { method: "GET".into(), url: url.into(), ..Request::default() },
            response: Response { status_code: 200, ..Response::default() },
            created_at: Some(clock::now()),
            deleted_at,
        })
    }

    /// `get_entries`: how many there were.
    fn look_up(&mut self, key: &str) -> usize {
        let index = Self::index(key);
        let ids: Vec<Uuid> = cmd("SMEMBERS")
            .arg(&index)
            .query::<Vec<String>>(self.0)
            .unwrap()
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        let mut found = 0;
        for id in ids {
            let heads: Vec<Vec<u8>> = cmd("HGETALL").arg(Self::entry(id)).query(self.0).unwrap();
            let Some(data) = heads.chunks(2).find(|field| field[0] == b"data").map(|field| &field[1]) else { continue };
            if codec::decode_pair(data).unwrap().is_deleted() {
                continue;
            }
            for part in ["entry", "stream"] {
                cmd("EXPIRE").arg(format!("hishel_cache:{part}:{id}")).arg(86_400).exec(self.0).unwrap();
            }
            if (0..86_400).contains(&cmd("TTL").arg(&index).query::<i64>(self.0).unwrap()) {
                cmd("EXPIRE").arg(&index).arg(86_400).exec(self.0).unwrap();
            }
            cmd("LRANGE").arg(format!("hishel_cache:stream:{id}")).arg(0).arg(-1).exec(self.0).unwrap();
            found += 1;
        }
        found
    }

    /// `create_entry` and the reading of its body.
    fn store(&mut self, key: &str, url: &str, ttl: i64) -> Uuid {
        let id = Uuid::new_v4();
        let (index, entry, stream) = (Self::index(key), Self::entry(id), format!("hishel_cache:stream:{id}"));
        let left: i64 = cmd("TTL").arg(&index).query(self.0).unwrap();
        let mut pipe = redis::pipe();
        pipe.atomic().cmd("HSET").arg(&entry).arg("data").arg(Self::pack(id, key, url, None));
        pipe.cmd("SADD").arg(&index).arg(id.to_string()).cmd("EXPIRE").arg(&entry).arg(ttl);
        if left == -2 || (0..ttl).contains(&left) {
            pipe.cmd("EXPIRE").arg(&index).arg(ttl);
        }
        pipe.exec(self.0).unwrap();
        for chunk in ["{}", "__STREAM_COMPLETE__"] {
            cmd("RPUSH").arg(&stream).arg(chunk).exec(self.0).unwrap();
        }
        cmd("EXPIRE").arg(&stream).arg(ttl).exec(self.0).unwrap();
        id
    }

    /// A request of the pipeline's HTTP client.
    fn fetch(&mut self, key: &str, url: &str) {
        if self.look_up(key) == 0 {
            self.store(key, url, 86_400);
        }
    }

    /// `remove_entry`.
    fn remove(&mut self, id: Uuid, key: &str, url: &str) {
        cmd("HGETALL").arg(Self::entry(id)).exec(self.0).unwrap();
        let data = Self::pack(id, key, url, Some(clock::now()));
        cmd("HSET").arg(Self::entry(id)).arg("data").arg(data).arg("deleted_at").arg("1").exec(self.0).unwrap();
    }

    /// A call of a function with `@cached_result`.
    fn call(&mut self, key: &str) {
        if cmd("GET").arg(key).query::<Option<String>>(self.0).unwrap().is_none() {
            cmd("SETEX").arg(key).arg(86_400).arg("{}").exec(self.0).unwrap();
        }
    }
}

const JIKAN: &str = "https://api.jikan.moe/v4/anime/1";
const KITSU: &str = "https://kitsu.io/api/edge/anime/1";
const RESULT: &str = "result_cache:anisearch_anime:82fce6a05e45281a:18878";

/// What the pipeline might do in a while.
fn enrich(redis: &mut Connection) {
    let mut pipeline = Pipelines(redis);
    for _ in 0..3 {
        pipeline.fetch("GET:1", JIKAN);
    }
    pipeline.fetch("GET:2", JIKAN);
    pipeline.fetch("GET:3", KITSU);
    for _ in 0..4 {
        pipeline.call(RESULT);
    }
    // Two of one key: one look-up, although both are refreshed.
    pipeline.store("GET:3", KITSU, 86_400);
    assert_eq!(pipeline.look_up("GET:3"), 2);
    let id = pipeline.store("GET:4", KITSU, 86_400);
    pipeline.remove(id, "GET:4", KITSU);
    assert_eq!(pipeline.look_up("GET:5"), 0);
}

fn sample(events: &[Event]) -> Sample {
    let mut sample = Sample::default();
    for event in events {
        sample.add(&Seen::Event(event.clone()));
    }
    sample
}

/// Hits, misses, stores, refreshes, expiries, evictions, removals.
fn counts(sample: &Sample, service: Option<ServiceName>, cache: Kind) -> [u64; 7] {
    let happened = sample.of.get(&(service, cache)).copied().unwrap_or_default();
    EventKind::ALL.map(|kind| happened.of(kind))
}

#[rstest]
#[case::notifications(NOTIFICATIONS)]
#[case::commands(COMMANDS)]
#[tokio::test]
async fn what_the_pipeline_does_is_told_right(#[case] source: Source) {
    let mut watched = Watched::new();
    let events = watched.watch(source).await;
    enrich(&mut watched.redis);
    let all = watched.all(events).await;
    let sample = sample(&all);
    assert_eq!(counts(&sample, Some(ServiceName::new("jikan")), Kind::Http), [2, 2, 2, 0, 0, 0, 0], "{all:#?}");
    // The last two were stored without having been looked up.
    let unasked = u64::from(source != COMMANDS);
    assert_eq!(
        counts(&sample, Some(ServiceName::new("kitsu")), Kind::Http),
        [1, 1 + unasked, 3, 0, 0, 0, 1],
        "{all:#?}"
    );
    // Of commands, the last look-up was not known to be a miss when the watch ended.
    assert_eq!(counts(&sample, None, Kind::Http), [0, unasked, 0, 0, 0, 0, 0], "{all:#?}");
    let hits = if source.tells(EventKind::Hit, Kind::Result) { 3 } else { 0 };
    assert_eq!(
        counts(&sample, Some(ServiceName::new("anisearch")), Kind::Result),
        [hits, 1, 1, 0, 0, 0, 0],
        "{all:#?}"
    );
    let hit = all.iter().find(|event| event.kind == EventKind::Hit).unwrap();
    assert_eq!(hit.request.as_ref().unwrap().url, JIKAN);
    assert!(matches!(hit.id, Some(EntryId::Http(Layout::Pipeline, _))));
}

#[rstest]
#[case::notifications(NOTIFICATIONS)]
#[case::commands(COMMANDS)]
#[tokio::test]
async fn what_this_crate_does_is_told_right(#[case] source: Source) {
    let mut watched = Watched::new();
    let mut events = watched.watch(source).await;
    let key = CacheKey::new(*b"GET:1");
    let day = Some(Duration::from_secs(86_400));
    assert!(watched.store.lookup(&key, day).await.unwrap().is_empty());
    let entry = Entry {
        id: Uuid::new_v4(),
        cache_key: key.clone(),
        request: Request { method: "GET".into(), url: JIKAN.into(), ..Request::default() },
        response: Response { status_code: 200, ..Response::default() },
        created_at: None,
        deleted_at: None,
    };
    let mut writer = watched.store.begin(entry.clone(), day).await.unwrap();
    writer.push("{}".into()).await.unwrap();
    let id = writer.commit().await.unwrap();
    for kind in [EventKind::Miss, EventKind::Store] {
        assert_eq!(next(&mut events).await.kind, kind);
    }
    for _ in 0..3 {
        assert_eq!(watched.store.lookup(&key, day).await.unwrap().len(), 1);
        assert_eq!(next(&mut events).await.kind, EventKind::Hit);
    }
    watched.store.remove(std::slice::from_ref(&id)).await.unwrap();
    let removal = next(&mut events).await;
    assert_eq!(
        (removal.kind, removal.service, removal.id),
        (EventKind::Remove, Some(ServiceName::new("jikan")), Some(id))
    );
    assert_eq!(watched.all(events).await, []);
}

#[tokio::test]
async fn the_setting_is_put_back_exactly_however_the_watch_ends() {
    let mut watched = Watched::new();
    for before in ["", "Ex", "AKE", "Kglm"] {
        watched.set(before);
        let before = watched.setting();
        let events = watched.watch(NOTIFICATIONS).await;
        assert_eq!(events.changed_setting(), Some((&*before, &*watched.setting())));
        assert_ne!(watched.setting(), before);
        events.close().await.unwrap();
        assert_eq!(watched.setting(), before);

        drop(watched.watch(NOTIFICATIONS).await);
        assert_eq!(watched.setting(), before);

        let task = watched.watch(NOTIFICATIONS).await;
        let panics = async move {
            let _task = task;
            panic!("on purpose");
        };
        #[expect(clippy::disallowed_methods, reason = "a task that panics is what is tested")]
        let ended = tokio::spawn(panics).await;
        assert!(ended.is_err_and(|error| error.is_panic()));
        assert_eq!(watched.setting(), before);
    }
}

#[tokio::test]
async fn what_is_on_already_is_left_as_it_is() {
    let mut watched = Watched::new();
    watched.set("AKEm");
    let before = watched.setting();
    let events = watched.watch(Source::Notifications { enables: false }).await;
    assert_eq!(events.changed_setting(), None);
    events.close().await.unwrap();
    assert_eq!(watched.setting(), before);
}

#[tokio::test]
async fn what_somebody_else_has_set_meanwhile_is_his() {
    let mut watched = Watched::new();
    let events = watched.watch(NOTIFICATIONS).await;
    watched.set("KEAm");
    let theirs = watched.setting();
    events.close().await.unwrap();
    assert_eq!(watched.setting(), theirs);
}

#[tokio::test]
async fn nothing_is_turned_on_unasked_or_where_nothing_may_be_changed() {
    let mut watched = Watched::new();
    watched.set("AKE");
    match watched.store.watch(Source::Notifications { enables: false }).await {
        Err(Error::NotificationsOff { missing, .. }) => assert_eq!(missing, "m"),
        other => panic!("{:?}", other.err()),
    }
    let config =
        Config { redis_url: RedisUrl::new(format!("redis://{}/3", watched.server.address())), ..Config::default() };
    let store = ReadOnly::new(Arc::new(Redis::new(&config).unwrap()));
    assert!(matches!(store.watch(NOTIFICATIONS).await, Err(Error::ReadOnly(_))));
    assert!(store.watch(COMMANDS).await.is_ok_and(|events| events.is_some()));
    assert!(Memory::new(ServiceRegistry::default()).watch(NOTIFICATIONS).await.unwrap().is_none());
}

async fn goes_on_after_a_gap(mut watched: Watched, mut events: Events) {
    assert!(matches!(seen(&mut events).await.unwrap(), Seen::Gap(_)));
    cmd("SET").arg(RESULT).arg("{}").exec(&mut watched.redis).unwrap();
    assert_eq!(next(&mut events).await.kind, EventKind::Store);
    events.close().await.unwrap();
    assert_eq!(watched.setting(), "");
}

#[rstest]
#[case::notifications(NOTIFICATIONS, "pubsub")]
#[case::commands(COMMANDS, "normal")]
#[tokio::test]
async fn a_killed_connection_is_a_gap_and_the_watch_goes_on(#[case] source: Source, #[case] kind: &str) {
    let mut watched = Watched::new();
    let events = watched.watch(source).await;
    cmd("CLIENT").arg(&["KILL", "TYPE", kind, "SKIPME", "yes"]).exec(&mut watched.redis).unwrap();
    goes_on_after_a_gap(watched, events).await;
}

#[tokio::test]
async fn a_server_that_was_restarted_is_watched_again() {
    let Watched { server, store, .. } = Watched::new();
    let events = store.watch(NOTIFICATIONS).await.unwrap().unwrap();
    let server = server.stop().start();
    let redis = connect(&server, 3);
    goes_on_after_a_gap(Watched { server, store, redis }, events).await;
}

#[tokio::test]
async fn a_watch_that_was_blinded_says_so() {
    let mut watched = Watched::new();
    watched.set("AKEm");
    let mut events = watched.watch(Source::Notifications { enables: false }).await;
    watched.set("");
    assert!(matches!(seen(&mut events).await, Err(Error::NotificationsOff { .. })));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn ends_of_all_kinds_are_told_and_any_bytes_are_a_key() {
    const HOSTILE: &[u8] = b"result_cache:\xff\x1b]52;c;aGk=\x07:\xe2\x80\xae\n\"";
    let mut watched = Watched::new();
    let mut events = watched.watch(NOTIFICATIONS).await;
    let set = |redis: &mut Connection, arguments: &[&str]| {
        cmd("SET").arg(HOSTILE).arg("[]").arg(arguments).exec(redis).unwrap();
    };
    set(&mut watched.redis, &[]);
    cmd("UNLINK").arg(HOSTILE).exec(&mut watched.redis).unwrap();
    set(&mut watched.redis, &["PX", "30"]);
    for kind in [EventKind::Store, EventKind::Remove, EventKind::Store, EventKind::Expire] {
        let event = next(&mut events).await;
        assert_eq!((event.kind, event.id), (kind, Some(EntryId::key(HOSTILE))));
    }
    set(&mut watched.redis, &[]);
    cmd("CONFIG")
        .arg(&["SET", "maxmemory-policy", "allkeys-random", "maxmemory", "1"])
        .exec(&mut watched.redis)
        .unwrap();
    cmd("PING").exec(&mut watched.redis).unwrap();
    let _: redis::RedisResult<()> = cmd("SET").arg("other").arg("1").exec(&mut watched.redis);
    for kind in [EventKind::Store, EventKind::Evict] {
        assert_eq!(next(&mut events).await.kind, kind);
    }
}

#[tokio::test]
async fn a_watch_of_commands_ends_after_its_window_or_its_limit() {
    let mut watched = Watched::new();
    let window = Source::Commands { window: Duration::from_millis(50), limit: u64::MAX };
    assert!(watched.watch(window).await.next().await.is_none());
    let limit = Source::Commands { window: Duration::from_secs(600), limit: 3 };
    let mut events = watched.watch(limit).await;
    for _ in 0..5 {
        cmd("GET").arg(RESULT).exec(&mut watched.redis).unwrap();
    }
    let mut told = 0;
    while let Some(seen) = events.next().await {
        seen.unwrap();
        told += 1;
    }
    assert_eq!(told, 3);
}

#[tokio::test]
async fn what_could_not_be_followed_is_told_at_the_end_too() {
    const MANY: u64 = 20_000;
    let mut watched = Watched::new();
    let mut events = watched.watch(Source::Commands { window: Duration::from_secs(600), limit: MANY }).await;
    let mut pipe = redis::pipe();
    (0..MANY).for_each(|_| _ = pipe.cmd("GET").arg(RESULT));
    pipe.exec(&mut watched.redis).unwrap();
    // Who has read as much as was asked for hangs up.
    let mut is_reading = || {
        let clients: String = cmd("CLIENT").arg("LIST").query(&mut watched.redis).unwrap();
        clients.contains("cmd=monitor")
    };
    while is_reading() {
        tokio::task::yield_now().await;
    }
    events.stop();
    let lost = seen(&mut events).await.unwrap();
    assert!(matches!(lost, Seen::Lost(1..MANY)), "{lost:?}");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_gap_is_not_lost_on_a_caller_who_gives_up() {
    let mut watched = Watched::new();
    let mut events = watched.watch(NOTIFICATIONS).await;
    cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub", "SKIPME", "yes"]).exec(&mut watched.redis).unwrap();
    let mut is_listening = || {
        let clients: String = cmd("CLIENT").arg("LIST").query(&mut watched.redis).unwrap();
        clients.contains(" psub=5 ")
    };
    // For a while after it is there again, too: the news has to find its way.
    let mut rounds = 0;
    while rounds < 1_000 {
        assert!(events.next().now_or_never().is_none());
        tokio::task::yield_now().await;
        rounds += u32::from(rounds > 0 || is_listening());
    }
    assert!(matches!(seen(&mut events).await.unwrap(), Seen::Gap(_)));
}
