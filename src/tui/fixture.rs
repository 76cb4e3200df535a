//! Test fixtures: a dashboard with listed entries at a fixed time.

use std::borrow::Cow;
use std::time::Duration;

use cache_core::{
    BackendId, BackendKind, CacheKey, EntryId, EntryState, Freshness, Health, HttpSummary, Page, ServiceName,
    StorageLayout, Summary,
};
use cache_core::{Counters, HourlyCounters, Scope, StatsSnapshot};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::layout::Size;
use serde_json::json;
use uuid::Uuid;

use crate::anime::{Anime, Ids};
use crate::enrich::history::Run;
use crate::services;
use crate::services::SERVICES;
use crate::tui::app::App;
use crate::tui::app::enrich::{ServiceTally, TitleList};
use crate::tui::app::rates::RateTable;
use crate::tui::effect::Effect;
use crate::tui::keymap::{KEYMAP, Keymap};
use crate::tui::message::{EnrichProgress, Message, Outcome};
use crate::tui::options::Options;
use crate::tui::ticket::Ticket;
use crate::tui::update::{start, update};

/// 2026-11-22 12:20:00 UTC.
pub(crate) const NOW: f64 = 1_795_350_000.0;

pub(crate) fn backend() -> BackendId {
    BackendId { kind: BackendKind::Redis, location: "redis://localhost:6379/0".into() }
}

/// An HTTP entry that was stored an hour ago and expires in `ttl` seconds.
pub(crate) fn http(number: u128, service: ServiceName, url: &str, ttl: f64) -> Summary {
    Summary {
        id: EntryId::Http(StorageLayout::Pipeline, Uuid::from_u128(number)),
        state: EntryState::Live,
        service,
        size: 1_000 * number as u64,
        created_at: Some(NOW - 3_600.0),
        expires_at: Some(NOW + ttl),
        last_used: None,
        http: Some(Box::new(HttpSummary {
            cache_key: CacheKey::new(number.to_string().into_bytes()),
            method: Cow::Borrowed("GET"),
            url: url.into(),
            status: 200,
            content_type: Some("application/json".into()),
            title: None,
            freshness: Freshness { lifetime: Some(7_200.0), ..Freshness::default() },
        })),
        problem: None,
        version: None,
    }
}

/// A result that expires in `ttl` seconds.
pub(crate) fn result(key: &str, ttl: f64) -> Summary {
    Summary {
        id: EntryId::key(format!("result_cache:{key}").into_bytes()),
        state: EntryState::Live,
        service: services::anisearch(),
        size: 500,
        created_at: None,
        expires_at: Some(NOW + ttl),
        last_used: None,
        http: None,
        problem: None,
        version: None,
    }
}

pub(crate) fn entries() -> Vec<Summary> {
    let stale = Freshness { lifetime: Some(60.0), ..Freshness::default() };
    let mut list = vec![
        http(1, services::jikan(), "https://api.jikan.moe/v4/anime/1/full", 86_000.0),
        http(2, services::jikan(), "https://api.jikan.moe/v4/anime/21/full?token=secret", 3_000.0),
        http(3, services::kitsu(), "https://kitsu.io/api/edge/anime/1/episodes", 42.0),
        http(4, services::anilist(), "https://graphql.anilist.co/", 80_000.0),
        http(5, services::anidb(), "http://api.anidb.net:9001/httpapi?request=anime&aid=23", 70_000.0),
        result("anisearch_anime:82fce6a05e45281a:18878", 60_000.0),
        result("anisearch_anime:ace6d8c92ebc96ea:18878", 10_000.0),
        result("anisearch_episodes:82fce6a05e45281a:ワンピース", 86_399.0),
    ];
    list[2].state = EntryState::Incomplete;
    if let Some(http) = &mut list[3].http {
        http.method = Cow::Borrowed("POST");
        http.title = Some("Cowboy Bebop \u{1b}[31m".into());
        http.freshness = stale;
    }
    list[4].expires_at = None;
    list.push(Summary {
        id: EntryId::key(&b"hishel_cache:stream:\xff"[..]),
        state: EntryState::Orphan,
        service: ServiceName::OTHER,
        size: 0,
        created_at: None,
        expires_at: None,
        last_used: None,
        http: None,
        problem: Some("no entry has this body".into()),
        version: None,
    });
    list
}

