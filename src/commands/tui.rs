//! `tui`: the dashboard, for people only.

use std::io::{IsTerminal as _, stdin, stdout};
use std::sync::Arc;

use cache_core::{Opened, WhenUnreachable};

use super::Session;
use crate::args::ColorChoice;
use crate::demo;
use crate::exit::{Exit, Refused};
use crate::tui::{self, Options};

/// Runs the dashboard.
pub(super) async fn run(session: &Session) -> anyhow::Result<Exit> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        let message =
            "the dashboard needs a terminal; for scripts there are stats, ls, show, flush and ttl, with --json";
        return Err(Refused(message.into()).into());
    }
    session.check_settings()?;
    let options = Options {
        is_read_only: session.global.read_only,
        is_demo: session.global.demo,
        has_color: match session.global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        },
    };
    if session.global.demo {
        let demo = demo::cache().await?;
        let store = Arc::clone(&demo.store);
        tui::run(async move { Ok(Opened { store, fallback: None }) }, options).await?;
        return Ok(Exit::Done);
    }
    let when = if session.global.no_fallback { WhenUnreachable::Fail } else { WhenUnreachable::UseSqliteMeanwhile };
    let (config, how) = (session.settings.cache.clone(), session.options(when));
    tui::run(async move { cache_core::open(&config, how).await }, options).await?;
    Ok(Exit::Done)
}
