//! Recorded responses of real services. The recordings are not part of the project: `tests/run.sh` runs
//! these tests where they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use animecache::anime::{Anime, Ids};
use animecache::enrich::lookup::{Catalogue, TitleMatch};
use animecache::enrich::network::Network;
use cache_core::ServiceName;
use serde_json::{Value, json};

use crate::caches::{Brought, On, Subject, cowboy_bebop, settings};
use crate::table_transport::Table;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recordings").join(name)
}

fn recording(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).unwrap()
}

/// The body of a recorded exchange, and its status.
fn exchange(name: &str) -> (u16, Vec<u8>) {
    let exchange: Value = serde_json::from_slice(&recording(name)).unwrap();
    let status = exchange["response"]["status"].as_u64().unwrap() as u16;
    (status, exchange["response"]["body_json"].to_string().into_bytes())
}

async fn ask(table: Table, service: ServiceName, anime: &Anime) -> Brought {
    let subject = Subject::open(On::Memory, settings(None), Network::with_transport(Arc::new(table))).await;
    subject.ask(service, anime).await
}

fn len(list: &Value) -> usize {
    list.as_array().unwrap().len()
}

#[tokio::test]
#[ignore = "reads recordings that are not part of the project"]
async fn jikan() {
    let (full, characters) = (recording("jikan/anime_1_full.json"), recording("jikan/anime_1_characters.json"));
    // Episodes and characters were recorded for another anime: these are used instead.
    let (episode, character) = (recording("jikan/anime_457_episodes_1.json"), recording("jikan/characters_425.json"));
    let table = Table::default()
        .with("https://api.jikan.moe/v4/anime/1/full", full.clone())
        .with("https://api.jikan.moe/v4/anime/1/characters", characters)
        .with("https://api.jikan.moe/v4/anime/1/episodes/7", episode)
        .with("https://api.jikan.moe/v4/characters/3", character)
        .with_status("https://api.jikan.moe/v4/characters/1", 404, recording("jikan/error_404_character.json"));
    let brought = ask(table, animecache::services::jikan(), &cowboy_bebop()).await;
    let data = brought.data();
    let full: Value = serde_json::from_slice(&full).unwrap();
    assert_eq!(data["anime"], full["data"]);
    assert_eq!(
        data["episodes"],
        json!([{"episode_number": 7, "url": "https://myanimelist.net/anime/457/Mushishi/episode/1",
            "title": "The Green Seat", "title_japanese": "緑の座", "title_romaji": "Midori no Za",
            "aired": "2005-10-23T00:00:00+09:00", "score": null, "filler": false, "recap": false, "duration": 1440,
            "synopsis": data["episodes"][0]["synopsis"]}])
    );
    assert_eq!(len(&data["characters"]), 1);
    let jet = &data["characters"][0];
    assert_eq!([&jet["character_id"], &jet["role"], &jet["name"]], [&json!(3), &json!("Main"), &json!("Ginko")]);
    assert_eq!([&jet["name_kanji"], &jet["nicknames"]], [&json!("ギンコ"), &json!(["Mushishi", "Yoki"])]);
    assert!(len(&jet["voice_actors"]) > 0 && jet["about"].is_string());
    // The requests: two lists, 26 episodes and 126 characters.
    assert_eq!(brought.tally.requests, 2 + 26 + 126);
}

#[tokio::test]
#[ignore = "reads recordings that are not part of the project"]
async fn an_error_of_jikan() {
    let (status, body) = exchange("jikan/error_500_upstream.exchange.json");
    let table = Table::default().with_status("https://api.jikan.moe/v4/anime/1/full", status, body);
    assert_eq!(ask(table, animecache::services::jikan(), &cowboy_bebop()).await.problem(), "HTTP status 500");
}

#[tokio::test]
#[ignore = "reads recordings that are not part of the project"]
async fn anilist() {
    let (_, media) = exchange("anilist/media_1.exchange.json");
    let table = Table::default().with("https://graphql.anilist.co/", media.clone());
    let brought = ask(table, animecache::services::anilist(), &cowboy_bebop()).await;
    let media: Value = serde_json::from_slice(&media).unwrap();
    assert_eq!(brought.data(), &media["data"]["Media"]);

    let (status, error) = exchange("anilist/error_404_media_not_found.exchange.json");
    let table = Table::default().with_status("https://graphql.anilist.co/", status, error);
    assert_eq!(ask(table, animecache::services::anilist(), &cowboy_bebop()).await.problem(), "not found");
}

#[tokio::test]
#[ignore = "reads recordings that are not part of the project"]
async fn kitsu() {
    let (_, resource) = exchange("kitsu/anime_1.exchange.json");
    let (_, episodes) = exchange("kitsu/anime_46474_episodes.exchange.json");
    let table = Table::default()
        .with("https://kitsu.io/api/edge/anime/1", resource.clone())
        .with("https://kitsu.io/api/edge/anime/1/episodes?page%5Blimit%5D=20&page%5Boffset%5D=0", episodes)
        .with("https://kitsu.io/api/edge/anime?filter%5Bslug%5D=none", recording("kitsu/anime_filter_empty.json"));
    let nobody = Anime { ids: Ids { kitsu: Some("none".to_owned()), ..Ids::default() }, ..Anime::default() };
    let subject = Subject::open(On::Memory, settings(None), Network::with_transport(Arc::new(table))).await;
    let brought = subject.ask(animecache::services::kitsu(), &cowboy_bebop()).await;
    let resource: Value = serde_json::from_slice(&resource).unwrap();
    assert_eq!(brought.data()["anime"], resource["data"]);
    assert_eq!(len(&brought.data()["episodes"]), 5);
    assert_eq!(brought.data()["episodes"][0]["attributes"]["canonicalTitle"], "The Journey's End");
    assert_eq!(subject.ask(animecache::services::kitsu(), &nobody).await.problem(), "not found");
}

