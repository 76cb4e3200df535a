//! Requests and replies of the simulated services, and helpers for their bodies.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::Value;

use crate::demo::catalogue::Anime;

/// The cookie of a browser that has passed the challenge page.
pub(crate) const CHALLENGE_COOKIE: &str = "demo_challenge=met";

/// A request, as far as replies depend on it.
pub(crate) struct DemoRequest<'a> {
    /// With a leading slash.
    pub(crate) path: &'a str,
    /// Decoded.
    pub(crate) query: &'a [(String, String)],
    /// A GraphQL request.
    pub(crate) body: Option<&'a Value>,
    /// The number of earlier equal requests.
    pub(crate) before: u64,
    /// The request has the cookie of a browser that passed the challenge page.
    pub(crate) is_browser: bool,
}

/// A reply, before it is compressed.
pub(crate) struct DemoReply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// A simulated error: each is shown by one title.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misbehavior {
    /// Jikan does not have the title: 404.
    NotFound,
    /// Jikan first sends 429 with `Retry-After: 1`.
    TooMany,
    /// AniDB sends `<error>Banned</error>`, with status 200.
    Banned,
    /// AniSearch sends a challenge page, with status 200, until a browser has run its script.
    Challenge,
}

impl Misbehavior {
    /// The error of this title.
    pub(crate) fn of(anime: &Anime) -> Option<Self> {
        match anime.slug.as_str() {
            "shirobako" => Some(Self::NotFound),
            "mushishi" => Some(Self::TooMany),
            "hunter-x-hunter-2011" => Some(Self::Banned),
            "spirited-away" => Some(Self::Challenge),
            _ => None,
        }
    }
}

impl DemoReply {
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::new(200, "application/json", body.to_string())
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl<'a> DemoRequest<'a> {
    /// A plain GET.
    pub(crate) fn get(path: &'a str) -> Self {
        Self { path, query: &[], body: None, before: 0, is_browser: false }
    }

    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.param(name)?.parse().ok()
    }

    /// The parts of the path.
    pub(crate) fn parts(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }
}

/// The day of the last episode, if the number is known: they air weekly.
pub(crate) fn end(anime: &Anime) -> Option<Date> {
    let start: Date = anime.start.parse().ok()?;
    start.checked_add(i64::try_from(anime.episodes?.saturating_sub(1)).ok()?.weeks()).ok()
}

/// Escapes text for HTML and XML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One page of a list: from `from`, at most `size`.
pub(crate) fn page<T>(items: Vec<T>, from: u64, size: u64) -> (Vec<T>, bool) {
    let has_more = items.len() as u64 > from + size;
    (items.into_iter().skip(from as usize).take(size as usize).collect(), has_more)
}
