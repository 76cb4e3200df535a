//! Confirmation of changes, and plans as text and as JSON.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};

use cache_core::admin::plan::Plan;
use cache_core::{BackendId, clock};
use serde::Serialize;

use crate::cli::ConfirmArgs;
use crate::cli::selectors::Selectors;
use crate::commands::session::Session;
use crate::commands::signals::Signals;
use crate::exit::{Exit, Refused};
use crate::output;
use crate::output::human::{bytes, count, duration};
use crate::output::style::Style;
use crate::output::{human, safe};

/// Refuses a change without selectors, with --read-only or without a terminal for the confirmation, before the cache is
/// opened.
pub(crate) fn check_request(
    session: &Session,
    verb: &str,
    selectors: &Selectors,
    args: &ConfirmArgs,
) -> anyhow::Result<()> {
    if selectors.is_empty() {
        let message = "no entries selected: pass a selector such as --service jikan, or --all for all entries";
        return Err(Refused(message.to_owned()).into());
    }
    if selectors.dead_schemas && selectors.living.is_empty() && args.yes && !args.dry_run {
        let message = "which schemas are dead is a guess, which --yes alone does not confirm\n\
            hint: name the schemas in use with --living PREFIX=HASH, or leave out --yes to see them and confirm";
        return Err(Refused(message.to_owned()).into());
    }
    if session.global.read_only && !args.dry_run {
        let message = format!("{verb} is not allowed with --read-only\nhint: add --dry-run to see the plan");
        return Err(Refused(message).into());
    }
    let can_ask = stdin().is_terminal() && stderr().is_terminal();
    if !(args.yes || args.dry_run || can_ask) {
        let message = "confirmation requires a terminal\nhint: add --yes to proceed, or --dry-run to see the plan";
        return Err(Refused(message.to_owned()).into());
    }
    Ok(())
}

/// The answer to a question.
pub(crate) enum Answer {
    Yes,
    /// The command ends with this exit code.
    No(Exit),
}

/// Reads a confirmation from the terminal. Anything but yes is no.
pub(crate) async fn ask(question: &str) -> anyhow::Result<Answer> {
    let question = format!("{} [y/N] ", safe::line(question));
    let mut signals = Signals::new()?;
    tokio::select! {
        // First: a signal must be handled once the question is visible.
        biased;
        () = signals.next() => {
            output::print_error("");
            Ok(Answer::No(Exit::Partial))
        }
        // On a blocking thread: a read that waits for a line does not end at Ctrl-C.
        line = async { tokio::task::spawn_blocking(move || read_answer(&question)).await } => {
            let is_yes = matches!(line??.trim().to_ascii_lowercase().as_str(), "y" | "yes");
            Ok(if is_yes { Answer::Yes } else { Answer::No(Exit::Usage) })
        }
    }
}

fn read_answer(question: &str) -> std::io::Result<String> {
    let mut terminal = stderr().lock();
    terminal.write_all(question.as_bytes())?;
    terminal.flush()?;
    drop(terminal);
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    Ok(line)
}

/// A plan as text; `action` is what it does to the entries: `delete`, `undo` the estimated size of the undo file.
pub(crate) fn text(plan: &Plan, (action, undo): (&str, u64), style: Style) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_plan(&mut out, plan, (action, undo), style);
    out
}

fn write_plan(out: &mut String, plan: &Plan, (action, undo): (&str, u64), style: Style) -> std::fmt::Result {
    let entries = plan.targets.len() as u64;
    if plan.being_written > 0 {
        writeln!(out, "{} left out: still being written", human::entries(plan.being_written))?;
    }
    if entries == 0 {
        return writeln!(out, "No entries match");
    }
    writeln!(
        out,
        "Plan: {action} {} ({}, {}) in {}\n",
        style.bold(&human::entries(entries)),
        human::counted(plan.keys, "key"),
        bytes(plan.bytes),
        safe::line(&plan.store.backend.to_string())
    )?;
    let heading = format!("  {:<13}  {:>9}  {:>9}", "SERVICE", "ENTRIES", "SIZE");
    writeln!(out, "{}", style.bold(&heading))?;
    for (service, (entries, size)) in &plan.by_service {
        writeln!(out, "  {:<13}  {:>9}  {:>9}", service.name(), count(*entries), bytes(*size))?;
    }
    for living in &plan.living {
        let schema = living.schema.as_deref().unwrap_or("without a schema");
        let guessed = if living.is_guess { " (a guess: it was stored or expires last)" } else { "" };
        writeln!(out, "  Keeps {} of {}{guessed}", safe::line(schema), safe::line(&living.prefix))?;
    }
    if let (Some(oldest), Some(newest)) = (plan.oldest, plan.newest) {
        let now = clock::now();
        writeln!(out, "\n  Oldest: {} ago · newest: {} ago", duration(now - oldest), duration(now - newest))?;
    }
    if undo > 0 {
        writeln!(out, "\n  Undo file: about {}", bytes(undo))?;
    }
    Ok(())
}

/// The entries of a plan, as JSON.
#[derive(Serialize)]
pub(crate) struct Matched {
    entries: u64,
    keys: u64,
    bytes: u64,
}

/// The entries of one service in a plan, as JSON.
#[derive(Serialize)]
pub(crate) struct OfService {
    service: &'static str,
    entries: u64,
    bytes: u64,
}

/// Entries that match and are left out of a plan, by reason, as JSON.
#[derive(Serialize)]
pub(crate) struct LeftOut {
    being_written: u64,
}

impl LeftOut {
    pub(crate) fn from_plan(plan: &Plan) -> Self {
        Self { being_written: plan.being_written }
    }
}

/// The cache of a plan, as JSON.
#[derive(Serialize)]
pub(crate) struct OfBackend {
    kind: &'static str,
    location: String,
}

impl OfBackend {
    pub(crate) fn new(backend: &BackendId) -> Self {
        Self { kind: backend.kind.name(), location: backend.location.to_string() }
    }
}

impl Matched {
    pub(crate) fn from_plan(plan: &Plan) -> Self {
        Self { entries: plan.targets.len() as u64, keys: plan.keys, bytes: plan.bytes }
    }
}

pub(crate) fn by_service(plan: &Plan) -> Vec<OfService> {
    let of = |(service, (entries, bytes)): (&cache_core::ServiceName, &(u64, u64))| OfService {
        service: service.name(),
        entries: *entries,
        bytes: *bytes,
    };
    plan.by_service.iter().map(of).collect()
}
