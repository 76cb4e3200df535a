//! Events of the HTTP cache, and the secrets that they must not contain.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use cache_core::{Cache, Config, PolicyKind, Redis, RedisUrl, ServiceName};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::origin::{Origin, response};
use crate::{cache, settings};

/// Records the events of this crate, one per line.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cache_core::http")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn events_have_service_key_and_times_and_no_secret() {
    let listener = Listener::default();
    let _listening = tracing::subscriber::set_default(listener.clone());
    let origin = Origin::start(|_| response(200, &[("Set-Cookie", "session=hunter2")], "x")).await;
    let url = origin.url("/?token=hunter2");
    let client = cache(PolicyKind::FixedTtl).client(ServiceName::new("jikan"));
    let mut key = String::new();
    for _ in 0..2 {
        let fetched = client.get(&url).header("Authorization", "Bearer hunter2").send().await.unwrap();
        key = fetched.cache_status().cache_key.to_string();
        fetched.bytes().await.unwrap();
    }
    drop(origin);
    client.get(format!("{url}&other")).send().await.unwrap_err();

    let message = listener.0.lock().unwrap().clone();
    let names = ["miss", "store", "hit", "error"];
    assert_eq!(message.len(), names.len(), "{message:#?}");
    for (line, name) in message.iter().zip(names) {
        assert!(line.contains(&format!("message={name} ")), "{line}");
        assert!(line.contains("service=jikan ") && line.contains(" seconds="), "{line}");
        assert!(line.contains(&format!("key={key} ")) || name == "error", "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    assert!(message[2].contains("ttl_left=86"), "{}", message[2]);
}

#[tokio::test]
async fn store_failure_event_has_the_key() {
    let listener = Listener::default();
    let _listening = tracing::subscriber::set_default(listener.clone());
    let origin = Origin::start(|_| response(200, &[], "x")).await;
    let config = Config { redis_url: RedisUrl::new("redis://127.0.0.1:1/0"), ..settings(PolicyKind::FixedTtl) };
    let cache = Cache::with_store(Arc::new(Redis::new(&config).unwrap()), &config);
    let fetched = cache.client(ServiceName::new("jikan")).get(origin.url("/")).send().await.unwrap();
    let key = fetched.cache_status().cache_key.to_string();
    let message = listener.0.lock().unwrap().clone();
    let expected = format!("service=jikan key={key} operation=\"lookup\" ");
    assert!(message.iter().any(|line| line.contains("message=error ") && line.contains(&expected)), "{message:#?}");
}
