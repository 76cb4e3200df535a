//! `enrich`: selection of anime, comparison of two passes, and exit codes; with simulated services over real HTTP.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use redis::cmd;
use rstest::rstest;
use serde_json::{Value, json};

use crate::program::{Program, Run, empty};
use crate::redis_server::RedisServer;
use crate::upstream::Upstream;

/// The cache of a program.
#[derive(Clone, Copy)]
pub enum Cache {
    Redis,
    Sqlite,
}

impl Cache {
    pub fn program(self) -> Program {
        match self {
            Self::Redis => empty().0,
            Self::Sqlite => Program::bare(),
        }
    }

    pub fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Redis => &[],
            Self::Sqlite => &["--sqlite", "cache.db"],
        }
    }
}

/// Runs the program with simulated services.
pub fn run(program: &Program, upstream: &Upstream, arguments: &[&str]) -> Run {
    Run::of(&program.command().envs(upstream.settings()).args(arguments).output().unwrap())
}

/// Starts the program without waiting for its end.
pub fn start(program: &Program, upstream: &Upstream, arguments: &[&str]) -> Child {
    let mut command = program.process();
    command.envs(upstream.settings()).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Interrupts a program after its first request to the services, and waits for its end.
pub fn interrupt(mut process: Child, upstream: &Upstream) -> Run {
    while upstream.requests().as_object().unwrap().is_empty() {}
    assert!(Command::new("kill").args(["-INT", &process.id().to_string()]).status().unwrap().success());
    let (mut out, mut err) = (String::new(), String::new());
    process.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    process.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    Run { code: process.wait().unwrap().code(), out, err }
}

/// The number of requests to the simulated services.
pub fn total(upstream: &Upstream) -> u64 {
    let requests = upstream.requests();
    let services = requests.as_object().unwrap().values().flat_map(|of| of.as_object().unwrap().values());
    services.map(|count| count.as_u64().unwrap()).sum()
}

pub const BEBOP: [&str; 5] = ["enrich", "--title", "cowboy bebop", "--only", "jikan"];

#[rstest]
fn the_second_pass_comes_from_the_cache_and_is_the_same(#[values(Cache::Redis, Cache::Sqlite)] cache: Cache) {
    let (program, upstream) = (cache.program(), Upstream::start());
    let all = run(&program, &upstream, &[&BEBOP[..], cache.arguments(), &["--json"]].concat());
    assert_eq!(all.code, Some(0), "{}", all.err);
    let report = all.json();
    let jikan = &report["services"][0];
    assert_eq!(report["title"], "Cowboy Bebop");
    assert_eq!((&report["identical"], &report["services"].as_array().unwrap().len()), (&json!(true), &1));
    for (name, value) in [("service", json!("jikan")), ("strategy", json!("http")), ("ok", json!(true))] {
        assert_eq!(jikan[name], value);
    }
    assert_eq!((&jikan["error"], &jikan["identical"]), (&json!(null), &json!(true)));
    let requests = &jikan["cold"]["requests"];
    assert!(requests.as_u64().unwrap() > 0);
    assert_eq!((&jikan["cold"]["hits"], &jikan["warm"]["hits"]), (&json!(0), requests));
    assert_eq!((&jikan["cold"]["bytes"], &jikan["warm"]["upstream"]), (&jikan["warm"]["bytes"], &json!(0)));
    assert_eq!(total(&upstream), requests.as_u64().unwrap());
    for number in [&report["cold_seconds"], &report["warm_seconds"], &report["speedup"], &jikan["speedup"]] {
        assert!(number.as_f64().unwrap() > 0.0, "{report}");
    }

    let again = run(&program, &upstream, &[&BEBOP[..], cache.arguments()].concat());
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(again.out.contains("Already cached (all): use --fresh"), "{}", again.out);
    assert!(again.err.contains("jikan: cold pass: ") && again.err.contains("jikan: warm pass: "), "{}", again.err);
    assert_eq!(total(&upstream), requests.as_u64().unwrap());
}

#[test]
fn runs_are_visible_to_all_programs_on_one_cache() {
    let ((program, mut redis), upstream) = (empty(), Upstream::start());
    for more in [&[][..], &["--fresh"], &["--offline"], &["--verify"]] {
        let all = run(&program, &upstream, &[&BEBOP[..], more].concat());
        assert_eq!(all.code, Some(0), "{} {}", all.out, all.err);
    }
    let kept: String = cmd("GET").arg("animecache:runs").query(&mut redis).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let cold_hits: Vec<_> = kept.as_array().unwrap().iter().map(|run| &run["services"][0]["cold"]["hits"]).collect();
    assert_eq!(cold_hits, [0, 0], "the two that fetched, and no others: {kept}");
}

#[test]
fn no_run_is_kept_where_the_cache_is_off() {
    let ((program, mut redis), upstream) = (empty(), Upstream::start());
    let mut command = program.command();
    command.envs(upstream.settings()).env("ENABLE_HTTP_CACHE", "false").args(BEBOP);
    let run = Run::of(&command.output().unwrap());
    assert!(run.err.contains("caching is disabled") && run.out.contains("Cowboy Bebop"), "{} {}", run.out, run.err);
    assert!(!cmd("EXISTS").arg("animecache:runs").query::<bool>(&mut redis).unwrap());
}

#[rstest]
fn all_services_are_complete_and_cached_afterwards(#[values(Cache::Redis, Cache::Sqlite)] cache: Cache) {
    let (program, upstream) = (cache.program(), Upstream::start());
    let arguments = [&["enrich", "--title", "cowboy bebop", "--json"], cache.arguments()].concat();
    let all = run(&program, &upstream, &arguments);
    assert_eq!(all.code, Some(0), "{} {}", all.out, all.err);
    let report = all.json();
    let services = report["services"].as_array().unwrap();
    let names: Vec<_> = services.iter().map(|of| of["service"].as_str().unwrap()).collect();
    assert_eq!(names, ["jikan", "anilist", "kitsu", "anidb", "anime_planet", "anisearch", "animeschedule"]);
    for of in services {
        assert_eq!((&of["ok"], &of["identical"], &of["cold"]["hits"]), (&json!(true), &json!(true), &json!(0)), "{of}");
        assert_eq!((&of["warm"]["hits"], &of["warm"]["upstream"]), (&of["warm"]["requests"], &json!(0)), "{of}");
        let is_crawled = ["anime_planet", "anisearch"].contains(&of["service"].as_str().unwrap());
        assert_eq!(of["strategy"], if is_crawled { "result" } else { "http" });
    }
    let asked = upstream.requests();
    assert_eq!(run(&program, &upstream, &arguments).code, Some(0));
    assert_eq!(upstream.requests(), asked);
}

#[test]
fn built_in_titles_are_complete_except_simulated_errors() {
    let ((program, _redis), upstream) = (empty(), Upstream::start());
    let mut failed = Vec::new();
    for index in 0..12 {
        let mut command = program.command();
        // Independent of installed browsers.
        command.envs(upstream.settings()).env("CHROME", "/nowhere/chromium");
        let all = Run::of(&command.args(["enrich", "--json", "--index", &index.to_string()]).output().unwrap());
        let report = all.json();
        let (good, bad): (Vec<_>, Vec<_>) =
            report["services"].as_array().unwrap().iter().partition(|of| of["ok"] == json!(true));
        assert_eq!((good.len() + bad.len(), &report["identical"]), (7, &json!(true)), "{report}");
        assert_eq!(all.code, Some(if bad.is_empty() { 0 } else { 4 }), "{report}");
        for of in good {
            assert_eq!((&of["incomplete"], &of["missing"], &of["identical"]), (&json!([]), &json!([]), &json!(true)));
            assert_eq!((&of["warm"]["hits"], &of["warm"]["upstream"]), (&of["warm"]["requests"], &json!(0)), "{of}");
        }
        failed.extend(bad.into_iter().map(|of| {
            let [title, service, error] =
                [&report["title"], &of["service"], &of["error"]].map(|of| of.as_str().unwrap());
            format!("{title}, {service}: {}", error.split(',').next().unwrap())
        }));
    }
    let expected = [
        "Sen to Chihiro no Kamikakushi, anisearch: blocked by a challenge page that requires a browser: Chromium not found \
         (/nowhere/chromium); install it (apt-get install chromium",
        "Hunter x Hunter (2011), anidb: Banned",
        "Shirobako, jikan: not found",
    ];
    assert_eq!(failed, expected);
    let requests = upstream.requests();
    assert_eq!(requests["jikan"]["GET /v4/anime/457/full"], 2, "the first answer was to come again later");
}

#[test]
fn title_with_several_matches_lists_them_with_index() {
    let (program, upstream) = (Program::bare(), Upstream::start());
    let enrich = |arguments: &[&str]| {
        run(&program, &upstream, &[&["enrich", "--sqlite", "x.db", "--only", "jikan", "--json"], arguments].concat())
    };
    assert_eq!(enrich(&["--title", "FRIEREN"]).json()["title"], "Sousou no Frieren");
    assert_eq!(enrich(&["--index", "2"]).json()["title"], "Death Note");
    let several = enrich(&["--title", "hi"]);
    assert_eq!((several.code, several.out.as_str()), (Some(2), ""));
    assert!(several.err.contains("\n       6  Naruto: Shippuuden (TV, 500 episodes)\n"), "{}", several.err);
    for none in [&["--title", "Bleach"][..], &["--index", "12"]] {
        let none = enrich(none);
        assert_eq!(none.code, Some(3));
        assert!(none.err.contains("the built-in database (12 titles)"), "{}", none.err);
    }
    for (wrong, message) in [
        (&[][..], "--mal-id"),
        (&["--title", "x", "--index", "1"], "--index"),
        (&["--mal-id", "1", "--index", "1"], "--index"),
        (&["--title", "x", "--only", "jikn,kitsu"], "jikan, anilist, kitsu, anidb, anime_planet, anisearch"),
        (&["--title", "x", "--skip", "kitsu"], "--skip"),
        (&["--title", "x", "--read-only"], "--offline"),
        (&["--title", "x", "--fresh", "--verify"], "--verify"),
        (&["--title", "x", "--timeout", "0s"], "--timeout"),
        (&["--title", "x", "--file", "none.json"], "none.json"),
        (&["--anime-planet-slug", ""], "--anime-planet-slug"),
    ] {
        let refused = enrich(wrong);
        assert_eq!(refused.code, Some(2), "{wrong:?} {}", refused.err);
        assert!(refused.err.contains(message), "{wrong:?} {}", refused.err);
    }
    assert!(!program.directory.path().join("data").exists());
}

#[test]
fn titles_of_a_database_move_no_terminal_and_make_no_lines() {
    let (program, upstream) = (Program::bare(), Upstream::start());
    let titles = ["evil \u{1b}]0;x\u{7}", "evil\n     999  Fake"].map(|title| json!({"title": title}));
    fs::write(program.directory.path().join("my.json"), json!({"data": titles}).to_string()).unwrap();
    let enrich = |arguments: &[&str]| {
        run(&program, &upstream, &[&["enrich", "--sqlite", "x.db", "--file", "my.json"], arguments].concat())
    };
    let nothing = enrich(&["--index", "0", "--only", "jikan"]);
    assert_eq!(nothing.code, Some(3));
    assert!(nothing.err.contains("evil ␛]0;x␇ has no ID for"), "{}", nothing.err);
    let several = enrich(&["--title", "evil"]);
    assert_eq!((several.code, several.err.lines().count()), (Some(2), 3), "{}", several.err);
    assert!(several.err.contains("\n       1  evil␊     999  Fake"), "{}", several.err);
}

#[test]
fn ids_come_from_a_database_or_by_hand() {
    let (program, upstream) = (Program::bare(), Upstream::start());
    let enrich = |arguments: &[&str]| {
        let report = run(&program, &upstream, &[&["enrich", "--sqlite", "x.db", "--json"], arguments].concat());
        assert_eq!(report.code, Some(0), "{}", report.err);
        let report = report.json();
        let services = report["services"].as_array().unwrap();
        let services: Vec<_> = services.iter().map(|of| of["service"].as_str().unwrap().to_owned()).collect();
        (report["title"].as_str().unwrap().to_owned(), services.join(" "))
    };
    let database = json!({"data": [{"title": "By file", "sources": ["https://myanimelist.net/anime/1"]}]});
    fs::write(program.directory.path().join("my.json"), database.to_string()).unwrap();
    let only_jikan = "jikan".to_owned();
    assert_eq!(
        enrich(&["--title", "file", "--file", "my.json", "--skip", "animeschedule"]),
        ("By file".into(), only_jikan.clone())
    );
    for (flag, id, title, service) in [
        ("--mal-id", "1", "MAL 1", "jikan"),
        ("--anilist-id", "1", "AniList 1", "anilist"),
        ("--kitsu-id", "1", "Kitsu 1", "kitsu"),
        ("--anidb-id", "23", "AniDB 23", "anidb"),
        ("--anime-planet-slug", "cowboy-bebop", "cowboy-bebop", "anime_planet"),
        ("--anisearch-id", "1572", "AniSearch 1572", "anisearch"),
    ] {
        assert_eq!(enrich(&[flag, id]), (title.into(), service.into()));
    }
    let ids = ["--mal-id", "1", "--kitsu-id", "1", "--anilist-id", "1"];
    for two in [&["--only", "jikan", "kitsu"][..], &["--only", "jikan,kitsu"], &["--skip", "anilist", "animeschedule"]]
    {
        assert_eq!(enrich(&[&ids[..], two].concat()).1, "jikan kitsu", "{two:?}");
    }
    // The path of the database in the pipeline.
    let pipelines = program.directory.path().join("data/qdrant_storage");
    fs::create_dir_all(&pipelines).unwrap();
    fs::rename(program.directory.path().join("my.json"), pipelines.join("anime-offline-database.json")).unwrap();
    assert_eq!(enrich(&["--index", "0", "--only", "jikan"]), ("By file".into(), only_jikan));
    let nothing = run(&program, &upstream, &["enrich", "--index", "0", "--only", "kitsu,anidb", "--sqlite", "x.db"]);
    assert_eq!(nothing.code, Some(3));
    assert!(nothing.err.contains("By file has no ID for"), "{}", nothing.err);
}

#[test]
fn what_the_services_brought_is_written_without_secrets() {
    let (program, upstream) = (Program::bare(), Upstream::start());
    let token = "hunter2-of-nobody";
    let mut command = program.command();
    command.envs(upstream.settings()).env("ANIMECACHE_ANIMESCHEDULE_TOKEN", token).args(BEBOP);
    let run = Run::of(&command.args(["--sqlite", "x.db", "--out", "a/b", "-vvv"]).output().unwrap());
    assert_eq!(run.code, Some(0), "{}", run.err);
    let directory = program.directory.path().join("a/b");
    let names: Vec<_> = directory.read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["jikan.json"]);
    let text = fs::read_to_string(directory.join("jikan.json")).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["anime"]["title"], "Cowboy Bebop");
    assert!(text.lines().count() > 10, "not pretty: {text:.200}");
    assert!(!(run.out + &run.err + &text).contains(token));
    fs::write(program.directory.path().join("file"), "").unwrap();
    let refused = self::run(&program, &upstream, &[&BEBOP[..], &["--sqlite", "x.db", "--out", "file/x"]].concat());
    assert_eq!(refused.code, Some(1));
}