fn anidb_url(id: u64) -> String {
    format!("http://api.anidb.net:9001/httpapi?request=anime&aid={id}&client=animeenrichment&clientver=1.0&protover=1")
}

#[tokio::test]
#[ignore = "reads recordings that are not part of the project"]
async fn anidb() {
    let document = recording("anidb/anime_23.excerpt.xml");
    let brought =
        ask(Table::default().with(&anidb_url(23), document), animecache::services::anidb(), &cowboy_bebop()).await;
    let data = brought.data();
    let titles = &data["titles"];
    assert_eq!(
        [&titles["main"], &titles["english"], &titles["japanese"]],
        [&json!("Cowboy Bebop"), &json!("Cowboy Bebop"), &json!("カウボーイビバップ")]
    );
    assert_eq!((len(&titles["synonyms"]), len(&data["tags"]), len(&data["creators"])), (9, 4, 7));
    assert_eq!(
        [&data["anidb_id"], &data["episodecount"], &data["enddate"]],
        [&json!("23"), &json!("26"), &json!("1999-04-24")]
    );
    assert_eq!(
        data["ratings"],
        json!({"permanent": {"value": 8.75, "count": 19024}, "temporary": {"value": 8.64, "count": 19433},
            "review": {"value": 9.08, "count": 25}})
    );
    assert_eq!(data["categories"], json!([]));
    assert_eq!(
        data["tags"][0],
        json!({"id": "30", "name": "maintenance tags", "count": 0, "weight": 0,
            "description": "These tags are used for maintenance."})
    );
    assert_eq!(data["tags"][3], json!({"id": "7885", "name": "Japanese production", "count": 0, "weight": 0}));
    let spike = &data["characters"][0];
    assert_eq!(
        [&spike["name"], &spike["rating"], &spike["rating_votes"]],
        [&json!("Spike Spiegel"), &json!(9.32), &json!(803)]
    );
    assert_eq!([&spike["character_type"], &spike["character_type_id"]], [&json!("Character"), &json!("1")]);
    assert_eq!(spike["seiyuu"], json!({"name": "Yamadera Kouichi", "id": "380", "picture": "158572.jpg"}));
}

#[tokio::test]
#[ignore = "reads recordings that are not part of the project"]
async fn anidb_without_review_and_anidb_ban_are_read() {
    let (document, ban) = (recording("anidb/anime_2322.xml"), recording("anidb/error_banned.xml"));
    let gear = Anime { ids: Ids { anidb: Some(2322), ..Ids::default() }, ..Anime::default() };
    let brought = ask(Table::default().with(&anidb_url(2322), document), animecache::services::anidb(), &gear).await;
    let ratings = json!({"permanent": {"value": 3.37, "count": 67}, "temporary": {"value": 5.97, "count": 70}});
    assert_eq!(brought.data()["ratings"], ratings);
    assert_eq!(brought.data()["titles"]["japanese"], "激闘! クラッシュギアTURBO");
    assert_eq!(brought.data()["titles"].get("english"), None);

    let banned = ask(Table::default().with(&anidb_url(2322), ban), animecache::services::anidb(), &gear).await;
    assert_eq!((banned.problem().as_str(), banned.tally.upstream), ("Banned", 1));
}

#[tokio::test]
#[ignore = "reads recordings that are not part of the project"]
async fn animeschedule() {
    let found = recording("animeschedule/anime_search_naruto_shippuuden.json");
    let naruto = Anime { title: "Naruto: Shippuuden".to_owned(), ..Anime::default() };
    let url = "https://animeschedule.net/api/v3/anime?q=Naruto:%20Shippuuden";
    let brought = ask(Table::default().with(url, found.clone()), animecache::services::animeschedule(), &naruto).await;
    let found: Value = serde_json::from_slice(&found).unwrap();
    assert_eq!(brought.data(), &found["anime"][0]);
    assert_eq!(brought.data()["route"], "naruto-shippuuden");

    let nothing = Table::default().with(url, recording("animeschedule/anime_not_found.txt"));
    assert_eq!(ask(nothing, animecache::services::animeschedule(), &naruto).await.problem(), "not found");
}

#[test]
#[ignore = "reads recordings that are not part of the project"]
fn an_anime_offline_database() {
    let file = file("offline-database/anime-offline-database.sample.json");
    let database = Catalogue::open(&file).unwrap();
    assert_eq!((database.invalid(), database.find("death note")), (0, TitleMatch::One(0)));
    let ids = Ids {
        mal: Some(1535),
        anilist: Some(1535),
        kitsu: Some("1376".to_owned()),
        anidb: Some(4563),
        anime_planet: Some("death-note".to_owned()),
        anisearch: Some(3633),
    };
    let [kind, status] = ["TV", "FINISHED"].map(|text| Some(text.to_owned()));
    let death_note = Anime { title: "Death Note".to_owned(), kind, episodes: Some(37), status, ids };
    assert_eq!(database.anime().collect::<Vec<_>>(), [&death_note]);
}
