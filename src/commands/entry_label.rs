//! The label of an entry in lists.

use cache_core::{EntryId, Summary};

use crate::output::{safe, secrets};

/// Method, URL and title of an entry, or its key, and why it cannot be read.
pub(crate) fn entry_label(entry: &Summary, reveal: bool) -> String {
    let name = match (&entry.http, &entry.id) {
        (Some(http), _) => {
            let url = if reveal { http.url.as_ref().into() } else { secrets::redact_url(&http.url) };
            let name = format!("{} {}", safe::line(&http.method), safe::line(&url));
            match &http.title {
                Some(title) => format!("{name}  ({})", safe::line(title)),
                None => name,
            }
        }
        (None, EntryId::Http(..)) => entry.id.text().into_owned(),
        (None, EntryId::Key(key)) => secrets::displayed_key(key, reveal),
    };
    match &entry.problem {
        Some(problem) => format!("{name}: {}", safe::line(problem)),
        None => name,
    }
}
