//! A source's way to its service: through the cache, at the pace that the service allows, and metered.

use std::sync::Arc;
use std::time::Duration;

use crate::services::Services;
use cache_core::{Cache, CachedClient, RequestBuilder, ResultCache, Sender, ServedFrom, ServiceName};
use http::StatusCode;

use crate::enrich::browser::Browser;
use crate::enrich::error::Problem;
use crate::enrich::metrics::{Meter, Touched};
use crate::enrich::mode::Mode;
use crate::enrich::network::{Gate, Network, Offline, Renderer};
use crate::enrich::rendered_page::{Arrived, Filled};
use crate::enrich::response::Answer;
use crate::enrich::sources::anidb;
use crate::services;

/// The way of one source in one pass. Clones share everything.
#[derive(Clone)]
pub struct Way {
    service: ServiceName,
    gate: Gate,
    client: CachedClient,
    renderer: Renderer,
    results: ResultCache,
    url: String,
    services: Arc<Services>,
    mode: Mode,
    meter: Arc<Meter>,
}

impl Way {
    /// The way to a service, which answers where `services` says.
    pub fn new(
        cache: &Cache,
        network: &Network,
        service: ServiceName,
        services: &Services,
        mode: Mode,
        meter: Arc<Meter>,
    ) -> Self {
        let gate = network.gate(service, services, cache.store(), &meter);
        let sender: Arc<dyn Sender> = match mode {
            Mode::Offline => Arc::new(Offline),
            Mode::Usual | Mode::Fresh | Mode::Uncached => Arc::new(gate.clone()),
        };
        let client = CachedClient::from(cache.http(service, sender));
        let observed = Arc::clone(&meter);
        let results = cache.results().observed(move |call| observed.called(call));
        let (client, results) = match mode {
            Mode::Usual | Mode::Offline => (client, results),
            Mode::Fresh => (client.anew(), results.anew()),
            Mode::Uncached => (client.bypassed(), results.bypassed()),
        };
        let url = services.url(service).trim_end_matches('/').to_owned();
        let (renderer, services) = (network.renderer().clone(), Arc::new(services.clone()));
        Self { service, gate, client, renderer, results, url, services, mode, meter }
    }

    /// Where the service answers, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the settings say of the services: tokens, and who asks.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// What renders all pages of the service: where that was asked for, and where it has helped before.
    pub(crate) fn browser(&self) -> Option<&Browser> {
        match &self.renderer {
            Renderer::Always(browser) => Some(browser),
            Renderer::WhereNeeded(browser) if self.gate.wants_browser() => Some(browser),
            _ => None,
        }
    }

    /// What renders a page of a service that wants to see a browser.
    pub(crate) fn browser_where_needed(&self) -> Result<&Browser, Problem> {
        match &self.renderer {
            Renderer::Always(browser) | Renderer::WhereNeeded(browser) => Ok(browser),
            Renderer::Missing(missing) => Err(Problem::NoBrowser(missing.clone())),
            Renderer::Nothing => Err(Problem::Challenge { is_rendered: false }),
        }
    }

    /// A browser has helped: from now on, it renders all pages of the service.
    pub(crate) fn will_see_browser(&self) {
        self.gate.will_see_browser();
    }

    /// A page as the browser shows it, at the service's pace.
    pub(crate) async fn render(
        &self,
        browser: &Browser,
        url: &str,
        filled: Option<Filled>,
    ) -> Result<Arrived, Problem> {
        let permit = self.gate.permit().await?;
        let rendered = browser.render(url, filled).await;
        match &rendered {
            Ok(arrived) => permit.answered(arrived.status, &arrived.fields).await,
            // That says nothing of the service.
            Err(Problem::Browser(_)) => drop(permit),
            Err(_) => permit.failed(),
        }
        rendered
    }

    /// What counts, to be told how much more is to come.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// A part of what the service has. One that cannot be had is left out and told; one that the service does not have
    /// is left out.
    pub(crate) fn part<T>(&self, name: impl Into<String>, outcome: Result<T, Problem>) -> Option<T> {
        match outcome {
            Ok(part) => Some(part),
            // What is not cached is told by its URL.
            Err(Problem::NotFound | Problem::NotCached(_)) => None,
            Err(problem) => {
                self.meter.leaves_out(name, &problem);
                None
            }
        }
    }

    /// Nobody asks the service from now on for so long.
    pub async fn let_be(&self, time: Duration) {
        self.gate.let_be(time).await;
    }

    /// Requests of the service, to be answered by [`Self::ask`].
    pub fn client(&self) -> &CachedClient {
        &self.client
    }

    /// Requests of the service whose answers are not cached as they are, but what is made of them.
    pub fn uncached(&self) -> CachedClient {
        self.client.bypassed()
    }

    /// The cache of what functions return, which counts what it is asked.
    pub fn results(&self) -> &ResultCache {
        &self.results
    }

    /// What may answer.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Answers one request, whatever its status. What `is_good` says no to is never stored; stored by somebody else, it
    /// is fetched again.
    pub async fn ask(&self, request: RequestBuilder, is_good: fn(&[u8]) -> bool) -> Result<Answer, Problem> {
        self.answer(request.stored_if(is_good)).await.inspect_err(|problem| self.meter.failed(problem))
    }

    /// As [`Self::ask`], where the URL does not say what is asked for: what is not cached is told by this name, too.
    pub async fn ask_by_name(
        &self,
        request: RequestBuilder,
        is_good: fn(&[u8]) -> bool,
        name: &str,
    ) -> Result<Answer, Problem> {
        let named = |problem| match problem {
            Problem::NotCached(what) => Problem::NotCached(format!("{what} ({name})")),
            other => other,
        };
        let outcome = self.answer(request.stored_if(is_good)).await.map_err(named);
        outcome.inspect_err(|problem| self.meter.failed(problem))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Answer, Problem> {
        let fetched = request.send().await?;
        let is_hit = matches!(fetched.served().from, ServedFrom::Hit | ServedFrom::Stale);
        let key = fetched.served().cache_key.to_string();
        let (status, headers) = (fetched.status(), fetched.headers().clone());
        let body = fetched.bytes().await?;
        if !is_hit && self.service == services::anidb() && anidb::is_ban(&body) {
            self.gate.shut().await;
        }
        if !is_hit && matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            self.meter.found_nothing();
        }
        let touched = Touched::new(key, &body);
        self.meter.answered(is_hit, body.len() as u64, Some(touched));
        Ok(Answer { status, headers, body, is_hit })
    }
}
