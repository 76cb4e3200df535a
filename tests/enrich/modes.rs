//! The use of the cache in each mode, and the counted requests.

use std::sync::Arc;

use animecache::enrich::error::FetchFailure;
use animecache::enrich::mode::Mode;
use animecache::enrich::service_client::ServiceClient;
use cache_core::{Memory, cached_result};

use crate::limit_process::Process;
use crate::origin::{Origin, response};

async fn counting() -> (Origin, Process) {
    let origin = Origin::start(|seen| response(200, &[], format!("no. {}", seen.number))).await;
    let process = Process::new(Arc::new(Memory::default()), animecache::services::anisearch(), &origin, "none");
    (origin, process)
}

#[cached_result(prefix = "anisearch_anime", cache = client.results(), skip(client))]
async fn crawl(client: &ServiceClient, id: u32) -> Result<String, FetchFailure> {
    let fetched = client.uncached().get(format!("{}/{id}", client.url())).send().await?;
    Ok(fetched.text().await?)
}

#[tokio::test]
async fn each_mode_uses_its_part_of_the_cache() {
    let (origin, process) = counting().await;
    let modes = [
        (Mode::Usual, "no. 0", false),
        (Mode::Usual, "no. 0", true),
        (Mode::Fresh, "no. 1", false),
        (Mode::Usual, "no. 1", true),
        (Mode::Uncached, "no. 2", false),
        (Mode::Offline, "no. 1", true),
    ];
    for (mode, expected, is_hit) in modes {
        let asking = process.asking(mode);
        let answer = asking.ask("/1").await.unwrap();
        assert_eq!((&answer.body[..], answer.is_hit), (expected.as_bytes(), is_hit), "{mode:?}");
        let tally = asking.metrics.snapshot();
        assert_eq!((tally.requests, tally.hits, tally.upstream), (1, is_hit.into(), (!is_hit).into()), "{mode:?}");
    }
    assert_eq!(origin.count(), 3);
}

#[tokio::test]
async fn functions_follow_the_mode_and_are_counted() {
    let (origin, process) = counting().await;
    let modes = [
        (Mode::Usual, "no. 0", false),
        (Mode::Usual, "no. 0", true),
        (Mode::Fresh, "no. 1", false),
        (Mode::Uncached, "no. 2", false),
        (Mode::Offline, "no. 1", true),
    ];
    for (mode, expected, is_hit) in modes {
        let asking = process.asking(mode);
        assert_eq!(crawl(&asking.client, 1).await.unwrap(), expected, "{mode:?}");
        let tally = asking.metrics.snapshot();
        assert_eq!((tally.requests, tally.hits, tally.upstream), (1, is_hit.into(), (!is_hit).into()), "{mode:?}");
        assert_eq!(tally.bytes, expected.len() as u64 + 2, "its JSON");
        let digests = asking.metrics.digests();
        assert!(digests[0].key.starts_with("result_cache:anisearch_anime:") && digests[0].key.ends_with(":1"));
    }
    assert_eq!(origin.count(), 3);
}

#[tokio::test]
async fn offline_names_urls_that_are_not_cached() {
    let (origin, process) = counting().await;
    let asking = process.asking(Mode::Offline);
    let Err(FetchFailure::NotCached(url)) = asking.ask("/1?page=2").await else { panic!("it is not cached") };
    assert_eq!(url, origin.url("/1?page=2"));
    assert!(matches!(crawl(&asking.client, 1).await, Err(FetchFailure::NotCached(_))));
    let tally = asking.metrics.snapshot();
    assert_eq!((tally.requests, tally.hits, tally.upstream, origin.count()), (2, 0, 0, 0));
    assert!(asking.metrics.digests().is_empty());
}

#[tokio::test]
async fn what_a_source_finds_bad_is_not_stored() {
    let origin = Origin::start(|seen| response(200, &[], if seen.number == 0 { "<error>" } else { "<anime>" })).await;
    let process = Process::new(Arc::new(Memory::default()), animecache::services::jikan(), &origin, "none");
    let asking = process.asking(Mode::Usual);
    // As a program does that does not check bodies.
    let unjudged = asking.client.http().get(format!("{}/1", asking.client.url())).send().await.unwrap();
    assert_eq!(unjudged.text().await.unwrap(), "<error>");
    let answer = asking.ask("/1").await.unwrap();
    assert_eq!((&answer.body[..], answer.is_hit), (&b"<anime>"[..], false));
    assert!(asking.ask("/1").await.unwrap().is_hit);
}
