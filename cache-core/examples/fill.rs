//! Fills a Redis server with any number of entries in the pipeline's layout, for measurements.
//!
//! The same options give the same entries: only their ages and TTLs depend on the present time. A response has three
//! keys, so the defaults make a million.

#[path = "../tests/harness/pair.rs"]
mod pair;

use std::error::Error;
use std::ops::Range;

use cache_core::{Call, Entry, FormValue, Headers, Request, RequestPayload, Response, clock};
use clap::Parser;
use pair::encode_pair;
use serde_json::{Value, json};

/// Entries per pipeline.
const BATCH: u64 = 500;
/// The pipeline's TTL, in seconds.
const DAY: u64 = 86_400;

#[derive(Parser)]
struct Args {
    /// The server to fill
    #[arg(long, default_value = "redis://127.0.0.1:6379/0")]
    redis: String,
    /// HTTP entries, of three keys each
    #[arg(long, default_value_t = 300_000)]
    http: u64,
    /// Results of functions, of one key each
    #[arg(long, default_value_t = 100_000)]
    results: u64,
    /// Bytes of a usual body; a few are many times larger
    #[arg(long, default_value_t = 1_000)]
    body: usize,
    /// Keys that belong to others
    #[arg(long, default_value_t = 0)]
    foreign: u64,
    /// Connections to fill over
    #[arg(long, default_value_t = 4)]
    connections: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let client = redis::Client::open(args.redis.as_str())?;
    let started = std::time::Instant::now();
    let now = clock::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..args.connections)
            .map(|i| {
                let (args, client) = (&args, &client);
                let part = move |all: u64| all * i / args.connections..all * (i + 1) / args.connections;
                scope.spawn(move || -> redis::RedisResult<()> {
                    let mut connection = client.get_connection()?;
                    batches(&mut connection, part(args.http), |pipe, n| http(pipe, n, args.body, now))?;
                    batches(&mut connection, part(args.results), |pipe, n| result(pipe, n, args.body))?;
                    batches(&mut connection, part(args.foreign), foreign)
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    let keys = args.http * 3 + args.results + args.foreign;
    println!("{keys} keys in {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn batches(
    connection: &mut redis::Connection,
    all: Range<u64>,
    add: impl Fn(&mut redis::Pipeline, u64),
) -> redis::RedisResult<()> {
    let mut start = all.start;
    while start < all.end {
        let end = (start + BATCH).min(all.end);
        let mut pipe = redis::pipe();
        (start..end).for_each(|n| add(&mut pipe, n));
        pipe.query::<()>(connection)?;
        start = end;
    }
    Ok(())
}

/// Example requests and responses of one service.
struct Exchange {
    method: &'static str,
    url: String,
    params: Option<FormValue>,
    json: Option<Value>,
    content_type: &'static str,
    cache_control: Option<&'static str>,
    body: String,
}

/// The `n`th exchange, in about the proportions of a real run: mostly requests to Jikan, which returns characters one
/// by one.
fn exchange(n: u64, size: usize) -> Exchange {
    let anime = n / 20 + 1;
    let title = format!("Title no. {anime}");
    let get = |url: String, content_type, cache_control, body| Exchange {
        method: "GET",
        url,
        params: None,
        json: None,
        content_type,
        cache_control,
        body,
    };
    match n % 20 {
        part @ 0..=13 => {
            let path = match part {
                0 => format!("anime/{anime}/full"),
                1 => format!("anime/{anime}/characters"),
                2..=7 => format!("anime/{anime}/episodes/{part}"),
                _ => format!("characters/{n}"),
            };
            let body = json!({"data": {"mal_id": n, "title": title, "synopsis": filler(n, size)}});
            get(
                format!("https://api.jikan.moe/v4/{path}"),
                "application/json",
                Some("public, s-maxage=86400"),
                body.to_string(),
            )
        }
        part @ 14..=15 => Exchange {
            method: "POST",
            json: Some(
                json!({"query": "query ($id: Int) { Media(id: $id) { id } }", "variables": {"id": anime, "page": part}}),
            ),
            ..get(
                "https://graphql.anilist.co".into(),
                "application/json",
                Some("no-cache, private"),
                json!({"data": {"Media": {"title": {"romaji": title}, "description": filler(n, size)}}}).to_string(),
            )
        },
        part @ 16..=17 => {
            let (limit, offset) = ("20", (part * 20 - 320).to_string());
            Exchange {
                params: Some(FormValue::pairs([("page[limit]", limit), ("page[offset]", offset.as_str())])),
                ..get(
                    format!("https://kitsu.io/api/edge/anime/{anime}/episodes"),
                    "application/vnd.api+json",
                    Some("max-age=0, private, must-revalidate"),
                    json!({"data": [{"type": "episodes", "attributes": {"synopsis": filler(n, size)}}]}).to_string(),
                )
            }
        }
        18 => get(
            format!("http://api.anidb.net:9001/httpapi?request=anime&aid={anime}"),
            "text/xml; charset=UTF-8",
            None,
            format!("<anime id=\"{anime}\"><description>{}</description></anime>", filler(n, size)),
        ),
        _ => get(
            format!("https://animeschedule.net/api/v3/anime?q={title}"),
            "application/json; charset=utf-8",
            Some("public, max-age=7200"),
            json!({"anime": [{"title": title, "description": filler(n, size)}]}).to_string(),
        ),
    }
}

fn http(pipe: &mut redis::Pipeline, n: u64, size: usize, now: f64) {
    let exchange = exchange(n, size);
    let payload = RequestPayload { json: exchange.json.as_ref(), params: exchange.params.as_ref(), data: None };
    let cache_key = cache_core::pipeline_key(exchange.method, &exchange.url, &payload);
    let idle = scattered(n) % DAY;
    let created_at = now - idle as f64 - (scattered(n + 1) % 1_000) as f64 / 1_000.0;
    let request_headers = [
        ("x-hishel-body-key", "true"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate"),
        ("user-agent", "Python/3.12 aiohttp/3.12.13"),
    ];
    let mut headers: Headers = [("content-type", exchange.content_type), ("server", "nginx")].into_iter().collect();
    if let Some(cache_control) = exchange.cache_control {
        headers.append("cache-control", cache_control);
    }
    let entry = Entry {
        id: uuid::Builder::from_random_bytes(random_bytes(n)).into_uuid(),
        cache_key,
        request: Request {
            method: exchange.method.into(),
            url: exchange.url,
            headers: request_headers.into_iter().collect(),
            ..Request::default()
        },
        response: Response { status_code: 200, headers, ..Response::default() },
        created_at: Some(created_at),
        deleted_at: None,
    };
    let id = entry.id.hyphenated();
    let cache_key = entry.cache_key.as_bytes();
    let hex = cache_key.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let ttl = (DAY - idle).max(60).cast_signed();
    let [entry_key, stream_key] = ["entry", "stream"].map(|part| format!("hishel_cache:{part}:{id}"));
    let index_key = format!("hishel_cache:key_index:{hex}");
    let text = created_at.to_string();
    let fields = [("data", &encode_pair(&entry)[..]), ("created_at", text.as_bytes()), ("cache_key", cache_key)];
    pipe.hset_multiple(&entry_key, &fields).ignore().expire(&entry_key, ttl).ignore();
    let chunks = [exchange.body.as_bytes(), b"__STREAM_COMPLETE__"];
    pipe.rpush(&stream_key, &chunks[..]).ignore().expire(&stream_key, ttl).ignore();
    pipe.sadd(&index_key, id.to_string()).ignore().expire(&index_key, ttl).ignore();
}

fn result(pipe: &mut redis::Pipeline, n: u64, size: usize) {
    const FUNCTIONS: [(&str, &str); 5] = [
        ("animeplanet_anime", "9bbfd50a125f54f4"),
        ("animeplanet_characters", "aa641c8ed72ada78"),
        ("anisearch_anime", "674b3db9c6307fbe"),
        ("anisearch_episodes", "4365076642a7d369"),
        ("anisearch_characters", "1e0040f9270ec447"),
    ];
    let (prefix, newest) = FUNCTIONS[(n % 5) as usize];
    // Every tenth was stored before its function changed.
    let schema = if n % 50 < 5 { "82fce6a05e45281a" } else { newest };
    let argument = if prefix.starts_with("anisearch") { n.to_string() } else { format!("title-no-{n}") };
    let key = Call::new(prefix, schema).argument(&argument).key().expect("a text is an argument");
    let value = json!({"title": format!("Title no. {n}"), "description": filler(n, size)}).to_string();
    pipe.set_ex(key, value, (DAY - scattered(n) % DAY).max(60)).ignore();
}

fn foreign(pipe: &mut redis::Pipeline, n: u64) {
    pipe.set(format!("session:{n}"), "somebody else's").ignore();
}

/// Text of about `size` bytes: half to one and a half of it, and every thousandth twenty times as much.
fn filler(n: u64, size: usize) -> String {
    const SENTENCE: &str = "A wanderer with white hair leaves before breakfast and is missed at dinner. ";
    let size = size / 2 + scattered(n) as usize % size.max(1);
    let size = if n % 1_000 == 999 { size * 20 } else { size };
    SENTENCE.chars().cycle().take(size).collect()
}

/// `SplitMix64`: numbers without a pattern, the same ones each time.
fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn random_bytes(n: u64) -> [u8; 16] {
    (u128::from(scattered(n)) << 64 | u128::from(scattered(!n))).to_be_bytes()
}
