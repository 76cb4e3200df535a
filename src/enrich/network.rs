//! What all runs of a process share on their way out: connections, and how each service is treated.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    FinalUrl, Incoming, Inspect, Reqwest, ReqwestOptions, SendError, Sender, Service, Services, authority,
};
use http::{HeaderMap, StatusCode};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::enrich::browser::Browser;
use crate::enrich::error::{NoBrowser, Refusal};
use crate::enrich::metrics::Meter;
use crate::enrich::rate_limiter::Pace;
use crate::enrich::service_gate::Breaker;
use crate::enrich::{redirect, service_gate};
use crate::output::secrets;

/// The longest that connecting takes: the pipeline's limit for AniDB.
const TO_CONNECT: Duration = Duration::from_secs(30);

/// The way out of a process. Clones share everything.
#[derive(Clone)]
pub struct Network {
    sender: Arc<dyn Sender>,
    /// By host and port.
    manners: Arc<Mutex<HashMap<String, Arc<Manners>>>>,
    renderer: Renderer,
}

/// What renders pages of the crawled sites, and which.
#[derive(Clone)]
pub(crate) enum Renderer {
    /// Nothing does.
    Nothing,
    /// This machine's browser would, but it has none.
    Missing(NoBrowser),
    /// Those of a site that wants to see a browser.
    WhereNeeded(Arc<Browser>),
    /// All of them.
    Always(Arc<Browser>),
}

/// How one service is treated.
struct Manners {
    pace: Pace,
    breaker: Breaker,
    /// How many may ask at once, where that is limited.
    seats: Option<Semaphore>,
    wants_browser: AtomicBool,
}

impl Network {
    /// A way out.
    pub fn new() -> Self {
        Self::over(Arc::new(Reqwest::new(ReqwestOptions {
            connect_timeout: TO_CONNECT,
            read_timeout: USUAL_TIME_LIMIT,
            ..ReqwestOptions::default()
        })))
    }

    /// A way out with the browser of this machine, if it has one, for those of the crawled sites that want to see it.
    pub fn for_sites(services: &Services) -> Self {
        match Browser::new(None, services) {
            Ok(browser) => Self::new().with_browser_where_needed(browser),
            Err(missing) => Self { renderer: Renderer::Missing(missing), ..Self::new() },
        }
    }

    /// A way out over a sender of one's own.
    pub fn over(sender: Arc<dyn Sender>) -> Self {
        Self { sender, manners: Arc::default(), renderer: Renderer::Nothing }
    }

    /// The same way out, on which the pages of the crawled sites are rendered.
    pub fn with_browser(self, browser: Browser) -> Self {
        Self { renderer: Renderer::Always(Arc::new(browser)), ..self }
    }

    /// The same way out, on which pages of a crawled site are rendered where a challenge comes, and all of them once the
    /// browser got past one.
    pub fn with_browser_where_needed(self, browser: Browser) -> Self {
        Self { renderer: Renderer::WhereNeeded(Arc::new(browser)), ..self }
    }

    pub(crate) fn renderer(&self) -> &Renderer {
        &self.renderer
    }

    /// The way out to one service in one pass. Processes that share the store keep to its limit together.
    pub(crate) fn gate(
        &self,
        service: Service,
        services: &Services,
        store: &Arc<dyn Inspect>,
        meter: &Arc<Meter>,
    ) -> Gate {
        let name = authority(services.url(service)).to_ascii_lowercase();
        let mut all = self.manners.lock().unwrap_or_else(PoisonError::into_inner);
        let manners = all.entry(name.clone()).or_insert_with(|| {
            Arc::new(Manners {
                pace: Pace::new(name, services.limit(service)),
                breaker: Breaker::default(),
                // Its operators ask for that.
                seats: (service == Service::AniDb).then(|| Semaphore::new(1)),
                wants_browser: AtomicBool::new(false),
            })
        });
        let (sender, manners) = (Arc::clone(&self.sender), Arc::clone(manners));
        Gate { sender, manners, store: Arc::clone(store), meter: Arc::clone(meter) }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// The way out to one service: asks as often as that allows, and counts.
#[derive(Clone)]
pub(crate) struct Gate {
    sender: Arc<dyn Sender>,
    manners: Arc<Manners>,
    store: Arc<dyn Inspect>,
    meter: Arc<Meter>,
}

/// Leave to ask a service once. Dropped, it is as if it had not been asked.
pub(crate) struct Permit<'a> {
    gate: &'a Gate,
    leave: service_gate::Leave<'a>,
    _seat: Option<SemaphorePermit<'a>>,
}

impl Gate {
    /// Waits until the service may be asked.
    pub(crate) async fn permit(&self) -> Result<Permit<'_>, Refusal> {
        let Manners { pace, breaker, .. } = &*self.manners;
        // Nobody need wait for what is not asked then.
        if let Some(left) = breaker.left() {
            return Err(Refusal::LeftAlone(left));
        }
        let seat = self.seat().await;
        pace.turn(&*self.store, &self.meter).await.map_err(Refusal::LeftAlone)?;
        let leave = breaker.leave().map_err(Refusal::LeftAlone)?;
        self.meter.went_upstream();
        Ok(Permit { gate: self, leave, _seat: seat })
    }

