//! The time of a hit, relative to a bare `GET` of as many bytes on a connection of the same kind. Both alternate in one
//! run, so that other load of the machine affects both.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/harness/fixed_ttl.rs"]
mod fixed_ttl;
#[path = "../tests/harness/redis_server.rs"]
mod redis_server;

use std::cell::RefCell;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_core::{
    Cache, CacheOutcome, Call, Config, Entry, Headers, IfMissing, Inspect, Redis, RedisUrl, Request, RequestPayload,
    Response, ServiceName, ServiceRegistry, Sqlite, clock,
};
use criterion::Criterion;
use redis::aio::MultiplexedConnection;
use redis_server::RedisServer;
use tokio::runtime::Runtime;
use uuid::Uuid;

const DAY: Duration = Duration::from_secs(86_400);
const URL: &str = "https://api.jikan.moe/v4/anime/1/full";

/// Operations of one kind in a row.
const LOCK: u64 = 20;

/// The results: measured value, limit, unit.
#[derive(Default)]
struct Report(RefCell<Vec<(String, f64, Limit)>>);

enum Limit {
    /// Maximum, as a multiple of the time of the bare `GET`.
    Ratio(f64),
    /// Maximum, in microseconds.
    Micros(f64),
    /// Minimum, as a share of redis-benchmark's throughput.
    Share(f64),
}

impl Report {
    fn add(&self, name: &str, measured: f64, limit: Limit) {
        self.0.borrow_mut().push((name.to_owned(), measured, limit));
    }

    fn print(&self) {
        println!("\n{:<44} {:>12} {:>16}", "", "measured", "limit");
        for (name, measured, limit) in self.0.borrow().iter() {
            let (text, is_met) = match limit {
                Limit::Ratio(most) => (format!("{measured:>10.2} x {:>12} {most} x", "at most"), measured <= most),
                Limit::Micros(most) => (format!("{measured:>9.2} us {:>11} {most} us", "at most"), measured <= most),
                Limit::Share(least) => (format!("{measured:>12.2} {:>14} {least}", "at least"), measured >= least),
            };
            println!("{name:<44} {text}   {}", if is_met { "met" } else { "NOT MET" });
        }
    }
}

/// A response of an API, with a body of this size.
fn entry(url: &str) -> Entry {
    let fields = [
        ("date", "Mon, 23 Nov 2026 01:00:00 GMT"),
        ("content-type", "application/json"),
        ("connection", "keep-alive"),
        ("vary", "Accept-Encoding"),
        ("access-control-allow-origin", "*"),
        ("cache-control", "private, must-revalidate"),
        ("expires", "-1"),
        ("etag", "\"6d1e7c1be9a0d4ba4eb0e0f5fd5e1f5d\""),
        ("last-modified", "Sun, 22 Nov 2026 21:11:23 GMT"),
        ("x-request-fingerprint", "request:anime:6d1e7c1be9a0d4ba4eb0e0f5fd5e1f5d6d1e7c1b"),
        ("strict-transport-security", "max-age=63072000; preload"),
        ("server", "cloudflare"),
    ];
    let requested =
        [("host", "api.jikan.moe"), ("accept", "*/*"), ("accept-encoding", "gzip, deflate"), ("user-agent", "x/1")];
    Entry {
        id: Uuid::new_v4(),
        cache_key: cache_core::pipeline_key("GET", url, &RequestPayload::default()),
        request: Request {
            method: "GET".into(),
            url: url.into(),
            headers: Headers::from_iter(requested),
            ..Request::default()
        },
        response: Response { status_code: 200, headers: Headers::from_iter(fields), ..Response::default() },
        created_at: Some(clock::now()),
        deleted_at: None,
    }
}

fn url(size: usize) -> String {
    format!("{URL}?size={size}")
}

async fn store(store: &Arc<dyn Inspect>, size: usize) {
    let mut writer = store.insert(entry(&url(size)), Some(DAY)).await.unwrap();
    writer.write(Bytes::from(vec![b'x'; size])).await.unwrap();
    writer.commit().await.unwrap();
}

