//! A program on a pseudo-terminal, with its output rendered as a screen.

#![allow(dead_code, reason = "shared by tests that each need another part of it")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::environment::variables;

/// A timeout longer than any expected event.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program and its terminal.
pub struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    seen: Arc<Seen>,
    /// The settings of the terminal before the program was started.
    settings: String,
}

struct Seen {
    /// The terminal, and whether its output has ended.
    screen: Mutex<(vt100::Parser, bool)>,
    /// The reader ends after more output.
    is_closing: AtomicBool,
    news: Condvar,
}

/// A program for a terminal, with no variable of the environment of the tests.
pub fn command(program: &Path, arguments: &[&str], directory: &Path) -> CommandBuilder {
    let mut command = CommandBuilder::new(program);
    command.args(arguments);
    command.cwd(directory);
    command.env_clear();
    for (name, value) in variables(directory) {
        command.env(name, value);
    }
    command.env("TERM", "xterm-256color");
    // A long backtrace would scroll the message out of sight.
    command.env("RUST_BACKTRACE", "0");
    command
}

impl Pty {
    /// Starts a program on a terminal of 100 by 30.
    pub fn start(program: &Path, arguments: &[&str], directory: &Path) -> Self {
        let size = PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).unwrap();
        let command = command(program, arguments, directory);
        let settings = format!("{:?}", pty.master.get_termios());
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let parser = vt100::Parser::new(30.try_into().unwrap(), 100.try_into().unwrap(), 0);
        let seen = Arc::new(Seen {
            screen: Mutex::new((parser, false)),
            is_closing: AtomicBool::new(false),
            news: Condvar::new(),
        });
        let mut output = pty.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = output.read(&mut buffer).unwrap_or(0);
                let mut screen = shown.screen.lock().unwrap();
                screen.0.process(&buffer[..count]);
                screen.1 = count == 0;
                shown.news.notify_all();
                if count == 0 || shown.is_closing.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        Self { child, keyboard: pty.master.take_writer().unwrap(), master: pty.master, seen, settings }
    }

    /// Waits until a text is on the screen.
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, |screen, _| screen.contents().contains(text));
    }

    /// The text of the screen.
    pub fn screen(&self) -> String {
        self.seen.screen.lock().unwrap().0.screen().contents()
    }

    /// Types.
    pub fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Sends a signal by its name: `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Resizes the terminal.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.seen.screen.lock().unwrap().0.screen_mut().set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Closes the terminal, and returns the exit code of the program.
    pub fn close(self) -> u32 {
        let Self { mut child, master, mut keyboard, seen, .. } = self;
        seen.is_closing.store(true, Ordering::Relaxed);
        // Its response ends the reader, which has the terminal open, too.
        keyboard.write_all(b"j").unwrap();
        drop((master, keyboard));
        child.wait().unwrap().exit_code()
    }

    /// Waits for the end of the program, checks that the terminal has been restored, and returns the exit code and the
    /// screen.
    pub fn end(mut self) -> (u32, String) {
        self.wait_until("the end", |_, is_over| is_over);
        let code = self.child.wait().unwrap().exit_code();
        let screen = self.seen.screen.lock().unwrap();
        let screen = screen.0.screen();
        let text = screen.contents();
        assert!(!screen.alternate_screen(), "the alternate screen was left\n{text}");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert!(!screen.bracketed_paste(), "pasting is as it was");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is let go");
        assert_eq!(format!("{:?}", self.master.get_termios()), self.settings, "raw mode was left");
        (code, text)
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&vt100::Screen, bool) -> bool) {
        let start = Instant::now();
        let mut screen = self.seen.screen.lock().unwrap();
        while !is_so(screen.0.screen(), screen.1) {
            let left = PATIENCE.saturating_sub(start.elapsed());
            assert!(!left.is_zero(), "waited in vain for {what}; the screen is\n{}", screen.0.screen().contents());
            screen = self.seen.news.wait_timeout(screen, left).unwrap().0;
        }
    }
}