#[test]
fn unwritable_files_fail_early_or_after_the_report() {
    let ((program, mut redis), upstream) = (empty(), Upstream::start());
    // No file can be created there.
    let refused = run(&program, &upstream, &[&BEBOP[..], &["--out", "/proc/self"]].concat());
    assert_eq!((refused.code, total(&upstream)), (Some(1), 0), "{}", refused.err);
    assert!(refused.err.contains("cannot create a file in /proc/self"), "{}", refused.err);

    fs::create_dir_all(program.directory.path().join("out/jikan.json")).unwrap();
    let late = run(&program, &upstream, &[&BEBOP[..], &["--out", "out", "--json"]].concat());
    assert_eq!((late.code, &late.json()["identical"]), (Some(1), &json!(true)), "{}", late.err);
    assert!(late.err.contains("cannot write out/jikan.json"), "{}", late.err);
    assert!(cmd("EXISTS").arg("animecache:runs").query::<bool>(&mut redis).unwrap(), "the run is part of the history");
}

#[test]
fn failed_service_is_reported_and_affects_no_other() {
    let (program, upstream) = (Program::bare(), Upstream::start());
    let failed =
        run(&program, &upstream, &["enrich", "--title", "shirobako", "--only", "jikan", "--sqlite", "x.db", "--json"]);
    let report = failed.json();
    assert_eq!(failed.code, Some(1), "{}", failed.err);
    assert_eq!((&report["services"][0]["ok"], &report["services"][0]["warm"]), (&json!(false), &json!(null)));
    assert!(!report["services"][0]["error"].as_str().unwrap().is_empty());
}

