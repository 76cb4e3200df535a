//! The reverse proxy example, with the stores and policies that the public test suite does not cover.

#[path = "../../examples/reverse_proxy.rs"]
#[allow(dead_code, reason = "its main is the example's")]
mod example;

use std::sync::Arc;

use cache_core::{Cache, Config, Memory, ServiceName};
use clap::Parser as _;
use rstest::rstest;
use tokio::task::JoinSet;

use crate::On;
use crate::origin::{Origin, response};
use crate::redis_server::RedisServer;

#[rstest]
#[tokio::test]
async fn example_proxy_stores_in_the_configured_backend(
    #[values(On::Memory, On::Redis, On::Sqlite)] on: On,
    #[values("ttl", "specification")] policy: &str,
) {
    let origin = Origin::start(|seen| {
        let fields = [("Cache-Control", if seen.target == "/forbidden" { "no-store" } else { "max-age=60" })];
        response(200, &fields, &seen.target)
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let store = match on {
        On::Memory => "memory".to_owned(),
        On::Redis => RedisServer::fresh_database(),
        On::Sqlite => directory.path().join("cache.db").to_str().unwrap().to_owned(),
    };
    let args = ["", "--listen", "127.0.0.1:0", "--origin", &origin.url(""), "--policy", policy, "--store", &store];
    let off = Config { enabled: false, ..Config::default() };
    let client = Cache::with_store(Arc::new(Memory::default()), &off).client(ServiceName::OTHER);
    let mut servers = JoinSet::new();
    // A response of another process is a hit, unless the store is in memory.
    for is_stored in [false, !matches!(on, On::Memory)] {
        let (listener, proxy) = example::listen(example::Args::parse_from(args)).await.unwrap();
        let proxy_url = format!("http://{}", listener.local_addr().unwrap());
        servers.spawn(example::serve(listener, proxy));
        for (target, is_storable) in [("/path?query", true), ("/forbidden", policy == "ttl")] {
            let before = origin.count();
            for _ in 0..2 {
                let fetched = client.get(format!("{proxy_url}{target}")).send().await.unwrap();
                assert_eq!((fetched.status().as_u16(), &*fetched.text().await.unwrap()), (200, target));
            }
            let expected = if is_storable { usize::from(!is_stored) } else { 2 };
            assert_eq!(origin.count() - before, expected, "{target}");
        }
    }
}
