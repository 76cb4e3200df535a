//! The undo file of a change.

use std::path::PathBuf;

use cache_core::admin::apply::Record;
use cache_core::admin::archive::{Header, Source};
use cache_core::admin::plan::Plan;
use cache_core::admin::recorder::Recorder;
use cache_core::{Change, clock};

use crate::cli::ConfirmArgs;
use crate::commands::session::{OpenCache, Session};
use crate::commands::undo::directory::UndoDirectory;
use crate::exit::Refused;
use crate::output::human::bytes;

/// What an entry takes beside its body, and what an expiry takes; bytes.
const HEAD: u64 = 600;
const EXPIRY: u64 = 100;

/// The estimated size of the undo file, in bytes; 0: there is none. Refuses a change whose file would be too large.
pub(crate) fn check_size(plan: &Plan, change: Change, args: &ConfirmArgs) -> anyhow::Result<u64> {
    if args.no_undo {
        return Ok(0);
    }
    let entries = plan.targets.len() as u64;
    let size = match change {
        // Packed, they take about half.
        Change::Remove => plan.bytes.midpoint(HEAD * entries),
        Change::Expire(_) => EXPIRY * entries,
    };
    if size <= args.undo_limit || args.dry_run {
        return Ok(size);
    }
    let message = format!(
        "the undo file would have about {}, more than --undo-limit ({})\nhint: pass a larger --undo-limit, or --no-undo",
        bytes(size),
        bytes(args.undo_limit)
    );
    Err(Refused(message).into())
}

/// The undo file of a change that is being made.
pub(crate) struct UndoFile {
    recorder: Recorder,
    path: PathBuf,
}

impl UndoFile {
    pub(crate) fn create(
        cache: &OpenCache,
        plan: &Plan,
        command: &str,
        change: Change,
        args: &ConfirmArgs,
    ) -> anyhow::Result<Self> {
        let demo = cache.demo.as_ref().map(crate::demo::Demo::directory);
        let (file, path) = UndoDirectory::new(demo)?.create()?;
        let source = Source::new(&plan.store.backend, plan.store.instance.as_deref());
        let header = Header::for_undo(command, clock::now(), plan.targets.len() as u64, source);
        Ok(Self { recorder: Recorder::new(file, &header, change, args.undo_limit)?, path })
    }

    pub(crate) fn record(&self) -> &dyn Record {
        &self.recorder
    }

    /// Ends the file; `None`: nothing is in it, and it is gone.
    pub(crate) fn finish(self, session: &Session) -> Option<PathBuf> {
        match self.recorder.finish() {
            Ok(totals) if totals.records() == 0 => {
                // Left behind, it would be the last change.
                if let Err(error) = std::fs::remove_file(&self.path) {
                    session.warn(&format!("cannot remove {}: {error}", self.path.display()));
                }
                None
            }
            Ok(_) => Some(self.path),
            Err(error) => {
                session.warn(&format!("the undo file has no end: {error}"));
                Some(self.path)
            }
        }
    }
}
