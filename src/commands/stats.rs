//! `stats`: entries, bytes, TTLs and hit rates, as text, JSON or for Prometheus.

pub(crate) mod count;
pub(crate) mod prometheus;
pub(crate) mod report;
pub(crate) mod text;

use std::io::{IsTerminal as _, stdout};
use std::time::Duration;

use crate::cli::StatsArgs;
use crate::commands::session::Session;
use crate::commands::stats::report::StatsReport;
use crate::exit::Exit;
use crate::output;
use crate::output::json;

/// Clears the terminal and moves the cursor to the upper left corner.
const REPAINT: &[u8] = b"\x1b[H\x1b[2J";

/// Counting without a pause would keep the server busy.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &StatsArgs) -> anyhow::Result<Exit> {
    let cache = session.open_to_read().await?;
    let Some(interval) = args.watch else {
        let report = StatsReport::count(&cache, args.window).await?;
        write(session, args, &report, false)?;
        if let Some(reason) = &report.counted.unavailable {
            session.warn(&format!("hit rates are not available: {reason}"));
        }
        return Ok(session.listing_exit(&cache, report.entries.denied));
    };
    let repaints = stdout().is_terminal() && !session.global.json && !args.prometheus;
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            biased;
            _ = &mut interrupt => return Ok(Exit::Done),
            report = StatsReport::count(&cache, args.window) => write(session, args, &report?, repaints)?,
        }
        tokio::select! {
            biased;
            _ = &mut interrupt => return Ok(Exit::Done),
            () = tokio::time::sleep(interval.max(MIN_INTERVAL)) => {}
        }
    }
}

fn write(session: &Session, args: &StatsArgs, report: &StatsReport, repaints: bool) -> anyhow::Result<()> {
    let mut text = Vec::new();
    if repaints {
        text.extend_from_slice(REPAINT);
    }
    if args.prometheus {
        text.extend_from_slice(prometheus::text(report).as_bytes());
    } else if session.global.json {
        json::line(&mut text, report)?;
    } else {
        text.extend_from_slice(text::text(report, session.style).as_bytes());
    }
    Ok(output::write(&text)?)
}
