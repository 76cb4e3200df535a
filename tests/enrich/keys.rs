//! The cache keys of sources equal those of the pipeline, so that both share entries.

use std::sync::Arc;

use animecache::enrich::network::Network;
use cache_core::ServiceName;
use rstest::rstest;

use crate::caches::{On, Subject, cowboy_bebop, settings};
use crate::crawled::{anime, results};
use crate::table_transport::Table;

// Computed with the pipeline's own code.
#[rstest]
#[case(animecache::services::jikan(), &["444dfee7563f94510277001649c36877b0832ca404d0cce8ebe7c498dd633bae"])]
#[case(
    animecache::services::kitsu(),
    &[
        "2ed07e61068ff53a7ef7c04b607d35d3e4936d477b8960924647c89be3f817f0",
        "1ee6ae4830b093817b18840667b839a063484e7f1a9dc3806487874ad2ee5582",
    ]
)]
#[case(animecache::services::anidb(), &["45fd4be866ff306bb7cc30eb66d95353bc984b69ab483da731723f60a9175c16"])]
#[case(animecache::services::animeschedule(), &["fe580aee8a614dce869ab732d55a11eb5e80d1c6eeae9de1f62bc1d8a6420348"])]
#[tokio::test]
async fn requests_to_real_services_have_pipeline_keys(#[case] service: ServiceName, #[case] keys: &[&str]) {
    let network = Network::with_transport(Arc::new(Table::default()));
    let subject = Subject::open(On::Memory, settings(None), network).await;
    let asked = subject.ask(service, &cowboy_bebop()).await.digests;
    for key in keys {
        let key = format!("GET:{key}");
        assert!(asked.iter().any(|digests| digests.key == key), "{key} is not among {asked:?}");
    }
}

#[rstest]
#[case(animecache::services::anime_planet(), &[r#"animeplanet_anime "cowboy-bebop""#, r#"animeplanet_characters "cowboy-bebop""#])]
#[case(animecache::services::anisearch(), &[r#"anisearch_anime "1572""#, r#"anisearch_characters "1572""#, r#"anisearch_episodes "1572""#])]
#[tokio::test]
async fn results_of_real_sites_have_pipeline_prefixes(#[case] service: ServiceName, #[case] expected: &[&str]) {
    let cast = "<h3 class='sub'>Main Characters</h3><table><tr><td><a class='name' href='/characters/spike'>Spike</a>";
    let list = "<body data-pagetype='anime'>";
    let table = Table::default()
        .with("https://www.anime-planet.com/anime/cowboy-bebop", "<h1 itemprop='name'>Cowboy Bebop</h1>")
        .with("https://www.anime-planet.com/anime/cowboy-bebop/characters", cast)
        .with("https://www.anisearch.com/anime/1572", "<section id='information'></section>")
        .with("https://www.anisearch.com/anime/1572/episodes", list)
        .with("https://www.anisearch.com/anime/1572/characters", list);
    let subject = Subject::open(On::Memory, settings(None), Network::with_transport(Arc::new(table))).await;
    subject.ask(service, &anime("cowboy-bebop", 1572)).await.outcome.unwrap();
    assert_eq!(results(&subject).await, expected);
}
