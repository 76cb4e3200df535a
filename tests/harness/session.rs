//! A session of the dashboard: the real event loop and runner, with a readable screen and with input that detects idle.

#![allow(dead_code, reason = "shared by tests that each need another part of it")]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use animecache::services::Services;
use animecache::tui::app::App;
use animecache::tui::keymap::{KEYMAP, Keymap};
use animecache::tui::message::Message;
use animecache::tui::options::Options;
use animecache::tui::run::drive;
use animecache::tui::runner::Runner;
use animecache::tui::view::theme::Themes;
use cache_core::{Config, Inspect, Opened, clock};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use futures_util::Stream;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::{Backend, ClearType, TestBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// The session.
pub struct Session {
    screen: Screen,
    keyboard: Keyboard,
    copied: Arc<Mutex<Vec<String>>>,
    turns: AtomicUsize,
    task: JoinHandle<App>,
}

impl Session {
    /// Opens a dashboard over a store and waits until everything is listed.
    pub async fn open(store: Arc<dyn Inspect>, options: Options) -> Self {
        let session = Self::begin(async move { Ok(Opened { store, fallback: None }) }, options);
        session.settle().await;
        session
    }

    /// Opens a dashboard without waiting.
    pub fn begin(opening: impl Future<Output = cache_core::Result<Opened>> + Send + 'static, options: Options) -> Self {
        Self::begin_with(opening, (Config::default(), Services::default()), None, options)
    }

    /// Opens a dashboard with other settings and an anime database.
    pub fn begin_with(
        opening: impl Future<Output = cache_core::Result<Opened>> + Send + 'static,
        settings: (Config, Services),
        catalogue: Option<PathBuf>,
        options: Options,
    ) -> Self {
        let copied: Arc<Mutex<Vec<String>>> = Arc::default();
        let clipboard = Arc::clone(&copied);
        let clipboard = Box::new(move |text: &str| clipboard.lock().unwrap().push(text.into()));
        let (runner, inbox) = Runner::new(opening, settings, catalogue, clipboard);
        let screen = Screen(Arc::new(Mutex::new(TestBackend::new(120, 40))));
        let keyboard = Keyboard { keys: Arc::default(), in_flight: runner.in_flight() };
        let (shared, input) = (screen.clone(), keyboard.clone());
        #[expect(clippy::disallowed_methods, reason = "the program under test runs beside the person in front of it")]
        let task = tokio::spawn(async move {
            let keymap = Keymap::parse(KEYMAP).unwrap();
            let themes = Themes::load(true).unwrap();
            let mut app = App::new(options, keymap, Size::new(120, 40), TimeZone::UTC, clock::now());
            let mut terminal = Terminal::new(shared).unwrap();
            drive(&mut terminal, input, runner, inbox, &mut app, &themes, |_| ()).await.unwrap();
            app
        });
        Self { screen, keyboard, copied, turns: AtomicUsize::new(0), task }
    }

    /// Presses keys one after the other: characters, or names such as `<enter>`. After `<quiet>` a question that the
    /// keys before it opened takes answers.
    pub fn keys(&self, keys: &str) -> &Self {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).and_then(|(name, rest)| {
                let key = match name {
                    "enter" => KeyCode::Enter.into(),
                    "esc" => KeyCode::Esc.into(),
                    "tab" => KeyCode::Tab.into(),
                    "ctrl-l" => KeyEvent::new(KeyCode::Char('l'), KeyModifiers::CONTROL),
                    "quiet" => return Some((Message::Quiet, rest)),
                    _ => return None,
                };
                Some((Message::Key(key), rest))
            });
            let character = || (Message::Key(KeyCode::Char(first).into()), &rest[first.len_utf8()..]);
            let (message, tail) = named.unwrap_or_else(character);
            self.send(message);
            rest = tail;
        }
        self
    }

    /// Sends a message.
    pub fn send(&self, message: Message) {
        self.keyboard.push(message);
    }

    /// Waits until no request is in flight and the screen is drawn.
    pub async fn settle(&self) -> &Self {
        loop {
            let idle = self.keyboard.keys.idle.notified();
            if self.keyboard.is_idle() || self.task.is_finished() {
                return self;
            }
            idle.await;
        }
    }

    /// Lets the dashboard run for a moment while a request is in flight.
    ///
    /// # Panics
    /// After too many waits: the expected event does not come.
    pub async fn turn(&self) {
        let turns = self.turns.fetch_add(1, Ordering::Relaxed);
        assert!(turns < 100_000, "waited in vain; the screen is\n{}", self.screen());
        tokio::task::yield_now().await;
    }

    /// The text of the screen.
    pub fn screen(&self) -> String {
        self.screen.0.lock().unwrap().to_string()
    }

    /// Clears the screen without notice to the dashboard.
    pub fn garble(&self) {
        self.screen.0.lock().unwrap().clear().unwrap();
    }

    /// The contents of the clipboard.
    pub fn copied(&self) -> Vec<String> {
        self.copied.lock().unwrap().clone()
    }

    /// Waits until the dashboard has been left, and returns its last state.
    pub async fn left(self) -> App {
        self.task.await.unwrap()
    }
}

/// Input for the event loop. The loop is idle if it polls without input and without requests in flight: it has drawn
/// then, since it draws before it polls.
#[derive(Clone)]
struct Keyboard {
    keys: Arc<Keys>,
    in_flight: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Keys {
    queue: Mutex<(VecDeque<Message>, Option<Waker>, bool)>,
    idle: Notify,
}

impl Keyboard {
    fn push(&self, message: Message) {
        let mut queue = self.keys.queue.lock().unwrap();
        queue.0.push_back(message);
        queue.2 = false;
        if let Some(waker) = queue.1.take() {
            waker.wake();
        }
    }

    fn is_idle(&self) -> bool {
        self.keys.queue.lock().unwrap().2
    }
}

impl Stream for Keyboard {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        let mut queue = self.keys.queue.lock().unwrap();
        if let Some(message) = queue.0.pop_front() {
            return Poll::Ready(Some(message));
        }
        // As the stream of the terminal does: only the first waker is stored and woken.
        queue.1.get_or_insert_with(|| context.waker().clone());
        queue.2 = self.in_flight.load(Ordering::Acquire) == 0;
        if queue.2 {
            self.keys.idle.notify_waiters();
        }
        Poll::Pending
    }
}

/// A test screen that can be read while the loop draws on it.
#[derive(Clone)]
struct Screen(Arc<Mutex<TestBackend>>);

impl Backend for Screen {
    type Error = <TestBackend as Backend>::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> Result<(), Self::Error> {
        self.0.lock().unwrap().draw(content)
    }
    fn hide_cursor(&mut self) -> Result<(), Self::Error> {
        self.0.lock().unwrap().hide_cursor()
    }
    fn show_cursor(&mut self) -> Result<(), Self::Error> {
        self.0.lock().unwrap().show_cursor()
    }
    fn get_cursor_position(&mut self) -> Result<Position, Self::Error> {
        self.0.lock().unwrap().get_cursor_position()
    }
    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Self::Error> {
        self.0.lock().unwrap().set_cursor_position(position)
    }
    fn clear(&mut self) -> Result<(), Self::Error> {
        self.0.lock().unwrap().clear()
    }
    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), Self::Error> {
        self.0.lock().unwrap().clear_region(clear_type)
    }
    fn size(&self) -> Result<Size, Self::Error> {
        self.0.lock().unwrap().size()
    }
    fn window_size(&mut self) -> Result<WindowSize, Self::Error> {
        self.0.lock().unwrap().window_size()
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
