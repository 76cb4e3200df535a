//! Takes the terminal and gives it back whole, however the program ends.

use std::io;
use std::io::{Stdout, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::process::{Signal, kill_current_process_group};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

/// How long it takes until a process has stopped, and more.
const STOP_TIMEOUT: Duration = Duration::from_millis(100);

static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back when dropped.
pub struct Guard(());

/// Takes the terminal: raw mode, the alternate screen, the mouse, pasting.
///
/// # Errors
/// The terminal's; then it has been given back.
pub fn enter() -> io::Result<(Guard, Terminal<CrosstermBackend<Stdout>>)> {
    install_panic_hook();
    let guard = Guard(());
    take()?;
    Ok((guard, Terminal::new(CrosstermBackend::new(stdout()))?))
}

fn take() -> io::Result<()> {
    IS_TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste, cursor::Hide)
}

/// Does what Ctrl-Z does outside raw mode: gives the terminal back, stops whatever was started together with us, and
/// takes the terminal again when the shell lets us go on. A terminal that was not taken is left alone.
///
/// # Errors
/// The terminal's.
pub async fn suspend() -> io::Result<()> {
    if !IS_TAKEN.load(Ordering::SeqCst) {
        return Ok(());
    }
    let mut continued = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    restore();
    kill_current_process_group(Signal::TSTP)?;
    // Another thread may be the one that takes the signal, a moment later; and without a shell that could let us go on
    // there is none to take.
    let _ = timeout(STOP_TIMEOUT, continued.recv()).await;
    take()
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts a text on the clipboard of the terminal, over SSH too (OSC 52).
pub fn copy(text: &str) {
    // A terminal that does not take it leaves the clipboard as it is; there is no answer to wait for.
    let _ = execute!(stdout(), CopyToClipboard::to_clipboard_from(text));
}

/// Undoes everything that [`enter`] does, once: leaving the alternate screen again would put the cursor back in front of
/// what was printed since. On a terminal that is gone nothing can be done.
fn restore() {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(stdout(), DisableBracketedPaste, DisableMouseCapture, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}

/// A panic message printed on the alternate screen would vanish with it.
fn install_panic_hook() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        restore();
        previous(info);
    }));
}
