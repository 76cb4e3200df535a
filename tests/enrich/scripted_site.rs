//! A local server that sends scripted responses in order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The server. It stops when dropped.
pub struct Site {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

impl Site {
    /// Starts the server. A response is a complete one or a page; after the last one, the server sends 404.
    pub async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut answers: VecDeque<_> = answers.iter().map(|answer| whole(answer)).collect();
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let mut server = JoinSet::new();
        let paths = Arc::clone(&asked);
        server.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let path = path(&mut stream).await;
                paths.lock().unwrap().push(path);
                let answer =
                    answers.pop_front().unwrap_or_else(|| whole("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
                // The client may have disconnected.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, asked, _server: server }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The paths of all requests, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn whole(answer: &str) -> String {
    if let Some((status, rest)) = answer.split_once("\r\n")
        && status.starts_with("HTTP/1.1 ")
    {
        return format!("{status}\r\nConnection: close\r\n{rest}");
    }
    let length = answer.len();
    format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{answer}"
    )
}

/// Reads the head of a request.
async fn path(stream: &mut TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next_line().await.unwrap().unwrap_or_default();
    while lines.next_line().await.unwrap().is_some_and(|line| !line.is_empty()) {}
    first.split(' ').nth(1).unwrap_or_default().to_owned()
}
