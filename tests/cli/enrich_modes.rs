//! `enrich` with `--fresh`, `--verify` and `--offline`: which cached entries are used.

use redis::cmd;
use rstest::rstest;
use serde_json::json;

use crate::enriching::{BEBOP, Cache, run, total};
use crate::program::empty;
use crate::upstream::Upstream;

#[rstest]
fn fresh_run_fetches_everything_again(#[values(Cache::Redis, Cache::Sqlite)] cache: Cache) {
    let (program, upstream) = (cache.program(), Upstream::start());
    let before = run(&program, &upstream, &[&BEBOP[..], cache.arguments(), &["--json"]].concat()).json();
    let requests = &before["services"][0]["cold"]["requests"];
    let fresh = run(&program, &upstream, &[&BEBOP[..], cache.arguments(), &["--fresh", "--json", "-q"]].concat());
    let jikan = &fresh.json()["services"][0];
    assert_eq!((&jikan["cold"]["hits"], &jikan["warm"]["hits"]), (&json!(0), requests));
    assert_eq!((fresh.code, fresh.err.as_str()), (Some(0), ""));
    assert_eq!(total(&upstream), 2 * requests.as_u64().unwrap());
}

/// Replaces a text in every stored body of a Redis by another of the same length.
fn forge(redis: &mut redis::Connection, text: &str, other: &str) {
    let streams: Vec<String> = cmd("KEYS").arg("hishel_cache:stream:*").query(redis).unwrap();
    assert!(!streams.is_empty());
    for stream in streams {
        let body: Vec<u8> = cmd("LINDEX").arg(&stream).arg(0).query(redis).unwrap();
        let forged = String::from_utf8(body).unwrap().replace(text, other);
        cmd("LSET").arg(&stream).arg(0).arg(forged).exec(redis).unwrap();
    }
}

#[test]
fn what_is_cached_is_verified_against_what_the_services_say() {
    let ((program, mut redis), upstream) = (empty(), Upstream::start());
    let enrich = |more: &[&str]| run(&program, &upstream, &[&BEBOP[..], more].concat());
    let verify = || enrich(&["--verify", "--json"]);
    let nothing = verify();
    assert_eq!(nothing.code, Some(4), "{}", nothing.err);
    assert_eq!((&nothing.json()["identical"], total(&upstream)), (&json!(null), 0));
    let shown = enrich(&["--verify"]).out;
    assert!(!shown.contains("0 µs") && !shown.contains("0.0x"), "{shown}");

    assert_eq!(enrich(&[]).code, Some(0));
    let (asked, keys) = (total(&upstream), cmd("DBSIZE").query::<u64>(&mut redis).unwrap());
    let same = enrich(&["--verify", "--read-only", "--json"]);
    assert_eq!((same.code, &same.json()["identical"]), (Some(0), &json!(true)), "{}", same.out);
    assert_eq!(total(&upstream), 2 * asked);

    forge(&mut redis, "Cowboy Bebop", r"Cowb\u001b[m");
    let before: Vec<u8> = dump_of_bodies(&mut redis);
    let differs = verify();
    assert_eq!((differs.code, &differs.json()["identical"]), (Some(4), &json!(false)));
    let message = differs.json()["services"][0]["difference"].as_str().unwrap().to_owned();
    assert!(message.starts_with("$.anime.") && message.contains("Cowboy Bebop"), "{message}");
    assert_eq!((dump_of_bodies(&mut redis), cmd("DBSIZE").query::<u64>(&mut redis).unwrap()), (before, keys));
    let shown = enrich(&["--verify"]);
    assert!(shown.out.contains(&message) && !shown.out.contains('\u{1b}'), "{}", shown.out);

    assert_eq!(enrich(&["--fresh"]).code, Some(0));
    assert_eq!(verify().code, Some(0));
}

fn dump_of_bodies(redis: &mut redis::Connection) -> Vec<u8> {
    let streams: Vec<String> = cmd("KEYS").arg("hishel_cache:stream:*").query(redis).unwrap();
    streams.iter().flat_map(|stream| cmd("LINDEX").arg(stream).arg(0).query::<Vec<u8>>(redis).unwrap()).collect()
}

#[rstest]
fn offline_uses_cached_responses_without_requests(#[values(Cache::Redis, Cache::Sqlite)] cache: Cache) {
    let (program, upstream) = (cache.program(), Upstream::start());
    let enrich = |more: &[&str]| run(&program, &upstream, &[&BEBOP[..], cache.arguments(), more].concat());
    if matches!(cache, Cache::Sqlite) {
        // Reading creates no file.
        assert_eq!(enrich(&["--offline"]).code, Some(5));
        assert!(!program.directory.path().join("cache.db").exists());
        let other = ["enrich", "--title", "mushishi", "--only", "jikan", "--sqlite", "cache.db", "-q"];
        run(&program, &upstream, &other);
    }
    let before = total(&upstream);
    let missing = enrich(&["--offline", "--json"]);
    let report = missing.json();
    assert_eq!((missing.code, &report["services"][0]["ok"]), (Some(4), &json!(false)), "{report}");
    let message = report["services"][0]["error"].as_str().unwrap();
    assert!(message.starts_with("not cached: ") && message.ends_with("/anime/1/full"), "{message}");
    assert_eq!(total(&upstream), before);

    let cached = enrich(&["--json"]).json();
    let before = total(&upstream);
    let offline = enrich(&["--offline", "--read-only", "--json", "--out", "out"]);
    let report = offline.json();
    assert_eq!(offline.code, Some(0), "{}", offline.err);
    let pass = &report["services"][0]["cold"];
    assert_eq!((&pass["hits"], &report["services"][0]["warm"]), (&cached["services"][0]["warm"]["hits"], &json!(null)));
    assert_eq!(total(&upstream), before);
    assert!(program.directory.path().join("out/jikan.json").is_file());

    // A missing part is reported, and the rest is used.
    let episode = "*/anime/1/episodes/3";
    let flushed = program.run(&[&["flush", "--yes", "--url", episode], cache.arguments()].concat());
    assert_eq!(flushed.code, Some(0), "{}", flushed.err);
    let gap = enrich(&["--offline", "--json"]);
    let report = gap.json();
    let missing = report["services"][0]["missing"].as_array().unwrap();
    assert_eq!((gap.code, &report["services"][0]["ok"], missing.len()), (Some(4), &json!(true), 1), "{report}");
    assert!(missing[0].as_str().unwrap().ends_with("/anime/1/episodes/3"), "{missing:?}");
    assert!(enrich(&["--offline"]).out.contains("1 request not cached:\n      http"));
}

#[test]
fn of_queries_to_one_url_the_missing_one_is_named() {
    let ((program, _redis), upstream) = (empty(), Upstream::start());
    let offline =
        || run(&program, &upstream, &["enrich", "--anilist-id", "1", "--only", "anilist", "--offline", "--json"]);
    let message = offline().json()["services"][0]["error"].as_str().unwrap().to_owned();
    assert!(message.ends_with(" (the title)"), "{message}");
    run(&program, &upstream, &["enrich", "--anilist-id", "1", "--only", "anilist", "-q"]);
    assert_eq!(program.run(&["flush", "--yes", "--body-match", "\"airingSchedule\""]).code, Some(0));
    let report = offline().json();
    let missing: Vec<_> = report["services"][0]["missing"].as_array().unwrap().iter().collect();
    assert_eq!(missing.len(), 1, "{report}");
    assert!(missing[0].as_str().unwrap().ends_with(" (airingSchedule, page 1)"), "{report}");
}
