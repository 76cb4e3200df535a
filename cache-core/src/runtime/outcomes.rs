//! [`Outcomes`]: results of fetches that stored nothing, for later callers, for a short time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::runtime::shared_answer::SharedAnswer;

/// The number of fetches whose outcome is remembered.
const MAX_REMEMBERED: usize = 1_024;

/// The answer of a fetch for later callers; `None`: they do not wait for each other.
type Outcome = Option<Arc<SharedAnswer>>;

/// Outcomes by the key of the fetch, until they expire.
#[derive(Default)]
pub(crate) struct Outcomes(Mutex<HashMap<String, (Instant, Outcome)>>);

impl Outcomes {
    pub(crate) fn recall(&self, name: &str) -> Option<Outcome> {
        let mut outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, answer) = outcomes.get(name)?;
        if *until > Instant::now() {
            return Some(answer.clone());
        }
        outcomes.remove(name);
        None
    }

    pub(crate) fn remember(&self, name: &str, time: Duration, answer: Outcome) {
        let now = Instant::now();
        let mut outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if outcomes.len() >= MAX_REMEMBERED {
            outcomes.retain(|_, (until, _)| *until > now);
        }
        if outcomes.len() < MAX_REMEMBERED {
            outcomes.insert(name.to_owned(), (now + time, answer));
        }
    }
}
