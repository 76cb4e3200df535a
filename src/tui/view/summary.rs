//! The first page of the inspector: the summary of an entry.
//!
//! It distinguishes age (how old the response is), freshness lifetime (how long it may be served without validation)
//! and TTL (when the backend deletes it).

use cache_core::redact::Secrets;
use cache_core::{EntryState, Headers, Summary};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::output::columns::clip;
use crate::output::{human, safe};
use crate::tui::app::App;
use crate::tui::view::text::left;
use crate::tui::view::theme::Theme;

/// The rating of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Plain,
    Strong,
    Good,
    Note,
    Bad,
}

/// A line: a name, a value and a reason.
pub(crate) struct Fact {
    name: &'static str,
    value: String,
    why: String,
    tone: Tone,
}

impl Fact {
    fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), why: String::new(), tone: Tone::Plain }
    }

    fn because(self, why: impl Into<String>) -> Self {
        Self { why: why.into(), ..self }
    }

    fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    pub(crate) fn line<'a>(self, width: u16, theme: &Theme) -> Line<'a> {
        let style: Style = match self.tone {
            Tone::Plain => theme.text,
            Tone::Strong => theme.strong,
            Tone::Good => theme.good,
            Tone::Note => theme.note,
            Tone::Bad => theme.bad,
        };
        // Values with a reason are short: the reasons are aligned.
        let value = if self.why.is_empty() { self.value } else { left(&self.value, 10) };
        let room = usize::from(width).saturating_sub(13);
        let why = clip(&self.why, room.saturating_sub(12)).into_owned();
        Line::from(vec![
            Span::styled(format!(" {} ", left(self.name, 11)), theme.dim),
            Span::styled(clip(&value, room).into_owned(), style),
            Span::styled(format!("  {why}"), theme.dim),
        ])
    }
}

/// The facts about the selected entry.
pub(crate) fn facts(app: &App) -> Vec<Fact> {
    let Some(entry) = app.selected_entry() else { return Vec::new() };
    let secrets = app.inspector.secrets;
    let detail = app.inspector.detail().filter(|detail| detail.inspected.summary.id == entry.id);
    let mut facts = Vec::new();
    name(entry, secrets, &mut facts);
    if let Some(problem) = &entry.problem {
        facts.push(Fact::new("Problem", safe::line(&secrets.text(problem))).tone(Tone::Bad));
    }
    facts.push(Fact::new("", ""));
    let response = detail.and_then(|detail| detail.inspected.entry.as_ref()).map(|entry| &entry.response.headers);
    if entry.http.is_some() {
        facts.push(age(entry, app));
        facts.push(lifetime(entry, response));
    } else if let Some(stored_for) = entry.stored_for(app.now) {
        facts.push(Fact::new("Age", human::duration(stored_for)).because("since stored"));
    }
    facts.push(ttl(entry, app));
    facts.push(state(entry, app.now));
    facts.push(Fact::new("", ""));
    if let Some(at) = entry.created_at {
        facts.push(Fact::new("Stored", time(at, &app.zone)));
    }
    if let Some(at) = entry.last_used(app.now) {
        let ago = human::duration(app.now - at);
        facts.push(Fact::new(
            "Last used",
            format!("{} ({ago} ago, estimated from the remaining TTL)", time(at, &app.zone)),
        ));
    }
    let chunks = detail.map(|detail| detail.inspected.chunks).filter(|chunks| *chunks > 1);
    let chunks = chunks.map_or(String::new(), |chunks| format!(" in {} chunks", human::count(chunks)));
    facts.push(Fact::new("Size", format!("{}{chunks}", human::bytes(entry.size))));
    if let Some(http) = &entry.http {
        let kind = http
            .content_type
            .as_deref()
            .map_or_else(|| "no content type".to_owned(), |kind| safe::line(&secrets.text(kind)).into_owned());
        facts.push(Fact::new("Status", format!("{}  {kind}", http.status)));
        facts.push(Fact::new("Cache key", safe::key(http.cache_key.as_bytes(), secrets)));
    }
    facts.push(Fact::new("Service", entry.service.name()));
    if let Some((name, [_, day, _])) = app.rates.get(entry) {
        let requests = human::count(day.hits.saturating_add(day.misses));
        let of = format!("{requests} lookups in 24h ({name})");
        facts.push(Fact::new("Hit rate", human::share(day.hit_rate())).because(of));
    }
    facts.push(Fact::new("Key", safe::key(&entry.id.redis_key(), secrets)));
    facts
}

