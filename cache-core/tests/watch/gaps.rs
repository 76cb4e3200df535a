//! Connections that break while a cache is watched.

use crate::*;

async fn goes_on_after_a_gap(mut watched: Watched, mut events: Box<dyn EventFeed>) {
    assert!(matches!(seen(&mut *events).await.unwrap(), Observation::Gap(_)));
    cmd("SET").arg(RESULT).arg("{}").exec(&mut watched.redis).unwrap();
    assert_eq!(next(&mut *events).await.kind, EventKind::Store);
    events.close().await.unwrap();
    assert_eq!(watched.setting(), "");
}

#[rstest]
#[case::notifications(NOTIFICATIONS, "pubsub")]
#[case::commands(COMMANDS, "normal")]
#[tokio::test]
async fn a_killed_connection_is_reported_as_a_gap(#[case] source: EventSource, #[case] kind: &str) {
    let mut watched = Watched::new();
    let events = watched.watch(source).await;
    cmd("CLIENT").arg(&["KILL", "TYPE", kind, "SKIPME", "yes"]).exec(&mut watched.redis).unwrap();
    goes_on_after_a_gap(watched, events).await;
}

#[tokio::test]
async fn a_server_that_was_restarted_is_watched_again() {
    let Watched { server, store, .. } = Watched::new();
    let events = store.watch(NOTIFICATIONS).await.unwrap().unwrap();
    let server = server.stop().start();
    let redis = connect(&server, 3);
    goes_on_after_a_gap(Watched { server, store, redis }, events).await;
}

#[tokio::test]
async fn a_gap_survives_a_canceled_call() {
    let mut watched = Watched::new();
    let mut events = watched.watch(NOTIFICATIONS).await;
    cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub", "SKIPME", "yes"]).exec(&mut watched.redis).unwrap();
    let mut is_listening = || {
        let clients: String = cmd("CLIENT").arg("LIST").query(&mut watched.redis).unwrap();
        clients.contains(" psub=5 ")
    };
    // For a while after the server is back, too: the message has to arrive.
    let mut rounds = 0;
    while rounds < 1_000 {
        assert!(events.next().now_or_never().is_none());
        tokio::task::yield_now().await;
        rounds += u32::from(rounds > 0 || is_listening());
    }
    assert!(matches!(seen(&mut *events).await.unwrap(), Observation::Gap(_)));
}
