//! Enriching from the dashboard: the real event loop and runner, a real Redis, and simulated services.

use std::path::Path;
use std::sync::Arc;

use crate::pty::Pty;
use crate::redis_server::RedisServer;
use crate::session::Session;
use animecache::demo::server::Upstream;
use animecache::enrich::history::{self, Run};
use animecache::services;
use animecache::services::Services;
use animecache::tui::options::Options;
use cache_core::{Config, Opened, RateLimit, Redis, RedisUrl};
use futures_util::future::join_all;
use serde_json::json;

/// All services but Jikan are skipped.
const JIKAN_ALONE: &str = "<tab>u ";

fn settings(server: &RedisServer, upstream: &Upstream) -> (Config, Services) {
    let config = Config { redis_url: RedisUrl::new(format!("redis://{}", server.address())), ..Config::default() };
    let mut services = Services::default();
    for (service, url) in upstream.urls() {
        services.set_url(*service, url);
        services.set_limit(*service, RateLimit::default());
    }
    (services.config(&config), services)
}

async fn open(server: &RedisServer, upstream: &Upstream) -> Session {
    let settings = settings(server, upstream);
    let store = Arc::new(Redis::new(&settings.0).unwrap());
    let opening = async move { Ok(Opened { store, fallback: None }) };
    let session = Session::begin_with(opening, settings, None, Options::default());
    session.settle().await;
    session
}

async fn until(session: &Session, text: &str) {
    while !session.screen().contains(text) {
        session.turn().await;
    }
}

fn asked(upstream: &Upstream) -> u64 {
    upstream.requests().by_service().get(&services::jikan()).copied().unwrap_or(0)
}

#[tokio::test]
async fn a_title_is_enriched_and_its_entries_are_browsed() {
    let (server, upstream) = (RedisServer::start(""), Upstream::start(None, 0.0).await.unwrap());
    let session = open(&server, &upstream).await;
    session.keys("e").settle().await;
    assert!(session.screen().contains("No runs yet"), "{}", session.screen());
    session.keys("/bebop<enter>").keys(JIKAN_ALONE).keys("<enter><quiet>y").settle().await;
    let screen = session.screen();
    let requests = asked(&upstream);
    assert!(screen.contains("same") && screen.contains(&format!("{requests}/{requests}")), "{screen}");

    session.keys("o").settle().await;
    let screen = session.screen();
    assert!(screen.contains("run: Cowboy Bebop") && screen.contains(&format!(" {requests} entries")), "{screen}");

    // The run and its responses are stored: no service is requested again.
    let other = open(&server, &upstream).await;
    assert!(other.screen().contains(&format!(" {requests} entries")), "{}", other.screen());
    other.keys("e").settle().await;
    assert!(!other.screen().contains("No runs yet") && other.screen().contains("same"), "{}", other.screen());
    other.keys("/bebop<enter>").keys(JIKAN_ALONE).keys("<enter><quiet>y").settle().await;
    assert!(other.screen().contains("was served from the cache"), "{}", other.screen());
    assert_eq!(asked(&upstream), requests);
    other.keys("f<quiet>y").settle().await;
    assert_eq!(asked(&upstream), 2 * requests, "{}", other.screen());
}

#[tokio::test]
async fn a_run_is_cancelled_or_left_at_any_time() {
    let (server, upstream) = (RedisServer::start(""), Upstream::start(None, 1_000.0).await.unwrap());
    let session = open(&server, &upstream).await;
    session.keys("e").settle().await;
    session.keys(JIKAN_ALONE).keys("<enter><quiet>y");
    until(&session, "Cold pass").await;
    session.keys("<esc>").settle().await;
    assert!(session.screen().contains("Canceled"), "{}", session.screen());
    session.keys("<enter><quiet>y");
    until(&session, "Cold pass").await;
    session.keys("e");
    until(&session, "Enrich 0%").await;
    session.keys("q");
    session.left().await;
}

#[tokio::test]
async fn runs_that_end_at_once_are_all_kept() {
    let (server, upstream) = (RedisServer::start(""), Upstream::start(None, 0.0).await.unwrap());
    let stores: Vec<_> = (0..8).map(|_| Redis::new(&settings(&server, &upstream).0).unwrap()).collect();
    let adding = stores.iter().zip(0..).map(async |(store, number)| {
        let report = json!({"title": format!("no. {number}"), "services": [], "cold_seconds": 1.0, "warm_seconds": 1.0,
                            "speedup": 1.0, "identical": true});
        let run = Run { at: f64::from(number), report: serde_json::from_value(report).unwrap() };
        history::add(store, &run).await.unwrap();
    });
    join_all(adding).await;
    assert_eq!(history::runs(&stores[0]).await.unwrap().len(), 8);
}

#[test]
fn the_demo_enriches_on_a_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let mut terminal = Pty::start(Path::new(env!("CARGO_BIN_EXE_animecache")), &["tui", "--demo"], directory.path());
    terminal.wait_for("kitsu");
    terminal.keys("e");
    terminal.wait_for("No runs yet");
    terminal.keys("\tuG \r");
    terminal.wait_for("Cowboy Bebop · ");
    terminal.keys("q");
    assert_eq!(terminal.end().0, 0);
}
