//! The sentence with which a server closes a connection before it was used: too many clients, or protected mode.

use std::io;
use std::time::Duration;

use redis::{ConnectionAddr, RedisError};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;

/// How long a server may take to say why. One that accepts the connection says nothing.
const LIMIT: Duration = Duration::from_millis(300);

/// Longer sentences are cut off; bytes.
const MAX_BYTES: u64 = 512;

/// The server's reason for closing connections, in place of the error of the connection that it closed.
///
/// The driver sends before it reads, and loses the sentence when its request arrives at a closed connection.
pub(crate) async fn of(address: &ConnectionAddr, error: RedisError) -> RedisError {
    if error.is_timeout() || error.is_connection_refusal() {
        return error;
    }
    match tokio::time::timeout(LIMIT, listen(address)).await {
        Ok(Some(sentence)) => io::Error::other(sentence).into(),
        _ => error,
    }
}

async fn listen(address: &ConnectionAddr) -> Option<String> {
    match address {
        ConnectionAddr::Tcp(host, port) => sentence(TcpStream::connect((host.as_str(), *port)).await.ok()?).await,
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => sentence(tokio::net::UnixStream::connect(path).await.ok()?).await,
        _ => None,
    }
}

async fn sentence(stream: impl AsyncRead + Unpin) -> Option<String> {
    let mut said = Vec::new();
    stream.take(MAX_BYTES).read_to_end(&mut said).await.ok()?;
    let said = String::from_utf8_lossy(said.strip_prefix(b"-")?);
    let first = said.lines().next()?.trim();
    (!first.is_empty()).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    async fn heard(says: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let speak = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(says).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let address = ConnectionAddr::Tcp("127.0.0.1".into(), port);
        let broken = RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        tokio::join!(of(&address, broken), speak).0.to_string()
    }

    #[tokio::test]
    async fn reason_of_the_server_replaces_a_broken_pipe() {
        assert_eq!(heard(b"-ERR max number of clients reached\r\n").await, "ERR max number of clients reached");
        assert_eq!(heard(b"").await, "broken pipe");
        assert_eq!(heard(b"HTTP/1.1 400\r\n").await, "broken pipe");
    }
}
