//! Pages of the crawled sites, as text: fetched, or rendered by a browser.
//!
//! They come from the site itself, whatever is cached: what is made of them is. So a page that is in the way of the one
//! that was asked for, as one that wants to see a browser, is an error, and nothing is made of it.

use std::time::Duration;

use cache_core::{Service, Services, clock, without_secrets};
use http::{HeaderMap, StatusCode};
use url::Url;

use super::html::Document;
use super::limits::retry_after;
use super::problem::Problem;
use super::request::AGENT;
use super::way::{Mode, Way};

/// What is accepted, as browsers tell it.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// The longest that one page may take.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Pauses before the tries after the first, where a site says that it has too much to do, and not for how long.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// The longest pause that a site may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The part of a page that its scripts fill in once it is asked for. Where no browser renders it, it is left out.
#[derive(Clone, Copy)]
pub(super) struct Filled {
    /// Where it is asked for.
    pub(super) select: &'static str,
    /// What is chosen there.
    pub(super) option: &'static str,
    /// Matches when the part is there.
    pub(super) awaited: &'static str,
}

/// A page as it came, whatever it is.
pub(super) struct Arrived {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    pub(super) html: String,
}

/// What an anime is called in the keys of results: by its site's name for it, as the pipeline has it; where another
/// site stands in for the real one, by the whole address of its page, so that neither ever answers for the other.
pub(super) fn argument(way: &Way, service: Service, name: &str) -> String {
    let is_real = way.url() == Services::default().url(service);
    if is_real { name.to_owned() } else { under(way.url(), &["anime", name]) }
}

/// The address of the page of an anime, by what it is called in keys.
pub(super) fn address(service: Service, argument: &str) -> String {
    if argument.contains("://") {
        argument.to_owned()
    } else {
        under(Services::default().url(service), &["anime", argument])
    }
}

/// An address with more segments at its end. What is in them stays in them.
pub(super) fn under(base: &str, segments: &[&str]) -> String {
    let Ok(mut url) = Url::parse(base) else { return format!("{base}/{}", segments.join("/")) };
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url.into()
}

/// The page at this address.
pub(super) async fn page(way: &Way, url: &str, filled: Option<Filled>) -> Result<String, Problem> {
    let mut pauses = PAUSES.into_iter();
    loop {
        let problem = match arrive(way, url, filled).await.and_then(Arrived::accept) {
            Err(problem @ (Problem::TooMany(_) | Problem::Status(503))) => problem,
            outcome => return outcome,
        };
        let Some(pause) = pauses.next() else { return Err(problem) };
        let asked_for = if let Problem::TooMany(time) = problem { time } else { None };
        tokio::time::sleep(asked_for.unwrap_or(pause).min(LONGEST_PAUSE)).await;
    }
}

async fn arrive(way: &Way, url: &str, filled: Option<Filled>) -> Result<Arrived, Problem> {
    if way.mode() == Mode::Offline {
        let problem = Problem::NotCached(without_secrets(url));
        way.meter().lacks(&problem);
        return Err(problem);
    }
    if let Some(rendered) = way.render(url, filled).await {
        return rendered;
    }
    let request = way.uncached().get(url).header("accept", ACCEPT).header("user-agent", AGENT);
    let fetched = request.timeout(TIME_LIMIT).send().await?;
    Ok(Arrived { status: fetched.status(), fields: fetched.headers().clone(), html: fetched.text().await? })
}

impl Arrived {
    /// The page, if it is one of the site's, and not one that is in its way.
    fn accept(self) -> Result<String, Problem> {
        if is_challenge(&self.html) {
            let problem = "a challenge page came: the site wants to see a browser before it goes on";
            return Err(Problem::Unexpected(problem.to_owned()));
        }
        match (self.status.as_u16(), retry_after(&self.fields, clock::now())) {
            (200..=299, _) => Ok(self.html),
            (404 | 410, _) => Err(Problem::NotFound),
            (429, time) | (503, time @ Some(_)) => Err(Problem::TooMany(time)),
            (status, _) => Err(Problem::Status(status)),
        }
    }
}

/// Whether it is one of those pages that tell browsers from programs. They come with any status.
fn is_challenge(html: &str) -> bool {
    let page = Document::new(html);
    let title = page.title().to_lowercase();
    title.starts_with("just a moment")
        || title.starts_with("attention required!")
        || page.root().first("#challenge-running, #challenge-form, #challenge-error-text").is_some()
}

/// That a page came which is not the one that `wanted` names.
pub(super) fn another_page(wanted: &str, page: &Document) -> Problem {
    let title: String = page.title().chars().take(80).collect();
    Problem::Unexpected(format!("{wanted} was asked for, and another page came: {title:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::RETRY_AFTER;

    fn arrived(status: u16, retry_after: Option<u64>, html: &str) -> Result<String, Problem> {
        let fields = retry_after.map(|seconds| (RETRY_AFTER, seconds.into())).into_iter().collect();
        Arrived { status: StatusCode::from_u16(status).unwrap(), fields, html: html.to_owned() }.accept()
    }

    #[test]
    fn only_the_page_itself_is_accepted() {
        assert!(arrived(200, None, "<title>Cowboy Bebop</title>").is_ok());
        assert!(matches!(arrived(404, None, ""), Err(Problem::NotFound)));
        for status in [429, 503] {
            let Err(Problem::TooMany(Some(time))) = arrived(status, Some(3), "") else {
                panic!("{status} is too many")
            };
            assert_eq!(time, Duration::from_secs(3));
        }
        assert!(matches!(arrived(500, None, ""), Err(Problem::Status(500))));
        for status in [200, 403, 503] {
            let html = "<title>Just a moment...</title><p>Checking your browser</p>";
            assert!(matches!(arrived(status, None, html), Err(Problem::Unexpected(_))));
        }
    }

    #[test]
    fn a_name_stays_one_segment() {
        let service = Service::AnimePlanet;
        assert_eq!(address(service, "cowboy-bebop"), "https://www.anime-planet.com/anime/cowboy-bebop");
        assert_eq!(address(service, "../a?b#c"), "https://www.anime-planet.com/anime/..%2Fa%3Fb%23c");
        assert_eq!(
            under(&address(Service::AniSearch, "1572"), &["episodes"]),
            "https://www.anisearch.com/anime/1572/episodes"
        );
        assert_eq!(address(service, "http://127.0.0.1:1/anime/x"), "http://127.0.0.1:1/anime/x");
    }
}
