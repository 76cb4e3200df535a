//! Ids cut short, as `ls` prints them where there is no room for more, and the entries that they mean.

use std::sync::Arc;

use cache_core::{EntryId, Filter, Inspect, Kind, Summary, pages};
use futures_util::TryStreamExt as _;

use crate::cli::selectors::Selectors;
use crate::commands::entry_label::what;
use crate::exit::Refused;
use crate::output::{human, safe};

/// Characters of a short id: those of a UUID before its first dash.
pub(crate) const LENGTH: usize = 8;

/// How many entries are named when several may be meant.
const NAMED: usize = 10;

/// Whether a text may be the beginning of an id, and is not the whole of one.
pub(crate) fn is_short(text: &str) -> bool {
    let is_of_id = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-';
    (LENGTH..36).contains(&text.len()) && text.bytes().all(is_of_id) && uuid::Uuid::try_parse(text).is_err()
}

/// The filter that selectors mean, with short ids made whole.
pub(crate) async fn filter(store: &Arc<dyn Inspect>, selectors: &Selectors) -> anyhow::Result<Filter> {
    let mut filter = selectors.filter();
    let short: Vec<&str> = selectors.id.iter().map(String::as_str).filter(|id| is_short(id)).collect();
    if short.is_empty() {
        return Ok(filter);
    }
    let found = search(store, |entry| short.iter().any(|short| begins(entry, short))).await?;
    for short in short {
        let meant: Vec<&Summary> = found.iter().filter(|entry| begins(entry, short)).collect();
        match meant.as_slice() {
            // No entry has this for its key either: nothing matches.
            [] => {}
            [entry] => {
                filter.ids.remove(&EntryId::key(short.as_bytes()));
                filter.ids.insert(entry.id.clone());
            }
            several => return Err(ambiguous(several, &format!("ID '{short}'")).into()),
        }
    }
    Ok(filter)
}

/// Whether the id of an HTTP entry begins so.
pub(crate) fn begins(entry: &Summary, short: &str) -> bool {
    matches!(entry.id, EntryId::Http(..)) && entry.id.text().starts_with(short)
}

/// Refuses an ID or URL that several entries have, and lists them.
pub(crate) fn ambiguous(entries: &[&Summary], name: &str) -> Refused {
    let mut message =
        format!("{} is ambiguous; it matches {}:", safe::line(name), human::entries(entries.len() as u64));
    for entry in entries.iter().take(NAMED) {
        message.extend(["\n  ", &entry.id.text(), "  ", &what(entry, false)]);
    }
    if entries.len() > NAMED {
        message.extend(["\n  … and ", &human::count((entries.len() - NAMED) as u64), " more"]);
    }
    Refused(message)
}

/// The HTTP entries of a whole cache that are meant.
pub(crate) async fn search(
    store: &Arc<dyn Inspect>,
    is_meant: impl Fn(&Summary) -> bool,
) -> cache_core::Result<Vec<Summary>> {
    let filter = Filter { kind: Some(Kind::Http), ..Filter::default() };
    let mut found = Vec::new();
    let mut pages = std::pin::pin!(pages(Arc::clone(store), filter));
    while let Some(page) = pages.try_next().await? {
        found.extend(page.entries.into_iter().filter(&is_meant));
    }
    Ok(found)
}
