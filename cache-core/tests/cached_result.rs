//! Functions with `#[cached_result]`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cache_core::{
    Cache, Config, EntryId, Filter, Inspect, Memory, ResultCache, ServiceName, ServiceRegistry, cached_result, clock,
};

type Runs = AtomicU32;

fn cache() -> (Cache, Arc<Memory>) {
    let memory = Arc::new(Memory::new(ServiceRegistry::default()));
    (Cache::with_store(Arc::clone(&memory) as _, &Config::default()), memory)
}

/// The keys of all results, and their remaining TTL in seconds.
async fn stored(memory: &Memory) -> Vec<(String, f64)> {
    let page = memory.scan(&Filter::default(), None, 1_000).await.unwrap();
    let now = clock::now();
    page.entries.into_iter().map(|entry| (entry.id.to_string(), entry.ttl(now).unwrap())).collect()
}

/// The schema hashes of all results.
async fn schemas(memory: &Memory) -> BTreeSet<String> {
    stored(memory).await.iter().map(|(key, _)| key.split(':').nth(2).unwrap().to_owned()).collect()
}

fn run(runs: &Runs) -> u32 {
    runs.fetch_add(1, Ordering::SeqCst) + 1
}

#[cached_result(ttl = "90m", prefix = "plain", schema = "82fce6a05e45281a", skip(runs))]
async fn plain(results: &ResultCache, runs: &Runs, id: u32, title: &str, tags: Option<Vec<String>>, score: f64) -> u32 {
    // The names of the macro are not visible here.
    let _: (&ResultCache, u32, &str, Option<Vec<String>>, f64) = (results, id, title, tags, score);
    run(runs)
}

#[tokio::test]
async fn call_is_stored_under_the_pipelines_key_with_its_ttl() {
    let ((cache, memory), runs) = (cache(), Runs::default());
    let tags = || Some(vec!["café".to_owned()]);
    for _ in 0..2 {
        assert_eq!(plain(&cache.results(), &runs, 1, "a:b", tags(), 2.0).await, 1);
    }
    assert_eq!(plain(&cache.results(), &runs, 1, "a:b", None, f64::INFINITY).await, 2);
    let mut stored = stored(&memory).await;
    stored.sort_by(|a, b| a.0.cmp(&b.0));
    let keys: Vec<_> = stored.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            r#"result_cache:plain:82fce6a05e45281a:1:a:b:["caf\u00e9"]:2.0"#,
            "result_cache:plain:82fce6a05e45281a:1:a:b:null:inf",
        ]
    );
    assert!(stored.iter().all(|(_, ttl)| (5_300.0..=5_400.0).contains(ttl)), "{stored:?}");
}

#[cached_result(ttl = settings.get(ServiceName::new("anisearch")).ttl, skip(settings))]
async fn as_set(results: &ResultCache, settings: &ServiceRegistry, id: u32) -> u32 {
    let _ = (results, settings);
    id
}

#[tokio::test]
async fn ttl_may_be_a_setting() {
    let (cache, memory) = cache();
    let mut settings = ServiceRegistry::default();
    settings.get_mut(ServiceName::new("anisearch")).ttl = Duration::from_secs(7_200);
    as_set(&cache.results(), &settings, 1).await;
    assert!(matches!(&*stored(&memory).await, [(_, 7_100.0..=7_200.0)]));
    settings.get_mut(ServiceName::new("anisearch")).ttl = Duration::ZERO;
    as_set(&cache.results(), &settings, 2).await;
    assert_eq!(stored(&memory).await.len(), 1, "without time to live nothing is stored");
}

#[cached_result(skip(runs))]
async fn early(cache: &Cache, runs: &Runs, mut id: u32) -> Result<Option<u32>, std::num::ParseIntError> {
    run(runs);
    let _ = cache;
    if id == 0 {
        return Ok(None);
    }
    id += "1".parse::<u32>()?;
    let odd: u32 = if id % 2 == 1 { "odd".parse()? } else { id };
    Ok(Some(odd))
}

