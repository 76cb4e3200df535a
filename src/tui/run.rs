//! The event loop: draw, wait for a message, update, and run the effects. Generic over the screen and the input, so
//! that tests run the same loop.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt};
use ratatui::Terminal;
use ratatui::backend::Backend;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::tui::app::App;
use crate::tui::effect::Effect;
use crate::tui::message::Message;
use crate::tui::runner::Runner;
use crate::tui::terminal::suspend;
use crate::tui::update::{start, update};
use crate::tui::view;
use crate::tui::view::theme::Themes;

/// A question takes no answer until it has been on the screen for so long without a key: letters that follow the one
/// that opened it, typed ahead or pasted, are not meant for it.
const QUIET: Duration = Duration::from_millis(300);

/// The most messages handled in one frame, so that many messages do not stop drawing.
const MESSAGES_PER_FRAME: usize = 64;

/// Runs the dashboard until it is left or the input ends. `observe` receives the duration of each iteration including
/// drawing, which is the latency of a key.
///
/// # Errors
/// Errors of the screen.
pub async fn drive<B: Backend>(
    terminal: &mut Terminal<B>,
    mut input: impl Stream<Item = Message> + Unpin,
    mut runner: Runner,
    mut inbox: mpsc::Receiver<Message>,
    app: &mut App,
    themes: &Themes,
    observe: impl FnMut(Duration),
) -> Result<(), B::Error> {
    let end = step(terminal, &mut input, &mut runner, &mut inbox, app, themes, observe).await;
    runner.close().await;
    end
}

/// The loop itself.
async fn step<B: Backend>(
    terminal: &mut Terminal<B>,
    input: &mut (impl Stream<Item = Message> + Unpin),
    runner: &mut Runner,
    inbox: &mut mpsc::Receiver<Message>,
    app: &mut App,
    themes: &Themes,
    mut observe: impl FnMut(Duration),
) -> Result<(), B::Error> {
    let mut work = Instant::now();
    let mut quiet_at = None;
    runner.start_all(start(app));
    loop {
        // The stream of the terminal yields only one of a simultaneous key and resize: the size is read from the
        // screen.
        let size = terminal.size()?;
        if size != app.size {
            runner.start_all(update(app, Message::Resized(size)));
        }
        terminal.draw(|frame| view::draw(frame, app, themes.of(app.options.is_light)))?;
        observe(work.elapsed());
        quiet_at = app.dialog.as_ref().filter(|dialog| dialog.awaits_quiet()).map(|_| quiet_at.unwrap_or_else(quiet));
        let mut next = tokio::select! {
            biased; // Keys first: Esc always gets through.
            message = input.next() => match message {
                Some(message) => Some(message),
                None => return Ok(()),
            },
            () = sleep_until(quiet_at.unwrap_or_else(quiet)), if quiet_at.is_some() => Some(Message::Quiet),
            message = inbox.recv() => message,
        };
        work = Instant::now();
        let mut taken = 0;
        while let Some(message) = next.take() {
            runner.finish(&message);
            if message.is_input() {
                quiet_at = None;
            }
            taken += 1;
            let is_last = message.is_heavy() || taken == MESSAGES_PER_FRAME;
            for effect in update(app, message) {
                match effect {
                    Effect::Quit => return Ok(()),
                    Effect::Redraw => redraw_all(terminal)?,
                    Effect::Suspend => {
                        if suspend().await.is_err() {
                            return Ok(());
                        }
                        redraw_all(terminal)?;
                    }
                    other => runner.start(other),
                }
            }
            if !is_last {
                next = waiting(input).await.or_else(|| inbox.try_recv().ok());
            }
        }
    }
}

/// The end of a quiet time that begins now.
fn quiet() -> tokio::time::Instant {
    tokio::time::Instant::now() + QUIET
}

/// Makes the next frame draw every cell. `Terminal::clear` requests the cursor position, and the response would arrive
/// among the keys.
fn redraw_all<B: Backend>(terminal: &mut Terminal<B>) -> Result<(), B::Error> {
    terminal.swap_buffers();
    terminal.backend_mut().clear()
}

/// The next message, if one is ready. Polled with the waker of this task: the terminal wakes only the first waker, and
/// after that of a dropped future the next key would wait for the clock.
async fn waiting(input: &mut (impl Stream<Item = Message> + Unpin)) -> Option<Message> {
    poll_fn(|context| match input.poll_next_unpin(context) {
        Poll::Ready(message) => Poll::Ready(message),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
