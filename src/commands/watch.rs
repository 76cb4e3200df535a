//! `watch`: events of the cache as they happen, and totals by service.
//!
//! Works for programs that keep no statistics. A setting of the server is changed only on request, and restored.

pub(crate) mod report;

use std::io::{IsTerminal as _, Write as _, stderr, stdin};
use std::time::Duration;

use cache_core::{
    CacheEvent, Error, EventFeed, EventSource, EventTotals, Inspect, Observation, WhenUnreachable, clock,
};

use crate::cli::WatchArgs;
use crate::commands::confirm::{Answer, ask};
use crate::commands::session::Session;
use crate::commands::signals::Signals;
use crate::commands::watch::report::{EventLabel, WatchReport};
use crate::exit::{Exit, Refused};
use crate::output;
use crate::output::event::{Row, service, what};
use crate::output::human::duration;
use crate::output::{Out, columns, human, json, safe, terminal};
use cache_core::error_chain;

/// Short by default: `MONITOR` halves the throughput of a server.
const DEFAULT_WINDOW: Duration = Duration::from_secs(10);

/// Limits of `MONITOR`, in time and in commands.
const MAX_WINDOW: Duration = Duration::from_secs(600);

const MAX_COMMANDS: u64 = 5_000_000;

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &WatchArgs) -> anyhow::Result<Exit> {
    let source = source(args)?;
    // Before a setting is changed that has to be restored.
    let mut signals = Signals::new()?;
    let cache = session.open(WhenUnreachable::Fail).await?;
    let opened = tokio::select! {
        biased;
        () = signals.next() => return Ok(Exit::Partial),
        events = begin(session, &*cache.store, source) => events?,
    };
    let events = match opened {
        WatchStart::Watching(events) => events,
        WatchStart::Declined(exit) => return Ok(exit),
        WatchStart::Unsupported => {
            let backend = cache.store.id();
            let message =
                format!("{backend} cannot be watched\nhint: run 'animecache stats' for hit and miss counters");
            return Err(Refused(message).into());
        }
    };
    announce(session, args, &*events);
    let mut watch =
        Watch { session, args, out: output::out(), columns: terminal::columns(), sample: EventTotals::default() };
    watch.run(events, &mut signals).await
}

fn source(args: &WatchArgs) -> anyhow::Result<EventSource> {
    if !args.monitor {
        return Ok(EventSource::Notifications { enables: args.enable_notifications });
    }
    let window = args.window.unwrap_or(DEFAULT_WINDOW);
    if window > MAX_WINDOW {
        let longest = MAX_WINDOW.as_secs() / 60;
        return Err(
            Refused(format!("--for must be at most {longest}m with --monitor, which slows the server down")).into()
        );
    }
    Ok(EventSource::Commands { window, limit: MAX_COMMANDS })
}

/// The start of a watch.
enum WatchStart {
    Watching(Box<dyn EventFeed>),
    /// The user answered no.
    Declined(Exit),
    /// The storage cannot be watched.
    Unsupported,
}

async fn begin(session: &Session, store: &dyn Inspect, source: EventSource) -> anyhow::Result<WatchStart> {
    let source = match store.watch(source).await {
        Err(Error::NotificationsOff { missing, .. })
            if !session.global.read_only && stdin().is_terminal() && stderr().is_terminal() =>
        {
            let question = format!(
                "Keyspace notifications are disabled (notify-keyspace-events lacks {missing}). Enable them while watching?"
            );
            if let Answer::No(exit) = ask(&question).await? {
                return Ok(WatchStart::Declined(exit));
            }
            EventSource::Notifications { enables: true }
        }
        outcome => return Ok(outcome?.map_or(WatchStart::Unsupported, WatchStart::Watching)),
    };
    Ok(store.watch(source).await?.map_or(WatchStart::Unsupported, WatchStart::Watching))
}

/// Prints what is watched, and which setting was changed for it.
fn announce(session: &Session, args: &WatchArgs, events: &dyn EventFeed) {
    if let Some((before, during)) = events.changed_setting() {
        session.note(&format!(
            "Changed notify-keyspace-events from {before:?} to {during:?} while watching. If animecache is killed, \
             restore it with: redis-cli CONFIG SET notify-keyspace-events {before:?}"
        ));
    }
    let (time, end) = match args.window {
        Some(window) => (format!(" for {}", duration(window.as_secs_f64())), ""),
        None => (String::new(), ". Press Ctrl-C to stop."),
    };
    session.note(&match events.source() {
        EventSource::Notifications { .. } => {
            format!("Watching keyspace notifications{time} (hits of results are not visible){end}")
        }
        EventSource::Commands { window, .. } => format!(
            "Watching all commands (MONITOR) for {} (expirations and evictions are not visible)",
            duration(window.as_secs_f64())
        ),
    });
}

