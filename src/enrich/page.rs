//! Pages of the crawled sites, as text: fetched, or rendered by a browser.
//!
//! They come from the site itself, whatever is cached: what is made of them is. So a page that is in the way of the one
//! that was asked for, as one that wants to see a browser, is an error, and nothing is made of it.

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Service, Services};
use url::Url;

use crate::enrich::browser::TIME_LIMIT;
use crate::enrich::error::Problem;
use crate::enrich::html;
use crate::enrich::html::Document;
use crate::enrich::mode::Mode;
use crate::enrich::rendered_page::{Arrived, Filled};
use crate::enrich::request_headers::AGENT;
use crate::enrich::retry::retried;
use crate::enrich::service_client::Way;
use crate::output::secrets;

/// What is accepted, as browsers tell it.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Pauses before the tries after the first, where a site says that it has too much to do, and not for how long.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// What an anime is called in the keys of results: by its site's name for it, as the pipeline has it; where another
/// site stands in for the real one, by the whole address of its page, so that neither ever answers for the other.
pub(crate) fn argument(way: &Way, service: Service, name: &str) -> String {
    let is_real = way.url() == Services::default().url(service);
    if is_real { name.to_owned() } else { under(way.url(), &["anime", name]) }
}

/// The address of the page of an anime, by what it is called in keys.
pub(crate) fn address(service: Service, argument: &str) -> String {
    if argument.contains("://") {
        argument.to_owned()
    } else {
        under(Services::default().url(service), &["anime", argument])
    }
}

/// An address with more segments at its end. What is in them stays in them.
pub(crate) fn under(base: &str, segments: &[&str]) -> String {
    let Ok(mut url) = Url::parse(base) else { return format!("{base}/{}", segments.join("/")) };
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url.into()
}

/// What `understand` makes of the page at this address.
pub(crate) async fn page<T: Send + 'static>(
    way: &Way,
    url: &str,
    filled: Option<Filled>,
    understand: impl FnOnce(&Document) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    html::read(source(way, url, filled).await?, understand).await
}

/// The page as it came.
async fn source(way: &Way, url: &str, filled: Option<Filled>) -> Result<Arc<str>, Problem> {
    if way.mode() == Mode::Offline {
        let problem = Problem::NotCached(secrets::url(url).into_owned());
        way.meter().lacks(&problem);
        return Err(problem);
    }
    let passes = |problem: &Problem| matches!(problem, Problem::TooMany(_) | Problem::Status(503));
    // Whatever it takes, it is one call of a function.
    retried(way, &PAUSES, passes, 0, || acceptable(way, url, filled)).await
}

/// The page, rendered where that is asked for or the site wants it.
async fn acceptable(way: &Way, url: &str, filled: Option<Filled>) -> Result<Arc<str>, Problem> {
    if let Some(browser) = way.browser() {
        return way.render(browser, url, filled).await?.accept().await;
    }
    let request = way.uncached().get(url).header("accept", ACCEPT).header("user-agent", AGENT);
    let fetched = request.timeout(TIME_LIMIT).send().await?;
    let (status, fields) = (fetched.status(), fetched.headers().clone());
    let arrived = Arrived { status, fields, html: fetched.text().await?.into(), is_rendered: false };
    match arrived.accept().await {
        Err(Problem::Challenge { .. }) => {
            let page = way.render(way.browser_where_needed()?, url, filled).await?.accept().await;
            if !matches!(page, Err(Problem::Challenge { .. })) {
                way.will_see_browser();
            }
            page
        }
        outcome => outcome,
    }
}

/// That a page came which is not the one that `wanted` names, be it by its address.
pub(crate) fn another_page(wanted: &str, page: &Document) -> Problem {
    let title: String = page.title().chars().take(80).collect();
    Problem::Unexpected(format!("expected {}, got the page '{title}'", secrets::url(wanted)))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    #[tokio::test]
    async fn only_the_page_itself_is_accepted() {
        let arrived = |status: u16, html: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            Arrived { status, fields: HeaderMap::new(), html: html.into(), is_rendered: false }.accept()
        };
        assert!(arrived(200, "<title>Cowboy Bebop</title>").await.is_ok());
        assert!(matches!(arrived(404, "").await, Err(Problem::NotFound)));
        assert!(matches!(arrived(500, "").await, Err(Problem::Status(500))));
        for status in [200, 403, 503] {
            let html = "<title>Just a moment...</title><p>Checking your browser</p>";
            assert!(matches!(arrived(status, html).await, Err(Problem::Challenge { .. })));
        }
    }

    #[test]
    fn another_page_is_told_without_the_password_of_its_site() {
        let page = Document::new("<title>Log in</title>").unwrap();
        let told = another_page("anime page https://me:secret@mirror.example/anime/1", &page).to_string();
        assert!(told.contains("mirror.example/anime/1") && !told.contains("secret"), "{told}");
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
