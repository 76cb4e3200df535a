//! Draws the tree with counts and bytes.

use ratatui::Frame;
use ratatui::text::{Line, Span};

use crate::output::columns::clip;
use crate::output::{columns, human};
use crate::tui::app::App;
use crate::tui::app::tree::{Node, ROOT};
use crate::tui::focus::Focus;
use crate::tui::layout::regions::Regions;
use crate::tui::view::frame::draw_frame;
use crate::tui::view::text::right;
use crate::tui::view::theme::Theme;

/// Columns of the bytes, with a blank.
const BYTES: usize = 6;

/// Below this width, bytes are left out in favor of the labels.
const WIDE: usize = 28;

pub(crate) fn draw(frame: &mut Frame<'_>, regions: &Regions, app: &App, theme: &Theme) {
    if regions.tree.is_empty() {
        return;
    }
    let is_focused = app.focus == Focus::Tree;
    draw_frame(frame, regions.tree, Line::styled(" Cache ", theme.dim), regions.is_framed, is_focused, theme);
    let inside = regions.inside(regions.tree);
    // The count of the root is the largest.
    let count = human::count(app.tree.get(ROOT).entries).len() + 1;
    let lines = app.tree.lines().into_iter().skip(app.tree.offset).zip(inside.rows());
    for (id, row) in lines {
        let node = app.tree.get(id);
        let style = match (id == app.tree.chosen, is_focused) {
            (true, true) => theme.selected,
            (true, false) => theme.selected_unfocused,
            (false, _) => theme.text,
        };
        frame.render_widget(line(node, row.width.into(), count, theme).style(style), row);
    }
}

fn line<'a>(node: &'a Node, width: usize, count: usize, theme: &Theme) -> Line<'a> {
    let fold = match (node.has_children(), node.is_folded) {
        (false, _) => "  ",
        (true, true) => "▸ ",
        (true, false) => "▾ ",
    };
    let has_bytes = width >= WIDE;
    let numbers = if has_bytes { count + BYTES } else { count };
    let indent = usize::from(node.depth) * 2;
    let room = width.saturating_sub(numbers + indent + 2);
    let (label, rest) =
        if node.is_dead && room > 8 { (clip(&node.label, room - 5), " dead") } else { (clip(&node.label, room), "") };
    let pad = room.saturating_sub(columns::width(&label) + rest.len());
    let mut spans = vec![
        Span::raw(" ".repeat(indent)),
        Span::styled(fold, theme.faint),
        if node.is_dead { Span::styled(label, theme.dim) } else { Span::raw(label) },
        Span::styled(rest, theme.note),
        Span::raw(" ".repeat(pad)),
        Span::styled(right(&human::count(node.entries), count), theme.dim),
    ];
    if has_bytes {
        spans.push(Span::styled(right(&short(node.bytes), BYTES), theme.faint));
    }
    Line::from(spans)
}

/// `411M` for `411 MiB`.
fn short(bytes: u64) -> String {
    human::bytes(bytes).replace(' ', "").replace("iB", "")
}