    async fn seat(&self) -> Option<SemaphorePermit<'_>> {
        let seats = self.manners.seats.as_ref()?;
        if let Ok(seat) = seats.try_acquire() {
            return Some(seat);
        }
        let _waiting = self.meter.waiting();
        seats.acquire().await.ok()
    }

    /// Whether the service was content with a browser that it wanted to see.
    pub(crate) fn wants_browser(&self) -> bool {
        self.manners.wants_browser.load(Ordering::Relaxed)
    }

    /// The service wanted to see a browser, and was content with it.
    pub(crate) fn will_see_browser(&self) {
        self.manners.wants_browser.store(true, Ordering::Relaxed);
    }

    /// The service has sent us away, whatever the status of its answer: all processes that share the store, and those
    /// that are started later.
    pub(crate) async fn shut(&self) {
        self.manners.breaker.open();
        self.let_be(service_gate::REST).await;
    }

    /// Nobody asks the service from now on for so long, in whatever process that shares the store.
    pub(crate) async fn let_be(&self, time: Duration) {
        self.manners.pace.hold(&*self.store, time).await;
    }
}

impl Permit<'_> {
    /// The service answered, whatever.
    pub(crate) async fn answered(self, status: StatusCode, fields: &HeaderMap) {
        let Self { gate, leave, .. } = self;
        match status.as_u16() {
            // AniDB's own, for those whom it has banned.
            555 => gate.shut().await,
            500.. => leave.failed(),
            _ => leave.worked(),
        }
        gate.manners.pace.heed(&*gate.store, status, fields).await;
    }

    /// It did not answer.
    pub(crate) fn failed(self) {
        self.leave.failed();
    }
}

#[async_trait]
impl Sender for Gate {
    async fn send(&self, mut request: http::Request<Bytes>) -> Result<http::Response<Incoming>, SendError> {
        let mut answer = self.send_once(request.clone()).await?;
        for _ in 0..redirect::MOST {
            let Some(next) = redirect::next(&request, &answer) else { return Ok(answer) };
            request = next;
            answer = self.send_once(request.clone()).await?;
            answer.extensions_mut().insert(FinalUrl(request.uri().to_string()));
        }
        if redirect::next(&request, &answer).is_some() {
            return Err(SendError::broken("too many redirects"));
        }
        Ok(answer)
    }
}

impl Gate {
    async fn send_once(&self, request: http::Request<Bytes>) -> Result<http::Response<Incoming>, SendError> {
        let permit = self.permit().await.map_err(SendError::connect)?;
        let answer = self.sender.send(request).await;
        match &answer {
            Ok(response) => permit.answered(response.status(), response.headers()).await,
            Err(_) => permit.failed(),
        }
        answer
    }
}

/// Asks nobody.
pub(crate) struct Offline;

#[async_trait]
impl Sender for Offline {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Incoming>, SendError> {
        Err(SendError::connect(Refusal::NotCached(secrets::url(&request.uri().to_string()).into_owned())))
    }
}

/// The longest that a request takes where the pipeline sets it no limit of its own: its client's.
pub(crate) const USUAL_TIME_LIMIT: Duration = Duration::from_secs(300);
