//! An HTTP origin on a free loopback port that sends exactly the responses of a test, and records its requests.

#![allow(dead_code, reason = "shared by tests that each need another part of it")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A running origin; gone when it is dropped.
pub struct Origin {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    sent: Arc<AtomicU64>,
    _server: JoinSet<()>,
}

/// A request that the origin got.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How many requests came before it.
    pub number: usize,
    pub method: String,
    pub target: String,
    /// Names in lower case, in the order in which they came.
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Seen {
    /// The values of a field, joined.
    pub fn field(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .fields
            .iter()
            .filter(|(other, _)| other == name)
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// What the origin does to answer, one after the other.
pub enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends this many bytes, as fast as they are taken.
    Stream(u64),
    /// Waits for a permit, and takes it.
    Await(Arc<Semaphore>),
    /// Closes the connection.
    Close,
}

/// A complete response: status line, fields, `Content-Length` and body.
pub fn response(status: u16, fields: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let mut bytes = head(status, fields);
    bytes.truncate(bytes.len() - 2);
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    vec![Step::Send(bytes)]
}

/// The head of a response alone, to its empty line.
pub fn head(status: u16, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Some Reason\r\n").into_bytes();
    for (name, value) in fields {
        head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

impl Origin {
    /// Starts an origin that answers each request with what this gives.
    pub async fn start(answer: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (seen, sent) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<AtomicU64>::default());
        let answer = Arc::new(answer);
        let mut server = JoinSet::new();
        let shared = (Arc::clone(&seen), Arc::clone(&sent));
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let (seen, sent) = shared.clone();
                let answer = Arc::clone(&answer);
                connections.spawn(async move {
                    let mut connection = BufReader::new(connection);
                    while let Some(request) = read(&mut connection, &seen).await {
                        for step in answer(&request) {
                            if take(&mut connection, step, &sent).await.is_none() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Self { address, seen, sent, _server: server }
    }

    /// The URL of a path here.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic while it was locked").clone()
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        self.seen().len()
    }

    /// How many bytes of [`Step::Stream`] were taken so far.
    pub fn streamed(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

async fn read(connection: &mut BufReader<TcpStream>, seen: &Mutex<Vec<Seen>>) -> Option<Seen> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        connection.read_until(b'\n', &mut line).await.ok().filter(|length| *length > 0)?;
        let line = line.trim_ascii_end().to_vec();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let first = String::from_utf8_lossy(lines.first()?).into_owned();
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let fields: Vec<(String, Vec<u8>)> = lines[1..]
        .iter()
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = String::from_utf8_lossy(&line[..colon]).to_lowercase();
            Some((name, line[colon + 1..].trim_ascii().to_vec()))
        })
        .collect();
    let length = fields.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    let mut seen = seen.lock().expect("no panic while it was locked");
    let request = Seen { number: seen.len(), method, target, fields, body };
    seen.push(request.clone());
    Some(request)
}

async fn take(connection: &mut BufReader<TcpStream>, step: Step, sent: &AtomicU64) -> Option<()> {
    match step {
        Step::Send(bytes) => connection.write_all(&bytes).await.ok(),
        Step::Stream(mut left) => {
            let block = vec![b'x'; 64 << 10];
            while left > 0 {
                let written = connection.write(&block[..left.min(block.len() as u64) as usize]).await.ok()?;
                left -= written as u64;
                sent.fetch_add(written as u64, Ordering::SeqCst);
            }
            Some(())
        }
        Step::Await(permits) => {
            permits.acquire().await.ok()?.forget();
            Some(())
        }
        Step::Close => {
            let _ = connection.shutdown().await;
            None
        }
    }
}