/// One hit through the whole client: key, store, policy, response, body.
async fn http_hit(cache: &Cache, url: &str, size: usize) {
    let fetched = cache.client(ServiceName::new("jikan")).get(url).send().await.unwrap();
    assert_eq!(fetched.cache_status().from, CacheOutcome::Hit);
    assert_eq!(fetched.bytes().await.unwrap().len(), size);
}

fn call() -> Call<'static> {
    Call::new("anisearch_anime", "82fce6a05e45281a").argument(18_878)
}

async fn result_hit(cache: &Cache) {
    let text: String = cache.results().get_or_compute(&call(), || async { unreachable!("it is stored") }).await;
    assert!(text.len() > 1_900);
}

async fn bare_get(connection: &mut MultiplexedConnection, key: &str, size: usize) {
    let value: Vec<u8> = redis::cmd("GET").arg(key).query_async(connection).await.unwrap();
    assert_eq!(value.len(), size);
}

/// A cache over Redis, and a bare connection of the same kind.
async fn connect(location: &str) -> (Cache, MultiplexedConnection) {
    let services = fixed_ttl::fixed_ttl();
    let config = Config { redis_url: RedisUrl::new(location), services, ..Config::default() };
    let cache = Cache::with_store(Arc::new(Redis::new(&config).unwrap()), &config);
    let info = redis::IntoConnectionInfo::into_connection_info(location).unwrap();
    let info = info.set_tcp_settings(redis::io::tcp::TcpSettings::default().set_nodelay(true));
    let mut bare = redis::Client::open(info).unwrap().get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHALL").exec_async(&mut bare).await.unwrap();
    for size in [200, 300_000] {
        store(cache.store(), size).await;
    }
    let text = "x".repeat(2_000 - 2);
    let _: String = cache.results().get_or_compute(&call(), || async { text }).await;
    for size in [200, 2_000, 300_000] {
        redis::cmd("SET").arg(format!("bare:{size}")).arg(vec![b'x'; size]).exec_async(&mut bare).await.unwrap();
    }
    (cache, bare)
}

/// Measures `hit` with criterion, alternating with `bare`; returns the median of the ratio.
fn compare<H: Future<Output = ()>, B: Future<Output = ()>>(
    criterion: &mut Criterion,
    runtime: &Runtime,
    name: &str,
    mut hit: impl FnMut() -> H,
    mut bare: impl FnMut() -> B,
) -> f64 {
    let mut ratios = Vec::new();
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            runtime.block_on(async {
                let (mut of_hits, mut of_bare) = (Duration::ZERO, Duration::ZERO);
                let mut left = iterations;
                while left > 0 {
                    let turn = left.min(LOCK);
                    of_bare += timed(turn, &mut bare).await;
                    of_hits += timed(turn, &mut hit).await;
                    left -= turn;
                }
                ratios.push(of_hits.as_secs_f64() / of_bare.as_secs_f64());
                of_hits
            })
        });
    });
    median(ratios)
}

async fn timed<F: Future<Output = ()>>(times: u64, operation: &mut impl FnMut() -> F) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        operation().await;
    }
    start.elapsed()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Microseconds of one operation, by criterion and as the median of its samples.
fn micros<F: Future<Output = ()>>(
    criterion: &mut Criterion,
    runtime: &Runtime,
    name: &str,
    mut operation: impl FnMut() -> F,
) -> f64 {
    let mut samples = Vec::new();
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let time = runtime.block_on(timed(iterations, &mut operation));
            samples.push(time.as_secs_f64() * 1e6 / iterations as f64);
            time
        });
    });
    median(samples)
}

