//! Watching from the dashboard: the setting of the server is changed after confirmation only, and always restored.

use std::path::Path;
use std::sync::Arc;

use crate::pty::Pty;
use crate::redis_server::RedisServer;
use crate::session::Session;
use animecache::tui::options::Options;
use cache_core::{Config, Memory, Redis, RedisUrl};
use redis::{Connection, cmd};
use rstest::rstest;

const SETTING: &str = "notify-keyspace-events";
const RESULT: &str = "result_cache:anisearch_anime:82fce6a05e45281a:18878";

fn connect(server: &RedisServer) -> Connection {
    redis::Client::open(format!("redis://{}", server.address())).unwrap().get_connection().unwrap()
}

fn setting(redis: &mut Connection) -> String {
    let (_, value): (String, String) = cmd("CONFIG").arg("GET").arg(SETTING).query(redis).unwrap();
    value
}

async fn open(server: &RedisServer, options: Options) -> Session {
    let config = Config {
        redis_url: RedisUrl::new(format!("redis://{}", server.address())),
        services: animecache::services::registry().clone(),
        ..Config::default()
    };
    Session::open(Arc::new(Redis::new(&config).unwrap()), options).await
}

async fn until(session: &Session, text: &str) {
    while !session.screen().contains(text) {
        session.turn().await;
    }
}

#[tokio::test]
async fn watch_confirms_shows_events_and_restores_setting() {
    let server = RedisServer::start("");
    let mut redis = connect(&server);
    let session = open(&server, Options::default()).await;
    session.keys("w");
    until(&session, "Enable keyspace notifications?").await;
    assert_eq!(setting(&mut redis), "");
    session.keys("<quiet>n");
    until(&session, "Canceled").await;
    assert_eq!(setting(&mut redis), "");

    session.keys("<esc>w");
    until(&session, "Enable keyspace notifications?").await;
    session.keys("<quiet>y");
    until(&session, "and will be restored").await;
    assert_ne!(setting(&mut redis), "");
    cmd("GET").arg(RESULT).exec(&mut redis).unwrap();
    cmd("SETEX").arg(RESULT).arg(60).arg("{}").exec(&mut redis).unwrap();
    until(&session, " store ").await;
    let screen = session.screen();
    assert!(screen.contains("anisearch") && screen.contains("result hits not visible"), "{screen}");

    session.keys("<esc>");
    while !setting(&mut redis).is_empty() {
        session.turn().await;
    }
    assert!(!session.screen().contains("Since "), "{}", session.screen());
}

#[tokio::test]
async fn leaving_the_dashboard_ends_the_watch_first() {
    let server = RedisServer::start("");
    let mut redis = connect(&server);
    cmd("CONFIG").arg(&["SET", SETTING, "Ex"]).exec(&mut redis).unwrap();
    let before = setting(&mut redis);
    let session = open(&server, Options::default()).await;
    session.keys("w");
    until(&session, "Enable keyspace notifications?").await;
    session.keys("<quiet>y");
    until(&session, "and will be restored").await;
    assert_ne!(setting(&mut redis), before);
    session.keys("q");
    session.left().await;
    assert_eq!(setting(&mut redis), before);
}

#[tokio::test]
async fn read_only_watch_changes_nothing_and_can_use_monitor() {
    let server = RedisServer::start("");
    let mut redis = connect(&server);
    cmd("SET").arg(RESULT).arg("{}").exec(&mut redis).unwrap();
    let session = open(&server, Options { is_read_only: true, ..Options::default() }).await;
    session.keys("w");
    until(&session, "Stopped: ").await;
    session.keys("m");
    until(&session, "Watch all commands with MONITOR?").await;
    session.keys("<quiet>y");
    until(&session, "by MONITOR").await;
    cmd("GET").arg(RESULT).exec(&mut redis).unwrap();
    until(&session, "anisearch     result    100%").await;
    assert_eq!(setting(&mut redis), "");
}

#[tokio::test]
async fn a_storage_that_cannot_be_watched_says_so() {
    let session =
        Session::open(Arc::new(Memory::new(animecache::services::registry().clone())), Options::default()).await;
    session.keys("w");
    until(&session, "SQLite cannot be watched").await;
    session.keys("<esc>").settle().await;
    assert!(session.screen().contains("The cache is empty"), "{}", session.screen());
}

#[rstest]
#[case("TERM", 143)]
#[case("HUP", 129)]
fn a_signal_puts_the_setting_back_too(#[case] signal: &str, #[case] code: u32) {
    let server = RedisServer::start("");
    let mut redis = connect(&server);
    let directory = tempfile::tempdir().unwrap();
    let url = format!("redis://{}", server.address());
    let program = Path::new(env!("CARGO_BIN_EXE_animecache"));
    let mut terminal = Pty::start(program, &["tui", "--redis", &url], directory.path());
    terminal.wait_for("The cache is empty");
    terminal.keys("w");
    terminal.wait_for("y: enable");
    terminal.keys("y");
    terminal.wait_for("and will be restored");
    assert_ne!(setting(&mut redis), "");
    terminal.signal(signal);
    assert_eq!(terminal.end().0, code);
    assert_eq!(setting(&mut redis), "");
}
