//! Rate limits of services, within one process and across processes.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use animecache::enrich::error::FetchFailure;
use animecache::enrich::mode::Mode;
use cache_core::{IfMissing, Inspect, Memory, Sqlite};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::join_all;
use rstest::rstest;

use crate::limit_process::{Process, redis};
use crate::origin::{Origin, response};
use crate::redis_server::RedisServer;

fn compressed(document: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(document).unwrap();
    packed.finish().unwrap()
}

async fn anything() -> Origin {
    Origin::start(|seen| response(200, &[], format!("no. {}", seen.number))).await
}

/// The store that the processes share.
enum On {
    Redis,
    Sqlite,
}

#[rstest]
#[tokio::test]
async fn processes_keep_to_a_limit_together(#[values(On::Redis, On::Sqlite)] on: On) {
    let origin = anything().await;
    let directory = tempfile::tempdir().unwrap();
    let (url, file) = (RedisServer::fresh_database(), directory.path().join("http_cache.db"));
    let mut processes = Vec::new();
    for _ in 0..2 {
        let store: Arc<dyn Inspect> = match on {
            On::Redis => redis(&url),
            On::Sqlite => Arc::new(
                Sqlite::open(&file, animecache::services::registry().clone(), IfMissing::Create).await.unwrap(),
            ),
        };
        processes.push(Process::new(store, animecache::services::jikan(), &origin, "3/300ms"));
    }
    let asking: Vec<_> = processes.iter().map(|process| process.asking(Mode::Usual)).collect();
    let begun = Instant::now();
    let asked = (0..12).map(|number| {
        let asking = &asking[number % 2];
        async move { asking.ask(&format!("/{number}")).await.unwrap() }
    });
    join_all(asked).await;
    // Three at once, and the last three after three whole periods.
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(origin.count(), 12);
    for asking in &asking {
        let tally = asking.metrics.snapshot();
        assert_eq!((tally.upstream, tally.requests, tally.is_waiting), (6, 6, false));
        assert!(tally.waited > Duration::ZERO);
    }
}

#[tokio::test]
async fn service_with_retry_after_is_blocked_in_all_processes() {
    let answered = Arc::new(Mutex::new(Vec::new()));
    let origin = Origin::start({
        let answered = Arc::clone(&answered);
        move |seen| {
            answered.lock().unwrap().push(Instant::now());
            if seen.number == 0 { response(429, &[("Retry-After", "1")], "") } else { response(200, &[], "well") }
        }
    })
    .await;
    let url = RedisServer::fresh_database();
    let process = || Process::new(redis(&url), animecache::services::jikan(), &origin, "100/1s");
    let (one, other) = (process(), process());
    assert_eq!(one.asking(Mode::Usual).ask("/1").await.unwrap().status, 429);
    let asking = [one.asking(Mode::Usual), other.asking(Mode::Usual)];
    let texts = join_all(asking.iter().zip(["/2", "/3"]).map(|(asking, path)| asking.text(path))).await;
    assert_eq!(texts, ["well", "well"]);
    let answered = answered.lock().unwrap();
    assert!(answered[1..].iter().all(|at| *at - answered[0] >= Duration::from_secs(1)), "{answered:?}");
}

#[rstest]
#[case::free("none", Some("well"), 2)]
// The next slot is an hour away: no request waits for it.
#[case::limited("1/1h", None, 1)]
#[tokio::test]
async fn redirect_takes_a_slot(#[case] limit: &str, #[case] expected: Option<&str>, #[case] asked: u64) {
    let origin = Origin::start(|seen| match seen.number {
        0 => response(301, &[("Location", "/1,slug")], ""),
        _ => response(200, &[], "well"),
    })
    .await;
    let process = Process::new(Arc::new(Memory::default()), animecache::services::kitsu(), &origin, limit);
    let asking = process.asking(Mode::Usual);
    let answer = asking.ask("/1").await.map(|answer| answer.body);
    assert_eq!(answer.as_deref().ok(), expected.map(str::as_bytes));
    assert_eq!((asking.metrics.snapshot().upstream, origin.count() as u64), (asked, asked));
}

