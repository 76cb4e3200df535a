//! Errors of services are reported and never stored.

use std::sync::Arc;
use std::time::Duration;

use animecache::anime::{Anime, Ids};
use animecache::demo::server::Upstream;
use animecache::enrich::network::Network;
use cache_core::{ServiceName, Transport};
use rstest::rstest;
use tokio::time::Instant;

use crate::caches::{On, Subject, cowboy_bebop, settings};
use crate::scripted_site::Site;
use crate::table_transport::Table;

fn anime(ids: Ids) -> Anime {
    Anime { title: "No such anime".to_owned(), ids, ..Anime::default() }
}

async fn cache(upstream: &Upstream) -> Subject {
    Subject::open(On::Sqlite, settings(Some(upstream)), Network::new()).await
}

#[tokio::test]
async fn what_a_service_does_not_know_is_not_found_and_not_stored() {
    let upstream = Upstream::start(None, 0.0).await.unwrap();
    let subject = cache(&upstream).await;
    let nobody =
        Ids { mal: Some(25835), anilist: Some(4), anidb: Some(4), kitsu: Some("4000".to_owned()), ..Ids::default() };
    let slug = Ids { kitsu: Some("no-such-anime".to_owned()), ..Ids::default() };
    for service in [
        animecache::services::jikan(),
        animecache::services::anilist(),
        animecache::services::anidb(),
        animecache::services::kitsu(),
        animecache::services::animeschedule(),
    ] {
        let brought = subject.ask(service, &anime(nobody.clone())).await;
        assert_eq!(brought.problem(), "not found", "{service}");
    }
    assert_eq!(subject.ask(animecache::services::kitsu(), &anime(slug)).await.problem(), "not found");
    assert_eq!(subject.entries().await.len(), 0);
}

#[tokio::test]
async fn too_many_requests_with_retry_after_is_retried_then() {
    let upstream = Upstream::start(None, 0.0).await.unwrap();
    let subject = cache(&upstream).await;
    let mushishi = anime(Ids { mal: Some(457), ..Ids::default() });
    let brought = subject.ask(animecache::services::jikan(), &mushishi).await;
    assert_eq!(brought.data()["anime"]["title"], "Mushishi");
    let tally = brought.tally;
    assert_eq!((tally.upstream, tally.expected), (tally.requests, tally.requests));
    assert!(tally.waited.as_secs() >= 1, "{tally:?}");
    // All responses but the error are stored.
    assert_eq!(subject.entries().await.len() as u64, tally.requests - 1);
}

