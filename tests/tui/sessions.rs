//! Sessions of the dashboard: the real event loop and runner over a store in memory.

use std::sync::Arc;
use std::time::Duration;

use crate::faulty_store::FaultyStore;
use crate::hostile;
use crate::redis_server::RedisServer;
use crate::session::Session;
use animecache::tui::app::Failure;
use animecache::tui::message::Message;
use animecache::tui::options::Options;
use cache_core::{
    CacheKey, Config, Entry, Error, Fallback, Inspect, Memory, ReadOnly, Redis, Request, Response, ResponseStore as _,
    ResultStore as _, StatsStore as _, clock,
};
use cache_core::{Counters, HourlyCounters, Scope, StatsDelta};
use uuid::Uuid;

const DAY: Duration = Duration::from_secs(86_400);

/// Two results and three responses.
async fn small() -> Memory {
    let store = Memory::new(animecache::services::registry().clone());
    for key in ["anisearch_anime:82fce6a05e45281a:18878", "animeplanet_anime:ace6d8c92ebc96ea:one-piece"] {
        store.set(&format!("result_cache:{key}"), r#"{"title": "One Piece"}"#.into(), DAY).await.unwrap();
    }
    for (number, url) in [
        "https://api.jikan.moe/v4/anime/1/full",
        "https://api.jikan.moe/v4/anime/21",
        "https://kitsu.io/api/edge/anime/1",
    ]
    .into_iter()
    .enumerate()
    {
        let headers = [("authorization", "Bearer very-secret"), ("accept", "application/json")];
        let entry = Entry {
            id: Uuid::from_u128(number as u128 + 1),
            cache_key: CacheKey::new(url.as_bytes()),
            request: Request {
                method: "GET".into(),
                url: url.into(),
                headers: headers.into_iter().collect(),
                ..Request::default()
            },
            response: Response {
                status_code: 200,
                headers: [
                    ("content-type", "application/json"),
                    ("set-cookie", "session=very-secret"),
                    ("location", "https://kitsu.io/?token=very-secret"),
                ]
                .into_iter()
                .collect(),
                ..Response::default()
            },
            created_at: Some(clock::now()),
            deleted_at: None,
        };
        let mut writer = store.insert(entry, Some(DAY)).await.unwrap();
        let body = br#"{"data": {"title": "Cowboy Bebop", "episodes": 26, "access_token": "very-secret"}}"#;
        writer.write(body.to_vec().into()).await.unwrap();
        writer.commit().await.unwrap();
    }
    store
}

async fn many(count: usize) -> Memory {
    let store = Memory::new(animecache::services::registry().clone());
    for number in 0..count {
        let key = format!("result_cache:anisearch_anime:82fce6a05e45281a:{number}");
        store.set(&key, "{}".into(), DAY).await.unwrap();
    }
    store
}

async fn keys_left(store: &Memory) -> u64 {
    store.info().await.unwrap().keys.unwrap()
}

#[tokio::test]
async fn hit_rates_are_shown_and_follow_what_is_counted() {
    let store = small().await;
    let count = async |hits, misses| {
        let counts = Counters { hits, misses, ..Counters::default() };
        let hour = (clock::now() / 3_600.0) as i64;
        let bucket = HourlyCounters { hour, scope: Scope::Http(animecache::services::jikan()), counts };
        store.add_stats(&StatsDelta::single(vec![bucket])).await.unwrap();
    };
    count(3, 1).await;
    let session = Session::open(Arc::new(store.clone()), Options::default()).await;
    let rates = |screen: &str| {
        let line = screen.lines().find(|line| line.contains("jikan ") && line.contains('%')).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{screen}"))
            .replace('│', " ")
            .split_whitespace()
            .filter(|word| word.ends_with('%'))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(rates(&session.screen()), "75% 75% 75%");
    count(6, 0).await;
    session.keys("r").settle().await;
    assert_eq!(rates(&session.screen()), "90% 90% 90%");
}

#[tokio::test]
async fn everything_is_listed_and_one_entry_is_read() {
    let session = Session::open(Arc::new(small().await), Options::default()).await;
    assert!(session.screen().contains("scanned 5 of ~5"), "{}", session.screen());
    session.keys("/v4/anime/1<enter>4").settle().await;
    let screen = session.screen();
    assert!(screen.contains("1 of 5 entries") && screen.contains(r#""title": "Cowboy Bebop""#), "{screen}");
}

#[tokio::test]
async fn overwritten_screen_is_redrawn() {
    let session = Session::open(Arc::new(small().await), Options::default()).await;
    let screen = session.screen();
    session.garble();
    session.keys("j").settle().await;
    assert_ne!(session.screen(), screen);
    session.keys("k<ctrl-l>").settle().await;
    assert_eq!(session.screen(), screen);
}

#[tokio::test]
async fn bodies_are_searched_from_the_filter_line() {
    let session = Session::open(Arc::new(small().await), Options::default()).await;
    session.keys("/body-match:One.Piece").settle().await;
    assert!(session.screen().contains("2 of 5 entries"), "{}", session.screen());
    session.keys("<esc>").settle().await;
    assert!(session.screen().contains("5 entries"), "{}", session.screen());
}

#[tokio::test]
async fn secrets_are_never_shown() {
    let store = small().await;
    let called = "result_cache:anisearch_anime:82fce6a05e45281a:kitsu:access_token=very-secret";
    store.set(called, "{}".into(), DAY).await.unwrap();
    let session = Session::open(Arc::new(store), Options::default()).await;
    for tab in ["/access<enter>", "<esc>/kitsu.io<enter>2", "3", "4"] {
        session.keys(tab).settle().await;
        let screen = session.screen();
        assert!(screen.contains("***") && !screen.contains("very-secret"), "{screen}");
    }
}

#[tokio::test]
async fn part_of_the_cache_is_flushed_and_the_rest_is_left() {
    let store = small().await;
    let session = Session::open(Arc::new(store.clone()), Options::default()).await;
    session.keys("/service:jikan<enter>D").settle().await;
    assert!(session.screen().contains("Flush 2 entries?"), "{}", session.screen());
    assert_eq!(keys_left(&store).await, 5);
    session.keys("<quiet>2<enter>").settle().await;
    assert_eq!(keys_left(&store).await, 3);
    assert!(session.screen().contains("Deleted 2 entries (2 keys)"), "{}", session.screen());
    session.keys("<esc>").settle().await;
    assert!(session.screen().contains("3 entries"), "{}", session.screen());
}

#[tokio::test]
async fn a_no_flushes_nothing() {
    let store = small().await;
    let session = Session::open(Arc::new(store.clone()), Options::default()).await;
    session.keys("D<quiet>n<esc>d<quiet>n<esc>D5<enter>*d5<enter>dy").settle().await;
    assert_eq!(keys_left(&store).await, 5);
}

#[tokio::test]
async fn a_flush_stops_at_a_batch_and_says_what_it_did() {
    let memory = many(3_000).await;
    let store = FaultyStore::new(Arc::new(memory.clone()));
    let session = Session::open(Arc::new(store.clone()), Options::default()).await;
    store.allow_removals(1);
    session.keys("D<quiet>3000<enter>");
    while keys_left(&memory).await == 3_000 {
        session.turn().await;
    }
    // The second batch waits for its permit; keys work meanwhile.
    session.keys("/2999<enter>");
    while !session.screen().contains("1 of 3,000 entries") {
        session.turn().await;
    }
    session.keys("<esc>");
    while !session.screen().contains("Stopping") {
        session.turn().await;
    }
    store.allow_removals(1);
    session.settle().await;
    let screen = session.screen();
    assert_eq!(keys_left(&memory).await, 2_800, "{screen}");
    assert!(screen.contains("Stopped: Deleted 200 entries"), "{screen}");
    assert!(screen.contains("scanned 2,800 of ~2,800"), "{screen}");
}

#[tokio::test]
async fn a_ttl_is_changed() {
    let store = small().await;
    let session = Session::open(Arc::new(store.clone()), Options::default()).await;
    session.keys("/one-piece<enter>t<quiet>never<enter>").settle().await;
    assert!(session.screen().contains("Changed the TTL of 1 entry"), "{}", session.screen());
    let page = store.scan(&cache_core::Filter::default(), None, 100).await.unwrap();
    assert_eq!(page.entries.iter().filter(|entry| entry.expires_at.is_none()).count(), 1);
}

#[tokio::test]
async fn losing_the_cache_is_shown_and_recovers_by_itself() {
    let store = FaultyStore::new(Arc::new(small().await));
    let session = Session::open(Arc::new(store.clone()), Options::default()).await;
    store.set_down(true);
    session.send(Message::Tick(clock::now() + 10.0));
    session.settle().await;
    let screen = session.screen();
    assert!(screen.contains(" DISCONNECTED ") && screen.contains("is unreachable"), "{screen}");
    assert!(screen.contains("5 entries"), "rows are kept: {screen}");
    store.set_down(false);
    session.send(Message::Tick(clock::now() + 20.0));
    session.settle().await;
    let screen = session.screen();
    assert!(!screen.contains(" DISCONNECTED ") && screen.contains("Reconnected"), "{screen}");
}

#[tokio::test]
async fn fallback_is_named_and_listed_at_once() {
    let first = FaultyStore::new(Arc::new(small().await));
    let both = Fallback::new(Arc::new(first.clone()), Arc::new(many(2).await), true);
    let session = Session::open(Arc::new(both), Options::default()).await;
    assert!(session.screen().contains("5 entries"), "{}", session.screen());
    first.set_down(true);
    session.keys("r");
    while !(session.screen().contains(" FALLBACK ") && session.screen().contains("2 entries")) {
        session.turn().await;
    }
}

#[tokio::test]
async fn a_real_redis_is_lost_and_found_again() {
    let server = RedisServer::start("");
    let redis_url = cache_core::RedisUrl::new(format!("redis://{}", server.address()));
    let config = Config { redis_url, ..Config::default() };
    let store = Arc::new(Redis::new(&config).unwrap());
    store.set("result_cache:anisearch_anime:18878", "{}".into(), DAY).await.unwrap();
    let session = Session::open(Arc::clone(&store) as Arc<dyn Inspect>, Options::default()).await;
    assert!(session.screen().contains("1 entry "), "{}", session.screen());

    let stopped = server.stop();
    session.send(Message::Tick(clock::now() + 10.0));
    session.settle().await;
    let screen = session.screen();
    assert!(screen.contains(" DISCONNECTED ") && screen.contains("1 entry "), "{screen}");

    let _server = stopped.start();
    store.set("result_cache:anisearch_anime:1", "{}".into(), DAY).await.unwrap();
    store.set("result_cache:anisearch_anime:2", "{}".into(), DAY).await.unwrap();
    session.send(Message::Tick(clock::now() + 20.0));
    session.settle().await;
    let screen = session.screen();
    assert!(!screen.contains(" DISCONNECTED ") && screen.contains("2 entries"), "{screen}");
}

#[tokio::test]
async fn a_scan_that_fails_is_shown_and_begun_again() {
    let store = FaultyStore::new(Arc::new(small().await));
    store.set_down(true);
    let session = Session::open(Arc::new(store.clone()), Options::default()).await;
    assert!(session.screen().contains(" DISCONNECTED "), "{}", session.screen());
    store.set_down(false);
    session.send(Message::Tick(clock::now() + 20.0));
    session.settle().await;
    assert!(session.screen().contains("scanned 5 of ~5"), "{}", session.screen());
}

#[tokio::test]
async fn read_only_goes_all_the_way_down() {
    let store = small().await;
    let options = Options { is_read_only: true, ..Options::default() };
    let session = Session::open(Arc::new(ReadOnly::new(Arc::new(store.clone()))), options).await;
    session.keys("D<quiet>5<enter>d<quiet>yt<quiet>1h<enter>").settle().await;
    assert!(session.screen().contains(" READ-ONLY "));
    assert_eq!(keys_left(&store).await, 5);
}

#[tokio::test]
async fn the_first_frame_does_not_wait_for_the_cache() {
    let session = Session::begin(std::future::pending(), Options { is_demo: true, ..Options::default() });
    while !session.screen().contains("animecache") {
        session.turn().await;
    }
    assert!(session.screen().contains("Opening the cache…"), "{}", session.screen());
    session.keys("q");
    session.left().await;
}

#[tokio::test]
async fn unusable_cache_ends_dashboard_with_error() {
    let session = Session::begin(async { Err(Error::Config("no such place".into())) }, Options::default());
    let app = session.left().await;
    assert!(matches!(app.failure, Some(Failure::Opening(Error::Config(_)))));
}

#[tokio::test]
async fn a_task_that_panics_ends_the_dashboard() {
    let session = Session::begin(async { panic!("on purpose") }, Options::default());
    assert!(matches!(session.left().await.failure, Some(Failure::Crash)));
}

#[tokio::test]
async fn ids_and_urls_go_to_the_clipboard() {
    let session = Session::open(Arc::new(small().await), Options::default()).await;
    session.keys("/kitsu<enter>yY").settle().await;
    assert_eq!(session.copied(), ["00000000-0000-0000-0000-000000000003", "https://kitsu.io/api/edge/anime/1"]);
}

/// Moves through every entry and every tab, in every view of the body; what the screen showed.
async fn all_screens(session: &Session, entries: usize) -> Vec<String> {
    let mut screens = Vec::new();
    session.keys("gz").settle().await;
    for _ in 0..entries {
        for keys in ["1", "2", "3", "5", "4", "x", "x", "x"] {
            session.keys(keys).settle().await;
            screens.push(session.screen());
        }
        session.keys("z<esc>jz").settle().await;
    }
    screens
}

#[tokio::test]
async fn no_view_shows_a_secret_unasked() {
    let store = Memory::new(animecache::services::registry().clone());
    let entries = hostile::fill_with_secrets(&store).await.len();
    let session = Session::open(Arc::new(store), Options::default()).await;
    let mut shown = Vec::new();
    session.keys("<enter>");
    for screen in all_screens(&session, entries).await {
        shown.extend(hostile::leaks(&screen).into_iter().map(|marker| format!("{marker}\n{screen}")));
    }
    assert!(shown.is_empty(), "{} shown:\n{}", shown.len(), shown[0]);
    session.keys("yY").settle().await;
    assert_eq!(session.copied().iter().flat_map(|text| hostile::leaks(text)).next(), None);
}

#[tokio::test]
async fn no_view_passes_an_escape_to_the_terminal() {
    let store = Memory::new(animecache::services::registry().clone());
    let entries = hostile::fill_with_escapes(&store).await.len();
    let session = Session::open(Arc::new(store), Options::default()).await;
    session.keys("<enter>");
    for screen in all_screens(&session, entries).await {
        assert_eq!(hostile::escapes(&screen), "", "{screen}");
    }
}

#[tokio::test]
async fn one_key_reveals_and_the_frame_says_so() {
    let store = small().await;
    let session = Session::open(Arc::new(store), Options::default()).await;
    session.keys("/kitsu.io<enter>4").settle().await;
    for view in ["", "x", "x"] {
        session.keys(view).settle().await;
        assert!(!session.screen().contains("very-secret"), "{}", session.screen());
    }
    session.keys("3R").settle().await;
    let screen = session.screen();
    assert!(screen.contains("secrets shown") && screen.contains("very-secret"), "{screen}");
    session.keys("R").settle().await;
    assert!(!session.screen().contains("secrets shown") && !session.screen().contains("very-secret"));
}

#[tokio::test]
async fn the_clipboard_gets_what_is_shown() {
    let store = Memory::new(animecache::services::registry().clone());
    store.set("result_cache:anisearch_anime:82fce6a05e45281a:token=very-secret", "1".into(), DAY).await.unwrap();
    let session = Session::open(Arc::new(store), Options::default()).await;
    session.keys("Y").settle().await;
    assert!(session.screen().contains("without its secrets"), "{}", session.screen());
    session.keys("RY").settle().await;
    assert!(session.screen().contains("with its secrets"), "{}", session.screen());
    let key = "result_cache:anisearch_anime:82fce6a05e45281a:token=";
    assert_eq!(session.copied(), [format!("{key}***"), format!("{key}very-secret")]);
}
