//! Keys in dialogs.

use crossterm::event::KeyEvent;
use tui_textarea::TextArea;

use crate::cli::ttl::parse_change;
use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::app::dialog::{Confirm, Dialog, PendingEffect, Ttl};
use crate::tui::effect::Effect;
use crate::tui::update::movement::moved;
use crate::tui::update::ttl::preview;
use crate::tui::update::{change, enrich, ttl, watch};
use crate::tui::view::dialog::fits;
use crate::tui::view::help;

pub(crate) fn press(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    if let Some(text) = text(app) {
        text.input(key);
    }
    check(app);
    Vec::new()
}

pub(crate) fn paste(app: &mut App, pasted: &str) -> Vec<Effect> {
    if let Some(text) = text(app) {
        text.insert_str(pasted);
    }
    check(app);
    Vec::new()
}

/// Whether the open question takes no answer: it was not on the screen long enough, or its facts do not fit.
fn is_deaf(app: &App) -> bool {
    app.dialog.as_ref().is_some_and(|dialog| dialog.awaits_quiet() || !fits(app.size, dialog))
}

pub(crate) fn act(app: &mut App, action: Action) -> Vec<Effect> {
    if matches!(action, Action::Yes | Action::Accept) && is_deaf(app) {
        return Vec::new();
    }
    match (app.dialog.take(), action) {
        (Some(Dialog::Confirm(confirm)), Action::Yes) if confirm.word.is_none() => release(app, *confirm),
        (Some(Dialog::Confirm(confirm)), Action::Accept) => {
            // The number may have separators, as on the screen.
            let typed = confirm.typed.lines().first().map(|line| line.trim().replace(',', ""));
            if confirm.word == typed {
                return release(app, *confirm);
            }
            app.show_notice(format!("{}: the number did not match", confirm.refusal));
            Vec::new()
        }
        (Some(Dialog::Ttl(ttl)), Action::Accept) => match parse_change(&ttl.text.lines().join("")) {
            Ok(change) => ttl::change(app, *ttl, change),
            Err(problem) => {
                app.dialog = Some(Dialog::Ttl(Box::new(Ttl { problem: Some(problem), ..*ttl })));
                Vec::new()
            }
        },
        (Some(Dialog::Help { mode, offset }), action) if action != Action::Close => {
            let (shown, page) = (app.size.height.saturating_sub(2), app.size.height.saturating_sub(6));
            let last = help::lines(app, mode).len().saturating_sub(shown.into());
            let offset = moved(action, offset.min(last), last + 1, page.into()).unwrap_or(offset);
            app.dialog = Some(Dialog::Help { mode, offset });
            Vec::new()
        }
        (dialog @ Some(Dialog::Failure { .. }), action) if action != Action::Close => {
            app.dialog = dialog;
            Vec::new()
        }
        (dialog @ Some(Dialog::Confirm(_) | Dialog::Ttl(_)), Action::ClearText) => {
            app.dialog = dialog;
            if let Some(text) = text(app) {
                *text = TextArea::default();
            }
            check(app);
            Vec::new()
        }
        (dialog @ Some(Dialog::Confirm(_) | Dialog::Ttl(_)), action) if action != Action::No => {
            app.dialog = dialog;
            Vec::new()
        }
        (Some(Dialog::Confirm(confirm)), _) => {
            app.show_notice(confirm.refusal);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn release(app: &mut App, confirm: Confirm) -> Vec<Effect> {
    match confirm.pending {
        PendingEffect::Change(effect, job) => change::begin(app, *effect, job),
        PendingEffect::Enrich(plan) => enrich::begin(app, *plan),
        PendingEffect::Watch(ticket, source) => watch::begin(app, ticket, source),
    }
}

/// The input of the dialog. A new TTL may be typed ahead, since Enter shows it first; an answer may not.
fn text(app: &mut App) -> Option<&mut TextArea<'static>> {
    match &mut app.dialog {
        Some(Dialog::Confirm(confirm)) if confirm.is_answerable => Some(&mut confirm.typed),
        Some(Dialog::Ttl(ttl)) => Some(&mut ttl.text),
        _ => None,
    }
}

fn check(app: &mut App) {
    let (now, zone) = (app.now, app.zone.clone());
    if let Some(Dialog::Ttl(ttl)) = &mut app.dialog {
        ttl.problem = None;
        let change = parse_change(&ttl.text.lines().join("")).ok();
        ttl.preview = change.map(|change| preview(change, &ttl.entries, now, &zone));
    }
}
