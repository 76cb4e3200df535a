//! The result cache: what a function returned, by its arguments.

use std::sync::Arc;

use crate::cache::Core;

/// The results of functions, in the pipeline's format. Clones share everything.
#[derive(Clone)]
pub struct ResultCache {
    #[expect(dead_code, reason = "calls come next")]
    core: Arc<Core>,
}

impl ResultCache {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}
