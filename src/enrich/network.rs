//! The network of a process: connections, browser and limits of services, shared by all its runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::services::Services;
use async_trait::async_trait;
use bytes::Bytes;
use cache_core::redact::Secrets;
use cache_core::{
    BodyStream, Inspect, ReqwestOptions, ReqwestTransport, ServiceName, Transport, TransportError, authority,
};

use crate::enrich::browser::Browser;
use crate::enrich::error::{NoBrowser, Refusal};
use crate::enrich::metrics::Metrics;
use crate::enrich::service_gate::{ServiceGate, ServiceLimits};

/// The longest that a request takes where the pipeline sets no limit of its own: the limit of its HTTP client.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// As in the pipeline for AniDB.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections, browser and limits of services. Clones share everything.
#[derive(Clone)]
pub struct Network {
    transport: Arc<dyn Transport>,
    /// By host and port.
    limits: Arc<Mutex<HashMap<String, Arc<ServiceLimits>>>>,
    renderer: Renderer,
}

/// The pages of the crawled sites to render in a browser.
#[derive(Clone)]
pub(crate) enum Renderer {
    /// None: no browser was requested.
    Nothing,
    /// None: no browser is installed.
    Missing(NoBrowser),
    /// Those of a site that sends challenge pages.
    WhereNeeded(Arc<Browser>),
    /// All of them.
    Always(Arc<Browser>),
}

impl Network {
    /// A network without a browser.
    pub fn new() -> Self {
        Self::with_transport(Arc::new(ReqwestTransport::new(ReqwestOptions {
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: DEFAULT_TIMEOUT,
            ..ReqwestOptions::default()
        })))
    }

    /// A network with the installed browser, if any, for sites that send challenge pages.
    pub fn for_sites(services: &Services) -> Self {
        match Browser::new(None, services) {
            Ok(browser) => Self::new().with_browser_where_needed(browser),
            Err(missing) => Self { renderer: Renderer::Missing(missing), ..Self::new() },
        }
    }

    /// A network over another transport than reqwest.
    pub fn with_transport(transport: Arc<dyn Transport>) -> Self {
        Self { transport, limits: Arc::default(), renderer: Renderer::Nothing }
    }

    /// Renders all pages of the crawled sites.
    pub fn with_browser(self, browser: Browser) -> Self {
        Self { renderer: Renderer::Always(Arc::new(browser)), ..self }
    }

    /// Renders pages of a crawled site behind a challenge page, and all of its pages once the browser got past one.
    pub fn with_browser_where_needed(self, browser: Browser) -> Self {
        Self { renderer: Renderer::WhereNeeded(Arc::new(browser)), ..self }
    }

    pub(crate) fn renderer(&self) -> &Renderer {
        &self.renderer
    }

    /// The gate to one service for one pass. Processes that share the store share the limit of the service.
    pub(crate) fn gate(
        &self,
        service: ServiceName,
        services: &Services,
        store: &Arc<dyn Inspect>,
        metrics: &Arc<Metrics>,
    ) -> ServiceGate {
        let name = authority(services.url(service)).to_ascii_lowercase();
        let mut all = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = all.entry(name.clone()).or_insert_with(|| {
            // The operators of AniDB ask for one connection at a time.
            let max_in_flight = (service == crate::services::anidb()).then_some(1);
            Arc::new(ServiceLimits::new(name, services.limit(service), max_in_flight))
        });
        let credentials = services.credentials(service).cloned();
        ServiceGate::new(
            Arc::clone(&self.transport),
            Arc::clone(limits),
            Arc::clone(store),
            Arc::clone(metrics),
            credentials,
        )
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// Sends nothing: every request fails with the URL that is not cached.
pub(crate) struct Offline;

#[async_trait]
impl Transport for Offline {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<BodyStream>, TransportError> {
        Err(TransportError::connect(Refusal::NotCached(Secrets::Masked.url(&request.uri().to_string()).into_owned())))
    }
}
