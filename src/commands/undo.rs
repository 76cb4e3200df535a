//! `undo`: puts back what the last flush or TTL change took.

pub(crate) mod directory;
pub(crate) mod undo_file;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Instant;

use cache_core::admin::archive::{Ending, Header, Source};
use cache_core::admin::undo;
use cache_core::admin::undo::UndoReport;
use cache_core::error_chain;
use serde::Serialize;

use crate::cli::UndoArgs;
use crate::commands::confirm::{Answer, ask};
use crate::commands::session::{OpenCache, Session};
use crate::commands::signals;
use crate::commands::undo::directory::{UndoDirectory, is_over, open};
use crate::exit::{Exit, Refused};
use crate::output;
use crate::output::human::{bytes, counted, duration, elapsed, entries, format_timestamp};
use crate::output::safe;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &UndoArgs) -> anyhow::Result<Exit> {
    if args.prune || args.list {
        let files = UndoDirectory::new(None)?;
        return if args.prune { prune(session, &files) } else { list(session, &files) };
    }
    if session.global.read_only && !args.dry_run {
        let message = "undo is not allowed with --read-only\nhint: add --dry-run to see the plan";
        return Err(Refused(message.to_owned()).into());
    }
    let can_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !(args.yes || args.dry_run || can_ask) {
        let message = "confirmation requires a terminal\nhint: add --yes to proceed, or --dry-run to see the plan";
        return Err(Refused(message.to_owned()).into());
    }
    let started = Instant::now();
    let cache = session.open_to_change().await?;
    let Some(file) = file(&cache, args).await? else {
        session.note(&format!("No change of {} to undo", cache.store.id()));
        return Ok(Exit::NothingMatched);
    };
    let plan = Plan::read(file)?;
    if args.dry_run {
        if session.global.json {
            output::write_json(&Output::new(&plan, true, &UndoReport::default(), started))?;
        } else {
            output::write(plan.text().as_bytes())?;
        }
        return Ok(if plan.restorable == 0 { Exit::NothingMatched } else { Exit::Done });
    }
    if !args.yes {
        output::print_error(plan.text().trim_end());
        let question = format!("Put {} back into {}?", entries(plan.restorable), cache.store.id());
        if let Answer::No(exit) = ask(&question).await? {
            session.note("Canceled: nothing was restored");
            return Ok(exit);
        }
    }
    let stop = signals::stop_flag()?;
    let mut reader = open(&plan.file)?;
    let report = undo::restore(&cache.store, &mut reader, &stop, |_| ()).await;
    finish(session, &plan, &report, &cache, started)
}

/// The file that was named, or the one of the last change of this cache.
async fn file(cache: &OpenCache, args: &UndoArgs) -> anyhow::Result<Option<PathBuf>> {
    if let Some(file) = &args.file {
        return Ok(Some(file.clone()));
    }
    let identity = cache.store.identity().await?;
    let source = Source::new(&identity.backend, identity.instance.as_deref());
    for file in UndoDirectory::new(None)?.files()? {
        // A file that cannot be read is no reason to leave the others.
        if open(&file.path).is_ok_and(|reader| reader.header().source.is_same(&source)) {
            return Ok(Some(file.path));
        }
    }
    Ok(None)
}

/// What is in a file.
struct Plan {
    file: PathBuf,
    header: Header,
    restorable: u64,
    expired: u64,
    bytes: u64,
    is_cut_off: bool,
}

impl Plan {
    fn read(file: PathBuf) -> anyhow::Result<Self> {
        let mut reader = open(&file)?;
        let (mut restorable, mut expired) = (0, 0);
        while let Some(record) = reader.next_record()? {
            *(if is_over(record.expires_at()) { &mut expired } else { &mut restorable }) += 1;
        }
        let (bytes, is_cut_off) = (reader.totals().bytes, reader.ending() == Ending::CutOff);
        Ok(Self { header: reader.header().clone(), file, restorable, expired, bytes, is_cut_off })
    }

    fn text(&self) -> String {
        let Header { command, created_at, source, .. } = &self.header;
        let command = command.as_deref().unwrap_or("export");
        let cut_off = if self.is_cut_off {
            format!("  the {command} was cut off: the file contains the entries up to then\n")
        } else {
            String::new()
        };
        format!(
            "Would undo the {command} of {} in {}\n  restorable: {} ({})\n  expired since: {}\n{cut_off}",
            format_timestamp(*created_at),
            safe::line(&source.location),
            entries(self.restorable),
            bytes(self.bytes),
            entries(self.expired),
        )
    }
}

