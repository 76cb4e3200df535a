//! The source `MONITOR`: its limits end it, and it drops what it cannot follow.

use crate::*;

#[tokio::test]
async fn a_watch_of_commands_ends_after_its_window_or_its_limit() {
    let mut watched = Watched::new();
    let window = EventSource::Commands { window: Duration::from_millis(50), limit: u64::MAX };
    assert!(watched.watch(window).await.next().await.is_none());
    let limit = EventSource::Commands { window: Duration::from_secs(600), limit: 3 };
    let mut events = watched.watch(limit).await;
    for _ in 0..5 {
        cmd("GET").arg(RESULT).exec(&mut watched.redis).unwrap();
    }
    let mut message = 0;
    while let Some(seen) = events.next().await {
        seen.unwrap();
        message += 1;
    }
    assert_eq!(message, 3);
}

#[tokio::test]
async fn dropped_events_are_reported_at_the_end_too() {
    const MANY: u64 = 20_000;
    let mut watched = Watched::new();
    let mut events = watched.watch(EventSource::Commands { window: Duration::from_secs(600), limit: MANY }).await;
    let mut pipe = redis::pipe();
    (0..MANY).for_each(|_| _ = pipe.cmd("GET").arg(RESULT));
    pipe.exec(&mut watched.redis).unwrap();
    // The feed closes its connection after the limit of commands.
    let mut is_reading = || {
        let clients: String = cmd("CLIENT").arg("LIST").query(&mut watched.redis).unwrap();
        clients.contains("cmd=monitor")
    };
    while is_reading() {
        tokio::task::yield_now().await;
    }
    events.stop();
    let lost = seen(&mut *events).await.unwrap();
    assert!(matches!(lost, Observation::Lost(1..MANY)), "{lost:?}");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_refused_watch_is_an_error_from_the_start() {
    let mut watched = Watched::new();
    let rules = ["SETUSER", "few", "on", ">pw", "~*", "+@all", "-monitor", "resetchannels"];
    cmd("ACL").arg(&rules).exec(&mut watched.redis).unwrap();
    let url = RedisUrl::new(format!("redis://few:pw@{}/3", watched.server.address()));
    let few = Redis::new(&Config { redis_url: url, ..Config::default() }).unwrap();
    for source in [COMMANDS, NOTIFICATIONS] {
        let refused = few.watch(source).await.err().expect("nothing would be seen");
        assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
    }
    assert_eq!(watched.setting(), "");
}

#[tokio::test]
async fn a_time_without_notifications_is_a_gap() {
    let mut watched = Watched::new();
    let mut events = watched.watch(NOTIFICATIONS).await;
    watched.set("");
    let gap = seen(&mut *events).await.unwrap();
    assert!(matches!(gap, Observation::Gap(time) if time >= Duration::from_secs(4)), "{gap:?}");
    assert_ne!(watched.setting(), "");
    events.close().await.unwrap();
    assert_eq!(watched.setting(), "");
}
