//! `tui`: the dashboard.

use std::io::{IsTerminal as _, stdin, stdout};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use cache_core::{Error, Opened, WhenUnreachable};

use crate::commands::session::{Session, read_only};
use crate::demo::server::Upstream;
use crate::enrich::lookup::PIPELINES_FILE;
use crate::exit::{Exit, Refused};
use crate::output::style;
use crate::tui::options::Options;
use crate::{demo, tui};

/// Whether `COLORFGBG` names a light background: its last number is that of a light ANSI color.
fn has_light_background(colors: &str) -> bool {
    colors.rsplit(';').next().and_then(|color| color.parse::<u8>().ok()).is_some_and(|color| color == 7 || color > 8)
}

/// Runs the dashboard.
pub(crate) async fn run(session: &Session) -> anyhow::Result<Exit> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        let message =
            "the dashboard needs a terminal; for scripts there are stats, ls, show, flush and ttl, with --json";
        return Err(Refused(message.into()).into());
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        let message = "the dashboard needs a terminal that can move its cursor, and TERM is 'dumb'";
        return Err(Refused(message.into()).into());
    }
    session.check_settings()?;
    let options = Options {
        is_read_only: session.global.read_only,
        is_demo: session.global.demo,
        is_light: std::env::var("COLORFGBG").is_ok_and(|colors| has_light_background(&colors)),
        has_color: style::is_wanted(session.global.color, &stdout()),
    };
    let mut config = session.settings.cache.clone();
    let mut services = session.settings.services.clone();
    if session.global.demo {
        // The cache is filled after the first frame, and must outlive the dashboard.
        let kept = Arc::new(OnceLock::new());
        let keep = Arc::clone(&kept);
        let upstream = Upstream::start(None, 1.0).await.context("cannot start the demo services")?;
        // Before the cache is opened: it recognizes the service of an entry by these URLs.
        upstream.configure(&mut services);
        config = services.config(&config);
        let registry = config.services.clone();
        let opening = async move {
            let demo = demo::cache(registry).await.map_err(|error| Error::Config(format!("{error:#}")))?;
            let demo = keep.get_or_init(|| demo);
            let store = if options.is_read_only { read_only(demo) } else { Arc::clone(&demo.store) };
            Ok(Opened { store, fallback: None })
        };
        let exit = tui::run(opening, (config, services), None, options).await?;
        drop(kept);
        return Ok(exit);
    }
    let when = if session.global.no_fallback { WhenUnreachable::Fail } else { WhenUnreachable::UseSqliteMeanwhile };
    let how = session.options(when);
    let catalogue = PathBuf::from(PIPELINES_FILE);
    let catalogue = catalogue.is_file().then_some(catalogue);
    let opened = config.clone();
    tui::run(async move { cache_core::open(&opened, how).await }, (config, services), catalogue, options).await
}
