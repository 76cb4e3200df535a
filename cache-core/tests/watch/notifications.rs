//! What is observed through keyspace notifications, and the server's setting.

use crate::*;

#[rstest]
#[case::notifications(NOTIFICATIONS)]
#[case::commands(COMMANDS)]
#[tokio::test]
async fn operations_of_the_pipeline_are_reported(#[case] source: EventSource) {
    let mut watched = Watched::new();
    let events = watched.watch(source).await;
    enrich(&mut watched.redis);
    let all = watched.all(events).await;
    let sample = sample(&all);
    assert_eq!(counts(&sample, Some(ServiceName::new("jikan")), CacheKind::Http), [2, 2, 2, 0, 0, 0, 0], "{all:#?}");
    // The last two were stored without having been looked up.
    let unasked = u64::from(source != COMMANDS);
    assert_eq!(
        counts(&sample, Some(ServiceName::new("kitsu")), CacheKind::Http),
        [1, 1 + unasked, 3, 0, 0, 0, 1],
        "{all:#?}"
    );
    // With commands, the last lookup was not known to be a miss when the watch ended.
    assert_eq!(counts(&sample, None, CacheKind::Http), [0, unasked, 0, 0, 0, 0, 0], "{all:#?}");
    let hits = if source.can_observe(EventKind::Hit, CacheKind::Result) { 3 } else { 0 };
    assert_eq!(
        counts(&sample, Some(ServiceName::new("anisearch")), CacheKind::Result),
        [hits, 1, 1, 0, 0, 0, 0],
        "{all:#?}"
    );
    let hit = all.iter().find(|event| event.kind == EventKind::Hit).unwrap();
    assert_eq!(hit.request.as_ref().unwrap().url, JIKAN);
    assert!(matches!(hit.id, Some(EntryId::Http(StorageLayout::Pipeline, _))));
}

#[rstest]
#[case::notifications(NOTIFICATIONS)]
#[case::commands(COMMANDS)]
#[tokio::test]
async fn operations_of_this_crate_are_reported(#[case] source: EventSource) {
    let mut watched = Watched::new();
    let mut events = watched.watch(source).await;
    let key = CacheKey::new(*b"GET:1");
    let day = Some(Duration::from_secs(86_400));
    assert!(watched.store.lookup(&key, day).await.unwrap().is_empty());
    let entry = Entry {
        id: Uuid::new_v4(),
        cache_key: key.clone(),
        request: Request { method: "GET".into(), url: JIKAN.into(), ..Request::default() },
        response: Response { status_code: 200, ..Response::default() },
        created_at: None,
        deleted_at: None,
    };
    let mut writer = watched.store.insert(entry.clone(), day).await.unwrap();
    writer.write("{}".into()).await.unwrap();
    let id = writer.commit().await.unwrap();
    for kind in [EventKind::Miss, EventKind::Store] {
        assert_eq!(next(&mut *events).await.kind, kind);
    }
    for _ in 0..3 {
        assert_eq!(watched.store.lookup(&key, day).await.unwrap().len(), 1);
        assert_eq!(next(&mut *events).await.kind, EventKind::Hit);
    }
    watched.store.remove(std::slice::from_ref(&id)).await.unwrap();
    let removal = next(&mut *events).await;
    assert_eq!(
        (removal.kind, removal.service, removal.id),
        (EventKind::Remove, Some(ServiceName::new("jikan")), Some(id))
    );
    assert_eq!(watched.all(events).await, []);
}

#[tokio::test]
async fn the_setting_is_restored_however_the_watch_ends() {
    let mut watched = Watched::new();
    for before in ["", "Ex", "AKE", "Kglm"] {
        watched.set(before);
        let before = watched.setting();
        let events = watched.watch(NOTIFICATIONS).await;
        assert_eq!(events.changed_setting(), Some((&*before, &*watched.setting())));
        assert_ne!(watched.setting(), before);
        events.close().await.unwrap();
        assert_eq!(watched.setting(), before);

        drop(watched.watch(NOTIFICATIONS).await);
        assert_eq!(watched.setting(), before);

        let task = watched.watch(NOTIFICATIONS).await;
        let panics = async move {
            let _task = task;
            panic!("on purpose");
        };
        #[expect(clippy::disallowed_methods, reason = "a task that panics is what is tested")]
        let ended = tokio::spawn(panics).await;
        assert!(ended.is_err_and(|error| error.is_panic()));
        assert_eq!(watched.setting(), before);
    }
}

