//! The actions that keys are bound to. The serde name of an action is its name in `assets/keymap.toml`, and the help
//! prints its text below, so that both stay consistent.

use serde::Deserialize;

macro_rules! actions {
    ($($name:ident => $help:literal,)*) => {
        /// The action of a key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Action {
            $(#[doc = $help] $name,)*
        }

        impl Action {
            /// Every action, in the order of the help.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The description in the help.
            pub fn help(self) -> &'static str {
                match self {
                    $(Self::$name => $help,)*
                }
            }
        }
    };
}

actions! {
    Down => "Move down",
    Up => "Move up",
    PageDown => "Page down",
    PageUp => "Page up",
    Top => "Go to the first line",
    Bottom => "Go to the last line",
    Left => "Collapse, or scroll left",
    Right => "Expand, or scroll right",
    NextPane => "Next pane",
    PreviousPane => "Previous pane",
    Open => "Open in the inspector",
    Close => "Go back; clear range, filter, tree selection, marks",
    Filter => "Filter by words and selectors",
    Refresh => "Refresh",
    SortNext => "Sort by the next column",
    SortReverse => "Reverse the sort order",
    Mark => "Toggle mark",
    MarkDown => "Toggle mark and move down",
    MarkUp => "Toggle mark and move up",
    Range => "Start or mark a range",
    MarkShown => "Mark all shown entries",
    InvertMarks => "Invert marks",
    ClearMarks => "Clear marks",
    Flush => "Flush the marked or selected entries",
    FlushShown => "Flush all shown entries",
    ChangeTtl => "Change TTL of marked or selected entries",
    CopyId => "Copy the ID",
    CopyUrl => "Copy the URL or key",
    NextTab => "Next inspector tab",
    PreviousTab => "Previous inspector tab",
    ShowSummary => "Show summary",
    ShowRequest => "Show request",
    ShowResponse => "Show response",
    ShowBody => "Show body",
    ShowKeys => "Show Redis keys",
    NextBodyView => "Switch the body between JSON, text and hex",
    Reveal => "Show or mask the credentials of the entry",
    Fold => "Collapse or expand",
    FoldAll => "Collapse all",
    UnfoldAll => "Expand all",
    Zoom => "Toggle full-screen inspector",
    ToggleInspector => "Toggle the inspector",
    Watch => "Watch cache events",
    Enrich => "Open the Enrich tab",
    Browse => "Open the Browse tab",
    Search => "Search titles",
    Run => "Enrich the title, or open the run",
    RunFresh => "Enrich the title, ignoring the cache",
    OpenTouched => "Show the entries used by the run",
    ReadCommands => "Watch all commands for 10 s (MONITOR)",
    Yes => "Yes",
    No => "No",
    Accept => "Confirm",
    ClearText => "Clear the line",
    Help => "Show help",
    Suspend => "Suspend (resume with fg)",
    Redraw => "Redraw the screen",
    Quit => "Quit",
}

impl Action {
    /// Whether the action modifies the cache: it is refused in read-only mode.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Flush | Self::FlushShown | Self::ChangeTtl | Self::Run | Self::RunFresh)
    }
}
