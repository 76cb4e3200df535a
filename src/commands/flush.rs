//! `flush`: deletes exactly the planned entries.

use cache_core::Change;
use cache_core::admin::apply::Report;
use serde::Serialize;

use crate::cli::FlushArgs;
use crate::commands::outcome::Words;
use crate::commands::plan_and_confirm;
use crate::commands::plan_and_confirm::Request;
use crate::commands::session::Session;
use crate::exit::Exit;
use crate::output::human;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &FlushArgs) -> anyhow::Result<Exit> {
    let request = Request {
        command: "flush",
        words: Words { action: "delete", doing: "Deleting", done: "deleted" },
        selectors: &args.selectors,
        args: &args.confirm,
        change: Change::Remove,
        question: &|entries, backend| format!("Delete {entries} from {backend}?"),
        line: &|report| {
            let (entries, keys) = (human::entries(report.done.entries), human::counted(report.done.keys, "key"));
            format!("Deleted {entries} ({keys})")
        },
        json: &FlushOutput::new,
    };
    plan_and_confirm::run(session, &request).await
}

/// The fields of `flush --json`.
#[derive(Serialize)]
struct FlushOutput {
    deleted: Deleted,
}

#[derive(Serialize)]
struct Deleted {
    entries: u64,
    keys: u64,
}

impl FlushOutput {
    fn new(report: &Report) -> Self {
        Self { deleted: Deleted { entries: report.done.entries, keys: report.done.keys } }
    }
}
