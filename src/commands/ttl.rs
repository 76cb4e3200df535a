//! `ttl`: changes the TTLs of exactly the planned entries.

use cache_core::{Change, ExpiryChange};
use serde::Serialize;

use crate::cli::{TtlArgs, TtlChange};
use crate::commands::outcome::Words;
use crate::commands::plan_and_confirm;
use crate::commands::plan_and_confirm::Request;
use crate::commands::session::Session;
use crate::exit::Exit;
use crate::output::human;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &TtlArgs) -> anyhow::Result<Exit> {
    let change = change(args.change);
    let request = Request {
        command: "ttl",
        words: Words { action: "change the TTL of", doing: "Changing TTLs", done: "changed" },
        selectors: &args.selectors,
        args: &args.confirm,
        change: Change::Expire(change),
        question: &|entries, backend| question(change, entries, backend),
        line: &|report| format!("Changed the TTL of {}", human::entries(report.done.entries)),
        json: &|report| TtlOutput { changed: report.done.entries },
    };
    plan_and_confirm::run(session, &request).await
}

fn change(change: TtlChange) -> ExpiryChange {
    match change {
        TtlChange { set: Some(ttl), .. } => ExpiryChange::Set(ttl),
        TtlChange { extend: Some(by), .. } => ExpiryChange::Extend(by),
        TtlChange { .. } => ExpiryChange::Persist,
    }
}

fn question(change: ExpiryChange, entries: &str, backend: &str) -> String {
    match change {
        ExpiryChange::Set(ttl) => {
            format!("Set the TTL of {entries} in {backend} to {}?", humantime::format_duration(ttl))
        }
        ExpiryChange::Extend(by) => {
            format!("Extend the TTL of {entries} in {backend} by {}?", humantime::format_duration(by))
        }
        ExpiryChange::Persist => {
            format!("Remove the TTL of {entries} in {backend}? Without a TTL, entries never expire.")
        }
    }
}

/// The fields of `ttl --json`.
#[derive(Serialize)]
struct TtlOutput {
    changed: u64,
}
