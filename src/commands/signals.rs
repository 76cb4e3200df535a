//! What others send to end a program; a command that listens ends in its own way.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The three that ask for an end.
pub(crate) struct Signals([Signal; 3]);

impl Signals {
    /// Listens from now on: none of them ends the program any more.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot install signal handlers");
        Ok(Self([listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?]))
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
