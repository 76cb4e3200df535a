//! URLs and what they mean: what redis-py reads, or an error that names what is wrong. The test in
//! `tests/python/test_settings.py` compares the same table with redis-py itself.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::redis_url::RedisUrl;
use crate::model::redis_url::location::{RedisLocation, RedisServer};
use crate::model::redis_url::parse::parse;
use crate::model::tls::{TlsOptions, TlsVerification};

/// One line a URL: the URL, a tab, and its meaning or `error: ` with a part of the message.
const TABLE: &str = include_str!("../../../tests/fixtures/redis-urls.txt");

/// The meaning of a location as the table writes it.
fn meaning(location: &RedisLocation) -> String {
    let place = match &location.server {
        RedisServer::Tcp { host, port } => format!("host={host} port={port}"),
        RedisServer::Socket(path) => format!("path={}", path.display()),
    };
    let mut text = format!("{place} db={}", location.database);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(text, " {name}={value}");
        }
    };
    add("username", location.username.clone());
    add("password", location.password.clone().filter(|password| !password.is_empty()));
    add("protocol", location.is_resp3.then(|| "3".to_owned()));
    add("tls", location.tls.as_ref().map(|_| "yes".to_owned()));
    text
}

#[test]
fn a_url_means_what_redis_py_makes_of_it() {
    let mut seen = 0;
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        let (url, expected) = line.split_once('\t').unwrap_or_else(|| panic!("no tab in {line}"));
        match (parse(url), expected.strip_prefix("error: ")) {
            (Ok(location), None) => assert_eq!(meaning(&location), expected, "{url}"),
            (Err(problem), Some(part)) => assert!(problem.contains(part), "{url}: {problem}"),
            (outcome, _) => panic!("{url}: {:?}", outcome.map(|location| meaning(&location))),
        }
        seen += 1;
    }
    assert!(seen >= 60, "{seen} URLs");
}

#[test]
fn parameters_of_tls_and_of_timeouts_are_read() {
    let url = "rediss://h?ssl_ca_certs=ca.crt&ssl_ca_path=/etc/ca&ssl_certfile=c.crt&ssl_keyfile=c.key&sni=cache.example\
               &socket_timeout=2.5&socket_connect_timeout=1&socket_keepalive=no&retry_on_timeout=False\
               &max_connections=7&health_check_interval=0";
    let location = parse(url).unwrap_or_else(|problem| panic!("{problem}"));
    let path = |name: &str| Some(PathBuf::from(name));
    let expected = TlsOptions {
        ca_file: path("ca.crt"),
        ca_directory: path("/etc/ca"),
        certificate: path("c.crt"),
        key: path("c.key"),
        server_name: Some("cache.example".to_owned()),
        verification: None,
    };
    assert_eq!(location.tls, Some(expected));
    let tuning = location.tuning;
    assert_eq!(
        (tuning.timeout, tuning.connect_timeout),
        (Some(Duration::from_millis(2_500)), Some(Duration::from_secs(1)))
    );
    assert_eq!((tuning.keepalive, tuning.retry_on_timeout), (Some(false), Some(false)));
    assert_eq!((tuning.max_connections, tuning.health_check_interval), (Some(7), Some(Duration::ZERO)));
    for (query, verification) in [
        ("", None),
        ("?ssl_cert_reqs=required&ssl_check_hostname=true", None),
        ("?ssl_check_hostname=false", Some(TlsVerification::AnyName)),
        ("?ssl_cert_reqs=none&ssl_check_hostname=true", Some(TlsVerification::None)),
    ] {
        let tls = parse(&format!("rediss://h{query}")).ok().and_then(|location| location.tls);
        assert_eq!(tls.map(|tls| tls.verification), Some(verification), "{query}");
    }
}

#[test]
fn urls_of_one_database_are_the_same() {
    let same = |one: &str, other: &str| RedisUrl::new(one).is_same_database(&RedisUrl::new(other));
    assert!(same("redis://localhost", "redis://LOCALHOST:6379/0?socket_timeout=1"));
    assert!(same("redis://:pw@h/3", "redis://h?db=3&password=pw"));
    assert!(same("redis://:pw@h", "redis://default:pw@h/0"));
    assert!(!same("redis://h/1", "redis://h/2"));
    assert!(!same("redis://me:pw@h", "redis://:pw@h"));
    assert!(!same("redis://h/x", "redis://h/x"), "an invalid URL names nothing");
}

#[test]
fn passwords_are_never_printed() {
    for (url, shown) in [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:hunter2@localhost/0", "redis://***@localhost/0"),
        ("rediss://me:hunter2@host:1/0?x=1", "rediss://***@host:1/0?x=1"),
        ("redis://me:p@ss/w:rd@host", "redis://***@host"),
        (":hunter2@localhost:6379", "***@localhost:6379"),
        ("unix:///run/redis.sock?db=1&password=hunter2&x=1", "unix:///run/redis.sock?db=1&password=***&x=1"),
        ("unix:///run/redis.sock?pass=hunter2&pass=hunter3", "unix:///run/redis.sock?pass=***&pass=***"),
    ] {
        assert_eq!(RedisUrl::new(url).to_string(), shown);
        assert_eq!(format!("{:?}", RedisUrl::new(url)), shown);
        let message = RedisUrl::new(url).check().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(!message.contains("hunter2") && !message.contains("ss/w"), "{message}");
    }
}
