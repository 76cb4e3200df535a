//! Draws dialogs: questions, input and help.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Padding};
use tui_textarea::TextArea;

use crate::output::columns::wrap;
use crate::output::{human, safe};
use crate::tui::app::App;
use crate::tui::app::dialog::{Confirm, Dialog, Facts, Ttl};
use crate::tui::keymap::Mode;
use crate::tui::view::help;
use crate::tui::view::help::HelpLine;
use crate::tui::view::text::left;
use crate::tui::view::theme::Theme;

/// Columns of a dialog, and of the names of facts.
const WIDTH: u16 = 76;

const NAME: usize = 15;

pub(crate) fn draw(frame: &mut Frame<'_>, screen: Rect, app: &App, theme: &Theme) {
    match &app.dialog {
        None => {}
        Some(Dialog::Confirm(confirm)) => draw_confirm(frame, screen, confirm, theme),
        Some(Dialog::Ttl(ttl)) => draw_ttl(frame, screen, ttl, theme),
        Some(Dialog::Failure { title, facts }) => draw_failure(frame, screen, title, facts, theme),
        Some(Dialog::Help { mode, offset }) => draw_help(frame, screen, (app, *mode), *offset, theme),
    }
}

/// Draws a framed, empty area in the middle, and returns the area inside it.
fn open(frame: &mut Frame<'_>, screen: Rect, width: u16, lines: usize, title: &str, theme: &Theme) -> Rect {
    let width = width.min(screen.width);
    let height = u16::try_from(lines + 2).unwrap_or(u16::MAX).min(screen.height);
    let area = Rect::new(screen.x + (screen.width - width) / 2, screen.y + (screen.height - height) / 2, width, height);
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.dialog_frame)
        .title(Line::styled(format!(" {title} "), theme.strong))
        .padding(Padding::horizontal(1))
        .style(theme.dialog);
    let inside = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    inside
}

/// Names and values. Values are wrapped, not cut: they may differ at their ends.
fn facts<'a>(facts: &'a Facts, screen: Rect, theme: &Theme) -> Vec<Line<'a>> {
    let room = usize::from(WIDTH.min(screen.width)).saturating_sub(4 + NAME);
    let of = |(name, value): &'a (String, String)| {
        let names = std::iter::once(name.as_str()).chain(std::iter::repeat(""));
        names.zip(wrap(&safe::line(value), room)).map(|(name, value)| {
            Line::from(vec![Span::styled(left(name, NAME), theme.dim), Span::styled(value, theme.text)])
        })
    };
    facts.iter().flat_map(of).collect()
}

/// Draws a dialog with facts and an answer of so many lines below, and returns the lines of the answer. The answer is
/// always on the screen: facts that do not fit are left out, the last first.
fn open_with_facts(
    frame: &mut Frame<'_>,
    screen: Rect,
    title: &str,
    message: &Facts,
    answer: usize,
    theme: &Theme,
) -> impl Iterator<Item = Rect> + use<> {
    let mut facts = facts(message, screen, theme);
    facts.truncate(usize::from(screen.height).saturating_sub(answer + 3));
    let inside = open(frame, screen, WIDTH, facts.len() + 1 + answer, title, theme);
    let mut rows = inside.rows();
    for (fact, row) in facts.into_iter().zip(&mut rows) {
        frame.render_widget(fact, row);
    }
    rows.skip(1)
}

fn draw_failure(frame: &mut Frame<'_>, screen: Rect, title: &str, message: &Facts, theme: &Theme) {
    let answer = Line::from(vec![Span::styled("Enter", theme.key), Span::styled(": close", theme.text)]);
    if let Some(row) = open_with_facts(frame, screen, title, message, 1, theme).next() {
        frame.render_widget(answer, row);
    }
}

fn draw_confirm(frame: &mut Frame<'_>, screen: Rect, confirm: &Confirm, theme: &Theme) {
    let answer = if confirm.word.is_some() { 2 } else { 1 };
    let mut rows = open_with_facts(frame, screen, &confirm.title, &confirm.facts, answer, theme);
    let Some(row) = rows.next() else { return };
    match &confirm.word {
        None => frame.render_widget(
            Line::from(vec![
                Span::styled("y", theme.bad),
                Span::styled(format!(": {}    ", confirm.verb), theme.text),
                Span::styled("n, Enter or Esc", theme.key),
                Span::styled(": cancel", theme.text),
            ]),
            row,
        ),
        Some(word) => {
            let question = vec![
                Span::styled("Type ", theme.text),
                Span::styled(word.as_str(), theme.bad),
                Span::styled(format!(" and press Enter to {}, or Esc to cancel", confirm.verb), theme.text),
            ];
            frame.render_widget(Line::from(question), row);
            if let Some(row) = rows.next() {
                draw_text(frame, row, &confirm.typed, theme);
            }
        }
    }
}

fn draw_text(frame: &mut Frame<'_>, row: Rect, text: &TextArea<'static>, theme: &Theme) {
    frame.render_widget(Span::styled("> ", theme.key), row);
    let mut text = text.clone();
    text.set_style(theme.strong);
    text.set_cursor_line_style(theme.strong);
    frame.render_widget(&text, Rect { x: row.x + row.width.min(2), width: row.width.saturating_sub(2), ..row });
}

fn draw_ttl(frame: &mut Frame<'_>, screen: Rect, ttl: &Ttl, theme: &Theme) {
    let title = match ttl.entries.len() {
        1 => "Change TTL of this entry".to_owned(),
        count => format!("Change TTL of {}", human::entries(count as u64)),
    };
    let examples = Line::from(vec![
        Span::styled("12h", theme.key),
        Span::styled(": expire in 12h   ", theme.dim),
        Span::styled("+2h", theme.key),
        Span::styled(": extend by 2h   ", theme.dim),
        Span::styled("never", theme.key),
        Span::styled(": remove the TTL", theme.dim),
    ]);
    let mut rows = open_with_facts(frame, screen, &title, &ttl.facts, 3, theme);
    if let Some(row) = rows.next() {
        frame.render_widget(examples, row);
    }
    if let Some(row) = rows.next() {
        draw_text(frame, row, &ttl.text, theme);
    }
    if let (Some(problem), Some(row)) = (&ttl.problem, rows.next()) {
        frame.render_widget(Span::styled(problem.as_str(), theme.bad), row);
    }
}

fn draw_help(frame: &mut Frame<'_>, screen: Rect, (app, mode): (&App, Mode), offset: usize, theme: &Theme) {
    let lines = help::lines(app, mode);
    let height = usize::from(screen.height).saturating_sub(2);
    let offset = offset.min(lines.len().saturating_sub(height));
    let title = match lines.len() {
        count if count > height => format!("Keyboard shortcuts · {}-{} of {count}", offset + 1, offset + height),
        _ => "Keyboard shortcuts".to_owned(),
    };
    let inside = open(frame, screen, WIDTH, lines.len(), &title, theme);
    for (line, row) in lines.into_iter().skip(offset).zip(inside.rows()) {
        let line = match line {
            HelpLine::Blank => Line::default(),
            HelpLine::Heading(name) => Line::styled(name, theme.heading_sorted),
            HelpLine::Binding { keys, text, is_refused: false } => {
                Line::from(vec![Span::styled(left(&keys, 18), theme.key), Span::styled(text, theme.text)])
            }
            HelpLine::Binding { keys, text, is_refused: true } => Line::from(vec![
                Span::styled(left(&keys, 18), theme.faint),
                Span::styled(text, theme.faint),
                Span::styled("  (read-only)", theme.faint),
            ]),
        };
        frame.render_widget(line, row);
    }
}
