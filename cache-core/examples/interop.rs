//! Writes, reads and removes entries, and calls cached functions, for the live tests with Python: `tests/python`.
//!
//! Both programs use JSON: an array of exchanges with bodies in base64, or an array of calls. Each reads what the other
//! one wrote.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cache_core::{
    Cache, CacheKey, Call, Config, Entry, EntryId, EntryState, Filter, Headers, IfMissing, Inspect, Redis, RedisUrl,
    Request, Response, ResultCache, ServiceRegistry, Sqlite, StorageLayout, clock, collect_body,
};
use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Parser)]
struct Args {
    action: Action,
    /// A Redis
    #[arg(long, conflicts_with = "sqlite", required_unless_present = "sqlite")]
    redis: Option<String>,
    /// A SQLite file
    #[arg(long)]
    sqlite: Option<PathBuf>,
    /// The layout to write in a Redis
    #[arg(long, default_value = "pipeline")]
    layout: WriteLayout,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    /// Stores the exchanges of standard input
    Write,
    /// Prints every exchange that a cache would serve
    Read,
    /// Removes everything that a cache would serve
    Remove,
    /// Stores the results of standard input, a mapping of keys to texts
    WriteResults,
    /// Makes the calls of standard input through the result cache, and prints what became of them
    Call,
}

#[derive(Clone, Copy, ValueEnum)]
enum WriteLayout {
    Pipeline,
    Hishel1,
    Hishel2,
}

/// A request, the response to it, and the key that the response is stored under.
#[derive(Serialize, Deserialize)]
struct Exchange {
    key: String,
    method: String,
    url: String,
    request_headers: BTreeMap<String, Vec<String>>,
    status: u16,
    response_headers: BTreeMap<String, Vec<String>>,
    /// The chunks of the body, in base64; one chunk when read.
    chunks: Vec<String>,
    /// Seconds; `None`: no expiry.
    ttl: Option<f64>,
}

/// A call of a function that returns `result`.
#[derive(Deserialize)]
struct Called {
    prefix: String,
    schema: String,
    positional: Vec<Argument>,
    keyword: BTreeMap<String, Argument>,
    result: Value,
}

/// `{"float": "inf"}`, since JSON has no infinities, or the value itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum Argument {
    Float { float: String },
    Json(Value),
}

#[derive(Serialize)]
struct Answer {
    result: Value,
    was_computed: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let store: Arc<dyn Inspect> = match (&args.redis, &args.sqlite) {
        (Some(url), _) => {
            let write_layout = match args.layout {
                WriteLayout::Pipeline => StorageLayout::Pipeline,
                WriteLayout::Hishel1 => StorageLayout::Hishel1,
                WriteLayout::Hishel2 => StorageLayout::Hishel2,
            };
            Arc::new(Redis::new(&Config { redis_url: RedisUrl::new(url), write_layout, ..Config::default() })?)
        }
        (None, Some(file)) => Arc::new(Sqlite::open(file, ServiceRegistry::default(), IfMissing::Create).await?),
        (None, None) => unreachable!("clap requires one of them"),
    };
    match args.action {
        Action::Write => write(&*store).await,
        Action::WriteResults => {
            for (key, value) in serde_json::from_reader::<_, BTreeMap<String, String>>(std::io::stdin())? {
                store.set(&key, value.into(), Duration::from_secs(3_600)).await?;
            }
            Ok(())
        }
        Action::Call => {
            let cache = Cache::with_store(store, &Config::default());
            println!("{}", serde_json::to_string(&call(&cache.results()).await?)?);
            cache.close().await;
            Ok(())
        }
        Action::Read => {
            println!("{}", serde_json::to_string(&read(&*store).await?)?);
            Ok(())
        }
        Action::Remove => {
            let ids: Vec<_> = live(&*store).await?;
            let removed = store.remove(&ids).await?;
            ensure!(removed.entries == ids.len() as u64, "{removed:?} of {} entries", ids.len());
            Ok(())
        }
    }
}

async fn write(store: &dyn Inspect) -> anyhow::Result<()> {
    for exchange in serde_json::from_reader::<_, Vec<Exchange>>(std::io::stdin())? {
        let entry = Entry {
            id: uuid::Uuid::new_v4(),
            cache_key: CacheKey::new(exchange.key.into_bytes()),
            request: Request {
                method: exchange.method,
                url: exchange.url,
                headers: headers(&exchange.request_headers),
                ..Request::default()
            },
            response: Response {
                status_code: exchange.status,
                headers: headers(&exchange.response_headers),
                ..Response::default()
            },
            created_at: Some(clock::now()),
            deleted_at: None,
        };
        let mut writer = store.insert(entry, exchange.ttl.map(Duration::from_secs_f64)).await?;
        for chunk in exchange.chunks {
            writer.write(STANDARD.decode(chunk)?.into()).await?;
        }
        writer.commit().await?;
    }
    Ok(())
}

async fn read(store: &dyn Inspect) -> anyhow::Result<Vec<Exchange>> {
    let mut exchanges = Vec::new();
    for id in live(store).await? {
        let found = store.details(&id).await?.with_context(|| format!("{id} is gone"))?;
        let entry = found.entry.with_context(|| format!("{id} cannot be read"))?;
        let served = store.lookup(&entry.cache_key, None).await?;
        ensure!(served.iter().any(|other| other.id == id), "{id} is not found under its key");
        let body = collect_body(store.body(&id).await?.with_context(|| format!("{id} has no body"))?).await?;
        exchanges.push(Exchange {
            key: entry.cache_key.to_string(),
            method: entry.request.method,
            url: entry.request.url,
            request_headers: map(&entry.request.headers),
            status: entry.response.status_code,
            response_headers: map(&entry.response.headers),
            chunks: vec![STANDARD.encode(body)],
            ttl: found.summary.ttl(clock::now()),
        });
    }
    Ok(exchanges)
}

async fn call(results: &ResultCache) -> anyhow::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for called in serde_json::from_reader::<_, Vec<Called>>(std::io::stdin())? {
        let mut call = Call::new(&called.prefix, &called.schema);
        for argument in &called.positional {
            call = match argument {
                Argument::Float { float } => call.argument(float.parse::<f64>()?),
                Argument::Json(value) => call.argument(value),
            };
        }
        for (name, argument) in &called.keyword {
            call = match argument {
                Argument::Float { float } => call.keyword(name, float.parse::<f64>()?),
                Argument::Json(value) => call.keyword(name, value),
            };
        }
        let mut was_computed = false;
        let result = results.get_or_compute(&call, || {
            was_computed = true;
            std::future::ready(called.result)
        });
        answers.push(Answer { result: result.await, was_computed });
    }
    Ok(answers)
}

async fn live(store: &dyn Inspect) -> anyhow::Result<Vec<EntryId>> {
    let filter = Filter { states: vec![EntryState::Live], ..Filter::default() };
    let mut ids = Vec::new();
    let mut from = None;
    loop {
        let page = store.scan(&filter, from, 100).await?;
        ids.extend(page.entries.into_iter().map(|entry| entry.id));
        match page.next {
            Some(next) => from = Some(next),
            None => return Ok(ids),
        }
    }
}

fn headers(fields: &BTreeMap<String, Vec<String>>) -> Headers {
    fields.iter().flat_map(|(name, values)| values.iter().map(|value| (name.as_str(), value.as_str()))).collect()
}

fn map(headers: &Headers) -> BTreeMap<String, Vec<String>> {
    headers.iter().map(|(name, values)| (name.to_owned(), values.to_vec())).collect()
}
