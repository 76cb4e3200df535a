//! Handles messages: changes the state and returns effects, without I/O.

pub mod actions;
pub(crate) mod change;
pub(crate) mod dialog;
pub(crate) mod enrich;
pub(crate) mod filter;
pub(crate) mod inspector;
pub(crate) mod job;
pub(crate) mod mouse;
pub mod movement;
pub(crate) mod question;
pub(crate) mod response;
pub(crate) mod scan;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod tree;
pub(crate) mod ttl;
pub(crate) mod watch;
pub(crate) mod weight;

use crossterm::event::KeyEvent;

use crate::tui::action::Action;
use crate::tui::app::{App, Failure};
use crate::tui::effect::Effect;
use crate::tui::keymap::Mode;
use crate::tui::message::Message;
use crate::tui::update::actions::act;

/// The effects at the start.
pub fn start(app: &mut App) -> Vec<Effect> {
    vec![Effect::Open(app.ticket())]
}

/// Handles a message.
pub fn update(app: &mut App, message: Message) -> Vec<Effect> {
    let mut effects = match message {
        Message::Key(key) => press(app, key),
        Message::Mouse(mouse) => mouse::handle(app, mouse),
        Message::Paste(text) => paste(app, &text),
        Message::Resized(size) => {
            app.size = size;
            app.keep_cursor_on_screen();
            inspector::keep_on_screen(app);
            enrich::keep_on_screen(app);
            Vec::new()
        }
        Message::Background { is_light } => {
            app.options.is_light = is_light;
            Vec::new()
        }
        Message::Tick(now) => response::tick(app, now),
        Message::Health(health) => response::take_health(app, health),
        Message::Quiet => {
            if let Some(dialog) = &mut app.dialog {
                dialog.accept_answers();
            }
            Vec::new()
        }
        Message::Terminated(exit) => {
            app.signal = Some(exit);
            act(app, Action::Quit)
        }
        Message::Panicked => response::fail(app, Failure::Crash),
        Message::Progress(ticket, progress) => response::progress(app, ticket, progress),
        Message::Done(ticket, outcome) => response::done(app, ticket, outcome),
    };
    effects.extend(inspector::follow(app));
    effects
}

fn press(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    app.notice = None;
    let mode = app.mode();
    match (app.keymap.lookup(mode, key), mode) {
        (Some(action), _) => act(app, action),
        (None, Mode::Filter) => filter::press(app, key),
        (None, Mode::Search) => enrich::press(app, key),
        (None, Mode::Input) => dialog::press(app, key),
        (None, Mode::Confirm) => dialog::act(app, Action::No),
        (None, _) => Vec::new(),
    }
}

fn paste(app: &mut App, text: &str) -> Vec<Effect> {
    // One line only: a line break is invisible, and must not confirm a question.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match app.mode() {
        Mode::Filter => filter::paste(app, &text),
        Mode::Search => enrich::paste(app, &text),
        Mode::Input => dialog::paste(app, &text),
        _ => Vec::new(),
    }
}