#[tokio::test]
async fn ban_is_neither_stored_nor_extended() {
    let upstream = Upstream::start(None, 0.0).await.unwrap();
    let subject = cache(&upstream).await;
    let banned = anime(Ids { anidb: Some(8550), ..Ids::default() });
    let brought = subject.ask(animecache::services::anidb(), &banned).await;
    assert_eq!((brought.problem().as_str(), brought.tally.upstream), ("Banned", 1));
    assert_eq!(subject.entries().await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn anidb_after_failure_is_blocked_for_a_while() {
    let table = Arc::new(Table::default().with_status(ANIDB, 503, ""));
    let subject =
        Subject::open(On::Memory, settings(None), Network::with_transport(Arc::clone(&table) as Arc<dyn Transport>))
            .await;
    let begun = Instant::now();
    assert_eq!(subject.ask(animecache::services::anidb(), &cowboy_bebop()).await.problem(), "HTTP status 503");
    assert_eq!(table.fields().len(), 4);
    assert!(begun.elapsed() >= Duration::from_secs(3 * 15));
    // Requests for another anime are blocked, too.
    let (begun, other) = (Instant::now(), Ids { anidb: Some(5), ..Ids::default() });
    assert_eq!(subject.ask(animecache::services::anidb(), &anime(other)).await.problem(), "not found");
    assert!(begun.elapsed() >= Duration::from_secs(10));
}

#[rstest]
#[case::anilist(animecache::services::anilist(), "https://graphql.anilist.co/", 3, 2 * 60)]
#[case::jikan(animecache::services::jikan(), "https://api.jikan.moe/v4/anime/1/full", 2, 2)]
#[tokio::test(start_paused = true)]
async fn too_many_requests_without_retry_after_uses_pipeline_delays(
    #[case] service: ServiceName,
    #[case] url: &str,
    #[case] requests: usize,
    #[case] seconds: u64,
) {
    let table = Arc::new(Table::default().with_status(url, 429, ""));
    let subject =
        Subject::open(On::Memory, settings(None), Network::with_transport(Arc::clone(&table) as Arc<dyn Transport>))
            .await;
    let begun = Instant::now();
    assert_eq!(subject.ask(service, &cowboy_bebop()).await.problem(), "rate limited");
    assert_eq!((table.fields().len(), begun.elapsed().as_secs()), (requests, seconds));
}

#[tokio::test(start_paused = true)]
async fn single_things_of_jikan_are_tried_more_often() {
    let characters = "{\"data\": [{\"character\": {\"mal_id\": 3}}]}";
    let table = Table::default()
        .with("https://api.jikan.moe/v4/anime/1/full", "{\"data\": {\"episodes\": 1}}")
        .with("https://api.jikan.moe/v4/anime/1/characters", characters)
        .with_status("https://api.jikan.moe/v4/anime/1/episodes/1", 429, "")
        .with_status("https://api.jikan.moe/v4/characters/3", 429, "");
    let table = Arc::new(table);
    let subject =
        Subject::open(On::Memory, settings(None), Network::with_transport(Arc::clone(&table) as Arc<dyn Transport>))
            .await;
    let begun = Instant::now();
    let gaps = subject.ask(animecache::services::jikan(), &cowboy_bebop()).await.gaps();
    assert_eq!(gaps, ["episode 1: rate limited", "character 3: rate limited"]);
    assert_eq!((table.fields().len(), begun.elapsed().as_secs()), (2 + 4 + 4, 2 * 3 * 5));
}

#[tokio::test]
async fn jikan_requests_are_sequential_and_ordered() {
    let cast = "{\"data\": [{\"character\": {\"mal_id\": 7}}, {\"character\": {\"mal_id\": 3}}]}";
    let site = Site::start(&["{\"data\": {\"episodes\": 4}}", cast]).await;
    let mut config = settings(None);
    config.services.set_url(animecache::services::jikan(), &site.url());
    let subject = Subject::open(On::Memory, config, Network::new()).await;
    subject.ask(animecache::services::jikan(), &cowboy_bebop()).await.outcome.unwrap();
    let episodes = [1, 2, 3, 4].map(|number| format!("/anime/1/episodes/{number}"));
    let characters = [7, 3].map(|id| format!("/characters/{id}"));
    assert_eq!(site.asked()[2..], [&episodes[..], &characters].concat());
}

// Errors with status 200, and unexpected pages.
#[rstest]
#[case(
    animecache::services::jikan(),
    "https://api.jikan.moe/v4/anime/1/full",
    "{\"status\": 500}",
    "response has no 'data'"
)]
#[case(
    animecache::services::jikan(),
    "https://api.jikan.moe/v4/anime/1/full",
    "<html>",
    "invalid JSON in the response"
)]
#[case(
    animecache::services::anilist(),
    "https://graphql.anilist.co/",
    "{\"errors\": [{\"message\": \"Internal Server Error\"}], \"data\": {\"Media\": {\"id\": 1}}}",
    "Internal Server Error"
)]
#[case(animecache::services::anilist(), "https://graphql.anilist.co/", "[{\"data\": 1}]", "not found")]
#[case(
    animecache::services::kitsu(),
    "https://kitsu.io/api/edge/anime/1",
    "{\"errors\": []}",
    "response has no 'data'"
)]
#[case(animecache::services::kitsu(), "https://kitsu.io/api/edge/anime/1", "[]", "response has no 'data'")]
#[case(
    animecache::services::anidb(),
    ANIDB,
    "<error code=\"302\">client version missing or invalid</error>",
    "client version missing or invalid"
)]
#[case(animecache::services::anidb(), ANIDB, "<html/>", "unexpected response: no <anime> element")]
#[case(animecache::services::anidb(), ANIDB, "<anime id=\"23\">", "invalid XML in the response")]
#[case(
    animecache::services::animeschedule(),
    "https://animeschedule.net/api/v3/anime?q=Cowboy%20Bebop",
    "{\"anime\": 1}",
    "not found"
)]
#[case(
    animecache::services::animeschedule(),
    "https://animeschedule.net/api/v3/anime?q=Cowboy%20Bebop",
    "<html><title>Maintenance</title>",
    "invalid JSON in the response"
)]
#[tokio::test]
async fn an_answer_that_is_none_is_a_problem_and_not_stored(
    #[case] service: ServiceName,
    #[case] url: &str,
    #[case] body: &'static str,
    #[case] problem: &str,
) {
    let table = Table::default().with(url, body);
    let subject = Subject::open(On::Memory, settings(None), Network::with_transport(Arc::new(table))).await;
    assert_eq!(subject.ask(service, &cowboy_bebop()).await.problem(), problem);
    assert_eq!(subject.entries().await.len(), 0);
}

