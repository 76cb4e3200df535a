//! The two crawled sites: data of their pages, and which results are stored.

use std::path::Path;

use animecache::anime::{Anime, Ids};
use animecache::demo::server::Upstream;
use animecache::enrich::error::FetchFailure;
use animecache::enrich::network::Network;
use cache_core::ServiceName;
use rstest::rstest;
use serde_json::{Value, json};

use crate::caches::{On, Subject, cowboy_bebop, settings};
use crate::scripted_site::Site;

pub fn both() -> [ServiceName; 2] {
    [animecache::services::anime_planet(), animecache::services::anisearch()]
}

/// An anime with the IDs of the two sites only.
pub fn anime(slug: &str, anisearch: u64) -> Anime {
    let ids = Ids { anime_planet: Some(slug.to_owned()), anisearch: Some(anisearch), ..Ids::default() };
    Anime { ids, ..cowboy_bebop() }
}

pub fn death_note() -> Anime {
    anime("death-note", 3633)
}

pub async fn upstream() -> Upstream {
    Upstream::start(None, 0.0).await.unwrap()
}

/// The number of requests to a simulated service.
pub fn asked(upstream: &Upstream, service: ServiceName) -> u64 {
    upstream.requests().by_service().get(&service).copied().unwrap_or_default()
}

/// The keys of all stored entries, sorted.
pub async fn keys(subject: &Subject) -> Vec<String> {
    let mut keys: Vec<_> = subject.entries().await.iter().map(|entry| entry.id.to_string()).collect();
    keys.sort();
    keys
}

/// The stored results, sorted: function and arguments.
pub async fn results(subject: &Subject) -> Vec<String> {
    let keys = keys(subject).await;
    let results = keys.iter().map(|key| {
        let [prefix, function, schema, argument] = key.splitn(4, ':').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((prefix, schema.len()), ("result_cache", 16), "{key}");
        format!("{function} {argument}")
    });
    results.collect()
}

/// A cache in memory, with one scripted site in place of a service.
async fn subject_of(service: ServiceName, site: &Site) -> Subject {
    let mut config = settings(None);
    config.services.set_url(service, &site.url());
    Subject::open(On::Memory, config, Network::new()).await
}

#[rstest]
#[case::redis(On::Redis)]
#[case::sqlite(On::Sqlite)]
#[tokio::test]
async fn second_pass_is_equal_without_requests(#[case] on: On) {
    let upstream = upstream().await;
    let subject = Subject::open(on, settings(Some(&upstream)), Network::new()).await;
    for (service, pages) in [(animecache::services::anime_planet(), 2 + 6), (animecache::services::anisearch(), 5)] {
        let cold = subject.ask(service, &death_note()).await;
        assert_eq!(asked(&upstream, service), pages, "{service}");
        assert_eq!(cold.tally.upstream, pages, "{service}");
        let warm = subject.ask(service, &death_note()).await;
        assert_eq!(warm.data(), cold.data(), "{service}");
        assert_eq!(warm.digests, cold.digests, "{service}");
        assert_eq!((asked(&upstream, service), warm.tally.upstream), (pages, 0), "{service}");
    }
    let [planet, search] = both().map(|service| subject.config.services.url(service).to_owned());
    let mut expected = [
        format!("animeplanet_anime \"{planet}/anime/death-note\""),
        format!("animeplanet_characters \"{planet}/anime/death-note\""),
        format!("anisearch_anime \"{search}/anime/3633\""),
        format!("anisearch_episodes \"{search}/anime/3633\""),
        format!("anisearch_characters \"{search}/anime/3633\""),
    ];
    expected.sort();
    assert_eq!(results(&subject).await, expected, "nothing but results is stored");
}