#[tokio::test]
async fn hits_take_no_slot() {
    let origin = anything().await;
    let process = Process::new(Arc::new(Memory::default()), animecache::services::kitsu(), &origin, "1/1h");
    let asking = process.asking(Mode::Usual);
    for _ in 0..20 {
        assert_eq!(asking.text("/1").await, "no. 0");
    }
    let tally = asking.metrics.snapshot();
    assert_eq!((tally.requests, tally.hits, tally.upstream, tally.waited), (20, 19, 1, Duration::ZERO));
    // The next slot is an hour away: no request waits for it.
    let Err(FetchFailure::BackingOff(left)) = asking.ask("/2").await else { panic!("it was asked too often") };
    assert!(left > Duration::from_secs(3_000), "{left:?}");
    assert_eq!(asking.text("/1").await, "no. 0");
}

#[tokio::test]
async fn without_its_store_a_process_keeps_to_the_limit_alone() {
    let origin = anything().await;
    let gone = RedisServer::start("").stop();
    let process = Process::new(redis(&gone.url()), animecache::services::kitsu(), &origin, "1/1h");
    assert_eq!(process.asking(Mode::Usual).text("/1").await, "no. 0");
    assert!(matches!(process.asking(Mode::Usual).ask("/1").await, Err(FetchFailure::BackingOff(_))));
}

#[tokio::test]
async fn canceled_wait_for_slot_is_not_counted_as_waiting() {
    let origin = anything().await;
    let process = Process::new(Arc::new(Memory::default()), animecache::services::kitsu(), &origin, "1/1m");
    let asking = process.asking(Mode::Usual);
    asking.ask("/1").await.unwrap();
    {
        let waits = async {
            while !asking.metrics.snapshot().is_waiting {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = asking.ask("/2") => panic!("it was asked too often"),
            () = waits => {}
        }
    }
    let tally = asking.metrics.snapshot();
    assert!(!tally.is_waiting && tally.waited > Duration::ZERO && tally.upstream == 1, "{tally:?}");
}

#[tokio::test]
async fn service_failing_repeatedly_gets_no_requests() {
    let origin = Origin::start(|_| response(500, &[], "no")).await;
    let process = Process::new(Arc::new(Memory::default()), animecache::services::kitsu(), &origin, "none");
    for _ in 0..5 {
        assert_eq!(process.asking(Mode::Usual).ask("/1").await.unwrap().status, 500);
    }
    let Err(FetchFailure::BackingOff(left)) = process.asking(Mode::Fresh).ask("/2").await else {
        panic!("it was asked")
    };
    assert!((290.0..=300.0).contains(&left.as_secs_f64()), "{left:?}");
    assert_eq!(origin.count(), 5);
}

// AniDB compresses its documents, sometimes without `Content-Encoding`.
#[rstest]
#[case::plain(b"<error>Banned</error>".to_vec())]
#[case::compressed(compressed(b"<error>Banned</error>"))]
#[tokio::test]
async fn anidb_ban_stops_requests(#[case] ban: Vec<u8>) {
    let origin = Origin::start({
        let ban = ban.clone();
        move |_| response(200, &[], &ban)
    })
    .await;
    let store: Arc<dyn Inspect> = Arc::new(Memory::default());
    let process = || Process::new(Arc::clone(&store), animecache::services::anidb(), &origin, "100/1s");
    let asking = process().asking(Mode::Usual);
    assert_eq!(asking.ask("?aid=1").await.unwrap().body, ban);
    for path in ["?aid=1", "?aid=2"] {
        assert!(matches!(asking.ask(path).await, Err(FetchFailure::BackingOff(_))));
    }
    let Err(FetchFailure::BackingOff(left)) = process().asking(Mode::Usual).ask("?aid=1").await else {
        panic!("another process asked")
    };
    assert!((290.0..=300.0).contains(&left.as_secs_f64()), "{left:?}");
    assert_eq!(origin.count(), 1);
}