const ANIDB: &str =
    "http://api.anidb.net:9001/httpapi?request=anime&aid=23&client=animeenrichment&clientver=1.0&protover=1";

const EPISODES: &str = "https://kitsu.io/api/edge/anime/1/episodes?page%5Blimit%5D=20&page%5Boffset%5D=0";

#[tokio::test]
async fn missing_part_leaves_the_rest() {
    let full = "{\"data\": {\"title\": \"Cowboy Bebop\", \"episodes\": 3}}";
    let episode = "{\"data\": {\"title\": \"Session\", \"filler\": null}}";
    let table = Table::default()
        .with("https://api.jikan.moe/v4/anime/1/full", full)
        .with_status("https://api.jikan.moe/v4/anime/1/characters", 500, "")
        .with("https://api.jikan.moe/v4/anime/1/episodes/1", episode)
        .with("https://api.jikan.moe/v4/anime/1/episodes/2", "<html>")
        .with("https://api.jikan.moe/v4/anime/1/episodes/3", episode)
        .with("https://kitsu.io/api/edge/anime/1", "{\"data\": {\"id\": \"1\"}}")
        .with_status("https://kitsu.io/api/edge/anime/1/categories", 503, "")
        .with(EPISODES, "{\"errors\": []}")
        .with("https://graphql.anilist.co/", "{\"data\": {\"Media\": {\"id\": 1, \"staff\": \"?\"}}}")
        .with("https://graphql.anilist.co/staff", "{\"data\": {\"Media\": {\"staff\": \"?\"}}}")
        .with_status("https://graphql.anilist.co/airingSchedule", 500, "")
        .with(
            "https://graphql.anilist.co/characters",
            "{\"data\": {\"Media\": {\"characters\": {\"edges\": [{\"role\": \"MAIN\"}]}}}}",
        );
    let subject = Subject::open(On::Memory, settings(None), Network::with_transport(Arc::new(table))).await;

    let jikan = subject.ask(animecache::services::jikan(), &cowboy_bebop()).await;
    let numbers: Vec<_> = jikan.data()["episodes"].as_array().unwrap().iter().map(|of| &of["episode_number"]).collect();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(jikan.data()["characters"], serde_json::json!([]));
    assert_eq!(jikan.gaps(), ["characters: HTTP status 500", "episode 2: invalid JSON in the response"]);

    let kitsu = subject.ask(animecache::services::kitsu(), &cowboy_bebop()).await;
    assert_eq!(kitsu.data(), &serde_json::json!({"anime": {"id": "1"}, "episodes": [], "categories": []}));
    assert_eq!(kitsu.gaps(), ["episodes from 1: response has no 'data'", "categories: HTTP status 503"]);

    let anilist = subject.ask(animecache::services::anilist(), &cowboy_bebop()).await;
    let expected = serde_json::json!({"id": 1, "staff": "?", "characters": {"edges": [{"role": "MAIN"}]}});
    assert_eq!(anilist.data(), &expected);
    assert_eq!(anilist.gaps(), ["airingSchedule, page 1: HTTP status 500"]);
}

#[tokio::test]
async fn parts_skipped_after_failures_are_reported() {
    let full = "{\"data\": {\"title\": \"Cowboy Bebop\", \"episodes\": 26}}";
    let mut table = Table::default()
        .with("https://api.jikan.moe/v4/anime/1/full", full)
        .with("https://api.jikan.moe/v4/anime/1/characters", "{\"data\": []}");
    for episode in 1..=26 {
        let url = format!("https://api.jikan.moe/v4/anime/1/episodes/{episode}");
        let (status, body) = if episode < 6 { (200, "{\"data\": {}}") } else { (500, "") };
        table = table.with_status(&url, status, body);
    }
    let subject = Subject::open(On::Memory, settings(None), Network::with_transport(Arc::new(table))).await;
    let gaps = subject.ask(animecache::services::jikan(), &cowboy_bebop()).await.gaps();
    assert_eq!((gaps.len(), gaps[0].as_str()), (21, "episode 6: HTTP status 500"));
    assert!(gaps[20].starts_with("episode 26: requests paused; retry in "), "{gaps:?}");
}

#[tokio::test]
async fn xml_nested_too_deeply_is_refused() {
    let deep = "<anime>".repeat(300_000);
    let closed = deep.clone() + &"</anime>".repeat(300_000);
    for body in [deep, closed] {
        let table = Table::default().with(ANIDB, body);
        let subject = Subject::open(On::Memory, settings(None), Network::with_transport(Arc::new(table))).await;
        let brought = subject.ask(animecache::services::anidb(), &cowboy_bebop()).await;
        assert!(brought.outcome.is_err() || brought.data()["titles"] == serde_json::json!({}));
    }
}
