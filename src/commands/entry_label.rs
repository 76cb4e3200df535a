//! The label of an entry in lists.

use cache_core::redact::Secrets;
use cache_core::{EntryId, Summary};

use crate::output::safe;

/// Method, URL and title of an entry, or its key, and why it cannot be read.
pub(crate) fn entry_label(entry: &Summary, secrets: Secrets) -> String {
    let name = match (&entry.http, &entry.id) {
        (Some(http), _) => {
            let name = format!("{} {}", safe::line(&secrets.text(&http.method)), safe::line(&secrets.url(&http.url)));
            match &http.title {
                Some(title) => format!("{name}  ({})", safe::line(&secrets.text(title))),
                None => name,
            }
        }
        (None, EntryId::Http(..)) => entry.id.text().into_owned(),
        (None, EntryId::Key(key)) => safe::key(key, secrets),
    };
    match &entry.problem {
        Some(problem) => format!("{name}: {}", safe::line(&secrets.text(problem))),
        None => name,
    }
}
