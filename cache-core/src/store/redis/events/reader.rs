//! Reads the server's messages, over a separate connection that is made again when it broke.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use redis::{RedisResult, Value, cmd};
use tokio::sync::mpsc;

use crate::clock;
use crate::error::Result;
use crate::model::event::EventSource;
use crate::store::redis::connection::Connection;
use crate::store::redis::events::signal::Signal;
use crate::store::redis::events::{commands, notifications};
use crate::store::redis::reply;

/// The first pause before a reconnect; each later one is twice as long.
const MIN_PAUSE: Duration = Duration::from_millis(100);

const MAX_PAUSE: Duration = Duration::from_secs(5);

/// A message of the reader.
#[derive(Debug)]
pub(crate) enum ReaderMessage {
    /// A signal, and when it was read, in Unix seconds.
    Signal(f64, Signal),
    /// The connection was lost for this duration.
    Gap(Duration),
}

/// The number of dropped signals; shared by its clones.
#[derive(Clone, Default)]
pub(crate) struct DroppedCount(Arc<AtomicU64>);

impl DroppedCount {
    /// The number since the last call; `None` if it is zero.
    pub(crate) fn take(&self) -> Option<u64> {
        Some(self.0.swap(0, Ordering::Relaxed)).filter(|dropped| *dropped > 0)
    }
}

/// The signals in one message of the server.
type Messages = BoxStream<'static, Vec<Signal>>;

pub(crate) struct Reader {
    connection: Connection,
    source: EventSource,
    messages: Messages,
    outbox: mpsc::Sender<ReaderMessage>,
    dropped: DroppedCount,
}

impl Reader {
    /// Subscribes.
    pub(crate) async fn open(
        connection: Connection,
        source: EventSource,
        news: mpsc::Sender<ReaderMessage>,
        dropped: DroppedCount,
    ) -> Result<Self> {
        let messages = connect(&connection, source).await?;
        Ok(Self { connection, source, messages, outbox: news, dropped })
    }

    /// Reads until the feed is dropped, or the limit is reached.
    pub(crate) async fn run(mut self) {
        let mut left = match self.source {
            EventSource::Commands { limit, .. } => limit,
            EventSource::Notifications { .. } => u64::MAX,
        };
        loop {
            while let Some(signals) = self.messages.next().await {
                for signal in signals {
                    if self.outbox.try_send(ReaderMessage::Signal(clock::now(), signal)).is_err() {
                        self.dropped.0.fetch_add(1, Ordering::Relaxed);
                    }
                }
                left = left.saturating_sub(1);
                if left == 0 {
                    return;
                }
            }
            let lost = Instant::now();
            self.messages = reconnect(&self.connection, self.source).await;
            // This message waits for room in the queue: without it the counts would look complete.
            if self.outbox.send(ReaderMessage::Gap(lost.elapsed())).await.is_err() {
                return;
            }
        }
    }
}

async fn reconnect(connection: &Connection, source: EventSource) -> Messages {
    let mut pause = MIN_PAUSE;
    loop {
        match connect(connection, source).await {
            Ok(messages) => return messages,
            Err(error) => tracing::debug!(%error, "cannot read events; retrying"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

async fn connect(connection: &Connection, source: EventSource) -> Result<Messages> {
    match source {
        EventSource::Notifications { .. } => {
            connection.within_connect_timeout("PSUBSCRIBE", notifications(connection)).await
        }
        EventSource::Commands { .. } => connection.within_connect_timeout("MONITOR", commands(connection)).await,
    }
}

async fn notifications(connection: &Connection) -> RedisResult<Messages> {
    let mut notifications = connection.client()?.get_async_pubsub().await?;
    notifications.psubscribe(notifications::patterns(connection.database())).await?;
    let signals = notifications.into_on_message().map(|message| {
        let channel: Vec<u8> = message.get_channel().unwrap_or_default();
        notifications::signal(&channel, message.get_payload_bytes()).into_iter().collect()
    });
    Ok(signals.boxed())
}

async fn commands(connection: &Connection) -> RedisResult<Messages> {
    let database = connection.database();
    let own = own_address(connection).await;
    // The driver takes an error as the first line: another connection learns whether the server refuses.
    let mut trial = connection.client()?.get_multiplexed_async_connection().await?;
    cmd("MONITOR").exec_async(&mut trial).await?;
    drop(trial);
    let lines = connection.client()?.get_async_monitor().await?.into_on_message::<Value>();
    let signals = lines.map(move |line| match line {
        Value::SimpleString(line) => commands::signals(line.as_bytes(), database, own.as_deref()),
        Value::BulkString(line) => commands::signals(&line, database, own.as_deref()),
        _ => Vec::new(),
    });
    Ok(signals.boxed())
}

/// The address of the connection that reads entries, as `MONITOR` writes it; `None`: the server does not report it, or
/// the connection uses a Unix socket, as all others there.
async fn own_address(connection: &Connection) -> Option<Vec<u8>> {
    let info = connection.query("CLIENT INFO", cmd("CLIENT").arg("INFO")).await.ok().and_then(reply::bytes)?;
    let address = info.split(u8::is_ascii_whitespace).find_map(|field| field.strip_prefix(b"addr="))?;
    (!address.starts_with(b"/") && !address.starts_with(b"unix:")).then(|| address.to_owned())
}
