//! The inspector: details of the selected entry.

use std::collections::HashSet;

use cache_core::EntryId;
use cache_core::redact::Secrets;

use crate::tui::app::body::{BodyView, Content};
use crate::tui::app::detail::Detail;
use crate::tui::app::loadable::Loadable;
use crate::tui::focus::Extent;

/// A page of the inspector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// The summary.
    #[default]
    Summary,
    /// The stored request.
    Request,
    /// The stored response.
    Response,
    /// The body.
    Body,
    /// The Redis keys.
    Keys,
}

impl Tab {
    /// All tabs, from left to right.
    pub const ALL: [Self; 5] = [Self::Summary, Self::Request, Self::Response, Self::Body, Self::Keys];

    /// The title.
    pub fn name(self) -> &'static str {
        match self {
            Self::Summary => "Summary",
            Self::Request => "Request",
            Self::Response => "Response",
            Self::Body => "Body",
            Self::Keys => "Keys",
        }
    }

    /// The tab `by` positions further, wrapping around.
    pub fn step(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}

/// The state of the inspector.
#[derive(Debug)]
pub struct Inspector {
    /// It is open.
    pub is_open: bool,
    /// It fills the screen.
    pub is_zoomed: bool,
    /// The open page.
    pub tab: Tab,
    /// The entry of `detail`.
    pub subject: Option<EntryId>,
    /// The loaded details; `None` inside: the entry was deleted.
    pub detail: Loadable<Option<Box<Detail>>>,
    /// Whether the credentials of the entry are shown.
    pub secrets: Secrets,
    /// The view of the body.
    pub view: BodyView,
    /// The line of the cursor.
    pub cursor: usize,
    /// The first line on the screen.
    pub offset: usize,
    /// Columns scrolled to the left.
    pub shift: usize,
    /// Lines of the JSON document that are folded.
    pub folded: HashSet<u32>,
    /// Lines of the JSON document that are shown.
    pub json_lines: Vec<u32>,
}

impl Default for Inspector {
    fn default() -> Self {
        Self {
            is_open: true,
            is_zoomed: false,
            tab: Tab::default(),
            subject: None,
            detail: Loadable::default(),
            secrets: Secrets::default(),
            view: BodyView::default(),
            cursor: 0,
            offset: 0,
            shift: 0,
            folded: HashSet::new(),
            json_lines: Vec::new(),
        }
    }
}

impl Inspector {
    /// The part of the screen that it takes.
    pub fn extent(&self) -> Extent {
        match (self.is_open, self.is_zoomed) {
            (false, _) => Extent::Hidden,
            (true, false) => Extent::Pane,
            (true, true) => Extent::Full,
        }
    }

    /// The loaded details.
    pub fn detail(&self) -> Option<&Detail> {
        match &self.detail {
            Loadable::Ready(detail) => detail.as_deref(),
            _ => None,
        }
    }

    /// The shown content of the body.
    pub fn content(&self) -> Option<&Content> {
        self.detail().map(|detail| detail.body.content(self.secrets))
    }

    /// The number of lines of the body in its view.
    pub fn body_lines(&self) -> usize {
        let Some(body) = self.content() else { return 0 };
        match self.view {
            BodyView::Json => self.json_lines.len(),
            BodyView::Text => body.lines().len(),
            BodyView::Hex => body.bytes.len().div_ceil(16),
        }
    }

    /// The first line of a page.
    pub fn to_start(&mut self) {
        (self.cursor, self.offset, self.shift) = (0, 0, 0);
    }

    /// Updates the list of shown lines of the document.
    pub fn lay_out_json(&mut self) {
        let lines = self.content().and_then(Content::json).map(|json| json.visible(&self.folded));
        self.json_lines = lines.unwrap_or_default();
    }
}
