//! `ls`: prints one line per entry as the pages of the scan arrive.

use std::cmp::Ordering;
use std::io::Write as _;
use std::sync::Arc;

use cache_core::admin::select::select;
use cache_core::redact::Secrets;
use cache_core::{BackendKind, EntryId, EntryState, Summary, clock};
use futures_util::TryStreamExt as _;
use serde::Serialize;

use crate::cli::{LsArgs, SortBy};
use crate::commands::entry_label::entry_label;
use crate::commands::session::{OpenCache, Session};
use crate::commands::{plan_and_confirm, short_id};
use crate::exit::Exit;
use crate::output;
use crate::output::row::Row;
use crate::output::{Out, columns, human, json, terminal};

/// Below this width the full ID does not fit beside the URL; below the other, the age does not fit.
const WIDE: usize = 120;

const NARROW: usize = 100;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &LsArgs) -> anyhow::Result<Exit> {
    let cache = session.open_to_read().await?;
    let mut list = List::new(session, &cache, Secrets::revealed_if(args.reveal));
    let mut left_out = 0;
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut denied = 0;
    let mut sorted = Vec::new();
    let filter = short_id::filter(&cache.store, &args.selectors).await?;
    let mut pages = std::pin::pin!(select(Arc::clone(&cache.store), filter).await?);
    while left > 0
        && let Some(page) = pages.try_next().await?
    {
        denied += page.denied;
        left_out += page.left_out;
        if args.sort.is_some() {
            sorted.extend(page.entries);
            continue;
        }
        list.write(page.entries.iter().take(left))?;
        left -= page.entries.len().min(left);
        // The reader of a pipe gets each page at once.
        list.out.flush()?;
    }
    if let Some(by) = args.sort {
        let now = clock::now();
        sorted.sort_by(|a, b| compare(a, b, by, args.reverse, now));
        list.write(sorted.iter().take(left))?;
        list.out.flush()?;
    }
    if left_out > 0 {
        session.warn(&plan_and_confirm::left_out(left_out));
    }
    let exit = if left_out > 0 { Exit::Partial } else { session.listing_exit(&cache, denied) };
    if list.written == 0 && denied == 0 && left_out == 0 {
        session.note("No entries match");
        return Ok(Exit::NothingMatched);
    }
    Ok(exit)
}

/// The order of two entries; unknown values come last in both directions.
fn compare(a: &Summary, b: &Summary, by: SortBy, is_reversed: bool, now: f64) -> Ordering {
    let turned = |order: Ordering| if is_reversed { order.reverse() } else { order };
    let status = |entry: &Summary| entry.http.as_ref().map(|http| http.status);
    // Entries that never expire come last.
    let ttl = |entry: &Summary| entry.ttl(now).unwrap_or(f64::INFINITY);
    let by_value = match by {
        SortBy::Key => Ordering::Equal,
        SortBy::Url => compare_known_first(url(a), url(b), |a, b| turned(a.cmp(b))),
        SortBy::Service => turned(a.service.name().cmp(b.service.name())),
        SortBy::Size => turned(a.size.cmp(&b.size)),
        SortBy::Age => compare_known_first(a.age(now), b.age(now), |a, b| turned(a.total_cmp(b))),
        SortBy::Ttl => turned(ttl(a).total_cmp(&ttl(b))),
        SortBy::Status => compare_known_first(status(a), status(b), |a, b| turned(a.cmp(b))),
    };
    by_value.then_with(|| turned(a.id.redis_key().cmp(&b.id.redis_key())))
}

pub(crate) fn url(entry: &Summary) -> Option<&str> {
    entry.http.as_ref().map(|http| &*http.url)
}

fn compare_known_first<T>(a: Option<T>, b: Option<T>, compare: impl Fn(&T, &T) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare(&a, &b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// An entry of the fallback, which is another cache than the configured one.
#[derive(Serialize)]
struct FallbackRow<'a> {
    #[serde(flatten)]
    row: Row<'a>,
    fallback: bool,
}

/// The list being written.
struct List<'a> {
    session: &'a Session,
    backend: BackendKind,
    is_fallback: bool,
    out: Out,
    secrets: Secrets,
    /// Reused for every line.
    buffer: Vec<u8>,
    /// Columns of the terminal; `None`: not a terminal, nothing is cut off.
    columns: Option<usize>,
    written: usize,
}

impl<'a> List<'a> {
    fn new(session: &'a Session, cache: &OpenCache, secrets: Secrets) -> Self {
        Self {
            session,
            backend: cache.store.id().kind,
            is_fallback: cache.is_fallback,
            out: output::out(),
            secrets,
            buffer: Vec::new(),
            columns: terminal::columns(),
            written: 0,
        }
    }

    fn write<'e>(&mut self, entries: impl Iterator<Item = &'e Summary>) -> anyhow::Result<()> {
        let now = clock::now();
        for entry in entries {
            self.buffer.clear();
            if self.session.global.json {
                let row = Row::new(entry, self.backend, now, self.secrets);
                if self.is_fallback {
                    json::line(&mut self.buffer, &FallbackRow { row, fallback: true })?;
                } else {
                    json::line(&mut self.buffer, &row)?;
                }
            } else {
                if self.written == 0 {
                    let heading = self.columns(["SERVICE", "STATE", "SIZE", "AGE", "TTL"], "ID", "REQUEST OR KEY");
                    let heading = self.session.style.bold(&heading);
                    writeln!(self.buffer, "{heading}")?;
                }
                let text = self.text(entry, now);
                writeln!(self.buffer, "{text}")?;
            }
            self.out.write_all(&self.buffer)?;
            self.written += 1;
        }
        Ok(())
    }

    fn text(&self, entry: &Summary, now: f64) -> String {
        let http = entry.http.as_deref();
        let status = match (entry.state, http) {
            (EntryState::Live, Some(http)) => http.status.to_string(),
            (EntryState::Live, None) => "result".to_owned(),
            (state, _) => state.name().to_owned(),
        };
        let facts = [
            entry.service.name(),
            &status,
            &human::bytes(entry.size),
            &human::maybe_duration(entry.age(now)),
            &human::ttl(entry.ttl(now), entry.is_expiry_unknown()),
        ];
        let id = match &entry.id {
            EntryId::Http(..) => entry.id.text(),
            // The key is in the last column.
            EntryId::Key(_) => "-".into(),
        };
        self.columns(facts, &id, &entry_label(entry, self.secrets))
    }

    fn columns(&self, [service, status, size, age, ttl]: [&str; 5], id: &str, what: &str) -> String {
        let facts = format!("{service:<13}  {status:<10}  {size:>8}");
        let Some(columns) = self.columns.filter(|columns| *columns < WIDE) else {
            let line = format!("{facts}  {age:>7}  {ttl:>7}  {id:<36}  {what}");
            return columns::clip(&line, self.columns.unwrap_or(usize::MAX)).into_owned();
        };
        let age = if columns < NARROW { String::new() } else { format!("  {age:>7}") };
        let id = id.get(..short_id::LENGTH).unwrap_or(id);
        columns::clip(&format!("{facts}{age}  {ttl:>7}  {id:<8}  {what}"), columns).into_owned()
    }
}
