//! A Redis server on a free loopback port, without persistence, which ends with the test process.
//!
//! `ANIMECACHE_TEST_SERVER` names the program; the default is `redis-server`.

#![allow(dead_code, reason = "shared by tests that each need another part of it")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::TcpSocket;

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
        Self::start_on_any_port(|port| Self::try_start(port, arguments))
    }

    /// Starts a node of a cluster that has all slots.
    pub fn start_cluster() -> Self {
        let server = Self::start("--databases 1 --cluster-enabled yes");
        let mut connection = server.connection();
        redis::cmd("CLUSTER").arg(&["ADDSLOTSRANGE", "0", "16383"]).exec(&mut connection).ok();
        let slots: Vec<u32> = (0..16_384).collect();
        redis::cmd("CLUSTER").arg("ADDSLOTS").arg(&slots).exec(&mut connection).ok();
        let is_up = || redis::cmd("CLUSTER").arg("INFO").query::<String>(&mut server.connection());
        while !is_up().expect("an answer").contains("cluster_state:ok") {
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// Starts a Sentinel that watches this server under the name `mymaster`.
    pub fn start_sentinel(&self) -> Self {
        let setting = format!("sentinel monitor mymaster 127.0.0.1 {} 1", self.port);
        let prepare = format!("echo '{setting}' > sentinel.conf");
        let command = |port| format!("sentinel.conf --port {port} --bind 127.0.0.1 --sentinel");
        Self::start_on_any_port(|port| Self::try_run(port, &prepare, &command(port), "+monitor master"))
    }

    /// Another process may take a port before the server binds it.
    fn start_on_any_port(start: impl Fn(u16) -> Option<Self>) -> Self {
        (0..10)
            .find_map(|_| {
                let port = TcpListener::bind(("127.0.0.1", 0)).ok()?.local_addr().ok()?.port();
                start(port)
            })
            .unwrap_or_else(|| panic!("{} does not start; is it installed?", program()))
    }

    /// A blocking connection to database 0.
    pub fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(format!("redis://{}/0", self.address())).expect("a URL");
        client.get_connection().expect("a connection")
    }

    /// Ends the server; nothing listens on its port when this returns.
    pub fn stop(mut self) -> Stopped {
        drop(self.shell.stdin.take());
        self.shell.wait().expect("the shell of the server ends");
        Stopped { port: self.port, reserved: reserve(self.port) }
    }

    fn try_start(port: u16, arguments: &str) -> Option<Self> {
        let command =
            format!("--port {port} --bind 127.0.0.1 --save '' --appendonly no --databases {DATABASES} {arguments}");
        Self::try_run(port, ":", &command, "Ready to accept connections")
    }

    /// Starts the program in a directory of its own, and waits for this line of its log.
    fn try_run(port: u16, prepare: &str, arguments: &str, ready: &str) -> Option<Self> {
        // The shell closes its own output: the end of a server that cannot bind the port is then the end of the log.
        // Whatever a server writes, such as the snapshot for a replica, must not be loaded by the next one.
        let script = format!(
            "directory=$(mktemp -d) && cd \"$directory\" && {prepare} && {{ {} {arguments} </dev/null & }}
             exec >&-; read -r _; kill -9 $!; wait; cd /; rm -rf \"$directory\"",
            program()
        );
        let mut shell =
            Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut log = BufReader::new(shell.stdout.take()?).lines().map_while(Result::ok);
        log.find(|line| line.contains(ready))?;
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

/// The program of the server.
fn program() -> String {
    std::env::var("ANIMECACHE_TEST_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// Binds a port without listening: connections are refused, and no other process takes it.
fn reserve(port: u16) -> Option<TcpSocket> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.bind(([127, 0, 0, 1], port).into()).ok()?;
    Some(socket)
}

/// A stopped server, which can be started again at the same port.
pub struct Stopped {
    port: u16,
    reserved: Option<TcpSocket>,
}

impl Stopped {
    /// The URL of the stopped server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Starts it again, empty.
    pub fn start(self) -> RedisServer {
        drop(self.reserved);
        RedisServer::try_start(self.port, "").expect("the server starts again on its port")
    }
}
