//! A server that does not let us in.

use cache_core::{Cache, CacheOutcome, Config, RedisUrl, ServiceName};

use crate::redis_server::{self, RedisServer};
use crate::{cache, compute, get, origin};

#[tokio::test]
async fn a_wrong_password_makes_misses() {
    let server = RedisServer::start("--requirepass right");
    let origin = origin().await;
    for user in [":hunter2@", ""] {
        let cache = cache(&format!("redis://{user}{}", server.address()));
        let client = cache.client(ServiceName::new("jikan"));
        for number in 0..20 {
            get(&client, &origin, "/200/anime").await;
            compute(&cache, number).await;
        }
        let problem = cache.health().await.problem.expect("it says that it is not well");
        assert!(!problem.contains("hunter2"), "{problem}");
        cache.close().await;
    }
    assert_eq!(origin.count(), 40);
}

#[tokio::test]
async fn a_cache_is_not_opened_with_a_wrong_password() {
    let server = RedisServer::start("--requirepass right");
    let directory = tempfile::tempdir().unwrap();
    let url = RedisUrl::new(format!("redis://:hunter2@{}", server.address()));
    let config = Config { redis_url: url, sqlite: directory.path().into(), ..Config::default() };
    let error = Cache::open(&config).await.err().expect("nobody would notice otherwise");
    let text = cache_core::error_chain(&error);
    assert!(text.contains("authentication failed") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_disabled_cache_opens_no_storage() {
    let server = RedisServer::start("--requirepass right");
    let directory = tempfile::tempdir().unwrap();
    let sqlite = directory.path().join("cache");
    let url = RedisUrl::new(format!("redis://:hunter2@{}", server.address()));
    let config = Config { redis_url: url, sqlite: sqlite.clone(), enabled: false, ..Config::default() };
    let cache = Cache::open(&config).await.unwrap();
    let origin = origin().await;
    for _ in 0..2 {
        assert_eq!(get(&cache.client(ServiceName::new("jikan")), &origin, "/200/anime").await, CacheOutcome::Bypass);
    }
    cache.close().await;
    assert!(!sqlite.exists());
}

#[tokio::test]
async fn a_changed_password_makes_misses_until_corrected() {
    let server = RedisServer::start("--requirepass right");
    let origin = origin().await;
    let cache = cache(&format!("redis://:right@{}", server.address()));
    let client = cache.client(ServiceName::new("jikan"));
    crate::until_hit(&client, &origin, "/200/anime").await;

    let admin = redis_server::connection(&format!("redis://:right@{}", server.address())).await;
    let change = |password: &'static str| {
        let mut admin = admin.clone();
        async move {
            let mut pipe = redis::pipe();
            pipe.cmd("CONFIG").arg("SET").arg("requirepass").arg(password);
            pipe.cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes");
            pipe.exec_async(&mut admin).await.unwrap();
        }
    };
    change("another").await;
    for number in 0..20 {
        get(&client, &origin, "/200/anime").await;
        compute(&cache, number).await;
    }
    assert_eq!(origin.count(), 21);
    change("right").await;
    crate::until_hit(&client, &origin, "/200/anime").await;
    cache.close().await;
}
