//! Short IDs, as `ls` prints them on narrow terminals, resolved to entries.

use std::sync::Arc;

use cache_core::redact::Secrets;
use cache_core::{CacheKind, EntryId, Filter, Inspect, Summary, pages};
use futures_util::TryStreamExt as _;

use crate::cli::selectors::Selectors;
use crate::commands::entry_label::entry_label;
use crate::exit::Refused;
use crate::output::{human, safe};

/// Characters of a short ID: those of a UUID before its first dash.
pub(crate) const LENGTH: usize = 8;

/// Entries that are listed for an ambiguous ID.
const MAX_LISTED: usize = 10;

/// Whether a text may be the start of an ID, and is not a full one.
pub(crate) fn is_short(text: &str) -> bool {
    let is_of_id = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-';
    (LENGTH..36).contains(&text.len()) && text.bytes().all(is_of_id) && uuid::Uuid::try_parse(text).is_err()
}

/// The filter of selectors, with short IDs resolved.
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
            // The filter still has it as a key, which matches nothing.
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

/// Whether an HTTP entry has an ID that starts with this.
pub(crate) fn begins(entry: &Summary, short: &str) -> bool {
    matches!(entry.id, EntryId::Http(..)) && entry.id.text().starts_with(short)
}

/// Refuses an ID or URL that several entries have, and lists them.
pub(crate) fn ambiguous(entries: &[&Summary], name: &str) -> Refused {
    let mut message =
        format!("{} is ambiguous; it matches {}:", safe::line(name), human::entries(entries.len() as u64));
    for entry in entries.iter().take(MAX_LISTED) {
        message.extend(["\n  ", &entry.id.text(), "  ", &entry_label(entry, Secrets::Masked)]);
    }
    if entries.len() > MAX_LISTED {
        message.extend(["\n  … and ", &human::count((entries.len() - MAX_LISTED) as u64), " more"]);
    }
    Refused(message)
}

/// The HTTP entries of the whole cache for which `is_meant` holds.
pub(crate) async fn search(
    store: &Arc<dyn Inspect>,
    is_meant: impl Fn(&Summary) -> bool,
) -> cache_core::Result<Vec<Summary>> {
    let filter = Filter { kind: Some(CacheKind::Http), ..Filter::default() };
    let mut found = Vec::new();
    let mut pages = std::pin::pin!(pages(Arc::clone(store), filter));
    while let Some(page) = pages.try_next().await? {
        found.extend(page.entries.into_iter().filter(&is_meant));
    }
    Ok(found)
}
