//! `enrich` and `warm` where a service returns a part of its data: the part is kept, and the rest is reported.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::program::{Program, Run};

/// A local service with a status and a body for each path.
fn service(answer: fn(&str) -> (u16, &'static str)) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines();
            let first = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let (status, body) = answer(first.split(' ').nth(1).unwrap());
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            // The client may have disconnected.
            let _ = stream.write_all((head + body).as_bytes());
        }
    });
    url
}

/// Kitsu with a failing list of episodes.
fn kitsu() -> String {
    service(|path| match path {
        "/anime/1" => (200, "{\"data\": {\"id\": \"1\"}}"),
        "/anime/1/categories" => (200, "{\"data\": []}"),
        _ => (500, ""),
    })
}

fn run(program: &Program, url: &str, arguments: &[&str]) -> Run {
    let mut command = program.command();
    command.env("ANIMECACHE_KITSU_URL", url).env("ANIMECACHE_LIMIT_KITSU", "none");
    Run::of(&command.args(arguments).args(["--sqlite", "x.db", "--only", "kitsu"]).output().unwrap())
}

#[test]
fn missing_part_is_reported_and_rest_is_kept() {
    let (program, url) = (Program::bare(), kitsu());
    let arguments = ["enrich", "--kitsu-id", "1", "--out", "out"];
    let output = run(&program, &url, &arguments);
    assert_eq!(output.code, Some(4), "{} {}", output.out, output.err);
    assert!(output.out.contains("1 part missing: episodes from 1 (HTTP status 500)"), "{}", output.out);
    let report = run(&program, &url, &[&arguments[..], &["--json"]].concat());
    let kitsu = &report.json()["services"][0];
    assert_eq!((report.code, &kitsu["ok"], &kitsu["error"]), (Some(4), &json!(true), &json!(null)));
    assert_eq!(kitsu["incomplete"], json!([{"part": "episodes from 1", "problem": "HTTP status 500"}]));
    let written = fs::read(program.directory.path().join("out/kitsu.json")).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written, json!({"anime": {"id": "1"}, "episodes": [], "categories": []}));
}

#[test]
fn warm_pass_with_requests_is_a_finding() {
    let url = service(|path| match path {
        path if path.starts_with("/anime/1/episodes") => (404, ""),
        "/anime/1/categories" => (200, "{\"data\": []}"),
        _ => (200, "{\"data\": {\"id\": \"1\"}}"),
    });
    let program = Program::bare();
    let arguments = ["enrich", "--kitsu-id", "1"];
    let proven = run(&program, &url, &arguments);
    assert_eq!(proven.code, Some(0), "what is not found cannot be stored: {} {}", proven.out, proven.err);
    let mut command = program.command();
    command.env("ANIMECACHE_KITSU_URL", &url).env("ENABLE_HTTP_CACHE", "false").args(arguments);
    let again = Run::of(&command.args(["--sqlite", "y.db", "--only", "kitsu"]).output().unwrap());
    assert_eq!(again.code, Some(4), "{} {}", again.out, again.err);
    assert!(again.out.contains("warm pass: 2 requests were not served from the cache"), "{}", again.out);
}

#[test]
fn title_with_missing_part_is_not_warm() {
    let (program, url) = (Program::bare(), kitsu());
    let output = run(&program, &url, &["warm", "--index", "0", "--json"]);
    let summary = output.json();
    let title = &summary["titles"][0];
    assert_eq!((output.code, &summary["done"], &summary["failed"]), (Some(4), &json!(0), &json!(1)), "{summary}");
    assert_eq!((&title["ok"], &title["failed"][0]["service"]), (&json!(false), &json!("kitsu")));
    assert!(title["failed"][0]["error"].as_str().unwrap().contains("episodes from 1 (HTTP status 500)"), "{title}");
}
