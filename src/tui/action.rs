//! Everything that a key can ask for. The serde name is the binding's name in `assets/keymap.toml`, and help shows the
//! text below, so that help cannot drift from behaviour.

use serde::Deserialize;

macro_rules! actions {
    ($($name:ident => $help:literal,)*) => {
        /// What a key asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Action {
            $(#[doc = $help] $name,)*
        }

        impl Action {
            /// Every action, in the order of the help.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it does, for people.
            pub fn help(self) -> &'static str {
                match self {
                    $(Self::$name => $help,)*
                }
            }
        }
    };
}

actions! {
    Down => "down",
    Up => "up",
    PageDown => "a page down",
    PageUp => "a page up",
    Top => "to the first",
    Bottom => "to the last",
    Left => "fold, or to the left",
    Right => "unfold, or to the right",
    NextPane => "to the next pane",
    PreviousPane => "to the previous pane",
    Open => "open in the inspector",
    Close => "back; clear range, filter, node, marks",
    Filter => "filter: words and selectors",
    Refresh => "scan again",
    SortNext => "sort by the next column",
    SortReverse => "turn the order around",
    Mark => "mark, or unmark",
    MarkDown => "mark and go down",
    MarkUp => "mark and go up",
    Range => "begin or mark a range",
    MarkShown => "mark all that is shown",
    InvertMarks => "invert marks",
    ClearMarks => "clear marks",
    Flush => "flush the marked, or this one",
    FlushShown => "flush all that is shown",
    ChangeTtl => "change the TTL of the marked, or this one",
    CopyId => "copy the id",
    CopyUrl => "copy the URL or key",
    NextTab => "next tab of the inspector",
    PreviousTab => "previous tab of the inspector",
    ShowSummary => "summary",
    ShowRequest => "request headers",
    ShowResponse => "response headers",
    ShowBody => "body",
    ShowKeys => "raw keys",
    NextBodyView => "body as JSON, text or hex",
    Fold => "fold or unfold",
    FoldAll => "fold everything",
    UnfoldAll => "unfold everything",
    Zoom => "inspector on the whole screen",
    ToggleInspector => "show or hide the inspector",
    Watch => "watch what happens in the cache",
    Enrich => "test enrichments",
    Browse => "browse the cache",
    Search => "search titles",
    Run => "enrich this title, or open this run",
    RunFresh => "the same, whatever is cached",
    OpenTouched => "browse what this run touched",
    ReadCommands => "read every command for 10 s (MONITOR)",
    Yes => "yes",
    No => "no",
    Accept => "done",
    ClearText => "clear the line",
    Help => "help",
    Suspend => "suspend; the shell's fg brings it back",
    Redraw => "draw the screen anew",
    Quit => "quit",
}

impl Action {
    /// Whether it leads to a change in the cache, so that read-only refuses it.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Flush | Self::FlushShown | Self::ChangeTtl | Self::Run | Self::RunFresh)
    }
}
