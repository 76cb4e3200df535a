//! `demo-upstream` for another program: seven simulated services over real HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::Value;

use crate::program::{Program, Run};

/// The running program with its URLs.
pub struct Upstream {
    process: Child,
    urls: Value,
}

impl Upstream {
    /// Without delays.
    pub fn start() -> Self {
        Self::at_pace("0")
    }

    /// With realistic delays, multiplied by a factor.
    pub fn at_pace(pace: &str) -> Self {
        Self::with(&["--pace", pace]).unwrap_or_else(|run| panic!("{}", run.err))
    }

    /// With these arguments, which may be refused.
    fn with(arguments: &[&str]) -> Result<Self, Run> {
        let mut command = Program::bare().process();
        // Its own directory is gone by then, and it needs none.
        command
            .current_dir("/")
            .args(["demo-upstream", "--json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        match serde_json::from_str(&line) {
            Ok(urls) => Ok(Self { process, urls }),
            Err(_) => Err(Run::of(&process.wait_with_output().unwrap())),
        }
    }

    /// Settings of a program that uses these services, without rate limits.
    pub fn settings(&self) -> Vec<(String, String)> {
        let urls = self.urls.as_object().unwrap();
        let of = |(name, url): (&String, &Value)| {
            let limit = name.replace("ANIMECACHE_", "ANIMECACHE_LIMIT_").replace("_URL", "");
            [(name.clone(), url.as_str().unwrap().to_owned()), (limit, "none".to_owned())]
        };
        urls.iter().flat_map(of).collect()
    }

    /// All requests with their counts, by service.
    pub fn requests(&self) -> Value {
        serde_json::from_str(&self.get("ANISEARCH", "/_demo/requests").2).unwrap()
    }

    /// Sends a request to a service, and returns status, header fields and body; `path` is appended to the base URL.
    fn ask(&self, service: &str, method: &str, path: &str, body: &str) -> (u16, String, String) {
        let url = self.urls[format!("ANIMECACHE_{service}_URL")].as_str().unwrap();
        let (host, base) =
            url.strip_prefix("http://").unwrap().split_at(url.len() - "http://".len() - base_of(url).len());
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }

    fn get(&self, service: &str, path: &str) -> (u16, String, String) {
        self.ask(service, "GET", path, "")
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The path of a URL.
fn base_of(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap();
    rest.find('/').map_or("", |at| &rest[at..])
}

#[test]
fn all_seven_services_answer_for_one_title() {
    let upstream = Upstream::start();
    for (service, path, part) in [
        ("JIKAN", "/anime/1/full", "\"title\":\"Cowboy Bebop\""),
        ("JIKAN", "/anime/1/characters", "\"name\":\"Spike Spiegel\""),
        ("JIKAN", "/anime/1/episodes/26", "\"mal_id\":26"),
        ("JIKAN", "/characters/100", "\"about\""),
        ("ANIDB", "?request=anime&client=animeenrichment&clientver=1.0&protover=1&aid=23", "<anime id=\"23\""),
        ("KITSU", "/anime/1", "\"canonicalTitle\":\"Cowboy Bebop\""),
        ("KITSU", "/anime/1/categories", "\"categories\""),
        ("KITSU", "/anime?filter%5Bslug%5D=cowboy-bebop", "\"id\":\"1\""),
        ("ANIMESCHEDULE", "/anime?q=Cowboy%20Bebop", "\"route\":\"cowboy-bebop\""),
        ("ANIME_PLANET", "/anime/cowboy-bebop", "application/ld+json"),
        ("ANIME_PLANET", "/anime/cowboy-bebop/characters", "Main Characters"),
        ("ANIME_PLANET", "/characters/spike-spiegel-100", "itemprop=\"name\">Spike Spiegel"),
        ("ANISEARCH", "/anime/1572", "id=\"details-cover\""),
        ("ANISEARCH", "/anime/1572/episodes", "data-episode=\"true\""),
        ("ANISEARCH", "/anime/1572,cowboy-bebop/characters", "id=\"chara1\""),
    ] {
        let (status, _, body) = upstream.get(service, path);
        assert!(status == 200 && body.contains(part), "{service} {path}: {status} {body:.300}");
    }
    let (status, head, body) =
        upstream.ask("ANILIST", "POST", "/", r#"{"query": "query { Media { id } }", "variables": {"id": 1}}"#);
    assert!(status == 200 && body.contains("\"idMal\":1"), "{body:.300}");
    assert!(head.contains("x-ratelimit-remaining"), "{head}");
}

#[test]
fn long_lists_have_pages_that_end() {
    let upstream = Upstream::start();
    let query = |page: u64| {
        let body = format!(
            r#"{{"query": "{{ Media {{ characters(page: $page) }} }}", "variables": {{"id": 21, "page": {page}}}}}"#
        );
        let (_, _, body) = upstream.ask("ANILIST", "POST", "/", &body);
        let body: Value = serde_json::from_str(&body).unwrap();
        let characters = &body["data"]["Media"]["characters"];
        (characters["edges"].as_array().unwrap().len(), characters["pageInfo"]["hasNextPage"].as_bool().unwrap())
    };
    assert_eq!([query(1), query(2), query(3)], [(25, true), (20, false), (0, false)]);

    let (_, _, body) = upstream.get("KITSU", "/anime/1555/episodes?page%5Blimit%5D=20&page%5Boffset%5D=480");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((body["data"].as_array().unwrap().len(), &body["meta"]["count"]), (20, &500.into()));
}

#[test]
fn simulated_errors_match_real_services() {
    let upstream = Upstream::start();
    let (status, _, body) = upstream.get("JIKAN", "/anime/25835/full");
    assert_eq!((status, body.contains("HttpException")), (404, true));
    let (status, head, _) = upstream.get("JIKAN", "/anime/457/full");
    assert_eq!((status, head.contains("retry-after: 1")), (429, true));
    assert_eq!(upstream.get("JIKAN", "/anime/457/full").0, 200);
    let (status, _, body) = upstream.get("ANIDB", "?request=anime&client=x&aid=8550");
    assert_eq!((status, body.as_str()), (200, "<error>Banned</error>"));
    let (status, _, body) = upstream.get("ANIME_PLANET", "/anime/no-such-anime");
    assert_eq!((status, body.contains("No results found")), (200, true));
    let (status, _, body) = upstream.get("ANIMESCHEDULE", "/anime?q=no+such+anime");
    assert_eq!((status, body.as_str()), (200, "Couldn't find anime with these parameters."));
    assert_eq!(upstream.get("KITSU", "/anime/0").0, 404);
    assert_eq!(upstream.ask("ANILIST", "POST", "/", "no JSON").0, 400);
}

#[rstest]
fn requests_are_counted_and_printed_at_the_end(#[values("-INT", "-TERM")] signal: &str) {
    let mut upstream = Upstream::start();
    upstream.get("JIKAN", "/anime/1/full");
    upstream.get("JIKAN", "/anime/1/full");
    let (_, _, counts) = upstream.get("ANISEARCH", "/_demo/requests");
    assert_eq!(counts, r#"{"jikan":{"GET /v4/anime/1/full":2}}"#);

    let pid = upstream.process.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    assert_eq!(upstream.process.wait().unwrap().code(), Some(0));
    let mut message = String::new();
    upstream.process.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    assert!(message.contains("jikan: 2 requests"), "{message}");
}

#[test]
fn ports_are_chosen_or_refused() {
    // Another process may take one of the seven ports between the check and their use.
    let (upstream, first) = (0..20)
        .find_map(|_| {
            let first = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().min(65_529);
            Some((Upstream::with(&["--pace", "0", "--port", &first.to_string()]).ok()?, first))
        })
        .unwrap();
    let bases = [
        ("JIKAN", "/v4"),
        ("ANILIST", ""),
        ("ANIDB", "/httpapi"),
        ("KITSU", "/api/edge"),
        ("ANIMESCHEDULE", "/api/v3"),
        ("ANIME_PLANET", ""),
        ("ANISEARCH", ""),
    ];
    for ((service, base), port) in bases.into_iter().zip(first..) {
        assert_eq!(upstream.urls[format!("ANIMECACHE_{service}_URL")], format!("http://127.0.0.1:{port}{base}"));
    }
    assert_eq!(upstream.get("JIKAN", "/anime/1/full").0, 200);

    let last = (first + 6).to_string();
    let Err(taken) = Upstream::with(&["--port", &last]) else { panic!("{last} is taken") };
    assert_eq!(
        (taken.code, taken.err.contains(&format!("cannot listen on port {last}"))),
        (Some(1), true),
        "{}",
        taken.err
    );
    for port in ["0", "65530", "http"] {
        let Err(refused) = Upstream::with(&["--port", port]) else { panic!("{port} is none") };
        assert_eq!((refused.code, refused.err.contains("--port")), (Some(2), true), "{}", refused.err);
    }
}

#[test]
fn responses_have_configured_delay() {
    let upstream = Upstream::at_pace("0.1");
    for (service, path, milliseconds) in [
        ("JIKAN", "/anime/1/full", 150),
        ("ANILIST", "/", 450),
        ("ANIDB", "?request=anime&client=x&aid=23", 700),
        ("KITSU", "/anime/1", 250),
        ("ANIMESCHEDULE", "/anime?q=Mushishi", 300),
        ("ANIME_PLANET", "/anime/mushishi", 1_800),
        ("ANISEARCH", "/anime/2903", 2_200),
    ] {
        let begun = Instant::now();
        upstream.get(service, path);
        let least = Duration::from_millis(milliseconds) / 10;
        assert!(begun.elapsed() >= least, "{service}: {:?}", begun.elapsed());
    }
}
