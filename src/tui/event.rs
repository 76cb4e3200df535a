//! Events of the terminal, the clock and signals, as messages.

use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyEventKind, MouseEventKind};
use futures_util::stream;
use futures_util::stream::{Stream, StreamExt};
use ratatui::layout::Size;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::tui::message::Message;

/// The interval at which TTLs on the screen are updated.
const TICK: Duration = Duration::from_secs(1);

/// A stream of all events.
///
/// # Errors
/// Signals cannot be received.
pub fn messages() -> std::io::Result<impl Stream<Item = Message> + Unpin> {
    let terminal = EventStream::new().map(|event| event.map_or(Some(Message::Terminated), message));
    let terminal = terminal.chain(stream::once(async { Some(Message::Terminated) }));
    let signals = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()]
        .into_iter()
        .map(|kind| {
            let received = signal(kind)?;
            Ok(stream::unfold(received, |mut received| async move {
                received.recv().await.map(|()| (Some(Message::Terminated), received))
            })
            .boxed())
        })
        .collect::<std::io::Result<Vec<_>>>()?;
    let mut clock = interval(TICK);
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let ticks = stream::unfold(clock, |mut clock| async move {
        clock.tick().await;
        Some((Some(Message::Tick(cache_core::clock::now())), clock))
    });
    let all = stream::select(terminal, stream::select(stream::select_all(signals), ticks));
    Ok(all.filter_map(std::future::ready).boxed())
}

/// `None` for ignored events: key releases (on Windows) and mouse moves.
fn message(event: Event) -> Option<Message> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(Message::Key(key)),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(_) | MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                Some(Message::Mouse(mouse))
            }
            _ => None,
        },
        Event::Paste(text) => Some(Message::Paste(text)),
        Event::Resize(width, height) => Some(Message::Resized(Size::new(width, height))),
        _ => None,
    }
}
