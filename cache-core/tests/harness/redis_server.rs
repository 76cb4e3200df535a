//! A real redis-server on a free loopback port, without persistence, gone when the test process is gone.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many databases one server has; each test takes one of its own.
const DATABASES: u32 = 10_000;

/// A running server.
pub struct RedisServer {
    port: u16,
    next_database: AtomicU32,
    /// The shell that started the server ends it when this pipe closes, however the test process ends.
    _alive: ChildStdin,
}

/// The server that all tests of one process share.
static SHARED: LazyLock<RedisServer> = LazyLock::new(|| RedisServer::start(""));

impl RedisServer {
    /// Starts a server of one's own, with more arguments.
    pub fn start(arguments: &str) -> Self {
        // Somebody else may take the port between our looking and the server's binding it.
        (0..10).find_map(|_| Self::try_start(arguments)).expect("redis-server does not start; is it installed?")
    }

    fn try_start(arguments: &str) -> Option<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok()?.port();
        let script = format!(
            "redis-server --port {port} --bind 127.0.0.1 --save '' --appendonly no --databases {DATABASES} {arguments} </dev/null &
             read -r _; kill $!"
        );
        let mut shell = Command::new("sh")
            .args(["-c", &script])
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let alive = shell.stdin.take()?;
        let mut log = BufReader::new(shell.stdout.take()?).lines().map_while(Result::ok);
        log.find(|line| line.contains("Ready to accept connections"))?;
        // The log is read to its end, so that the server never waits for a reader.
        std::thread::spawn(move || log.for_each(drop));
        Some(Self { port, next_database: AtomicU32::new(0), _alive: alive })
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
