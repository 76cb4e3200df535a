//! Tests with servers that reply late or never.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::model::redis_url::RedisUrl;
use crate::store::redis::connection::*;
use crate::store::redis::session::Purpose;

/// Replies to every command except, if it is `mute`, `PING`.
async fn answer(mut stream: TcpStream, mute: bool) {
    let mut asked = [0; 4_096];
    while let Ok(length @ 1..) = stream.read(&mut asked).await {
        let text = String::from_utf8_lossy(&asked[..length]);
        if mute && text.contains("PING") {
            return std::future::pending().await;
        }
        stream.write_all("+OK\r\n".repeat(text.matches('*').count()).as_bytes()).await.unwrap();
    }
}

/// Sends two commands to a server that never replies to `PING` on its first connection.
async fn ask_twice(settings: Config) -> (Result<Value>, Result<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = RedisUrl::new(format!("redis://{}", listener.local_addr().unwrap()));
    let server = async {
        let (first, _) = listener.accept().await.unwrap();
        let second = async { answer(listener.accept().await.unwrap().0, false).await };
        tokio::join!(answer(first, true), second);
    };
    let timeout = settings.store_timeout;
    let connection = Connection::new(&Config { redis_url: url, ..settings }, Purpose::Cache).unwrap();
    let client = async {
        let ping = redis::cmd("PING");
        let first = tokio::time::timeout(timeout, connection.query("PING", &ping)).await;
        let first = first.unwrap_or_else(|_| Err(Error::Config("out of patience".into())));
        (first, connection.query("PING", &ping).await)
    };
    tokio::select! {
        () = server => panic!("the server ended"),
        answers = client => answers,
    }
}

#[tokio::test]
async fn a_connection_with_a_late_reply_is_replaced() {
    let settings = Config {
        redis_timeout: Duration::from_millis(200),
        redis_retry_on_timeout: false,
        store_timeout: Duration::from_secs(60),
        ..Config::default()
    };
    let (late, again) = ask_twice(settings).await;
    assert!(matches!(late, Err(Error::Timeout { .. })), "{late:?}");
    again.unwrap();
}

#[tokio::test]
async fn a_late_reply_is_retried_when_configured() {
    let settings = Config {
        redis_timeout: Duration::from_millis(200),
        store_timeout: Duration::from_secs(60),
        ..Config::default()
    };
    ask_twice(settings).await.0.unwrap();
}

#[tokio::test]
async fn a_connection_that_a_timeout_left_is_replaced() {
    let settings = Config { store_timeout: Duration::from_millis(200), ..Config::default() };
    let (late, again) = ask_twice(settings).await;
    assert!(matches!(late, Err(Error::Config(_))), "{late:?}");
    again.unwrap();
}
