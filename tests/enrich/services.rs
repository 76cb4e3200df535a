//! Every simulated service: a cold pass, then a warm pass from the cache with equal data.

use std::sync::Arc;

use animecache::anime::{Anime, Ids};
use animecache::demo::server::Upstream;
use animecache::enrich::network::Network;
use animecache::services::token::Token;
use cache_core::{ServiceName, Transport};
use rstest::rstest;
use serde_json::{Value, json};

use crate::caches::{Brought, On, Subject, cowboy_bebop, settings};
use crate::crawled::anime;
use crate::table_transport::Table;

async fn cache(on: On, upstream: &Upstream) -> Subject {
    Subject::open(on, settings(Some(upstream)), Network::new()).await
}

/// The number of items at a path.
fn count(data: &Value, path: &str) -> usize {
    data.pointer(path).and_then(Value::as_array).map_or(0, Vec::len)
}

#[rstest]
#[case(animecache::services::jikan(), 34, &[("/episodes", 26), ("/characters", 6)])]
#[case(animecache::services::anilist(), 4, &[("/characters/edges", 6), ("/staff/edges", 4)])]
#[case(animecache::services::kitsu(), 4, &[("/episodes", 26), ("/categories", 2)])]
#[case(animecache::services::anidb(), 1, &[("/characters", 6), ("/creators", 1)])]
#[case(animecache::services::animeschedule(), 1, &[("/genres", 2)])]
#[tokio::test]
async fn the_second_pass_comes_from_the_cache(
    #[values(On::Redis, On::Sqlite)] on: On,
    #[case] service: ServiceName,
    #[case] requests: u64,
    #[case] counts: &[(&str, usize)],
) {
    let upstream = Upstream::start(None, 0.0).await.unwrap();
    let subject = cache(on, &upstream).await;
    let cold = subject.ask(service, &cowboy_bebop()).await;
    for (path, expected) in counts {
        assert_eq!(count(cold.data(), path), *expected, "{path}: {}", cold.data());
    }
    let tally = |brought: &Brought| {
        (brought.tally.requests, brought.tally.hits, brought.tally.upstream, brought.tally.expected)
    };
    assert_eq!(tally(&cold), (requests, 0, requests, requests));
    let warm = subject.ask(service, &cowboy_bebop()).await;
    assert_eq!(tally(&warm), (requests, requests, 0, requests));
    assert_eq!(warm.data(), cold.data());
    assert_eq!(upstream.requests().by_service()[&service], requests);
    let (mut before, mut after) = (cold.digests, warm.digests);
    before.sort_by(|a, b| a.key.cmp(&b.key));
    after.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(after, before);
}

#[tokio::test]
async fn jikan_keeps_details_of_episodes_and_characters() {
    let upstream = Upstream::start(None, 0.0).await.unwrap();
    let brought = cache(On::Memory, &upstream).await.ask(animecache::services::jikan(), &cowboy_bebop()).await;
    let data = brought.data();
    assert_eq!(data["anime"]["title"], "Cowboy Bebop");
    let numbers: Vec<_> = data["episodes"].as_array().unwrap().iter().map(|of| of["episode_number"].as_u64()).collect();
    assert_eq!(numbers, (1..=26).map(Some).collect::<Vec<_>>());
    let thirteenth = &data["episodes"][12];
    assert_eq!(
        [&thirteenth["title"], &thirteenth["title_romaji"], &thirteenth["filler"], &thirteenth["recap"]],
        [&json!("Episode 13"), &json!("Dai 13 wa"), &json!(true), &json!(false)]
    );
    let spike = &data["characters"][0];
    assert_eq!(
        [&spike["character_id"], &spike["name"], &spike["role"], &spike["about"]],
        [&json!(100), &json!("Spike Spiegel"), &json!("Main"), &json!("Spike Spiegel appears in this anime.")]
    );
    assert_eq!(spike["voice_actors"][0]["person"]["name"], "Voice of Spike Spiegel");
}

