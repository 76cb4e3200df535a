//! `stats`, `ls` and `show`: contents of the cache, in the fields that scripts rely on.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use cache_core::{Config, Redis, RedisUrl, StatsStore as _, clock};
use cache_core::{Counters, HourlyCounters, Scope, StatsDelta};
use redis::cmd;
use serde_json::{Value, json};

use crate::program::{Program, Run, empty, expected, pipeline};
use animecache::services;

const HTTP_FIELDS: [&str; 19] = [
    "kind",
    "id",
    "key",
    "layout",
    "cache_key",
    "service",
    "state",
    "method",
    "url",
    "status",
    "size",
    "created_at",
    "age",
    "ttl",
    "last_used",
    "freshness_lifetime",
    "fresh",
    "content_type",
    "title",
];
const RESULT_FIELDS: [&str; 11] =
    ["kind", "id", "key", "layout", "service", "state", "prefix", "schema", "arguments", "size", "ttl"];

const COUNTED_FIELDS: [&str; 11] = [
    "hits",
    "misses",
    "hit_rate",
    "stores",
    "errors",
    "window",
    "revalidations",
    "stale",
    "waits",
    "served_bytes",
    "mean_lookup",
];

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn ls_lists_every_entry_as_the_reference_decoder_reads_it() {
    let (program, _redis) = pipeline();
    let run = program.run(&["ls", "--json"]);
    assert_eq!(run.code, Some(0));
    let rows = run.rows();
    assert_eq!(rows.len(), 24);
    for expected in expected() {
        let id = expected["redis_key"].as_str().unwrap().strip_prefix("hishel_cache:entry:").unwrap();
        let row = &rows[id];
        assert_eq!(fields(row), HTTP_FIELDS);
        let pair = &expected["pair"];
        assert_eq!(row["key"], expected["redis_key"]);
        assert_eq!(row["layout"], "pipeline");
        assert_eq!(row["method"], pair["request"]["method"]);
        assert_eq!(row["url"], pair["request"]["url"]);
        assert_eq!(row["status"], pair["response"]["status_code"]);
        assert_eq!(row["size"], expected["body_len"]);
        assert_eq!(row["created_at"], pair["meta"]["created_at"]);
        assert_eq!(row["state"], if pair["meta"]["deleted_at"].is_null() { "live" } else { "deleted" });
    }
    let key = "result_cache:anisearch_anime:82fce6a05e45281a:18878,dan-da-dan";
    let mut row = rows[key].clone();
    assert_eq!(fields(&row), RESULT_FIELDS);
    assert!(row["ttl"].as_f64().unwrap() > 86_000.0);
    row.as_object_mut().unwrap().remove("ttl");
    let known = json!({"kind": "result", "id": key, "key": key, "layout": "pipeline", "service": "anisearch",
        "state": "live", "prefix": "anisearch_anime", "schema": "82fce6a05e45281a", "arguments": "18878,dan-da-dan",
        "size": 79});
    assert_eq!(row, known);
}

#[test]
fn show_prints_headers_and_body_as_reference_decoder_does() {
    let (program, _redis) = pipeline();
    for expected in expected() {
        let id = expected["redis_key"].as_str().unwrap().strip_prefix("hishel_cache:entry:").unwrap();
        let run = program.run(&["show", id, "--json", "--reveal"]);
        assert_eq!(run.code, Some(0), "{}", run.err);
        let shown = run.json();
        assert_eq!(shown["request"]["headers"], expected["pair"]["request"]["headers"]);
        assert_eq!(shown["response"]["headers"], expected["pair"]["response"]["headers"]);
        assert_eq!(shown["body_sha256"], expected["body_sha256"]);
        let types: Vec<_> = shown["redis_keys"].as_array().unwrap().iter().map(|key| key["type"].clone()).collect();
        assert!(types.contains(&json!("hash")) && types.contains(&json!("list")), "{types:?}");
    }
}

#[test]
fn a_body_comes_decoded_or_as_stored() {
    let (program, _redis) = pipeline();
    let body = |mode| program.command().args(["show", "http://127.0.0.1:8999/gz", mode]).output().unwrap().stdout;
    assert_eq!(body("--body"), b"{\"zipped\":true}");
    assert_eq!(body("--raw")[..2], [0x1f, 0x8b]);
    let binary = program.command().args(["show", "/binary", "--raw"]).output().unwrap().stdout;
    assert_eq!(binary.len(), 4096);
}

