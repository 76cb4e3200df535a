//! A redis-server on a free loopback port, without persistence, which ends with the test process.

#![allow(dead_code, reason = "shared by tests that each need another part of it")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many databases one server has; each test takes one of its own.
const DATABASES: u32 = 10_000;

/// A running server.
pub struct RedisServer {
    port: u16,
    next_database: AtomicU32,
    /// The shell that started the server ends it when its input closes, however the test process ends.
    shell: Child,
}

/// A connection without a cache and without a timeout: on a busy machine a reply may be late.
pub async fn connection(url: &str) -> redis::aio::MultiplexedConnection {
    let patient = redis::AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    let client = redis::Client::open(url).expect("a URL");
    client.get_multiplexed_async_connection_with_config(&patient).await.expect("a connection")
}

/// The server that all tests of one process share.
static SHARED: LazyLock<RedisServer> = LazyLock::new(|| RedisServer::start(""));

impl RedisServer {
    /// Starts a separate server, with more arguments.
    pub fn start(arguments: &str) -> Self {
        // Another process may take the port before the server binds it.
        (0..10)
            .find_map(|_| {
                let port = TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok()?.port();
                Self::try_start(port, arguments)
            })
            .expect("redis-server does not start; is it installed?")
    }

    /// Ends the server; nothing listens on its port when this returns.
    pub fn stop(mut self) -> Stopped {
        drop(self.shell.stdin.take());
        self.shell.wait().expect("the shell of the server ends");
        Stopped { port: self.port }
    }

    fn try_start(port: u16, arguments: &str) -> Option<Self> {
        let script = format!(
            "redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no --databases {DATABASES} {arguments} </dev/null &
             read -r _; kill -9 $!; wait"
        );
        let mut shell = Command::new("sh")
            .args(["-c", &script])
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut log = BufReader::new(shell.stdout.take()?).lines().map_while(Result::ok);
        log.find(|line| line.contains("Ready to accept connections"))?;
        // The log is read to its end, so that the server never waits for a reader.
        std::thread::spawn(move || log.for_each(drop));
        Some(Self { port, next_database: AtomicU32::new(0), shell })
    }

    /// The URL of a database that no other test uses.
    pub fn fresh_database() -> String {
        let server = &*SHARED;
        let database = server.next_database.fetch_add(1, Ordering::Relaxed);
        assert!(database < DATABASES, "every database of the test server is taken");
        format!("redis://{}/{database}", server.address())
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// A stopped server, which can be started again at the same port.
pub struct Stopped {
    port: u16,
}

impl Stopped {
    /// The URL of the stopped server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Starts it again, empty.
    pub fn start(self) -> RedisServer {
        RedisServer::try_start(self.port, "").expect("redis-server starts again on its port")
    }
}