fn finish(
    session: &Session,
    plan: &Plan,
    report: &UndoReport,
    cache: &OpenCache,
    started: Instant,
) -> anyhow::Result<Exit> {
    if let Some(error) = &report.error {
        let reason = safe::line(&error_chain(error)).to_string();
        output::error(&format!("{} not restored: {reason}", entries(report.failed)));
    }
    for (number, what) in [
        (report.expired, "would have expired by now"),
        (report.newer, "stored again since, and kept"),
        (report.present, "still in the cache"),
    ] {
        if number > 0 {
            session.note(&format!("{} {what}", entries(number)));
        }
    }
    if report.is_interrupted {
        session.note("Interrupted: run it again for the remaining entries");
    }
    if session.global.json {
        output::write_json(&Output::new(plan, false, report, started))?;
    } else {
        let keys = counted(report.keys, "key");
        let (restored, time) = (entries(report.entries), elapsed(started.elapsed()));
        output::write(format!("Restored {restored} ({keys}) in {} in {time}\n", cache.store.id()).as_bytes())?;
    }
    Ok(match report {
        UndoReport { error: Some(error), entries: 0, .. } if error.is_temporary() => Exit::Unreachable,
        UndoReport { error: Some(_), .. } | UndoReport { is_interrupted: true, .. } => Exit::Partial,
        UndoReport { entries: 0, .. } => Exit::NothingMatched,
        _ => Exit::Done,
    })
}

/// `undo --json`.
#[derive(Serialize)]
struct Output {
    dry_run: bool,
    file: String,
    restorable: u64,
    restored: Restored,
    skipped: Skipped,
    failed: u64,
    cut_off: bool,
    interrupted: bool,
    elapsed: f64,
}

#[derive(Serialize)]
struct Restored {
    entries: u64,
    keys: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Skipped {
    expired: u64,
    newer: u64,
    present: u64,
}

impl Output {
    fn new(plan: &Plan, dry_run: bool, report: &UndoReport, started: Instant) -> Self {
        Self {
            dry_run,
            file: plan.file.display().to_string(),
            restorable: plan.restorable,
            restored: Restored { entries: report.entries, keys: report.keys, bytes: report.bytes },
            skipped: Skipped {
                expired: if dry_run { plan.expired } else { report.expired },
                newer: report.newer,
                present: report.present,
            },
            failed: report.failed,
            cut_off: plan.is_cut_off,
            interrupted: report.is_interrupted,
            elapsed: started.elapsed().as_secs_f64(),
        }
    }
}

/// `undo --list --json`, one line a file.
#[derive(Serialize)]
struct Listed {
    file: String,
    command: Option<String>,
    created_at: f64,
    planned: Option<u64>,
    bytes: u64,
    source: Source,
}

fn list(session: &Session, files: &UndoDirectory) -> anyhow::Result<Exit> {
    let files = files.files()?;
    if files.is_empty() {
        session.note("No undo files");
    }
    for file in files {
        let header = match open(&file.path) {
            Ok(reader) => reader.header().clone(),
            Err(error) => {
                session.warn(&error_chain(error.as_ref()));
                continue;
            }
        };
        let listed = Listed {
            file: file.path.display().to_string(),
            command: header.command,
            created_at: header.created_at,
            planned: header.planned,
            bytes: file.bytes,
            source: header.source,
        };
        if session.global.json {
            output::write_json(&listed)?;
        } else {
            let (ago, size) = (duration(cache_core::clock::now() - listed.created_at), bytes(listed.bytes));
            let planned = entries(listed.planned.unwrap_or(0));
            let command = listed.command.as_deref().unwrap_or("export");
            let line = format!("{ago} ago  {command}  {planned}  {size}  {}  {}", listed.source.location, listed.file);
            output::write(format!("{}\n", safe::line(&line)).as_bytes())?;
        }
    }
    Ok(Exit::Done)
}

fn prune(session: &Session, files: &UndoDirectory) -> anyhow::Result<Exit> {
    let removed = files.prune()?;
    session.note(&format!("Removed {}", counted(removed, "undo file")));
    Ok(Exit::Done)
}