fn name(entry: &Summary, secrets: Secrets, facts: &mut Vec<Fact>) {
    if let Some(http) = &entry.http {
        if let Some(title) = http.title.as_deref().filter(|title| !title.is_empty()) {
            facts.push(Fact::new("Title", safe::line(&secrets.text(title)).into_owned()).tone(Tone::Strong));
        }
        let url = secrets.url(&http.url);
        facts.push(
            Fact::new("Request", format!("{} {}", safe::line(&secrets.text(&http.method)), safe::line(&url)))
                .tone(Tone::Strong),
        );
    } else if let Some(key) = entry.result_key() {
        facts.push(Fact::new("Function", safe::key(key.prefix, secrets)).tone(Tone::Strong));
        facts.push(Fact::new("Arguments", safe::key(key.arguments, secrets)).tone(Tone::Strong));
        facts.push(Fact::new("Schema", key.schema.unwrap_or("none (key without schema hash)")));
    }
}

fn age(entry: &Summary, app: &App) -> Fact {
    let Some(age) = entry.age(app.now) else {
        return Fact::new("Age", "unknown").because("not recorded by this layout");
    };
    let initial = entry.http.as_ref().map_or(0.0, |http| http.freshness.initial_age);
    let why = if initial >= 1.0 {
        format!("{} old when stored", human::duration(initial))
    } else {
        "since the response was generated".to_owned()
    };
    Fact::new("Age", human::duration(age)).because(why)
}

fn lifetime(entry: &Summary, response: Option<&Headers>) -> Fact {
    let freshness = entry.http.as_ref().map(|http| http.freshness).unwrap_or_default();
    let has = |name: &str| response.is_some_and(|headers| headers.get(name).is_some());
    let has_max_age = response.is_some_and(|headers| {
        headers.all("cache-control").any(|value| value.to_ascii_lowercase().contains("max-age"))
    });
    match freshness.lifetime {
        None => Fact::new("Freshness", "none").because("no max-age, Expires or Last-Modified"),
        Some(seconds) => Fact::new("Freshness", human::duration(seconds)).because(match response {
            None => "",
            Some(_) if has_max_age => "lifetime from Cache-Control: max-age",
            Some(_) if has("expires") => "lifetime from Expires",
            Some(_) => "heuristic lifetime (10% of the time since Last-Modified)",
        }),
    }
}

fn ttl(entry: &Summary, app: &App) -> Fact {
    match (entry.ttl(app.now), entry.expires_at) {
        (Some(ttl), Some(at)) => {
            let tone = match ttl {
                ttl if ttl < 60.0 => Tone::Bad,
                ttl if ttl < 3_600.0 => Tone::Note,
                _ => Tone::Plain,
            };
            Fact::new("TTL", human::duration(ttl)).because(format!("expires {}", time(at, &app.zone))).tone(tone)
        }
        _ if entry.is_expiry_unknown() => Fact::new("TTL", "unknown").because("the file does not record it"),
        _ => Fact::new("TTL", "none").because("never expires"),
    }
}

fn state(entry: &Summary, now: f64) -> Fact {
    let freshness = entry.http.as_ref().map(|http| http.freshness).unwrap_or_default();
    let fact = |value: &str, why: String, tone| Fact::new("State", value).because(why).tone(tone);
    match (entry.state, entry.is_fresh(now), entry.age(now), freshness.lifetime) {
        (EntryState::Live, ..) if entry.ttl(now).is_some_and(|ttl| ttl <= 0.0) => {
            fact("expired", "no longer served".into(), Tone::Plain)
        }
        (EntryState::Live, _, _, _) if freshness.is_no_cache => {
            fact("stale", "no-cache: requires validation".into(), Tone::Note)
        }
        (EntryState::Live, Some(true), Some(age), Some(lifetime)) => {
            fact("fresh", format!("for {} (RFC 9111)", human::duration(lifetime - age)), Tone::Good)
        }
        (EntryState::Live, Some(false), Some(age), Some(lifetime)) => fact(
            "stale",
            format!("for {} (RFC 9111); the pipeline still serves it", human::duration(age - lifetime)),
            Tone::Note,
        ),
        (EntryState::Live, Some(false), ..) => {
            fact("stale", "no freshness information; the pipeline still serves it".into(), Tone::Note)
        }
        (EntryState::Live, ..) => Fact::new("State", "live"),
        (EntryState::Incomplete, ..) => fact("incomplete", "body has no end marker; never served".into(), Tone::Bad),
        (EntryState::Deleted, ..) => fact("deleted", "marked as deleted; never served".into(), Tone::Plain),
        (EntryState::Corrupt, ..) => fact("corrupt", "cannot be decoded; never served".into(), Tone::Bad),
        (EntryState::Orphan, ..) => fact("orphan", "belongs to no entry".into(), Tone::Bad),
    }
}

pub(crate) fn time(at: f64, zone: &TimeZone) -> String {
    match Timestamp::from_second(at as i64) {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "invalid".to_owned(),
    }
}
