//! `demo-upstream`: the simulated services on localhost, for other programs.

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::cli::DemoUpstreamArgs;
use crate::commands::session::Session;
use crate::commands::signals::Signals;
use crate::demo::server::Upstream;
use crate::exit::Exit;
use crate::output;
use crate::output::human::counted;

/// Serves until a signal arrives.
pub(crate) async fn run(session: &Session, args: &DemoUpstreamArgs) -> anyhow::Result<Exit> {
    let mut signals = Signals::new()?;
    let mut upstream = Upstream::start(args.port, args.pace).await.context("cannot start the demo services")?;
    let settings = upstream
        .urls()
        .iter()
        .map(|(service, url)| (format!("ANIMECACHE_{}_URL", service.name().to_uppercase()), url.as_str()));
    if session.global.json {
        let settings: Map<String, Value> = settings.map(|(name, url)| (name, url.into())).collect();
        output::write(format!("{}\n", Value::Object(settings)).as_bytes())?;
    } else {
        let lines: Vec<_> = settings.map(|(name, url)| format!("export {name}={url}\n")).collect();
        output::write(lines.concat().as_bytes())?;
        session.note("Demo services are running. Press Ctrl-C to stop.");
    }
    tokio::select! {
        () = upstream.run() => {}
        () = signals.next() => {}
    }
    for (service, requests) in upstream.requests().by_service() {
        session.note(&format!("{service}: {}", counted(requests, "request")));
    }
    Ok(Exit::Done)
}