#[test]
fn run_after_time_limit_continues_from_cache() {
    let (program, upstream) = (Program::bare(), Upstream::at_pace("100"));
    let late = run(&program, &upstream, &[&BEBOP[..], &["--sqlite", "x.db", "--timeout", "100ms"]].concat());
    assert_eq!(late.code, Some(1), "{}", late.err);
    assert!(late.out.contains("run again to continue from the cached responses"), "{}", late.out);
    assert!(late.out.contains("Use --timeout to allow more time for each service"), "{}", late.out);
}

#[test]
fn an_interrupt_ends_it_at_once_and_says_what_was_done() {
    let ((program, _redis), upstream) = (empty(), Upstream::at_pace("100"));
    let run = interrupt(start(&program, &upstream, &[&BEBOP[..], &["--json", "--out", "out"]].concat()), &upstream);
    assert_eq!(run.code, Some(4), "{}", run.err);
    let report = run.json();
    assert_eq!((&report["interrupted"], &report["services"][0]["error"]), (&json!(true), &json!("interrupted")));
    assert_eq!(program.directory.path().join("out").read_dir().unwrap().count(), 0);
}

#[test]
fn without_redis_sqlite_is_used_unless_fallback_is_off() {
    let (program, upstream) = (Program::on(&RedisServer::start("").stop().url()), Upstream::start());
    let run = |more: &[&str]| run(&program, &upstream, &[&BEBOP[..], more].concat());
    let refused = run(&["--no-fallback"]);
    assert_eq!(refused.code, Some(5), "{}", refused.err);
    assert!(!program.directory.path().join("data").exists());
    let stood_in = run(&["--json"]);
    assert!(stood_in.err.contains("Redis connection failed: ") && stood_in.err.contains("Falling back to SQLite"));
    assert_eq!((stood_in.code, &stood_in.json()["identical"]), (Some(0), &json!(true)), "{}", stood_in.err);
    assert!(program.directory.path().join("data/http_cache/http_cache.db").is_file());
}

