//! A temporary cache with sample entries, and simulated services.
//!
//! The titles are real; the responses are made up, in the shape of those of the seven services. Some are edge cases:
//! credentials in headers, escape sequences in a body, a deleted response.

pub(crate) mod catalogue;
pub(crate) mod counters;
pub(crate) mod edge_cases;
pub mod model;
pub(crate) mod responses;
pub mod server;
pub(crate) mod services;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use cache_core::ServiceRegistry;
use cache_core::{Entry, EntryId, IfMissing, Inspect, Sqlite, Store, clock};
use tempfile::TempDir;
use uuid::Uuid;

use crate::anime::Anime;
use crate::demo::catalogue::CATALOGUE;
use crate::demo::model::{DAY, Outcome, StoredExample};

/// A filled SQLite cache that is deleted when dropped.
pub struct Demo {
    /// The cache.
    pub store: Arc<dyn Inspect>,
    directory: TempDir,
}

impl Demo {
    /// The directory of the cache, which is deleted with it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// The titles of the demo.
pub fn anime() -> Vec<Anime> {
    CATALOGUE.iter().map(catalogue::Anime::to_enrich).collect()
}

/// Creates and fills the cache. `services` has the URLs of simulated services.
pub async fn cache(services: ServiceRegistry) -> anyhow::Result<Demo> {
    let directory = tempfile::Builder::new()
        .prefix("animecache-demo-")
        .tempdir()
        .context("cannot create a temporary directory for the demo cache")?;
    let file = directory.path().join("http_cache.db");
    let store = Sqlite::open(&file, services, IfMissing::Create).await.context("cannot create the demo cache")?;
    fill(&store).await.context("cannot fill the demo cache")?;
    Ok(Demo { store: Arc::new(store), directory })
}

/// Fills a store.
async fn fill(store: &dyn Store) -> anyhow::Result<()> {
    let now = clock::now();
    // First: the result that is stored last counts as the newest, and these are of older function versions.
    for outcome in edge_cases::results() {
        set_result(store, outcome).await?;
    }
    for (place, anime) in CATALOGUE.iter().enumerate() {
        // Each title was enriched in a run of its own.
        let run = 0.3 + 1.9 * place as f64;
        for answer in responses::http(anime, now, run * 3_600.0) {
            put(store, answer, now).await?;
        }
        for outcome in responses::results(anime, run * 3_600.0) {
            set_result(store, outcome).await?;
        }
    }
    for answer in edge_cases::http(now) {
        put(store, answer, now).await?;
    }
    for key in edge_cases::IMMORTAL {
        store.expire(&[EntryId::key(key.as_bytes())], None).await?;
    }
    store.add_stats(&counters::week(now)).await?;
    Ok(())
}

async fn put(store: &dyn Store, answer: StoredExample, now: f64) -> anyhow::Result<()> {
    let entry = Entry {
        id: Uuid::new_v4(),
        cache_key: answer.key,
        request: answer.request,
        response: answer.response,
        created_at: Some(now - answer.age),
        deleted_at: answer.is_deleted.then_some(now - answer.idle),
    };
    let mut writer = store.insert(entry, Some(remaining(answer.idle))).await?;
    for chunk in answer.body.chunks(64 * 1024) {
        writer.write(chunk.to_vec().into()).await?;
    }
    writer.commit().await?;
    Ok(())
}

async fn set_result(store: &dyn Store, outcome: Outcome) -> anyhow::Result<()> {
    store.set(&outcome.key, outcome.value.into(), remaining(outcome.age)).await?;
    Ok(())
}

/// The rest of a day, at least 90 seconds: entries must not expire before the demo is seen.
fn remaining(used: f64) -> Duration {
    Duration::from_secs_f64((DAY - used).max(90.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{CacheKind, EntryState, Filter, Memory, Summary};
    use futures_util::TryStreamExt as _;
    use std::collections::BTreeSet;

    async fn filled() -> Vec<Summary> {
        let store = Memory::new(crate::services::registry().clone());
        fill(&store).await.unwrap();
        all(Arc::new(store)).await
    }

    async fn all(store: Arc<dyn Inspect>) -> Vec<Summary> {
        let pages: Vec<_> = cache_core::pages(store, Filter::default()).try_collect().await.unwrap();
        pages.into_iter().flat_map(|page| page.entries).collect()
    }

    #[tokio::test]
    async fn demo_has_all_services_both_kinds_and_many_ages() {
        let entries = filled().await;
        assert!((150..=300).contains(&entries.len()), "{}", entries.len());
        let services: BTreeSet<_> = entries.iter().map(|entry| entry.service).collect();
        assert_eq!(services, crate::services::all().collect());
        assert_eq!(entries.iter().filter(|entry| entry.state != EntryState::Live).count(), 1);
        assert!(entries.iter().filter(|entry| entry.kind() == CacheKind::Result).count() > 50);
        let now = clock::now();
        let freshness: BTreeSet<_> = entries.iter().filter_map(|entry| entry.is_fresh(now)).collect();
        assert_eq!(freshness.len(), 2);
        let ttls: BTreeSet<_> = entries.iter().filter_map(|entry| Some(entry.ttl(now)? as u64 / 3_600)).collect();
        assert!(ttls.len() > 15, "{ttls:?}");
        assert_eq!(entries.iter().filter(|entry| entry.expires_at.is_none()).count(), 1);
    }

    #[tokio::test]
    async fn demo_cache_file_is_deleted_on_drop() {
        let demo = cache(crate::services::registry().clone()).await.unwrap();
        let file = demo.store.id().location.to_string();
        let seen = all(Arc::clone(&demo.store)).await;
        assert_eq!(seen.len(), filled().await.len());
        let state = |state| seen.iter().filter(|entry| entry.state == state).count();
        assert_eq!((state(EntryState::Deleted), state(EntryState::Live)), (1, seen.len() - 1));
        assert!(std::path::Path::new(&file).is_file());
        drop(demo);
        assert!(!std::path::Path::new(&file).exists());
    }

    #[tokio::test]
    async fn results_of_older_function_versions_have_dead_schemas() {
        let demo = cache(crate::services::registry().clone()).await.unwrap();
        let filter = Filter { dead_schemas: true, ..Filter::default() };
        let pages = cache_core::admin::select::select(Arc::clone(&demo.store), filter).await.unwrap();
        let pages: Vec<_> = pages.try_collect().await.unwrap();
        let dead = pages.iter().flat_map(|page| &page.entries).filter_map(|entry| entry.result_key()?.schema);
        assert_eq!(dead.collect::<BTreeSet<_>>(), ["0d1f7c55aa3be902", "82fce6a05e45281a"].into());
    }

    #[tokio::test]
    async fn keys_of_demo_equal_those_of_pipeline() {
        let entries = filled().await;
        let of = |url: &str| {
            let entry = entries.iter().filter_map(|entry| entry.http.as_ref()).find(|http| &*http.url == url).unwrap();
            entry.cache_key.to_string()
        };
        assert_eq!(
            of("https://api.jikan.moe/v4/anime/1/full"),
            "GET:444dfee7563f94510277001649c36877b0832ca404d0cce8ebe7c498dd633bae"
        );
        assert_eq!(
            of("https://kitsu.io/api/edge/anime/1/episodes?page%5Blimit%5D=20&page%5Boffset%5D=0"),
            "GET:1ee6ae4830b093817b18840667b839a063484e7f1a9dc3806487874ad2ee5582"
        );
        assert_eq!(
            of("https://animeschedule.net/api/v3/anime?q=Cowboy%20Bebop"),
            "GET:fe580aee8a614dce869ab732d55a11eb5e80d1c6eeae9de1f62bc1d8a6420348"
        );
    }
}
