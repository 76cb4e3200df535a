//! Sets up the terminal, and restores it however the program ends.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Write as _;
use std::io;
use std::io::{Stdout, Write as _, stdout};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::process::{Signal, kill_current_process_group};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::output::{print_error, safe};

/// Longer than stopping a process takes.
const STOP_TIMEOUT: Duration = Duration::from_millis(100);

static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The message of the first panic since the terminal was set up.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

static PANICKED: Notify = Notify::const_new();

/// Restores the terminal when dropped.
pub struct Guard(());

/// Sets up the terminal: raw mode, alternate screen, mouse and bracketed paste.
///
/// # Errors
/// Errors of the terminal, which has been restored then.
// Not dropped: `Terminal` would show the cursor, and panic where the terminal was closed. The guard shows it.
pub fn enter() -> io::Result<(Guard, ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>)> {
    install_panic_hook();
    let guard = Guard(());
    take()?;
    Ok((guard, ManuallyDrop::new(Terminal::new(CrosstermBackend::new(stdout()))?)))
}

fn take() -> io::Result<()> {
    IS_TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste, cursor::Hide)
}

/// Suspends the process group as Ctrl-Z does outside raw mode: restores the terminal, stops, and sets the terminal up
/// again when the shell resumes it. Does nothing to a terminal that was not set up.
///
/// # Errors
/// Errors of the terminal.
pub async fn suspend() -> io::Result<()> {
    if !IS_TAKEN.load(Ordering::SeqCst) {
        return Ok(());
    }
    let mut continued = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    restore();
    kill_current_process_group(Signal::TSTP)?;
    // Another thread may receive the signal, a moment later. Without a shell that could resume the process there is no
    // signal.
    let _ = timeout(STOP_TIMEOUT, continued.recv()).await;
    take()
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Asks for the background color (OSC 11). Most terminals respond; the others ignore it.
pub fn ask_background() {
    let mut screen = stdout();
    let _ = screen.write_all(b"\x1b]11;?\x1b\\").and_then(|()| screen.flush());
}

/// Copies a text to the clipboard of the terminal, also over SSH (OSC 52).
pub fn copy(text: &str) {
    // Terminals without support ignore it; there is no response.
    let _ = execute!(stdout(), CopyToClipboard::to_clipboard_from(text));
}

/// Reverts [`enter`], once: leaving the alternate screen again would move the cursor before text that was printed
/// since. Errors are ignored, as of a closed terminal.
fn restore() {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(stdout(), DisableBracketedPaste, DisableMouseCapture, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
    if let Some(message) = panic_message().take() {
        print_error(&safe::lines(&message).collect::<Vec<_>>().join("\n"));
    }
}

/// Waits until a task or thread panics while the terminal is set up.
pub async fn panicked() {
    PANICKED.notified().await;
}

fn panic_message() -> MutexGuard<'static, Option<String>> {
    PANIC.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the message of a panic until the terminal is restored, which is left to the event loop: it would draw on.
fn install_panic_hook() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !IS_TAKEN.load(Ordering::SeqCst) {
            return previous(info);
        }
        let backtrace = Backtrace::capture();
        let thread = std::thread::current();
        let mut message = format!("thread '{}' {info}", thread.name().unwrap_or("<unnamed>"));
        if backtrace.status() == BacktraceStatus::Captured {
            let _ = write!(message, "\n{backtrace}");
        }
        panic_message().get_or_insert(message);
        PANICKED.notify_one();
    }));
}