#[tokio::test]
async fn return_and_question_mark_keep_their_meaning() {
    let ((cache, _), runs) = (cache(), Runs::default());
    for _ in 0..2 {
        assert_eq!(early(&cache, &runs, 0).await, Ok(None));
        assert!(early(&cache, &runs, 2).await.is_err());
        assert_eq!(early(&cache, &runs, 1).await, Ok(Some(2)));
    }
    assert_eq!(runs.into_inner(), 2 + 2 + 1, "only what is neither None nor an error is stored");
}

#[cached_result]
async fn r#type<T: serde::Serialize>(results: ResultCache, r#where: T, call: &'static str) -> Option<String> {
    drop(results);
    let _ = r#where;
    Some(call.to_owned())
}

#[tokio::test]
async fn names_and_generics_are_supported() {
    let (cache, memory) = cache();
    assert_eq!(r#type(cache.results(), (1, "x"), "y").await.as_deref(), Some("y"));
    assert_eq!(r#type(cache.results(), [0.5], "y").await.as_deref(), Some("y"));
    let keys: Vec<_> = stored(&memory).await.into_iter().map(|(key, _)| key).collect();
    assert!(keys.iter().all(|key| key.starts_with("result_cache:type:")), "{keys:?}");
    assert!(keys.iter().any(|key| key.ends_with(r#":[1, "x"]:"y""#)), "{keys:?}");
    assert!(keys.iter().any(|key| key.ends_with(r#":[0.5]:"y""#)), "{keys:?}");
}

#[cached_result(skip(runs))]
async fn own(results: &ResultCache, runs: &Runs, first: &str, second: Option<&str>) -> u32 {
    let _ = (results, first, second);
    run(runs)
}

#[tokio::test]
async fn calls_with_different_arguments_share_nothing() {
    let ((cache, memory), runs) = (cache(), Runs::default());
    for (first, second) in [("a:b", None), ("a", Some("b")), ("a:null", None), ("a:b:null", None)] {
        own(&cache.results(), &runs, first, second).await;
    }
    assert_eq!(runs.into_inner(), 4);
    let keys: Vec<_> = stored(&memory).await.into_iter().map(|(key, _)| key).collect();
    assert!(keys.iter().any(|key| key.ends_with(r#":"a":"b""#)), "{keys:?}");
}

struct AniSearch {
    cache: Cache,
    runs: Runs,
}

impl AniSearch {
    #[cached_result(prefix = "anisearch_title", cache = self.cache, skip(self))]
    async fn title(&self, id: u32) -> Self_ {
        Self_ { id, run: run(&self.runs) }
    }
}

#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Self_ {
    id: u32,
    run: u32,
}

#[tokio::test]
async fn method_with_the_attribute_is_cached() {
    let (cache, memory) = cache();
    let site = AniSearch { cache, runs: Runs::default() };
    for _ in 0..2 {
        assert_eq!(site.title(7).await, Self_ { id: 7, run: 1 });
    }
    assert!(stored(&memory).await[0].0.starts_with("result_cache:anisearch_title:"));
}

#[tokio::test]
async fn future_is_send() {
    let (cache, _) = cache();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let runs = Runs::default();
        early(&cache, &runs, 1).await
    });
    assert_eq!(tasks.join_all().await, [Ok(Some(2))]);
}

mod one {
    #[cache_core::cached_result(prefix = "same")]
    pub async fn same(results: &super::ResultCache, id: u32) -> u32 {
        let _ = results;
        id
    }

    pub mod changed {
        #[cache_core::cached_result(prefix = "same")]
        pub async fn same(results: &super::super::ResultCache, id: u32) -> u32 {
            let _ = results;
            id + 1
        }
    }
}

mod two {
    #[cache_core::cached_result(prefix = "same")]
    pub async fn same(results: &super::ResultCache, id: u32) -> u32 {
        let _ = results;
        id
    }
}

#[tokio::test]
async fn functions_of_other_code_or_module_share_nothing() {
    let (cache, memory) = cache();
    let results = cache.results();
    assert_eq!(one::same(&results, 1).await, 1);
    assert_eq!(two::same(&results, 1).await, 1);
    assert_eq!(one::changed::same(&results, 1).await, 2);
    assert_eq!(schemas(&memory).await.len(), 3);
    assert!(schemas(&memory).await.iter().all(|schema| schema.len() == 16));
    assert!(matches!(memory.scan(&Filter::default(), None, 9).await.unwrap().entries[0].id, EntryId::Key(_)));
}
