//! `doctor`: every step of the troubleshooting list.

use super::Session;
use crate::exit::{Exit, Refused};

/// Runs the command.
pub(super) async fn run(session: &Session) -> anyhow::Result<Exit> {
    session.open_to_read().await?;
    Err(Refused("doctor cannot check anything yet".into()).into())
}
