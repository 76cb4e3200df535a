//! Pages of the crawled sites, as text: fetched, or rendered by a browser.
//!
//! Pages are not cached; the results that are read from them are. So a challenge page, or another page than the
//! requested one, is an error: no result may be read from it.

use std::sync::Arc;
use std::time::Duration;

use crate::services::Services;
use cache_core::ServiceName;
use cache_core::redact::Secrets;
use url::Url;

use crate::enrich::browser::PAGE_TIMEOUT;
use crate::enrich::error::FetchFailure;
use crate::enrich::html;
use crate::enrich::html::Document;
use crate::enrich::mode::Mode;
use crate::enrich::rendered_page::{FetchedPage, LazySection};
use crate::enrich::request_headers::AGENT;
use crate::enrich::retry::with_retries;
use crate::enrich::service_client::ServiceClient;

/// As browsers send it.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Delays before retries where a busy site names none.
const RETRY_DELAYS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// The argument in the keys of results: the ID on the site, as in the pipeline. For a simulated site it is the URL of
/// the page, so that its results never stand for those of the real site.
pub(crate) fn argument(client: &ServiceClient, service: ServiceName, name: &str) -> String {
    let is_real = client.url() == Services::default().url(service);
    if is_real { name.to_owned() } else { under(client.url(), &["anime", name]) }
}

/// The URL of the page of an anime, from the argument in the keys of results.
pub(crate) fn address(service: ServiceName, argument: &str) -> String {
    if argument.contains("://") {
        argument.to_owned()
    } else {
        under(Services::default().url(service), &["anime", argument])
    }
}

/// A URL with more path segments, which are percent-encoded.
pub(crate) fn under(base: &str, segments: &[&str]) -> String {
    let Ok(mut url) = Url::parse(base) else { return format!("{base}/{}", segments.join("/")) };
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url.into()
}

/// Fetches the page at this URL and reads it with `understand`.
pub(crate) async fn page<T: Send + 'static>(
    client: &ServiceClient,
    url: &str,
    section: Option<LazySection>,
    understand: impl FnOnce(&Document) -> Result<T, FetchFailure> + Send + 'static,
) -> Result<T, FetchFailure> {
    html::read(source(client, url, section).await?, understand).await
}

/// The text of the page.
async fn source(client: &ServiceClient, url: &str, section: Option<LazySection>) -> Result<Arc<str>, FetchFailure> {
    if client.mode() == Mode::Offline {
        let problem = FetchFailure::NotCached(Secrets::Masked.url(url).into_owned());
        client.metrics().record_missing(&problem);
        return Err(problem);
    }
    let passes = |problem: &FetchFailure| matches!(problem, FetchFailure::TooMany(_) | FetchFailure::Status(503));
    // All retries are one call of a cached function: none counts as another request.
    with_retries(client, &RETRY_DELAYS, passes, 0, || acceptable(client, url, section)).await
}

/// The page, rendered if that was requested or the site responds with a challenge page.
async fn acceptable(client: &ServiceClient, url: &str, section: Option<LazySection>) -> Result<Arc<str>, FetchFailure> {
    if let Some(browser) = client.browser() {
        return client.render(browser, url, section).await?.accept().await;
    }
    let request = client.uncached().get(url).header("accept", ACCEPT).header("user-agent", AGENT);
    let fetched = request.timeout(PAGE_TIMEOUT).send().await?;
    let (status, fields) = (fetched.status(), fetched.headers().clone());
    let fetched_page = FetchedPage { status, fields, html: fetched.text().await?.into(), is_rendered: false };
    match fetched_page.accept().await {
        Err(FetchFailure::Challenge { .. }) => {
            let page = client.render(client.browser_where_needed()?, url, section).await?.accept().await;
            if !matches!(page, Err(FetchFailure::Challenge { .. })) {
                client.set_needs_browser();
            }
            page
        }
        outcome => outcome,
    }
}

/// The failure for another page than `wanted`, a name or a URL.
pub(crate) fn unexpected_page(wanted: &str, page: &Document) -> FetchFailure {
    let title: String = page.title().chars().take(80).collect();
    FetchFailure::Unexpected(format!(
        "expected {}, got the page '{}'",
        Secrets::Masked.text(wanted),
        Secrets::Masked.text(&title)
    ))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::services;

    #[tokio::test]
    async fn error_and_challenge_pages_are_refused() {
        let fetched_page = |status: u16, html: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            FetchedPage { status, fields: HeaderMap::new(), html: html.into(), is_rendered: false }.accept()
        };
        assert!(fetched_page(200, "<title>Cowboy Bebop</title>").await.is_ok());
        assert!(matches!(fetched_page(404, "").await, Err(FetchFailure::NotFound)));
        assert!(matches!(fetched_page(500, "").await, Err(FetchFailure::Status(500))));
        for status in [200, 403, 503] {
            let html = "<title>Just a moment...</title><p>Checking your browser</p>";
            assert!(matches!(fetched_page(status, html).await, Err(FetchFailure::Challenge { .. })));
        }
    }

    #[test]
    fn unexpected_page_message_hides_password() {
        let page = Document::new("<title>Log in</title>").unwrap();
        let message = unexpected_page("anime page https://me:secret@mirror.example/anime/1", &page).to_string();
        assert!(message.contains("mirror.example/anime/1") && !message.contains("secret"), "{message}");
    }

    #[test]
    fn segments_of_url_are_percent_encoded() {
        let service = services::anime_planet();
        assert_eq!(address(service, "cowboy-bebop"), "https://www.anime-planet.com/anime/cowboy-bebop");
        assert_eq!(address(service, "../a?b#c"), "https://www.anime-planet.com/anime/..%2Fa%3Fb%23c");
        assert_eq!(
            under(&address(services::anisearch(), "1572"), &["episodes"]),
            "https://www.anisearch.com/anime/1572/episodes"
        );
        assert_eq!(address(service, "http://127.0.0.1:1/anime/x"), "http://127.0.0.1:1/anime/x");
    }
}