#[tokio::test]
async fn running_show_requests_known_episodes_and_all_list_pages() {
    let upstream = Upstream::start(None, 0.0).await.unwrap();
    let subject = cache(On::Memory, &upstream).await;
    let listed = animecache::demo::anime().into_iter().find(|anime| anime.title == "One Piece").unwrap();
    let one_piece = Anime { ids: Ids { kitsu: Some("one-piece".to_owned()), ..listed.ids.clone() }, ..listed };

    let jikan = subject.ask(animecache::services::jikan(), &one_piece).await;
    assert_eq!(jikan.data()["anime"]["episodes"], Value::Null);
    assert_eq!((count(jikan.data(), "/episodes"), count(jikan.data(), "/characters")), (24, 45));
    let unknown = Anime { episodes: None, ..one_piece.clone() };
    assert_eq!(count(subject.ask(animecache::services::jikan(), &unknown).await.data(), "/episodes"), 0);

    let anilist = subject.ask(animecache::services::anilist(), &one_piece).await;
    assert_eq!((count(anilist.data(), "/characters/edges"), anilist.tally.requests), (45, 6));
    assert_eq!(count(anilist.data(), "/airingSchedule/edges"), 84);

    let kitsu = subject.ask(animecache::services::kitsu(), &one_piece).await;
    assert_eq!((count(kitsu.data(), "/episodes"), kitsu.tally.requests), (24, 5));
    assert_eq!(subject.ask(animecache::services::kitsu(), &one_piece).await.tally.upstream, 0);
}

#[tokio::test]
async fn anidb_is_read_with_its_official_titles() {
    let upstream = Upstream::start(None, 0.0).await.unwrap();
    let mut config = settings(Some(&upstream));
    config.services.anidb_client.name = "another".to_owned();
    let subject = Subject::open(On::Memory, config, Network::new()).await;
    let brought = subject.ask(animecache::services::anidb(), &cowboy_bebop()).await;
    let data = brought.data();
    assert_eq!(
        data["titles"],
        json!({"main": "Cowboy Bebop", "japanese": "カウボーイビバップ", "english": "Cowboy Bebop",
            "synonyms": ["Cowboy Bebop (demo)"]})
    );
    assert_eq!(
        [&data["anidb_id"], &data["type"], &data["episodecount"], &data["enddate"]],
        [&json!("23"), &json!("TV Series"), &json!("26"), &json!("1998-12-31")]
    );
    assert_eq!(data["ratings"]["review"], json!({"value": 9.0, "count": 7}));
    assert_eq!(
        data["tags"][0],
        json!({"id": "1", "name": "Action", "count": 0, "weight": 400, "description": "Sample tag."})
    );
    let spike = &data["characters"][0];
    assert_eq!(
        [&spike["name"], &spike["rating"], &spike["rating_votes"]],
        [&json!("Spike Spiegel"), &json!(8.4), &json!(42)]
    );
    assert_eq!(spike["seiyuu"]["name"], "Voice of Spike Spiegel");
    let url = subject.entries().await[0].http.as_ref().unwrap().url.to_string();
    assert!(url.contains("client=another&"), "{url}");
}

#[rstest]
#[tokio::test]
async fn the_token_is_sent_and_not_stored(#[values(On::Redis, On::Sqlite)] on: On) {
    let mut config = settings(None);
    config.services.set_token(animecache::services::animeschedule(), Token::new("hunter2"));
    let url = "https://animeschedule.net/api/v3/anime?q=Cowboy%20Bebop";
    let table = Arc::new(Table::default().with(url, "{\"anime\": [{\"title\": \"Cowboy Bebop\"}]}"));
    let subject = Subject::open(on, config, Network::with_transport(Arc::clone(&table) as Arc<dyn Transport>)).await;
    let brought = subject.ask(animecache::services::animeschedule(), &cowboy_bebop()).await;
    assert_eq!(brought.data()["title"], "Cowboy Bebop");
    assert_eq!(table.fields()[0]["authorization"], "Bearer hunter2");

    let stored = subject.entries().await;
    let entry = subject.store.details(&stored[0].id).await.unwrap().unwrap().entry.unwrap();
    assert!(!format!("{entry:?}").contains("hunter2"), "{entry:?}");
    assert_eq!(subject.ask(animecache::services::animeschedule(), &cowboy_bebop()).await.tally.hits, 1);
}