#[test]
fn processes_that_run_at_once_share_what_they_fetch() {
    let ((program, _redis), upstream) = (empty(), Upstream::at_pace("0.2"));
    let arguments = ["enrich", "--title", "cowboy bebop", "--json"];
    let processes: Vec<_> = (0..4).map(|_| start(&program, &upstream, &arguments)).collect();
    for process in processes {
        let run = Run::of(&process.wait_with_output().unwrap());
        assert_eq!((run.code, &run.json()["identical"]), (Some(0), &json!(true)), "{}", run.err);
    }
    let requests = upstream.requests();
    assert_eq!(requests.as_object().unwrap().len(), 7);
    for (request, count) in requests.as_object().unwrap().values().flat_map(|of| of.as_object().unwrap()) {
        assert_eq!(count, 1, "{request}");
    }
}

#[test]
fn demo_needs_no_server_and_leaves_no_files() {
    let program = Program::bare();
    let mut command = program.command();
    command.env("TMPDIR", program.directory.path()).env("REDIS_CACHE_URL", "redis://127.0.0.1:1/0");
    let run = Run::of(&command.args(BEBOP).args(["--demo", "--json"]).output().unwrap());
    assert_eq!((run.code, &run.json()["identical"]), (Some(0), &json!(true)), "{}", run.err);
    assert_eq!(left_in(program.directory.path()), [""; 0]);
}

#[test]
fn a_demo_upstream_serves_any_cache() {
    let (program, mut redis) = empty();
    let run = program.run(&[&BEBOP[..], &["--demo-upstream", "--json"]].concat());
    assert_eq!((run.code, &run.json()["identical"]), (Some(0), &json!(true)), "{}", run.err);
    assert!(cmd("DBSIZE").query::<u64>(&mut redis).unwrap() > 0);
}

fn left_in(directory: &Path) -> Vec<String> {
    directory.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}
