//! The screens and panes of the dashboard: below both the layout and the state, which need them.

/// The tabs of the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// What is in the cache.
    #[default]
    Browse,
    /// Test enrichments.
    Enrich,
}

/// Which pane keys go to.
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

/// How much of the screen the inspector takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Nothing.
    Hidden,
    /// A part, where there is room.
    #[default]
    Pane,
    /// Everything between the filter line and the hints.
    Full,
}

/// Which pane of the Enrich tab keys go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The titles.
    #[default]
    Titles,
    /// The services that are asked.
    Services,
    /// The runs of late.
    Runs,
    /// How one of them goes, or what came of it.
    Outcome,
}

impl Pane {
    /// All panes, in the order in which they are stepped through.
    pub const ALL: [Self; 4] = [Self::Titles, Self::Services, Self::Runs, Self::Outcome];
}
