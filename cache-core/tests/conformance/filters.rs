//! A filter chooses the same entries on every store: what a store skips early may not change the outcome.

use std::collections::BTreeSet;
use std::sync::Arc;

use cache_core::{
    CacheKind, EntryState, Filter, Glob, Inspect, Memory, ServiceName, StatusRange, StorageLayout, Summary, clock,
};

use crate::samples::{DAY, HOUR, entry, list, put};
use crate::stores::Subject;

/// Stores a bit of everything; the same each time but for ids.
async fn fill(store: &Arc<dyn Inspect>) {
    let services = [
        "https://api.jikan.moe/v4/anime/1/full",
        "https://api.jikan.moe/v4/anime/2?q=*",
        "https://graphql.anilist.co",
        "http://api.anidb.net:9001/httpapi?aid=23",
        "https://kitsu.io/api/edge/anime/1",
        "https://animeschedule.net/api/v3/anime?q=Cowboy Bebop",
        "https://example.org/",
    ];
    for (number, url) in services.into_iter().enumerate() {
        let mut entry = entry(url, 1_000.0 * number as f64);
        entry.response.status_code = [200, 204, 301, 404, 200, 500, 200][number];
        if number == 2 {
            entry.request.method = "POST".into();
        }
        let ttl = if number % 2 == 0 { DAY } else { HOUR };
        put(store, &entry, &"x".repeat(number * 100), ttl).await;
    }
    for (key, value) in [
        ("result_cache:anisearch_anime:82fce6a05e45281a:18878", "{}"),
        ("result_cache:anisearch_anime:0000000000000000:18878", "{\"older\": 1}"),
        ("result_cache:anisearch_anime:18878", "[]"),
        ("result_cache:animeplanet_anime:82fce6a05e45281a:one:piece", "\"text\""),
        ("result_cache:no_prefix:ace6d8c92ebc96ea:[x]*?", "1"),
    ] {
        store.set(key, value.into(), HOUR).await.unwrap();
    }
}

/// What names an entry alike on every store.
fn name(summary: &Summary) -> String {
    summary.http.as_ref().map_or_else(|| summary.id.to_string(), |http| http.url.to_string())
}

fn names<'a>(summaries: impl IntoIterator<Item = &'a Summary>) -> BTreeSet<String> {
    summaries.into_iter().map(name).collect()
}

/// One filter for each condition that every layout can answer.
fn timeless() -> Vec<Filter> {
    let all = Filter::default;
    let key = |glob: &str| Filter { key: Glob::new(glob).ok(), ..all() };
    let prefix = |text: &str| Filter { prefix: Some(text.into()), ..all() };
    let url = |glob: &str| Filter { url: Glob::new(glob).ok(), ..all() };
    let status = |low, high| Filter { status: Some(StatusRange(low, high)), ..all() };
    vec![
        all(),
        prefix(""),
        prefix("result_cache"),
        prefix("result_cache:anisearch_anime"),
        prefix("result_cache:no_prefix:ace6d8c92ebc96ea:[x]*?"),
        prefix("hishel_cache"),
        prefix("hishel_cachet"),
        prefix("h"),
        key("*anisearch*"),
        key("hishel_cache:entry:*"),
        key("result_cache:*:82fce6a05e45281a:*"),
        Filter { kind: Some(CacheKind::Http), ..all() },
        Filter { kind: Some(CacheKind::Result), ..all() },
        Filter { services: vec![ServiceName::new("jikan"), ServiceName::new("anisearch")], ..all() },
        Filter { services: vec![ServiceName::OTHER], ..all() },
        url("https://api.jikan.moe/*"),
        url("*q=*"),
        Filter { method: Some("post".into()), ..all() },
        Filter { method: Some("DELETE".into()), ..all() },
        status(404, 404),
        status(200, 299),
        Filter { larger_than: Some(5), ..all() },
        Filter { larger_than: Some(300), ..all() },
        Filter { ttl_under: Some(7_200.0), ..all() },
        Filter { ttl_over: Some(7_200.0), ..all() },
        Filter { is_without_ttl: true, ..all() },
        Filter { states: vec![EntryState::Live], ..all() },
        Filter { states: vec![EntryState::Incomplete, EntryState::Orphan], ..all() },
        Filter { schema: Some("82fce6a05e45281a".into()), ..all() },
        Filter {
            dead_schemas: true,
            newest_schemas: [(b"anisearch_anime".to_vec(), Some("82fce6a05e45281a".to_owned()))].into(),
            ..all()
        },
        Filter { kind: Some(CacheKind::Http), status: Some(StatusRange(200, 200)), larger_than: Some(100), ..all() },
    ]
}

/// Conditions on times that hishel 2's layouts do not record.
fn timed() -> Vec<Filter> {
    let all = Filter::default;
    vec![
        Filter { older_than: Some(2_500.0), ..all() },
        Filter { newer_than: Some(2_500.0), kind: Some(CacheKind::Http), ..all() },
        Filter { is_fresh: Some(true), ..all() },
        Filter { is_fresh: Some(false), ..all() },
    ]
}

pub async fn filters_choose_the_same_everywhere(s: Subject) {
    let memory: Arc<dyn Inspect> = Arc::new(Memory::new(crate::services::services()));
    fill(&memory).await;
    fill(&s.store).await;
    let everything = list(&s.store, &Filter::default(), 5).await;
    assert_eq!(everything.len(), 12);

    let tells_when_stored = !matches!(s.layout, StorageLayout::Sqlite2 | StorageLayout::Hishel2);
    let comparable = if tells_when_stored { timed() } else { Vec::new() };
    for filter in timeless().into_iter().chain(comparable) {
        let chosen = names(&list(&s.store, &filter, 5).await);
        assert_eq!(chosen, names(&list(&memory, &filter, 5).await), "not as in memory: {filter:?}");
    }
    let idle = [60.0, 2_500.0].map(|idle_for| Filter { idle_for: Some(idle_for), ..Filter::default() });
    let one = Filter { ids: [everything[3].id.clone()].into(), ..Filter::default() };
    for filter in timeless().into_iter().chain(timed()).chain(idle).chain([one]) {
        let chosen = names(&list(&s.store, &filter, 5).await);
        let now = clock::now();
        let meant = names(everything.iter().filter(|summary| filter.matches(summary, now)));
        assert_eq!(chosen, meant, "not what the summaries say: {filter:?}");
    }
}
