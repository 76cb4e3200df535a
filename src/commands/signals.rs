//! Signals that end a program, for commands that clean up first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;

/// SIGINT, SIGTERM and SIGHUP.
pub(crate) struct Signals([Signal; 3]);

impl Signals {
    /// Handles the signals from now on: none of them ends the program by itself.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot install signal handlers");
        Ok(Self([listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?]))
    }

    /// Waits for a signal.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// A flag that the signals set: work stops after the current batch. A second signal ends the program at once.
#[expect(clippy::disallowed_methods, reason = "it waits for signals beside the work, for as long as the program runs")]
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let (mut signals, stop) = (Signals::new()?, Arc::new(AtomicBool::new(false)));
    let flag = Arc::clone(&stop);
    tokio::spawn(async move {
        loop {
            signals.next().await;
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(Exit::Partial as i32);
            }
        }
    });
    Ok(stop)
}