/// A dashboard in its initial state.
pub(crate) fn blank(size: Size, options: Options) -> App {
    App::new(options, Keymap::parse(KEYMAP).unwrap(), size, TimeZone::UTC, NOW)
}

/// A dashboard that has listed these entries.
pub(crate) fn listed(size: Size, options: Options, entries: Vec<Summary>) -> App {
    let mut app = blank(size, options);
    let opening = match start(&mut app)[..] {
        [Effect::Open(ticket)] => ticket,
        ref other => panic!("{other:?}"),
    };
    let health = Health { backend: backend(), is_fallback: false, problem: None, server: None };
    let effects = update(&mut app, Message::Done(opening, Outcome::Opened(Ok(health))));
    let scan = scan_of(&effects);
    let total = entries.len() as u64;
    let page = Page { entries, next: None, scanned: total, total, denied: 0, keys: total, left_out: 0 };
    update(&mut app, Message::Progress(scan, EnrichProgress::Page(page)));
    update(&mut app, Message::Done(scan, Outcome::Scanned(Ok(()))));
    app
}

/// The requested scan.
pub(crate) fn scan_of(effects: &[Effect]) -> Ticket {
    let scan = |effect: &Effect| if let Effect::Scan(ticket) = effect { Some(*ticket) } else { None };
    effects.iter().find_map(scan).expect("a scan is begun")
}

/// Statistics of two services and a function: this hour, yesterday and six days ago.
pub(crate) fn tally() -> RateTable {
    let bucket = |hours: f64, scope, hits, misses| HourlyCounters {
        hour: (NOW / 3_600.0 - hours) as i64,
        scope,
        counts: Counters { hits, misses, ..Counters::default() },
    };
    let hours = vec![
        bucket(0.0, Scope::Http(services::jikan()), 9, 1),
        bucket(20.0, Scope::Http(services::jikan()), 1_231, 300),
        bucket(144.0, Scope::Http(services::kitsu()), 0, 50),
        bucket(20.0, Scope::Result("anisearch_anime".into()), 3, 0),
        bucket(20.0, Scope::Result("anisearch_episodes".into()), 5, 4),
    ];
    RateTable { counted: StatsSnapshot { hours, ..StatsSnapshot::default() }, server: Some((7, 3)), memory: None }
}

/// Sends statistics to the dashboard.
pub(crate) fn count(app: &mut App, tally: RateTable) {
    let ticket = app.rates.ticket.expect("it was asked what was counted");
    update(app, Message::Done(ticket, Outcome::Counted(Ok(tally))));
}

/// A dashboard that has listed [`entries`], as large as most terminals.
pub(crate) fn app() -> App {
    listed(Size::new(120, 40), Options { has_color: true, ..Options::default() }, entries())
}

/// Presses keys as [`type_ahead`] does, and lets the dialog that they opened take answers.
pub(crate) fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    let effects = type_ahead(app, keys);
    update(app, Message::Quiet);
    effects
}

/// Presses keys one after the other, without a pause: characters, or names such as `<enter>`.
pub(crate) fn type_ahead(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let (code, length) = match rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((name, _)) => {
                let code = match name {
                    "enter" => KeyCode::Enter,
                    "esc" => KeyCode::Esc,
                    "tab" => KeyCode::Tab,
                    "space" => KeyCode::Char(' '),
                    other => panic!("no key {other}"),
                };
                (code, name.len() + 2)
            }
            None => (KeyCode::Char(first), first.len_utf8()),
        };
        effects.extend(update(app, Message::Key(KeyEvent::new(code, KeyModifiers::NONE))));
        rest = &rest[length..];
    }
    // The requests of the inspector are irrelevant for most tests.
    effects.retain(|effect| !matches!(effect, Effect::Load { .. } | Effect::Cancel(_)));
    effects
}

/// IDs of an anime at all services.
fn everywhere(id: u64) -> Ids {
    Ids {
        mal: Some(id),
        anilist: Some(id),
        kitsu: Some(id.to_string()),
        anidb: Some(id),
        anime_planet: Some("slug".to_owned()),
        anisearch: Some(id),
    }
}

