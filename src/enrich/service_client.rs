//! The client of a source: requests go through the cache, within the limits of the service, and are counted.

use std::sync::Arc;
use std::time::Duration;

use crate::services::Services;
use cache_core::redact::Secrets;
use cache_core::{Cache, CacheOutcome, CachedClient, RequestBuilder, ResultCache, ServiceName, Transport};
use http::StatusCode;
use serde_json::Value;

use crate::enrich::browser::Browser;
use crate::enrich::error::FetchFailure;
use crate::enrich::metrics::{Metrics, ResponseDigest};
use crate::enrich::mode::Mode;
use crate::enrich::network::{Network, Offline, Renderer};
use crate::enrich::rendered_page::{FetchedPage, LazySection};
use crate::enrich::request_headers::AGENT;
use crate::enrich::response::ServiceResponse;
use crate::enrich::service_gate::ServiceGate;

/// The client of one source in one pass. Clones share everything.
#[derive(Clone)]
pub struct ServiceClient {
    gate: ServiceGate,
    http: CachedClient,
    renderer: Renderer,
    results: ResultCache,
    url: String,
    services: Arc<Services>,
    mode: Mode,
    metrics: Arc<Metrics>,
    is_ban: Option<fn(&[u8]) -> bool>,
}

impl ServiceClient {
    /// A client of the service at the URL in `services`.
    pub fn new(
        cache: &Cache,
        network: &Network,
        service: ServiceName,
        services: &Services,
        mode: Mode,
        metrics: Arc<Metrics>,
    ) -> Self {
        let gate = network.gate(service, services, cache.store(), &metrics);
        let transport: Arc<dyn Transport> = match mode {
            Mode::Offline => Arc::new(Offline),
            Mode::Usual | Mode::Fresh | Mode::Uncached => Arc::new(gate.clone()),
        };
        let http = CachedClient::from(cache.http(service, transport));
        let observed = Arc::clone(&metrics);
        let results = cache.results().observed(move |call| observed.record_call(call));
        let (http, results) = match mode {
            Mode::Usual | Mode::Offline => (http, results),
            Mode::Fresh => (http.reload(), results.reload()),
            Mode::Uncached => (http.bypassed(), results.bypassed()),
        };
        let url = services.url(service).trim_end_matches('/').to_owned();
        let (renderer, services) = (network.renderer().clone(), Arc::new(services.clone()));
        Self { gate, http, renderer, results, url, services, mode, metrics, is_ban: None }
    }

    /// Stops all requests once the service sends a body for which `is_ban` holds.
    pub fn with_ban_check(self, is_ban: Option<fn(&[u8]) -> bool>) -> Self {
        Self { is_ban, ..self }
    }

    /// The base URL of the service, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of a path below the base URL, whose query comes after that of the path.
    pub(crate) fn address(&self, path: &str) -> String {
        address(&self.url, path)
    }

    /// The settings of services: tokens, and the name of the AniDB client.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The browser for all pages of the service, if it was requested or has passed a challenge page before.
    pub(crate) fn browser(&self) -> Option<&Browser> {
        match &self.renderer {
            Renderer::Always(browser) => Some(browser),
            Renderer::WhereNeeded(browser) if self.gate.needs_browser() => Some(browser),
            _ => None,
        }
    }

    /// The browser for a page behind a challenge page.
    pub(crate) fn browser_where_needed(&self) -> Result<&Browser, FetchFailure> {
        match &self.renderer {
            Renderer::Always(browser) | Renderer::WhereNeeded(browser) => Ok(browser),
            Renderer::Missing(missing) => Err(FetchFailure::NoBrowser(missing.clone())),
            Renderer::Nothing => Err(FetchFailure::Challenge { is_rendered: false }),
        }
    }

    /// Records that the browser got past a challenge page: from now on it renders all pages of the service.
    pub(crate) fn set_needs_browser(&self) {
        self.gate.set_needs_browser();
    }

    /// A page rendered by the browser, within the limits of the service.
    pub(crate) async fn render(
        &self,
        browser: &Browser,
        url: &str,
        section: Option<LazySection>,
    ) -> Result<FetchedPage, FetchFailure> {
        let permit = self.gate.permit().await?;
        let rendered = browser.render(url, section).await;
        match &rendered {
            Ok(fetched_page) => permit.record_success(fetched_page.status, &fetched_page.fields).await,
            // A failure of the browser is not a failure of the service.
            Err(FetchFailure::Browser(_)) => drop(permit),
            Err(_) => permit.record_failure(),
        }
        rendered
    }