#[tokio::test]
async fn anime_planet_pages_are_read() {
    let upstream = upstream().await;
    let subject = Subject::open(On::Memory, settings(Some(&upstream)), Network::new()).await;
    let found = subject.ask(animecache::services::anime_planet(), &death_note()).await;
    let found = found.data();
    let expected = json!({
        "type": "TVSeries", "title": "Death Note", "slug": "death-note", "url": "https://www.anime-planet.com/anime/death-note",
        "image": "https://cdn.invalid/planet/death-note.jpg", "poster": "https://cdn.invalid/planet/screenshots/death-note.jpg",
        "start_date": "2006-10-04", "end_date": "2007-06-13", "episodes": 37, "genres": ["Supernatural", "Suspense"],
        "rank": 42, "studios": ["Madhouse"], "title_japanese": "Death Note", "year": 2006, "season": "FALL", "status": "COMPLETED",
        "related_count": 1, "character_count": 6,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&found[field], value, "{field}");
    }
    let manga = json!({"title": "Death Note: The Manga", "slug": "death-note-the-manga",
        "url": "https://www.anime-planet.com/manga/death-note-the-manga", "relation_type": "same_franchise",
        "relation_subtype": "ORIGINAL MANGA", "image": "https://cdn.invalid/planet/death-note-the-manga.jpg",
        "start_date": "2006-10-04", "year": 2006, "volumes": 3, "chapters": 45});
    assert_eq!(found["related_manga"], json!([manga]));
    assert_eq!(found["related_anime"][0]["type"], "TV SPECIAL");
    let first = json!({"name": "Light Yagami", "url": "/characters/light-yagami-153500", "role": "Main",
        "image": "https://cdn.invalid/planet/153500.jpg", "tags": ["Traveller"],
        "voice_actors": {"jp": [{"name": "Voice of Light Yagami", "url": "/people/voice-153500"}]},
        "gender": null, "hair_color": "Black", "loved_rank": 1_234, "eye_color": "Brown",
        "description": "Light Yagami appears in every episode. This description is part of the demo data.",
        "anime_roles": [{"anime_title": "Death Note", "anime_url": "/anime/death-note", "role": "Main"}]});
    assert_eq!(found["characters"][0], first);
    assert_eq!(found["characters"][5]["role"], "Secondary");
}

#[tokio::test]
async fn anisearch_pages_are_read() {
    let upstream = upstream().await;
    let subject = Subject::open(On::Memory, settings(Some(&upstream)), Network::new()).await;
    let found = subject.ask(animecache::services::anisearch(), &death_note()).await;
    let found = found.data();
    let expected = json!({
        "cover_image": "https://cdn.invalid/search/3633.webp", "japanese_title": "Death Note", "japanese_title_alt": "デスノート",
        "type": "TV", "status": "Completed", "studio": "Madhouse", "source_material": "Original Work",
        "staff": [{"name": "Director of Death Note", "url": "person/1"}],
        "websites": [{"name": "Official website", "url": "https://www.invalid/3633"}],
        "publishers": [{"name": "Demo Publishing", "url": "company/2"}], "synonyms": "Death Note",
        "genres": ["Supernatural", "Suspense"], "tags": ["Travel"], "start_date": "04.10.2006", "end_date": "13.06.2007",
        "screenshots": ["https://cdn.invalid/shot/3633-1.webp", "https://cdn.invalid/shot/3633-2.webp", "https://cdn.invalid/shot/3633-3.webp"],
        "anime_relations": [{"type": "Special", "title": "Death Note: Special", "url": "anime/3634", "details": "TV-Special, 1",
            "genres": "Supernatural, Suspense", "rating": "4.2 Excellent", "image": "https://cdn.invalid/search/3634.webp"}],
        "manga_relations": [],
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&found[field], value, "{field}");
    }
    assert_eq!(found["episodes"].as_array().unwrap().len(), 37);
    assert_eq!(
        found["episodes"][36],
        json!({"episodeNumber": 37, "runtime": "24 min", "releaseDate": "2006-10-04", "title": "Episode 37"})
    );
    let first = json!({"name": "Light Yagami", "url": "https://www.anisearch.com/character/153500", "favorites": 42,
        "image": "https://cdn.invalid/search/153500.webp", "role": "Main"});
    assert_eq!(found["characters"][0], first);
    assert_eq!(found["characters"].as_array().unwrap().len(), 6);
}

#[rstest]
#[case::unknown_slug(animecache::services::anime_planet(), anime("no-such-anime", 1), "not found")]
#[case::unknown_id(animecache::services::anisearch(), anime("x", 999_999), "not found")]
#[case::challenge(animecache::services::anisearch(), anime("spirited-away", 0), "challenge page")]
#[tokio::test]
async fn what_is_no_page_of_an_anime_is_an_error_and_not_stored(
    #[case] service: ServiceName,
    #[case] mut anime: Anime,
    #[case] message: &str,
) {
    let upstream = upstream().await;
    let subject = Subject::open(On::Memory, settings(Some(&upstream)), Network::new()).await;
    if anime.ids.anisearch == Some(0) {
        anime.ids.anisearch = Some(spirited_away());
    }
    for tries in 1..=2 {
        let problem = subject.ask(service, &anime).await.problem();
        assert!(problem.contains(message), "{problem}");
        assert_eq!(asked(&upstream, service), tries, "it is asked for again");
    }
    assert_eq!(keys(&subject).await, [""; 0]);
}

/// The ID of the title behind a challenge page.
pub fn spirited_away() -> u64 {
    let catalogue: Value = serde_json::from_str(include_str!("../../assets/demo/anime.json")).unwrap();
    let all = catalogue.as_array().unwrap().iter();
    all.filter(|anime| anime["slug"] == "spirited-away").find_map(|anime| anime["anisearch"].as_u64()).unwrap()
}