/// A running watch.
struct Watch<'a> {
    session: &'a Session,
    args: &'a WatchArgs,
    out: Out,
    /// Columns of the terminal; `None`: not a terminal, nothing is cut off.
    columns: Option<usize>,
    sample: EventTotals,
}

impl Watch<'_> {
    async fn run(&mut self, mut events: Box<dyn EventFeed>, signals: &mut Signals) -> anyhow::Result<Exit> {
        let outcome = self.write_events(&mut *events, signals).await;
        let (source, since) = (events.source(), events.since());
        let before = events.changed_setting().map(|(before, _)| before.to_owned());
        // The setting is restored even if writing failed.
        let closed = events.close().await;
        if let Err(error) = &closed {
            output::error(&safe::line(&error_chain(error)));
            let before = before.as_deref().unwrap_or_default();
            output::hint(&format!("restore the setting with: redis-cli CONFIG SET notify-keyspace-events {before:?}"));
        } else if before.is_some() {
            self.session.note("Restored notify-keyspace-events");
        }
        // If events could not be written, the summary cannot be either.
        if !matches!(outcome, Err(WatchEnd::Writing(_))) {
            let report = WatchReport::new(&self.sample, source, since, clock::now());
            if self.session.global.json {
                output::write_json(&report)?;
            } else {
                output::write(report.text(self.session.style).as_bytes())?;
            }
        }
        match outcome {
            Err(WatchEnd::Writing(error)) => Err(error),
            Err(WatchEnd::Watching(error)) => Err(anyhow::Error::from(error).context("watching stopped")),
            Ok(()) if closed.is_err() => Ok(Exit::Partial),
            Ok(()) => Ok(Exit::Done),
        }
    }

    /// Writes events until the time is over or a signal arrives.
    async fn write_events(&mut self, events: &mut dyn EventFeed, signals: &mut Signals) -> Result<(), WatchEnd> {
        let over = async {
            match self.args.window {
                Some(window) => tokio::time::sleep(window).await,
                None => std::future::pending().await,
            }
        };
        let mut over = std::pin::pin!(over);
        loop {
            let seen = tokio::select! {
                biased;
                () = signals.next() => break,
                () = &mut over => break,
                seen = events.next() => seen,
            };
            match seen {
                Some(seen) => self.write(&seen.map_err(WatchEnd::Watching)?).map_err(WatchEnd::Writing)?,
                None => return Ok(()),
            }
        }
        events.stop();
        while let Some(Ok(seen)) = events.next().await {
            self.write(&seen).map_err(WatchEnd::Writing)?;
        }
        Ok(())
    }

    fn write(&mut self, seen: &Observation) -> anyhow::Result<()> {
        match seen {
            Observation::Event(event) if !self.is_wanted(event) => return Ok(()),
            Observation::Event(event) => self.write_event(event)?,
            Observation::Gap(gap) => {
                let seconds = gap.as_secs_f64();
                self.session.note(&format!("Connection lost for {seconds:.1} s: events in this time are missing"));
            }
            Observation::Lost(signs) => {
                self.session.note(&format!("{} dropped (too many to process)", human::counted(*signs, "event")));
            }
        }
        self.sample.add(seen);
        Ok(())
    }

    fn is_wanted(&self, event: &CacheEvent) -> bool {
        self.args.service.is_empty() || event.service.is_some_and(|service| self.args.service.contains(&service))
    }

    fn write_event(&mut self, event: &CacheEvent) -> anyhow::Result<()> {
        let mut line = Vec::new();
        if self.session.global.json {
            let key = event.id.as_ref().map(|id| id.redis_key());
            json::line(&mut line, &Row::new(event, key.as_deref()))?;
        } else {
            let (time, label) = (human::time_of_day(event.at), EventLabel(event.kind));
            let text = format!("{:<13}  {:<6}  {}", service(event.service), event.cache.name(), what(event));
            let room = self.columns.map_or(usize::MAX, |columns| columns.saturating_sub(time.len() + 11));
            writeln!(line, "{time}  {}  {}", label.text(self.session.style), columns::clip(&text, room))?;
        }
        self.out.write_all(&line)?;
        Ok(self.out.flush()?)
    }
}

/// The error that ended a watch early.
enum WatchEnd {
    Watching(Error),
    Writing(anyhow::Error),
}
