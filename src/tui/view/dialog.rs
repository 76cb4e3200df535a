//! Draws dialogs: questions, input and help.

use ratatui::Frame;
use ratatui::layout::{Rect, Size};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Padding};
use tui_textarea::TextArea;

use crate::output::columns::{squeeze, wrap};
use crate::output::{human, safe};
use crate::tui::app::App;
use crate::tui::app::dialog::{Confirm, Dialog, Facts, Ttl};
use crate::tui::keymap::Mode;
use crate::tui::view::help;
use crate::tui::view::help::HelpLine;
use crate::tui::view::text::left;
use crate::tui::view::theme::Theme;

/// Columns of a dialog.
const WIDTH: u16 = 76;

/// Below this width of the screen, texts are shorter or take more lines.
const WIDE: u16 = 60;

/// The least width of a screen that a question is asked on.
const MIN_WIDTH: u16 = 36;

/// The most lines of one value.
const MAX_VALUE_LINES: usize = 2;

/// The lines below the facts of a TTL input: examples, input, and preview or error.
const TTL_HEIGHT: usize = 3;

pub(crate) fn draw(frame: &mut Frame<'_>, screen: Rect, app: &App, theme: &Theme) {
    match &app.dialog {
        None => {}
        Some(dialog) if !fits(screen.as_size(), dialog) => draw_too_small(frame, screen, theme),
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

/// The columns of the names of facts: fewer on a narrow screen.
fn name_width(screen: u16) -> usize {
    if screen < WIDE { 10 } else { 15 }
}

/// The lines of a fact. A value is wrapped, not cut: it may differ at its end. A very long one loses its middle.
fn value_lines(value: &str, screen: u16) -> Vec<String> {
    let room = usize::from(WIDTH.min(screen)).saturating_sub(4 + name_width(screen)).max(8);
    wrap(&squeeze(&safe::line(value), room * MAX_VALUE_LINES), room)
}

/// Names and values.
fn facts<'a>(facts: &'a [(String, String)], screen: u16, theme: &Theme) -> Vec<Line<'a>> {
    let of = |(name, value): &'a (String, String)| {
        let names = std::iter::once(name.as_str()).chain(std::iter::repeat(""));
        names.zip(value_lines(value, screen)).map(|(name, value)| {
            Line::from(vec![Span::styled(left(name, name_width(screen)), theme.dim), Span::styled(value, theme.text)])
        })
    };
    facts.iter().flat_map(of).collect()
}

/// Whether the essential facts of a dialog and its answer fit on the screen.
pub fn fits(screen: Size, dialog: &Dialog) -> bool {
    let (facts, answer) = match dialog {
        Dialog::Confirm(confirm) => (&confirm.facts[..confirm.essential], answer_height(confirm, screen.width)),
        Dialog::Ttl(ttl) => (&ttl.facts[..ttl.essential], TTL_HEIGHT),
        Dialog::Failure { .. } | Dialog::Help { .. } => return true,
    };
    let lines: usize = facts.iter().map(|(_, value)| value_lines(value, screen.width).len()).sum();
    screen.width >= MIN_WIDTH && usize::from(screen.height) >= lines + answer + 2
}

/// The lines of the answer.
fn answer_height(confirm: &Confirm, screen: u16) -> usize {
    match (&confirm.word, screen < WIDE) {
        (None, _) => 1,
        (Some(_), false) => 2,
        (Some(_), true) => 3,
    }
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
    let mut facts = facts(message, screen.width, theme);
    let room = usize::from(screen.height).saturating_sub(answer + 2);
    facts.truncate(room);
    let blank = usize::from(facts.len() < room);
    let inside = open(frame, screen, WIDTH, facts.len() + blank + answer, title, theme);
    let mut rows = inside.rows();
    for (fact, row) in facts.into_iter().zip(&mut rows) {
        frame.render_widget(fact, row);
    }
    rows.skip(blank)
}

/// Draws, in place of a question whose facts do not fit, that it cannot be answered.
fn draw_too_small(frame: &mut Frame<'_>, screen: Rect, theme: &Theme) {
    let inside = open(frame, screen, MIN_WIDTH, 2, "Window too small", theme);
    for (text, row) in ["Enlarge it to answer", "Esc: cancel"].into_iter().zip(inside.rows()) {
        frame.render_widget(Span::styled(text, theme.text), row);
    }
}

fn draw_failure(frame: &mut Frame<'_>, screen: Rect, title: &str, message: &Facts, theme: &Theme) {
    let answer = Line::from(vec![Span::styled("Enter", theme.key), Span::styled(": close", theme.text)]);
    if let Some(row) = open_with_facts(frame, screen, title, message, 1, theme).next() {
        frame.render_widget(answer, row);
    }
}

fn draw_confirm(frame: &mut Frame<'_>, screen: Rect, confirm: &Confirm, theme: &Theme) {
    let height = answer_height(confirm, screen.width);
    let mut rows = open_with_facts(frame, screen, &confirm.title, &confirm.facts, height, theme);
    if !confirm.is_answerable {
        // The answers appear when they count.
        if let Some(row) = rows.next() {
            frame.render_widget(Span::styled("…", theme.dim), row);
        }
        return;
    }
    let (yes, text) = (theme.bad, theme.text);
    let mut draw = |spans: Vec<Span<'_>>| {
        if let Some(row) = rows.next() {
            frame.render_widget(Line::from(spans), row);
        }
    };
    let verb = confirm.verb;
    match &confirm.word {
        None => draw(vec![Span::styled("y", yes), Span::styled(format!(": {verb}    any other key: cancel"), text)]),
        Some(word) => {
            let question = |after: String| {
                let word = Span::styled(word.as_str(), yes);
                vec![Span::styled("Type ", text), word, Span::styled(after, text)]
            };
            if height == 2 {
                draw(question(format!(" and press Enter to {verb}, or Esc to cancel")));
            } else {
                draw(question(format!(" and press Enter to {verb}")));
                draw(vec![Span::styled("Esc: cancel", text)]);
            }
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
    let examples = [("12h", ": expire in 12h   "), ("+2h", ": extend by 2h   "), ("never", ": remove the TTL")];
    let is_narrow = screen.width < WIDE;
    let spans = examples.into_iter().flat_map(|(example, meaning)| {
        [Span::styled(example, theme.key), Span::styled(if is_narrow { "   " } else { meaning }, theme.dim)]
    });
    let mut rows = open_with_facts(frame, screen, &title, &ttl.facts, TTL_HEIGHT, theme);
    if let Some(row) = rows.next() {
        frame.render_widget(spans.collect::<Line<'_>>(), row);
    }
    if let Some(row) = rows.next() {
        draw_text(frame, row, &ttl.text, theme);
    }
    let below = match (&ttl.problem, &ttl.preview) {
        (Some(problem), _) => Span::styled(problem.as_str(), theme.bad),
        (None, Some(preview)) => {
            Span::styled(if is_narrow { preview.clone() } else { format!("New TTL: {preview}") }, theme.good)
        }
        (None, None) => Span::styled("Enter: change    Esc: cancel", theme.dim),
    };
    if let Some(row) = rows.next() {
        frame.render_widget(below, row);
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
