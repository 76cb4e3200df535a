//! Pages of the crawled sites rendered by a browser, and cleanup of the browser after failures.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::caches::Settings;
use animecache::enrich::browser::Browser;
use animecache::enrich::error::FetchFailure;
use animecache::enrich::network::Network;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::caches::{On, Subject, settings};
use crate::crawled::{anime, asked, both, death_note, keys, spirited_away, upstream};
use crate::origin::{Origin, Step, response};

/// A browser for the simulated sites; `None`, with a message, if none is installed. Under `CI=true` it must be.
fn browser(config: &Settings) -> Option<Browser> {
    let browser = Browser::new(None, &config.services);
    assert!(browser.is_ok() || std::env::var_os("CI").is_none(), "CI needs a browser: {:?}", browser.err());
    if let Err(missing) = &browser {
        eprintln!("SKIPPED, NOTHING IS RENDERED: {missing}");
    }
    browser.ok().map(Browser::without_sandbox)
}

#[tokio::test]
async fn rendered_page_has_plain_content_and_lazy_sections() {
    let upstream = upstream().await;
    let config = settings(Some(&upstream));
    let Some(browser) = browser(&config) else { return };
    let plain = Subject::open(On::Memory, config.clone(), Network::new()).await;
    let rendering = Subject::open(On::Memory, config, Network::new().with_browser(browser)).await;
    for service in both() {
        let mut expected = plain.ask(service, &death_note()).await.data().clone();
        let rendered = rendering.ask(service, &death_note()).await;
        if service == animecache::services::anisearch() {
            expected["manga_relations"] = json!([{"type": "Adaptation", "title": "Death Note: Adaptation", "url": "manga/3635",
                "details": "Manga, 3", "genres": "Supernatural, Suspense", "rating": "4.2 Excellent",
                "image": "https://cdn.invalid/search/3635.webp"}]);
        }
        assert_eq!(rendered.data(), &expected, "{service}");
        let before = asked(&upstream, service);
        assert_eq!(rendering.ask(service, &death_note()).await.data(), &expected, "{service}");
        assert_eq!(asked(&upstream, service), before, "a hit needs no browser: {service}");
    }
    let missing = rendering.ask(animecache::services::anime_planet(), &anime("no-such-anime", 1)).await;
    assert!(matches!(missing.outcome, Err(FetchFailure::NotFound)));
}

#[tokio::test]
async fn site_with_challenge_page_is_rendered_by_browser() {
    let upstream = upstream().await;
    let config = settings(Some(&upstream));
    let Some(browser) = browser(&config) else { return };
    let subject = Subject::open(On::Memory, config, Network::new().with_browser_where_needed(browser)).await;
    // Only a rendered page has these.
    let has_manga = |found: &Value| !found["manga_relations"].as_array().unwrap().is_empty();
    assert!(!has_manga(subject.ask(animecache::services::anisearch(), &death_note()).await.data()));
    let found = subject.ask(animecache::services::anisearch(), &anime("x", spirited_away())).await;
    assert!(has_manga(found.data()), "{}", found.data());
    assert_eq!(found.data()["episodes"].as_array().map(Vec::len), Some(1));
    let another = subject.ask(animecache::services::anisearch(), &anime("x", 86)).await;
    assert!(has_manga(another.data()), "a site that has wanted it once sees it from then on");
}

#[tokio::test]
async fn challenge_not_passed_by_browser_is_not_stored() {
    let challenge = "<title>Just a moment...</title>";
    // This page depends on the client.
    let page = "<section id='information'><div class='type'>TV</div></section>
        <script>document.querySelector('div.type').textContent = 'Rendered'</script>";
    let is_past = Arc::new(AtomicBool::new(false));
    let origin = Origin::start({
        let is_past = Arc::clone(&is_past);
        let fields = [("Content-Type", "text/html")];
        move |_| response(200, &fields, if is_past.load(Ordering::Relaxed) { page } else { challenge })
    })
    .await;
    let mut config = settings(None);
    config.services.set_url(animecache::services::anisearch(), &origin.url(""));
    let Some(browser) = browser(&config) else { return };
    let subject = Subject::open(On::Memory, config, Network::new().with_browser_where_needed(browser)).await;
    let outcome = subject.ask(animecache::services::anisearch(), &anime("x", 1)).await.outcome;
    assert!(matches!(outcome, Err(FetchFailure::Challenge { is_rendered: true })), "{outcome:?}");
    assert_eq!(keys(&subject).await, [""; 0]);
    is_past.store(true, Ordering::Relaxed);
    // A browser that did not pass the challenge page is not used for all pages.
    let found = subject.ask(animecache::services::anisearch(), &anime("x", 1)).await;
    assert_eq!(found.data()["type"], "TV");
}