#[rstest]
#[tokio::test]
async fn page_nested_too_deeply_is_an_error(#[values("<div>", "<b>")] tag: &str) {
    let site = Site::start(&[&tag.repeat(300_000)]).await;
    let subject = subject_of(animecache::services::anime_planet(), &site).await;
    let problem = subject.ask(animecache::services::anime_planet(), &anime("x", 1)).await.problem();
    assert_eq!(problem, "page nested too deeply");
    assert_eq!(keys(&subject).await, [""; 0]);
}

#[tokio::test]
async fn pages_to_log_in_are_no_lists_and_not_stored() {
    let page =
        "<section id='information'></section><a href='/anime/1/screenshots'></a><a href='/anime/1/relations'></a>";
    let other = "<title>Log in - aniSearch</title><h1>Please log in</h1>";
    let site = Site::start(&[page, other, other, other, other]).await;
    let subject = subject_of(animecache::services::anisearch(), &site).await;
    let gaps = subject.ask(animecache::services::anisearch(), &anime("x", 1)).await.gaps();
    let parts: Vec<_> = gaps.iter().map(|gap| gap.split_once(':').unwrap().0).collect();
    assert_eq!(parts, ["screenshots", "relations", "episodes", "characters"]);
    assert!(gaps.iter().all(|gap| gap.contains("got the page 'Log in - aniSearch'")), "{gaps:?}");
    let paths = ["", "/screenshots", "/relations", "/episodes", "/characters"].map(|rest| format!("/anime/1{rest}"));
    assert_eq!(site.asked(), paths, "in the pipeline's order");
    assert_eq!(keys(&subject).await, [""; 0]);
}

#[tokio::test]
async fn busy_site_is_retried_after_retry_after() {
    let busy = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
    let site = Site::start(&[busy, busy, "<h1 itemprop='name'>X</h1>"]).await;
    let subject = subject_of(animecache::services::anime_planet(), &site).await;
    let found = subject.ask(animecache::services::anime_planet(), &anime("x", 1)).await;
    assert_eq!(found.data()["slug"], "x");
    // One call for the anime and one for its characters, regardless of retries.
    assert_eq!((found.tally.requests, found.tally.expected), (2, 2));
    let paths = site.asked();
    assert_eq!(paths[..4], ["/anime/x", "/anime/x", "/anime/x", "/anime/x/characters"]);
}

#[tokio::test]
async fn missing_parts_are_left_out() {
    let page = "<section id='information'><div class='type'>TV</div></section><a href='/anime/1/screenshots'></a>";
    let gone = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let broken = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    let site = Site::start(&[page, gone, broken, broken]).await;
    let subject = subject_of(animecache::services::anisearch(), &site).await;
    let found = subject.ask(animecache::services::anisearch(), &anime("x", 1)).await;
    assert_eq!(found.data()["type"], "TV");
    assert_eq!((&found.data()["screenshots"], &found.data()["anime_relations"]), (&json!([]), &json!([])));
    assert!(found.data().get("episodes").is_none() && found.data().get("characters").is_none());
    assert_eq!(found.gaps(), ["episodes: HTTP status 500", "characters: HTTP status 500"], "no screenshots is no gap");
    assert_eq!(site.asked(), ["/anime/1", "/anime/1/screenshots", "/anime/1/episodes", "/anime/1/characters"]);
    assert_eq!(keys(&subject).await.len(), 1, "what failed is not stored");
}

const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn character_list_with_missing_page_is_reported_not_stored() {
    let list = "<h1>Characters</h1><h3 class='sub'>Main Characters</h3>
        <table><tr><td><a class='name' href='/characters/y'>Y</a></td></tr></table>";
    let character = "<h1 itemprop='name'>Y</h1><div class='entryBar'><p class='pure-1'>Gender: Male</p></div>";
    let site = Site::start(&["<h1 itemprop='name'>X</h1>", list, BROKEN, list, character]).await;
    let subject = subject_of(animecache::services::anime_planet(), &site).await;
    let found = subject.ask(animecache::services::anime_planet(), &anime("x", 1)).await;
    assert_eq!(found.gaps(), ["character Y: HTTP status 500"]);
    assert_eq!((&found.data()["character_count"], &found.data()["characters"][0]["name"]), (&json!(1), &json!("Y")));
    assert_eq!(keys(&subject).await.len(), 1);
    let found = subject.ask(animecache::services::anime_planet(), &anime("x", 1)).await;
    assert_eq!((found.gaps().len(), &found.data()["characters"][0]["gender"]), (0, &json!("Male")));
    assert_eq!(keys(&subject).await.len(), 2);
}

