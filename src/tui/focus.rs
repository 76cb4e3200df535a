//! The screens and panes of the dashboard: below both the layout and the state, which need them.

/// The tabs of the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// Browsing the entries of the cache.
    #[default]
    Browse,
    /// Test enrichments.
    Enrich,
}

/// The pane with the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    /// The tree.
    Tree,
    /// The table.
    #[default]
    Table,
    /// The inspector.
    Inspector,
}

/// The part of the screen that the inspector takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Hidden.
    Hidden,
    /// Beside or below the table, if there is room.
    #[default]
    Pane,
    /// All of the screen between the filter line and the hints.
    Full,
}

/// The pane of the Enrich tab with the focus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The titles.
    #[default]
    Titles,
    /// The services to request.
    Services,
    /// The recent runs.
    Runs,
    /// The progress or the report of one run.
    Outcome,
}

impl Pane {
    /// All panes, in the order of the focus.
    pub const ALL: [Self; 4] = [Self::Titles, Self::Services, Self::Runs, Self::Outcome];
}