    /// The metrics, for announcing more requests.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A part of the data; `None`: the service does not have it, or it failed, which is recorded.
    pub(crate) fn part<T>(&self, name: impl Into<String>, outcome: Result<T, FetchFailure>) -> Option<T> {
        match outcome {
            Ok(part) => Some(part),
            // URLs that are not cached are recorded by the request.
            Err(FetchFailure::NotFound | FetchFailure::NotCached(_)) => None,
            Err(problem) => {
                self.metrics.record_gap(name, &problem);
                None
            }
        }
    }

    /// Sends no request for so long, in any process that shares the store.
    pub async fn back_off(&self, time: Duration) {
        self.gate.back_off(time).await;
    }

    /// Builds requests for [`Self::request`].
    pub fn http(&self) -> &CachedClient {
        &self.http
    }

    /// A GET; under the pipeline's policy the key is made of the URL as it is written here.
    pub(crate) fn get(&self, url: impl Into<String>) -> RequestBuilder {
        self.http.get(url).header("user-agent", AGENT)
    }

    /// A POST of JSON, which is part of the key under the pipeline's policy.
    pub(crate) fn post(&self, url: impl Into<String>, body: &Value) -> RequestBuilder {
        self.http.post(url).json(body).header("user-agent", AGENT)
    }

    /// Builds requests that are not cached: the results read from their responses are.
    pub fn uncached(&self) -> CachedClient {
        self.http.bypassed()
    }

    /// The cache of results of functions, which counts its calls.
    pub fn results(&self) -> &ResultCache {
        &self.results
    }

    /// The cache mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Sends a request and returns the response, whatever its status. A body for which `is_good` is false is never
    /// stored, and fetched again if another program stored it.
    pub async fn request(
        &self,
        request: RequestBuilder,
        is_good: fn(&[u8]) -> bool,
    ) -> Result<ServiceResponse, FetchFailure> {
        self.response(request.store_if(is_good)).await.inspect_err(|problem| self.metrics.record_failure(problem))
    }

    /// As [`Self::request`], for a URL that does not tell requests apart: one that is not cached is reported with this name.
    pub async fn request_by_name(
        &self,
        request: RequestBuilder,
        is_good: fn(&[u8]) -> bool,
        name: &str,
    ) -> Result<ServiceResponse, FetchFailure> {
        let named = |problem| match problem {
            FetchFailure::NotCached(what) => {
                FetchFailure::NotCached(Secrets::Masked.text(&format!("{what} ({name})")).into_owned())
            }
            other => other,
        };
        let outcome = self.response(request.store_if(is_good)).await.map_err(named);
        outcome.inspect_err(|problem| self.metrics.record_failure(problem))
    }

    async fn response(&self, request: RequestBuilder) -> Result<ServiceResponse, FetchFailure> {
        let fetched = request.send().await?;
        let is_hit = matches!(fetched.cache_status().from, CacheOutcome::Hit | CacheOutcome::Stale);
        let key = fetched.cache_status().cache_key.text().into_owned();
        let (status, headers) = (fetched.status(), fetched.headers().clone());
        let body = fetched.bytes().await?;
        if !is_hit && self.is_ban.is_some_and(|is_ban| is_ban(&body)) {
            self.gate.ban().await;
        }
        if !is_hit && matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            self.metrics.record_absent();
        }
        let digest = ResponseDigest::new(key, &body);
        self.metrics.record_response(is_hit, body.len() as u64, Some(digest));
        Ok(ServiceResponse { status, headers, body, is_hit })
    }
}

/// A path below a base URL. Nothing is percent-encoded: keys are made of the URL as it is written.
fn address(base: &str, path: &str) -> String {
    match base.split_once('?') {
        None => format!("{base}{path}"),
        Some((base, query)) => {
            let base = base.trim_end_matches('/');
            let separator = if path.contains('?') { '&' } else { '?' };
            format!("{base}{path}{separator}{query}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_of_a_base_url_stays_behind_the_path() {
        for (base, path, url) in [
            ("http://h/v4", "/anime/1/full", "http://h/v4/anime/1/full"),
            ("http://h/v4?token=x", "/anime/1/full", "http://h/v4/anime/1/full?token=x"),
            ("http://h/v4/?token=x", "/anime?q=a", "http://h/v4/anime?q=a&token=x"),
        ] {
            assert_eq!(address(base, path), url);
        }
    }
}
