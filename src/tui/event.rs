//! Events of the terminal, the clock, signals and panics, as messages.

pub(crate) mod decoder;

use std::collections::VecDeque;
use std::io::{Read as _, stdin};
use std::time::Duration;

use futures_util::stream;
use futures_util::stream::{BoxStream, Stream, StreamExt};
use ratatui::layout::Size;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::exit::Exit;
use crate::tui::event::decoder::Decoder;
use crate::tui::message::Message;
use crate::tui::terminal;

/// The interval at which TTLs on the screen are updated.
const TICK: Duration = Duration::from_secs(1);

/// The most bytes of one read.
const BUFFER: usize = 4 << 10;

/// The most reads that wait to be decoded.
const READS: usize = 16;

/// A stream of all events.
///
/// # Errors
/// Signals cannot be received, or the thread that reads the terminal cannot be started.
pub fn messages() -> std::io::Result<impl Stream<Item = Message> + Unpin> {
    let mut others = Vec::new();
    for (kind, exit) in [
        (SignalKind::terminate(), Exit::Terminated),
        (SignalKind::hangup(), Exit::HungUp),
        (SignalKind::interrupt(), Exit::Done),
    ] {
        others.push(on_signal(kind, move || Some(Message::Terminated(exit)))?);
    }
    others.push(on_signal(SignalKind::window_change(), || {
        let (width, height) = crossterm::terminal::size().ok()?;
        Some(Message::Resized(Size::new(width, height)))
    })?);
    let mut clock = interval(TICK);
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let ticks = stream::unfold(clock, |mut clock| async move {
        clock.tick().await;
        Some((Message::Tick(cache_core::clock::now()), clock))
    });
    others.push(ticks.boxed());
    others.push(
        stream::once(async {
            terminal::panicked().await;
            Message::Panicked
        })
        .boxed(),
    );
    Ok(stream::select(decoded(typed()?), stream::select_all(others)))
}

fn on_signal(
    kind: SignalKind,
    message: impl Fn() -> Option<Message> + Copy + Send + 'static,
) -> std::io::Result<BoxStream<'static, Message>> {
    let received =
        stream::unfold(signal(kind)?, |mut received| async move { received.recv().await.map(|()| ((), received)) });
    Ok(received.filter_map(move |()| async move { message() }).boxed())
}

/// What is typed. Read by a thread of its own: a blocked read would keep the runtime from ending.
fn typed() -> std::io::Result<mpsc::Receiver<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(READS);
    std::thread::Builder::new().name("keyboard".into()).spawn(move || {
        let mut buffer = vec![0; BUFFER];
        loop {
            match stdin().read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                        return;
                    }
                }
            }
        }
    })?;
    Ok(receiver)
}

/// The events of what is typed; at the end the terminal was closed.
fn decoded(typed: mpsc::Receiver<Vec<u8>>) -> impl Stream<Item = Message> + Unpin {
    let start = (Some(typed), Decoder::default(), VecDeque::new());
    let events = stream::unfold(start, |(mut typed, mut decoder, mut events)| async move {
        while events.is_empty() {
            let read = typed.as_mut()?.recv();
            let read = match decoder.timeout() {
                Some(longest) => timeout(longest, read).await.ok(),
                None => Some(read.await),
            };
            match read {
                Some(Some(bytes)) => events.extend(decoder.advance(&bytes)),
                None => events.extend(decoder.give_up()),
                Some(None) => {
                    typed = None;
                    events.push_back(Message::Terminated(Exit::HungUp));
                }
            }
        }
        let event = events.pop_front()?;
        Some((event, (typed, decoder, events)))
    });
    events.boxed()
}