#[tokio::test]
async fn no_request_may_take_longer_than_the_pipelines() {
    let full = "{\"data\": {\"episodes\": 1}}";
    let cast = "{\"data\": [{\"character\": {\"mal_id\": 3}}]}";
    let page = "<section id='information'></section><a href='/relations'></a><a href='/screenshots'></a>";
    let table = Table::default()
        .with("https://api.jikan.moe/v4/anime/1/full", full)
        .with("https://api.jikan.moe/v4/anime/1/characters", cast)
        .with("https://graphql.anilist.co/", "{\"data\": {\"Media\": {\"id\": 1}}}")
        .with("https://kitsu.io/api/edge/anime?filter%5Bslug%5D=cowboy-bebop", "{\"data\": [{\"id\": \"1\"}]}")
        .with("https://www.anime-planet.com/anime/cowboy-bebop", "<h1 itemprop='name'>Cowboy Bebop</h1>")
        .with("https://www.anisearch.com/anime/1572", page);
    let table = Arc::new(table);
    let network = Network::with_transport(Arc::clone(&table) as Arc<dyn Transport>);
    let subject = Subject::open(On::Memory, settings(None), network).await;
    let bebop = anime("cowboy-bebop", 1572);
    let bebop = Anime { ids: Ids { kitsu: Some("cowboy-bebop".to_owned()), ..bebop.ids }, ..bebop };
    let bebop = Anime { ids: Ids { mal: Some(1), anilist: Some(1), anidb: Some(23), ..bebop.ids }, ..bebop };
    for service in animecache::services::all().filter(|service| *service != ServiceName::OTHER) {
        let _ = subject.ask(service, &bebop).await;
    }
    let time_limits: Vec<_> =
        table.time_limits().into_iter().map(|(url, limit)| (url, limit.map(|limit| limit.as_secs()))).collect();
    let expected = [
        (
            "http://api.anidb.net:9001/httpapi?request=anime&aid=23&client=animeenrichment&clientver=1.0&protover=1",
            Some(60),
        ),
        ("https://animeschedule.net/api/v3/anime?q=Cowboy%20Bebop", Some(300)),
        ("https://api.jikan.moe/v4/anime/1/characters", Some(10)),
        ("https://api.jikan.moe/v4/anime/1/episodes/1", Some(300)),
        ("https://api.jikan.moe/v4/anime/1/full", Some(10)),
        ("https://api.jikan.moe/v4/characters/3", Some(300)),
        ("https://graphql.anilist.co/", None),
        ("https://graphql.anilist.co/airingSchedule", None),
        ("https://graphql.anilist.co/characters", None),
        ("https://graphql.anilist.co/staff", None),
        ("https://kitsu.io/api/edge/anime/1", Some(30)),
        ("https://kitsu.io/api/edge/anime/1/categories", Some(30)),
        ("https://kitsu.io/api/edge/anime/1/episodes?page%5Blimit%5D=20&page%5Boffset%5D=0", Some(30)),
        ("https://kitsu.io/api/edge/anime?filter%5Bslug%5D=cowboy-bebop", Some(5)),
        ("https://www.anime-planet.com/anime/cowboy-bebop", Some(60)),
        ("https://www.anime-planet.com/anime/cowboy-bebop/characters", Some(60)),
        ("https://www.anisearch.com/anime/1572", Some(60)),
        ("https://www.anisearch.com/anime/1572/characters", Some(60)),
        ("https://www.anisearch.com/anime/1572/episodes", Some(60)),
        ("https://www.anisearch.com/anime/1572/relations", Some(60)),
        ("https://www.anisearch.com/anime/1572/screenshots", Some(60)),
    ];
    assert_eq!(time_limits, expected.map(|(url, limit)| (url.to_owned(), limit)));
}