#[test]
fn secrets_are_shown_only_with_reveal() {
    let (program, mut redis) = empty();
    let key = "result_cache:p:1";
    cmd("SET").arg(key).arg("1").exec(&mut redis).unwrap();
    assert_eq!(program.run(&["show", key, "--json"]).json()["body"], 1);

    let (program, _redis) = pipeline();
    let hidden = program.run(&["show", "/multi"]);
    assert!(hidden.out.contains("set-cookie: ***"), "{}", hidden.out);
    let revealed = program.run(&["show", "/multi", "--reveal", "--headers"]);
    assert!(revealed.out.contains("set-cookie: a=1"), "{}", revealed.out);
}

#[test]
fn credentials_are_hidden_unless_revealed() {
    let (program, mut redis) = empty();
    let key = "result_cache:tok:82fce6a05e45281a:1:access_token=S3CRET";
    cmd("SET").arg(key).arg(r#"{"refresh_token": "S3CRET"}"#).exec(&mut redis).unwrap();
    for arguments in [&["ls"][..], &["ls", "--json"], &["show", key], &["show", key, "--json"]] {
        let run = program.run(arguments);
        assert!(run.out.contains("access_token=***") && !run.out.contains("S3CRET"), "{}", run.out);
        let run = program.run(&[arguments, &["--reveal"]].concat());
        assert!(run.out.contains("access_token=S3CRET"), "{}", run.out);
    }
    assert!(program.run(&["show", key, "--body"]).out.contains("S3CRET"), "the body alone is what was asked for");

    let url = "https://u:S3CRET@h/x?sig=S3CRET";
    for arguments in [&["doctor", "--storage", "sqlite"][..], &["doctor", "--storage", "sqlite", "--json"]] {
        let run = Run::of(&program.command().args(arguments).env("ANIMECACHE_JIKAN_URL", url).output().unwrap());
        assert!(run.out.contains("https://***@h/x") && !run.out.contains("S3CRET"), "{}", run.out);
    }
}

#[test]
fn stats_counts_what_is_there() {
    let (program, mut redis) = pipeline();
    cmd("SET").arg("another:programs:key").arg("1").exec(&mut redis).unwrap();
    let stats = program.run(&["stats", "--json"]).json();
    assert_eq!(
        stats["entries"],
        json!({"http": 13, "result": 10, "incomplete": 0, "deleted": 1, "corrupt": 0, "orphan_keys": 0, "denied": 0})
    );
    assert_eq!(stats["keys"], 52);
    assert_eq!(stats["scanned"], json!({"keys": 53, "complete": true}));
    assert_eq!(stats["backend"]["kind"], "redis");
    assert_eq!(stats["backend"]["fallback"], false);
    // The server counts the reads of this program, too: they are not a hit rate.
    assert_eq!(stats["hit_source"], "none");
    assert_eq!([&stats["hits"], &stats["misses"], &stats["hit_rate"]], [&Value::Null; 3]);
    assert!(program.run(&["stats"]).out.contains("hit rate  not available"));
    let service = stats["services"].as_array().unwrap().iter().find(|row| row["service"] == "anisearch").unwrap();
    assert_eq!(fields(service)[..5], ["service", "kind", "entries", "bytes", "ttl"]);
    assert_eq!(fields(service)[5..], COUNTED_FIELDS);
    assert_eq!(fields(&service["ttl"]), ["min", "median", "max", "none", "unknown"]);
    assert_eq!((&service["entries"], &service["bytes"], &service["hits"]), (&json!(1), &json!(79), &Value::Null));

    let prometheus = program.run(&["stats", "--prometheus"]).out;
    assert!(prometheus.contains("animecache_entries{kind=\"http\",state=\"live\"} 13\n"), "{prometheus}");
    assert!(
        prometheus.contains("animecache_service_bytes{service=\"anisearch\",kind=\"result\"} 79\n"),
        "{prometheus}"
    );
}

/// Adds statistics as the caches do: this hour, yesterday, and six days ago.
async fn count(program: &Program) {
    let config = Config { redis_url: RedisUrl::new(program.url()), ..Config::default() };
    let hour = (clock::now() / 3_600.0) as i64;
    let bucket = |ago: i64, scope: &Scope, hits, misses| HourlyCounters {
        hour: hour - ago,
        scope: scope.clone(),
        counts: Counters {
            hits,
            misses,
            stores: misses,
            errors: 1,
            lookup_micros: 500 * (hits + misses),
            ..Counters::default()
        },
    };
    let jikan = Scope::Http(services::jikan());
    let results = Scope::Result("anisearch_anime".into());
    let hostile = Scope::Result("p\u{1b}[31m\"\n\u{202e}".into());
    let buckets = vec![
        bucket(0, &jikan, 9, 1),
        bucket(20, &jikan, 31, 9),
        bucket(144, &jikan, 0, 50),
        bucket(20, &results, 3, 1),
        bucket(0, &hostile, 0, 1),
    ];
    Redis::new(&config).unwrap().add_stats(&StatsDelta::single(buckets)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hit_rates_are_those_that_the_caches_counted() {
    let (program, _redis) = empty();
    count(&program).await;
    let stats = program.run(&["stats", "--json"]).json();
    assert_eq!(stats["hit_source"], "counters");
    assert_eq!((&stats["hits"], &stats["misses"], &stats["window"]), (&json!(43), &json!(12), &json!(86_400.0)));
    let age = clock::now() - stats["since"].as_f64().unwrap();
    assert!((86_400.0..90_001.0).contains(&age), "{age}");
    let jikan = &stats["services"][0];
    assert_eq!((&jikan["service"], &jikan["kind"], &jikan["entries"]), (&json!("jikan"), &json!("http"), &json!(0)));
    assert_eq!((&jikan["hits"], &jikan["misses"], &jikan["hit_rate"]), (&json!(40), &json!(10), &json!(0.8)));
    assert_eq!((&jikan["stores"], &jikan["errors"], &jikan["mean_lookup"]), (&json!(10), &json!(2), &json!(0.0005)));
    let prefix = &stats["result_prefixes"][0];
    assert_eq!(fields(prefix)[..2], ["prefix", "service"]);
    assert_eq!(fields(prefix)[2..], COUNTED_FIELDS);
    assert_eq!((&prefix["prefix"], &prefix["service"]), (&json!("anisearch_anime"), &json!("anisearch")));
    assert_eq!(prefix["hit_rate"], 0.75);

    let hits = |window| program.run(&["stats", "--json", "--window", window]).json()["services"][0]["hit_rate"].clone();
    assert_eq!([hits("1h"), hits("24h"), hits("7d")], [json!(0.9), json!(0.8), json!(0.4)]);
    assert_eq!(program.run(&["stats", "--window", "2h"]).code, Some(2));

    let text = program.run(&["stats"]).out;
    assert!(text.contains("hit rate  78.1% (43 of 55 lookups in the last 24h)"), "{text}");
    let row = text.lines().find(|line| line.contains("90.0%")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>().join(" "), "jikan http 90.0% 80.0% 40.0% 40 10 2 500 µs");
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_gets_counters_that_only_grow() {
    let (program, _redis) = empty();
    count(&program).await;
    let text = program.run(&["stats", "--prometheus"]).out;
    for line in [
        "# TYPE animecache_hits_total counter",
        "animecache_hits_total{service=\"jikan\",kind=\"http\"} 40",
        "animecache_misses_total{service=\"jikan\",kind=\"http\"} 60",
        "animecache_hits_total{service=\"anisearch\",kind=\"result\",prefix=\"anisearch_anime\"} 3",
        "animecache_lookup_seconds_total{service=\"anisearch\",kind=\"result\",prefix=\"anisearch_anime\"} 0.002",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
    assert!(text.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{text:?}");
    count(&program).await;
    let again = program.run(&["stats", "--prometheus"]).out;
    assert!(again.contains("animecache_hits_total{service=\"jikan\",kind=\"http\"} 80\n"), "{again}");
}

#[test]
fn entries_are_sorted_limited_and_selected() {
    let (program, _redis) = pipeline();
    let sizes = |arguments: &[&str]| -> Vec<u64> {
        let run = program.run(&[&["ls", "--json"], arguments].concat());
        assert_eq!(run.code, Some(0), "{}", run.err);
        run.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["size"].as_u64().unwrap()).collect()
    };
    assert_eq!(sizes(&["--sort", "size", "--reverse", "--limit", "2"]), [300_000, 4096]);
    assert_eq!(sizes(&["--larger-than", "100KiB"]), [300_000]);
    assert_eq!(sizes(&["--state", "deleted"]), [300_000]);
    assert_eq!(sizes(&["--status", "2xx", "--url", "*/empty"]), [0]);
    assert_eq!(sizes(&["--service", "anisearch", "--kind", "result"]), [79]);
    assert_eq!(sizes(&["--body-match", "zipped", "--sort", "size"]), [15, 35]);

    // Unknown values come last in both directions; results do not have these.
    for field in ["age", "url", "status"] {
        for reverse in [&[][..], &["--reverse"]] {
            let run = program.run(&[&["ls", "--json", "--sort", field], reverse].concat());
            let rows = run.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let is_known: Vec<_> = rows.map(|row| !row.get(field).is_none_or(Value::is_null)).collect();
            assert!(is_known[0] && !is_known[is_known.len() - 1], "{field} {is_known:?}");
            assert!(is_known.is_sorted_by(|a, b| a >= b), "{field} {is_known:?}");
        }
    }
    let run = program.run(&["ls", "--json", "--sort", "service"]);
    let rows = run.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["service"].to_string());
    assert!(rows.is_sorted(), "{}", run.out);
    assert_eq!(sizes(&["--prefix", "hishel_cache"]).len(), 14);
    assert_eq!(sizes(&["--limit", "3"]).len(), 3);
    assert_eq!(sizes(&["--all"]).len(), 24);
    assert_eq!(program.run(&["ls", "--service", "kitsu"]).code, Some(3));
}

#[test]
fn what_is_cached_cannot_move_the_terminal() {
    let (program, mut redis) = empty();
    let key = "result_cache:p:\x1b]52;c;aGk=\x07\u{202e}\u{9b}31m";
    cmd("SET").arg(key).arg("\"\x1b[2J\"").exec(&mut redis).unwrap();
    for arguments in [&["ls"][..], &["ls", "--json"], &["show", key], &["show", key, "--json"]] {
        let out = program.run(arguments).out;
        assert!(!out.is_empty());
        let is_harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(out.chars().all(is_harmless), "{arguments:?}: {out:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_base64() {
    let (program, mut redis) = empty();
    cmd("SET").arg(b"result_cache:p:\xff\xfe").arg(b"\xfd").exec(&mut redis).unwrap();
    let row: Value = program.run(&["ls", "--json"]).json();
    assert_eq!(row["id"], json!({"base64": "cmVzdWx0X2NhY2hlOnA6//4="}));
    assert_eq!(row["arguments"], json!({"base64": "//4="}));
}

#[test]
fn a_pipe_closed_early_ends_the_list_quietly() {
    let (program, mut redis) = empty();
    fill(&mut redis, 50_000);
    let mut ls =
        program.process().args(["ls", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(ls.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with('{'));
    drop(lines);
    let output = ls.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// So many results.
pub fn fill(redis: &mut redis::Connection, count: u32) {
    let script = "for i = 1, tonumber(ARGV[1]) do redis.call('SET', 'result_cache:p:82fce6a05e45281a:' .. i, '1', 'EX', 9999) end";
    cmd("EVAL").arg(script).arg(0).arg(count).exec(redis).unwrap();
}

#[test]
fn an_entry_is_found_by_key_and_an_unknown_one_is_not() {
    let (program, mut redis) = pipeline();
    let id = "209662e2-e774-4be9-9d0b-1759981c933b";
    let index: Vec<String> = cmd("KEYS").arg("hishel_cache:key_index:*").query(&mut redis).unwrap();
    let index = index.iter().find(|key| cmd("SISMEMBER").arg(key).arg(id).query::<bool>(&mut redis).unwrap()).unwrap();
    for name in [id, &format!("hishel_cache:entry:{id}"), &format!("hishel_cache:stream:{id}"), index, "/multi"] {
        assert_eq!(program.run(&["show", name, "--json"]).json()["id"], id, "{name}");
    }
    for name in
        ["00000000-0000-0000-0000-000000000000", "hishel_cache:entry:nothing", "result_cache:none", "nowhere.example"]
    {
        assert_eq!(program.run(&["show", name]).code, Some(3), "{name}");
    }
    let several = program.run(&["show", "/v4/anime"]);
    assert_eq!(several.code, Some(2));
    assert!(several.err.contains("is ambiguous; it matches "), "{}", several.err);
}

#[test]
fn the_demo_fills_every_command() {
    let program = Program::bare();
    let stats = program.run(&["--demo", "stats", "--json"]).json();
    assert_eq!(stats["backend"]["kind"], "sqlite");
    assert_eq!(stats["hit_source"], "counters");
    assert!(stats["entries"]["http"].as_u64().unwrap() > 50);
    assert!(program.run(&["ls", "--demo", "--json", "--service", "kitsu"]).rows().len() > 5);
    assert_eq!(program.run(&["flush", "--demo", "--all", "--yes"]).code, Some(0));
}
