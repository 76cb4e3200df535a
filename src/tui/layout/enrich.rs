//! The layout of the Enrich tab: a pure function, shared by drawing and the mouse.

use ratatui::layout::{Constraint, Layout, Rect};

use crate::services::SERVICES;
use crate::tui::focus::Pane;
use crate::tui::layout::regions::{Regions, WIDE};

/// Below this height, the left column has one pane only.
const TALL: u16 = 17;

/// The panes of the Enrich tab. A hidden pane is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Panes {
    /// The titles, with their frame.
    pub titles: Rect,
    /// The services, with their frame.
    pub services: Rect,
    /// The recent runs, with their frame.
    pub runs: Rect,
    /// The report of one run, with its frame.
    pub outcome: Rect,
}

/// The panes between the search line and the hints.
pub fn panes(regions: &Regions, pane: Pane, is_zoomed: bool) -> Panes {
    let all = regions.panes;
    if is_zoomed {
        return only(pane, all);
    }
    if all.width < WIDE {
        return if pane == Pane::Outcome { only(pane, all) } else { column(all, pane, regions) };
    }
    let [left, outcome] =
        Layout::horizontal([Constraint::Length((all.width * 3 / 10).clamp(28, 64)), Constraint::Min(0)]).areas(all);
    Panes { outcome, ..column(left, pane, regions) }
}

/// The three lists, one below the other, or only the one with the focus.
fn column(area: Rect, pane: Pane, regions: &Regions) -> Panes {
    if area.height < TALL {
        return only(if pane == Pane::Outcome { Pane::Titles } else { pane }, area);
    }
    let around = if regions.is_framed { 2 } else { 1 };
    let [titles, services, runs] = Layout::vertical([
        Constraint::Fill(3),
        Constraint::Length(SERVICES.len() as u16 + around),
        Constraint::Fill(2),
    ])
    .areas(area);
    Panes { titles, services, runs, outcome: Rect::default() }
}

fn only(pane: Pane, area: Rect) -> Panes {
    let mut panes = Panes::default();
    *match pane {
        Pane::Titles => &mut panes.titles,
        Pane::Services => &mut panes.services,
        Pane::Runs => &mut panes.runs,
        Pane::Outcome => &mut panes.outcome,
    } = area;
    panes
}

impl Panes {
    /// The area of a pane.
    pub fn get(&self, pane: Pane) -> Rect {
        match pane {
            Pane::Titles => self.titles,
            Pane::Services => self.services,
            Pane::Runs => self.runs,
            Pane::Outcome => self.outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Size;

    use super::*;
    use crate::tui::focus::{Extent, Focus};
    use crate::tui::layout::regions;

    #[test]
    fn the_pane_with_the_focus_is_there_and_all_are_on_the_screen() {
        for (width, height) in [(0, 0), (1, 1), (20, 5), (40, 10), (76, 14), (80, 24), (120, 40), (300, 80)] {
            let screen = Rect::new(0, 0, width, height);
            let regions = regions(Size::new(width, height), Focus::Table, Extent::Pane, 0);
            for (pane, is_zoomed) in Pane::ALL.into_iter().flat_map(|pane| [(pane, false), (pane, true)]) {
                let panes = panes(&regions, pane, is_zoomed);
                assert!(height < 10 || !panes.get(pane).is_empty(), "{pane:?} on {screen}");
                for pane in Pane::ALL {
                    let inside = regions.inside(panes.get(pane));
                    assert!(inside.is_empty() || screen.union(inside) == screen, "{inside} on {screen}");
                }
            }
        }
    }
}