/// Hits per second of 64 tasks on one client.
fn concurrent_hits(runtime: &Runtime, cache: &Cache, each: usize) -> f64 {
    let start = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let cache = cache.clone();
            tasks.spawn(async move {
                let url = url(200);
                for _ in 0..each {
                    http_hit(&cache, &url, 200).await;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    });
    64.0 * each as f64 / start.elapsed().as_secs_f64()
}

/// `GET`s per second of redis-benchmark's 64 clients.
fn redis_benchmark(connection: &[&str]) -> f64 {
    let arguments = ["-c", "64", "-n", "200000", "-d", "200", "-t", "get", "--csv"];
    let output = Command::new("redis-benchmark").args(connection).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let row = text.lines().find(|line| line.starts_with("\"GET\"")).unwrap();
    row.split(',').nth(1).unwrap().trim_matches('"').parse().unwrap()
}

fn main() {
    // Test runners start every target: this one has no tests.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let report = Report::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("redis.sock");
    let socket = socket.to_str().unwrap();
    let server = RedisServer::start(&format!("--unixsocket {socket}"));
    let address = server.address();
    let port = address.rsplit(':').next().unwrap();

    for (kind, location) in [("TCP", format!("redis://{address}/0")), ("unix", format!("unix://{socket}"))] {
        let (cache, bare) = runtime.block_on(connect(&location));
        for (size, limit) in [(200, 2.5), (300_000, 1.5)] {
            let name = format!("HTTP hit, {size} B, Redis ({kind})");
            let (url, key) = (url(size), format!("bare:{size}"));
            let hit = || http_hit(&cache, &url, size);
            let get = || async { bare_get(&mut bare.clone(), &key, size).await };
            report.add(&name, compare(&mut criterion, &runtime, &name, hit, get), Limit::Ratio(limit));
        }
        let name = format!("result hit, 2 kB, Redis ({kind})");
        let get = || async { bare_get(&mut bare.clone(), "bare:2000", 2_000).await };
        let ratio = compare(&mut criterion, &runtime, &name, || result_hit(&cache), get);
        report.add(&name, ratio, Limit::Ratio(1.3));

        let to_server: &[&str] = if kind == "TCP" { &["-p", port] } else { &["-s", socket] };
        let shares = (0..3).map(|_| concurrent_hits(&runtime, &cache, 2_000) / redis_benchmark(to_server)).collect();
        report.add(&format!("64 concurrent HTTP hits, Redis ({kind})"), median(shares), Limit::Share(0.7));
        runtime.block_on(cache.close());
    }

    let config = Config { services: fixed_ttl::fixed_ttl(), ..Config::default() };
    let file = directory.path().join("http_cache.db");
    let sqlite = runtime.block_on(Sqlite::open(&file, ServiceRegistry::default(), IfMissing::Create)).unwrap();
    let cache = Cache::with_store(Arc::new(sqlite), &config);
    runtime.block_on(store(cache.store(), 200));
    let (name, url) = ("HTTP hit, 200 B, SQLite", url(200));
    let time = micros(&mut criterion, &runtime, name, || http_hit(&cache, &url, 200));
    report.add(name, time, Limit::Micros(100.0));
    runtime.block_on(cache.close());

    let config = Config {
        redis_url: RedisUrl::new(format!("redis://{address}/1")),
        memory_ttl: Some(DAY),
        services: fixed_ttl::fixed_ttl(),
        ..Config::default()
    };
    let cache = Cache::with_store(Arc::new(Redis::new(&config).unwrap()), &config);
    runtime.block_on(store(cache.store(), 200));
    let key = cache_core::pipeline_key("GET", &url, &RequestPayload::default());
    let look_up = || async {
        assert_eq!(cache.store().lookup(&key, Some(DAY)).await.unwrap().len(), 1);
    };
    let name = "look-up in the first level, 200 B";
    report.add(name, micros(&mut criterion, &runtime, name, look_up), Limit::Micros(2.0));
    let name = "HTTP hit in the first level, 200 B";
    report.add(name, micros(&mut criterion, &runtime, name, || http_hit(&cache, &url, 200)), Limit::Micros(2.0));
    runtime.block_on(cache.close());

    report.print();
    criterion.final_summary();
}