/// A browser that records each of its starts.
struct Observed {
    directory: TempDir,
}

/// One start of a browser.
struct Start {
    id: String,
    profile: PathBuf,
}

impl Observed {
    /// As [`browser`].
    fn browser(config: &Settings) -> Option<(Self, Browser)> {
        browser(config)?;
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("observed");
        let script = "#!/bin/sh\n\
            for argument; do case $argument in --user-data-dir=*) profile=${argument#*=};; esac; done\n\
            echo \"$$ $profile\" >>\"${0%/*}/starts\"\n\
            for name in \"$CHROME\" chromium chromium-browser google-chrome google-chrome-stable; do\n\
            command -v \"$name\" >/dev/null && exec \"$name\" \"$@\"\n\
            done\n";
        std::fs::write(&program, script).unwrap();
        assert!(Command::new("chmod").arg("+x").arg(&program).status().unwrap().success());
        let browser = Browser::new(Some(program), &config.services).unwrap().without_sandbox();
        Some((Self { directory }, browser))
    }

    fn starts(&self) -> Vec<Start> {
        let text = std::fs::read_to_string(self.directory.path().join("starts")).unwrap_or_default();
        let starts = text.lines().filter_map(|line| line.split_once(' '));
        starts.map(|(id, profile)| Start { id: id.to_owned(), profile: profile.into() }).collect()
    }
}

/// The number of tabs of the browser with this profile.
async fn tabs(profile: &Path) -> usize {
    let port = std::fs::read_to_string(profile.join("DevToolsActivePort")).unwrap();
    let port = port.lines().next().unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET /json/list HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.trim_ascii_end().ends_with(b"]") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "there is no list of tabs");
    }
    String::from_utf8(answer).unwrap().matches("\"type\": \"page\"").count()
}

#[tokio::test]
async fn canceled_page_leaves_no_tab() {
    let never = Arc::new(Semaphore::new(0));
    let origin = Origin::start(move |_| vec![Step::Await(Arc::clone(&never))]).await;
    let mut config = settings(None);
    config.services.set_url(animecache::services::anisearch(), &origin.url(""));
    let Some((observed, browser)) = Observed::browser(&config) else { return };
    let subject = Subject::open(On::Memory, config, Network::new().with_browser(browser)).await;
    let is_asked = async {
        while origin.count() == 0 {
            tokio::task::yield_now().await;
        }
    };
    let wanted = anime("x", 1);
    tokio::select! {
        _ = subject.ask(animecache::services::anisearch(), &wanted) => panic!("there is no answer"),
        () = is_asked => {}
    }
    let [Start { profile, .. }] = &observed.starts()[..] else { panic!("it was started once") };
    // Its first tab stays.
    let is_closed = async {
        while tabs(profile).await > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_closed).await.expect("its tab is closed");
}

#[tokio::test]
async fn a_browser_that_has_gone_is_started_again() {
    let upstream = upstream().await;
    let config = settings(Some(&upstream));
    let Some((observed, browser)) = Observed::browser(&config) else { return };
    let subject = Subject::open(On::Memory, config, Network::new().with_browser(browser)).await;
    assert!(subject.ask(animecache::services::anisearch(), &death_note()).await.outcome.is_ok());
    let id = &observed.starts()[0].id;
    assert!(Command::new("kill").args(["-9", id]).status().unwrap().success());
    // The first page after the exit of the browser may fail.
    let another = anime("x", 86);
    let _ = subject.ask(animecache::services::anisearch(), &another).await;
    let found = subject.ask(animecache::services::anisearch(), &another).await;
    assert!(found.outcome.is_ok() && found.gaps().is_empty(), "{:?} {:?}", found.outcome, found.gaps());
    assert_eq!(observed.starts().len(), 2);
}
