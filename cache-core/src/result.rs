//! The result cache: what a function returned, by its arguments.

use crate::cache::Hold;

/// The results of functions, in the pipeline's format. Clones share everything.
#[derive(Clone)]
pub struct ResultCache {
    #[expect(dead_code, reason = "calls come next")]
    core: Hold,
}

impl ResultCache {
    pub(crate) fn new(core: Hold) -> Self {
        Self { core }
    }
}
