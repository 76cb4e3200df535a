//! Moving in a list.

use crate::tui::action::Action;

/// The position in a list of `count` lines after a movement; `None`: the action is not a movement.
pub(crate) fn moved(action: Action, at: usize, count: usize, page: usize) -> Option<usize> {
    let last = count.saturating_sub(1);
    let page = page.max(1);
    Some(match action {
        Action::Down | Action::MarkDown => (at + 1).min(last),
        Action::Up | Action::MarkUp => at.saturating_sub(1),
        Action::PageDown => (at + page).min(last),
        Action::PageUp => at.saturating_sub(page),
        Action::Top => 0,
        Action::Bottom => last,
        _ => return None,
    })
}
