//! Draws a body as a JSON tree, as text, or as bytes. Only visible lines are formatted.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::output::columns::skip;
use crate::output::{columns, human, safe};
use crate::tui::app::App;
use crate::tui::app::body::{Body, BodyView, Content};
use crate::tui::app::json::{Document, Token, tokens};
use crate::tui::focus::Focus;
use crate::tui::view::theme::Theme;

/// The longest part of a line that is formatted.
const LINE: usize = 4_096;

pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, pane: Rect, app: &App, theme: &Theme) {
    let Some(detail) = app.inspector.detail() else { return };
    let body = detail.body.content(app.inspector.secrets);
    note(frame, pane, &detail.body, app, theme);
    if body.bytes.is_empty() {
        frame.render_widget(Line::styled(" (empty)", theme.dim), area);
        return;
    }
    for (at, row) in (app.inspector.offset..app.inspector.body_lines()).zip(area.rows()) {
        let line = match (app.inspector.view, body.json()) {
            (BodyView::Json, Some(json)) => json_line(body, json, at, app, theme),
            (BodyView::Hex, _) => hex_line(&body.bytes, at, theme),
            _ => text_line(body, at, app.inspector.shift, theme),
        };
        let has_cursor = app.inspector.view == BodyView::Json && at == app.inspector.cursor;
        let style = match (has_cursor, app.focus) {
            (true, Focus::Inspector) => theme.selected_unfocused,
            _ => theme.text,
        };
        frame.render_widget(line.style(style), row);
    }
}

/// The view and the omitted part, in the corner of the frame.
fn note(frame: &mut Frame<'_>, pane: Rect, body: &Body, app: &App, theme: &Theme) {
    let mut text = format!(
        " {} · {}",
        app.inspector.view.name(),
        human::bytes(body.content(app.inspector.secrets).bytes.len() as u64)
    );
    if body.was_encoded {
        text.push_str(" decompressed");
    }
    if body.is_cut {
        text.push_str(" · truncated");
    }
    text.push(' ');
    // The tabs come first.
    let width = columns::width(&text) as u16;
    if pane.width >= width + 48 {
        let area = Rect { x: pane.right() - width - 2, width, height: 1, ..pane };
        frame.render_widget(Line::styled(text, theme.dim), area);
    }
}

fn json_line<'a>(body: &Content, json: &Document, at: usize, app: &App, theme: &Theme) -> Line<'a> {
    let Some(&number) = app.inspector.json_lines.get(at) else { return Line::default() };
    let Some(line) = json.lines.get(number as usize) else { return Line::default() };
    let bytes = &body.bytes[line.range()];
    let is_folded = app.inspector.folded.contains(&number);
    let fold = match (line.close > 0, is_folded) {
        (false, _) => "  ",
        (true, true) => "▸ ",
        (true, false) => "▾ ",
    };
    let mut spans = vec![Span::raw(" ".repeat(usize::from(line.depth).min(60) * 2)), Span::styled(fold, theme.faint)];
    for (token, range) in tokens(&bytes[..bytes.len().min(LINE)]) {
        let text = &bytes[range];
        let style = match token {
            Token::Name => theme.json_name,
            Token::Text => theme.json_text,
            Token::Number => theme.json_number,
            Token::Word => theme.json_word,
            Token::Mark => theme.dim,
        };
        let shown = match token {
            Token::Text | Token::Name => readable(text),
            _ => safe::bytes(text).into_owned(),
        };
        // Only long texts scroll; the name of a member stays.
        let shown = if token == Token::Text { skip(&shown, app.inspector.shift).to_owned() } else { shown };
        spans.push(Span::styled(shown, style));
        if text == b":" {
            spans.push(Span::raw(" "));
        }
    }
    if is_folded {
        let inside = (line.close - number).saturating_sub(1);
        spans.push(Span::styled(format!(" … {} lines … ", human::count(inside.into())), theme.faint));
    }
    Line::from(spans)
}

/// A JSON string with `\u` escapes decoded; escapes that keep it on one line stay.
fn readable(string: &[u8]) -> String {
    let text = serde_json::from_slice::<String>(string).ok().and_then(|text| serde_json::to_string(&text).ok());
    text.map_or_else(|| safe::bytes(string).into_owned(), |text| safe::line(&text).into_owned())
}

fn text_line<'a>(body: &Content, at: usize, shift: usize, theme: &Theme) -> Line<'a> {
    let Some(range) = body.lines().get(at) else { return Line::default() };
    let from = (range.start + shift).min(range.end);
    let bytes = &body.bytes[from..range.end.min(from + LINE)];
    let text = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).replace('\t', "    ");
    Line::from(vec![Span::raw(" "), Span::styled(safe::line(&text).into_owned(), theme.text)])
}

fn hex_line<'a>(bytes: &[u8], at: usize, theme: &Theme) -> Line<'a> {
    let start = at * 16;
    let line = &bytes[start.min(bytes.len())..bytes.len().min(start + 16)];
    let half = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let hex = line.chunks(8).map(half).collect::<Vec<_>>().join("  ");
    let text: String =
        line.iter().map(|b| if b.is_ascii_graphic() || *b == b' ' { char::from(*b) } else { '·' }).collect();
    Line::from(vec![
        Span::styled(format!(" {start:08x}  "), theme.faint),
        Span::styled(format!("{hex:<50}"), theme.text),
        Span::styled(text, theme.dim),
    ])
}
