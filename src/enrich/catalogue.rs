//! From a title or an index to an anime: in an anime-offline-database file, or in the demo's own catalogue.