/// Titles to enrich: one with control characters, one with IDs of two services only.
pub(crate) fn title_list() -> TitleList {
    let anime = |title: &str, kind: &str, episodes, ids| Anime {
        title: title.to_owned(),
        kind: Some(kind.to_owned()),
        episodes,
        ids,
        ..Anime::default()
    };
    let titles = vec![
        anime("Cowboy Bebop", "TV", Some(26), everywhere(1)),
        anime("Sousou no Frieren", "TV", Some(28), everywhere(52_991)),
        anime("One Piece \u{1b}[31m", "TV", None, everywhere(21)),
        anime("Kimi no Na wa.", "MOVIE", Some(1), Ids { mal: Some(32_281), ..Ids::default() }),
        anime("Cowboy Bebop: Tengoku no Tobira", "MOVIE", Some(1), everywhere(5)),
    ];
    let hosts = SERVICES.iter().map(|service| (*service, format!("{service}.example"))).collect();
    TitleList { titles, hosts }
}

/// A run of all services: one failed, and one returned different data in the warm pass.
pub(crate) fn run() -> Run {
    let service = |name: &str, requests: u64, seconds: f64| {
        let pass = |seconds, hits| {
            json!({"seconds": seconds, "requests": requests, "hits": hits, "upstream": requests - hits,
                                          "bytes": requests * 9_000, "waited": 0.25})
        };
        json!({"service": name, "strategy": "http", "ok": true, "error": null, "cold": pass(seconds, 0),
               "warm": pass(0.002, requests), "speedup": seconds / 0.002, "identical": true, "difference": null,
               "keys": [format!("GET:{name}")]})
    };
    let mut services = vec![
        service("jikan", 26, 9.1),
        service("anilist", 4, 1.2),
        service("kitsu", 3, 0.41),
        service("anidb", 1, 0.0),
        service("anime_planet", 2, 3.2),
        service("anisearch", 3, 4.7),
        service("animeschedule", 1, 0.22),
    ];
    services[3]["ok"] = false.into();
    services[3]["error"] =
        "banned: \u{1b}[2J leave AniDB alone for a day, it says, and whoever does not is banned for longer".into();
    for gone in ["warm", "speedup", "identical"] {
        services[3][gone] = serde_json::Value::Null;
    }
    services[5]["identical"] = false.into();
    services[5]["difference"] = "$.episodes[3].title: \"Asteroid Blues\" is \"Stray Dog Strut\" the second time".into();
    services[5]["keys"] = json!(["result_cache:anisearch_anime:82fce6a05e45281a:18878"]);
    services[0]["keys"] = json!(["1", "GET:not there any more"]);
    let report = json!({"title": "Cowboy Bebop", "ids": everywhere(1), "services": services, "cold_seconds": 9.1, "warm_seconds": 0.002,
                        "speedup": 4_550.0, "identical": false});
    Run { at: NOW - 60.0, report: serde_json::from_value(report).unwrap() }
}

/// A dashboard on its Enrich tab, with titles and these runs.
pub(crate) fn enriching(size: Size, runs: Vec<Run>) -> App {
    let mut app = listed(size, Options { has_color: true, ..Options::default() }, entries());
    let effects = press(&mut app, "e");
    let [Effect::LoadTitles(titles), Effect::LoadRuns(history)] = effects[..] else { panic!("{effects:?}") };
    update(&mut app, Message::Done(titles, Outcome::TitlesLoaded(Ok(title_list()))));
    update(&mut app, Message::Done(history, Outcome::Runs(Ok(runs))));
    app
}

/// The progress of a running enrichment: one service is done, one failed, one waits, the others run.
pub(crate) fn tallies(app: &App) -> Vec<ServiceTally> {
    let mut services = app.enrich.running.as_ref().expect("a run is under way").services.clone();
    for (place, of) in (0..).zip(&mut services) {
        of.cold.time = Some(Duration::from_millis(1_200));
        of.cold.tally.expected = 12;
        of.cold.tally.requests = (3 * place).min(12);
        of.cold.tally.hits = place;
        of.cold.tally.bytes = place * 12_345;
    }
    services[1].cold.is_ok = Some(false);
    services[2].cold.tally.is_waiting = true;
    services[2].cold.tally.waited = Duration::from_millis(700);
    services[4].cold.is_ok = Some(true);
    services
}
