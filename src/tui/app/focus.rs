//! TODO

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
