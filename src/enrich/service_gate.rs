//! The gate to one service: circuit breaker, rate limit and limit of concurrent requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    BodyStream, CallPermit, CircuitBreaker, FinalUrl, Inspect, RateLimit, Recovery, Transport, TransportError,
};
use http::header::{AUTHORIZATION, Entry};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::enrich::error::Refusal;
use crate::enrich::metrics::Metrics;
use crate::enrich::rate_limiter::RateLimiter;
use crate::enrich::redirect;
use crate::services::token::Token;

/// Failures in a row that open the breaker, as in the pipeline.
const SERVICE_FAILURES: u32 = 5;

/// The time that the breaker stays open, as in the pipeline.
const COOLDOWN: Duration = Duration::from_secs(300);

/// Tokio's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Limits of the requests to one service, shared by all passes of this process.
pub(crate) struct ServiceLimits {
    rate_limiter: RateLimiter,
    breaker: CircuitBreaker,
    /// The limit of concurrent requests, if there is one.
    concurrency: Option<Semaphore>,
    needs_browser: AtomicBool,
}

impl ServiceLimits {
    /// The limits of the service at this host and port.
    pub(crate) fn new(name: String, limit: RateLimit, max_in_flight: Option<usize>) -> Self {
        Self {
            rate_limiter: RateLimiter::new(name, limit),
            breaker: CircuitBreaker::new(SERVICE_FAILURES, Recovery::Cooldown(COOLDOWN)),
            concurrency: max_in_flight.map(Semaphore::new),
            needs_browser: AtomicBool::new(false),
        }
    }
}

/// Sends requests to one service within its limits, and counts them.
#[derive(Clone)]
pub(crate) struct ServiceGate {
    transport: Arc<dyn Transport>,
    limits: Arc<ServiceLimits>,
    store: Arc<dyn Inspect>,
    metrics: Arc<Metrics>,
    /// For a configured URL with a user.
    credentials: Option<Token>,
}

/// Permission for one request. Dropped without an outcome, the request counts as never sent.
pub(crate) struct Permit<'a> {
    gate: &'a ServiceGate,
    call: CallPermit<'a>,
    _in_flight: Option<SemaphorePermit<'a>>,
}

impl ServiceGate {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        limits: Arc<ServiceLimits>,
        store: Arc<dyn Inspect>,
        metrics: Arc<Metrics>,
        credentials: Option<Token>,
    ) -> Self {
        Self { transport, limits, store, metrics, credentials }
    }

    /// Waits until a request may be sent.
    pub(crate) async fn permit(&self) -> Result<Permit<'_>, Refusal> {
        let ServiceLimits { rate_limiter, breaker, .. } = &*self.limits;
        // Before waiting: an open breaker would refuse the request afterwards.
        if let Some(left) = breaker.time_left(now()) {
            return Err(Refusal::BackingOff(left));
        }
        let in_flight = self.in_flight().await;
        rate_limiter.acquire(&*self.store, &self.metrics).await.map_err(Refusal::BackingOff)?;
        let call = breaker.try_acquire(now()).map_err(Refusal::BackingOff)?;
        self.metrics.record_upstream();
        Ok(Permit { gate: self, call, _in_flight: in_flight })
    }

    async fn in_flight(&self) -> Option<SemaphorePermit<'_>> {
        let concurrency = self.limits.concurrency.as_ref()?;
        if let Ok(permit) = concurrency.try_acquire() {
            return Some(permit);
        }
        let _waiting = self.metrics.start_wait();
        concurrency.acquire().await.ok()
    }

    /// Whether a browser got past a challenge page of this service before.
    pub(crate) fn needs_browser(&self) -> bool {
        self.limits.needs_browser.load(Ordering::Relaxed)
    }

    /// Records that a browser got past a challenge page: from now on it renders all pages of the service.
    pub(crate) fn set_needs_browser(&self) {
        self.limits.needs_browser.store(true, Ordering::Relaxed);
    }

    /// The service banned this client: stops all processes that share the store, and those that are started later.
    pub(crate) async fn ban(&self) {
        self.limits.breaker.open(now());
        self.back_off(COOLDOWN).await;
    }

    /// Sends no request for so long, in any process that shares the store.
    pub(crate) async fn back_off(&self, time: Duration) {
        self.limits.rate_limiter.block(&*self.store, time).await;
    }

    async fn send_once(&self, request: http::Request<Bytes>) -> Result<http::Response<BodyStream>, TransportError> {
        let permit = self.permit().await.map_err(TransportError::connect)?;
        let response = self.transport.send(request).await;
        match &response {
            Ok(response) => permit.record_success(response.status(), response.headers()).await,
            Err(_) => permit.record_failure(),
        }
        response
    }
}

impl Permit<'_> {
    /// Records the response, whatever its status.
    pub(crate) async fn record_success(self, status: StatusCode, fields: &HeaderMap) {
        let Self { gate, call, .. } = self;
        match status.as_u16() {
            // AniDB's status for a banned client.
            555 => gate.ban().await,
            500.. => {
                call.record_failure(now());
            }
            _ => call.record_success(),
        }
        gate.limits.rate_limiter.observe(&*gate.store, status, fields).await;
    }

    /// Records that no response came.
    pub(crate) fn record_failure(self) {
        self.call.record_failure(now());
    }
}

#[async_trait]
impl Transport for ServiceGate {
    async fn send(&self, mut request: http::Request<Bytes>) -> Result<http::Response<BodyStream>, TransportError> {
        if let Some(credentials) = &self.credentials
            && let Entry::Vacant(authorization) = request.headers_mut().entry(AUTHORIZATION)
        {
            authorization.insert(HeaderValue::from_str(credentials.secret()).map_err(TransportError::connect)?);
        }
        let mut response = self.send_once(request.clone()).await?;
        for _ in 0..redirect::MAX_REDIRECTS {
            let Some(next) = redirect::next(&request, &response) else { return Ok(response) };
            request = next;
            response = self.send_once(request.clone()).await?;
            response.extensions_mut().insert(FinalUrl(request.uri().to_string()));
        }
        if redirect::next(&request, &response).is_some() {
            return Err(TransportError::broken("too many redirects"));
        }
        Ok(response)
    }
}