#[tokio::test]
async fn anime_without_relations_is_reported_not_stored() {
    let page = "<section id='information'></section><a href='/anime/1/relations'></a>";
    let relations = "<section id='relations_anime'><table><tr><th><a href='anime/2'>Y</a></th></tr></table></section>";
    let gone = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let site = Site::start(&[page, BROKEN, gone, gone, page, relations]).await;
    let subject = subject_of(animecache::services::anisearch(), &site).await;
    let found = subject.ask(animecache::services::anisearch(), &anime("x", 1)).await;
    assert_eq!(
        (found.gaps(), &found.data()["anime_relations"]),
        (vec!["relations: HTTP status 500".to_owned()], &json!([]))
    );
    assert_eq!(keys(&subject).await.len(), 0);
    let found = subject.ask(animecache::services::anisearch(), &anime("x", 1)).await;
    assert_eq!((found.gaps().len(), &found.data()["anime_relations"][0]["title"]), (0, &json!("Y")));
    assert_eq!(keys(&subject).await.len(), 1);
}

/// Reads one recorded response.
fn recorded(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recordings").join(name)).unwrap()
}

#[tokio::test]
#[ignore = "reads recordings that are not part of the project"]
async fn a_recorded_page_of_anime_planet_is_read() {
    let page = recorded("anime-planet/fullmetal-alchemist-brotherhood.html");
    let site = Site::start(&[&page]).await;
    let subject = subject_of(animecache::services::anime_planet(), &site).await;
    let found = subject.ask(animecache::services::anime_planet(), &anime("fullmetal-alchemist-brotherhood", 1)).await;
    let found = found.data();
    let expected = json!({"rank": 5, "studios": ["Bones"], "type": "TVSeries", "start_date": "2009-04-05",
        "end_date": "2010-07-04", "episodes": 64, "year": 2009, "season": "SPRING", "status": "COMPLETED",
        "title_japanese": "Hagane no Renkinjutsushi: Full Metal Alchemist", "related_count": 3,
        "poster": "https://www.anime-planet.com/images/anime/screenshots/fullmetal-alchemist-brotherhood-2360-1.jpg"});
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&found[field], value, "{field}");
    }
    let count = |field: &str| found[field].as_array().unwrap().len();
    assert_eq!((count("related_anime"), count("related_manga"), count("genres")), (3, 5, 15));
    let first = &found["related_anime"][0];
    assert_eq!((&first["type"], &first["episodes"]), (&json!("SPECIAL"), &json!(4)));
    assert_eq!(first["relation_subtype"], "SIDE STORY");
    assert!(found["image"].as_str().unwrap().starts_with("https://cdn.anime-planet.com/"));
}

#[tokio::test]
#[ignore = "reads recordings that are not part of the project"]
async fn a_recorded_search_page_is_refused() {
    let page = recorded("anime-planet/unknown-slug-search-page.html");
    let site = Site::start(&[&page]).await;
    let subject = subject_of(animecache::services::anime_planet(), &site).await;
    let outcome = subject.ask(animecache::services::anime_planet(), &anime("komi-san", 1)).await.outcome;
    assert!(matches!(outcome, Err(FetchFailure::NotFound)));
    assert_eq!(keys(&subject).await, [""; 0]);
}

#[tokio::test]
#[ignore = "reads recordings that are not part of the project"]
async fn recorded_pages_of_anisearch_are_read() {
    let page = recorded("anisearch/4942-ghost-in-the-shell-2-0.html");
    let relations = recorded("anisearch/4942-ghost-in-the-shell-2-0.relations.html");
    let site = Site::start(&[&page, &page, &relations]).await;
    let subject = subject_of(animecache::services::anisearch(), &site).await;
    let found = subject.ask(animecache::services::anisearch(), &anime("x", 4942)).await;
    let found = found.data();
    let expected = json!({"japanese_title": "Koukaku Kidoutai 2.0", "type": "Movie, 1(~83\u{202f}min)", "status": "Completed",
        "studio": "Production I.G., Inc.", "source_material": "Manga", "synonyms": "GitS 2.0",
        "start_date": "12.07.2008", "end_date": null, "manga_relations": []});
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&found[field], value, "{field}");
    }
    assert_eq!(found["staff"].as_array().unwrap().len(), 3);
    assert_eq!(found["publishers"].as_array().unwrap().len(), 3);
    let related: Vec<_> = found["anime_relations"].as_array().unwrap().iter().collect();
    let named: Vec<_> = related.iter().map(|relation| (&relation["type"], &relation["title"])).collect();
    let expected = [json!(["Sequel", "Ghost in the Shell 2: Innocence"]), json!(["Remake", "Ghost in the Shell"])];
    assert_eq!(named, expected.each_ref().map(|pair| (&pair[0], &pair[1])));
    assert_eq!(related[0]["image"], "https://cdn.anisearch.com/images/anime/cover/full/2/2753.webp");
    assert_eq!(related[0]["rating"], "3.81 Excellent");
}