#[tokio::test]
async fn a_sufficient_setting_is_not_changed() {
    let mut watched = Watched::new();
    watched.set("AKEm");
    let before = watched.setting();
    let events = watched.watch(EventSource::Notifications { enables: false }).await;
    assert_eq!(events.changed_setting(), None);
    events.close().await.unwrap();
    assert_eq!(watched.setting(), before);
}

#[tokio::test]
async fn a_setting_changed_by_others_is_not_restored() {
    let mut watched = Watched::new();
    let events = watched.watch(NOTIFICATIONS).await;
    watched.set("KEAm");
    let theirs = watched.setting();
    events.close().await.unwrap();
    assert_eq!(watched.setting(), theirs);
}

#[tokio::test]
async fn notifications_are_not_enabled_without_permission() {
    let mut watched = Watched::new();
    watched.set("AKE");
    match watched.store.watch(EventSource::Notifications { enables: false }).await {
        Err(Error::NotificationsOff { missing, .. }) => assert_eq!(missing, "m"),
        other => panic!("{:?}", other.err()),
    }
    let config = Config {
        redis_url: RedisUrl::new(format!("redis://{}/3", watched.server.address())),
        services: crate::services::services(),
        ..Config::default()
    };
    let store = ReadOnly::new(Arc::new(Redis::new(&config).unwrap()));
    assert!(matches!(store.watch(NOTIFICATIONS).await, Err(Error::ReadOnly(_))));
    assert!(store.watch(COMMANDS).await.is_ok_and(|events| events.is_some()));
    assert!(Memory::new(ServiceRegistry::default()).watch(NOTIFICATIONS).await.unwrap().is_none());
}

#[tokio::test]
async fn a_watch_fails_when_notifications_are_turned_off() {
    let mut watched = Watched::new();
    watched.set("AKEm");
    let mut events = watched.watch(EventSource::Notifications { enables: false }).await;
    watched.set("");
    assert!(matches!(seen(&mut *events).await, Err(Error::NotificationsOff { .. })));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn every_kind_of_end_is_reported_for_any_key_bytes() {
    const HOSTILE: &[u8] = b"result_cache:\xff\x1b]52;c;aGk=\x07:\xe2\x80\xae\n\"";
    let mut watched = Watched::new();
    let mut events = watched.watch(NOTIFICATIONS).await;
    let set = |redis: &mut Connection, arguments: &[&str]| {
        cmd("SET").arg(HOSTILE).arg("[]").arg(arguments).exec(redis).unwrap();
    };
    set(&mut watched.redis, &[]);
    cmd("UNLINK").arg(HOSTILE).exec(&mut watched.redis).unwrap();
    set(&mut watched.redis, &["PX", "30"]);
    for kind in [EventKind::Store, EventKind::Remove, EventKind::Store, EventKind::Expire] {
        let event = next(&mut *events).await;
        assert_eq!((event.kind, event.id), (kind, Some(EntryId::key(HOSTILE))));
    }
    set(&mut watched.redis, &[]);
    cmd("CONFIG")
        .arg(&["SET", "maxmemory-policy", "allkeys-random", "maxmemory", "1"])
        .exec(&mut watched.redis)
        .unwrap();
    cmd("PING").exec(&mut watched.redis).unwrap();
    let _: redis::RedisResult<()> = cmd("SET").arg("other").arg("1").exec(&mut watched.redis);
    for kind in [EventKind::Store, EventKind::Evict] {
        assert_eq!(next(&mut *events).await.kind, kind);
    }
}
