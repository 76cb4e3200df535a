//! The simulated services on localhost: one server for each, with realistic delays.
//!
//! Each has its own port, because the service of a URL is recognized by host and port. Requests are counted, so that
//! tests can prove what came from a cache: `GET /_demo/requests` on any of the ports.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::services::Services;
use anyhow::Context as _;
use bytes::Bytes;
use cache_core::ServiceName;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, COOKIE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::demo::services;
use crate::demo::services::exchange;
use crate::demo::services::exchange::{DemoReply, DemoRequest};

/// The path of the request counts.
const COUNTS: &str = "/_demo/requests";

/// With the real limit of 60 requests a minute, long shows would exceed the time limit of a service.
const JIKAN_LIMIT: &str = "10/1s";

/// The servers. They stop when this is dropped.
pub struct Upstream {
    urls: Vec<(ServiceName, String)>,
    requests: Arc<Requests>,
    servers: JoinSet<()>,
}

/// Counts of requests: by service, then by method, path and body.
#[derive(Default)]
pub struct Requests(Mutex<BTreeMap<ServiceName, BTreeMap<String, u64>>>);

impl Requests {
    /// Counts a request; how often it was made before.
    fn count(&self, service: ServiceName, request: String) -> u64 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(service).or_default().entry(request).or_default();
        *count += 1;
        *count - 1
    }

    /// Requests of each service.
    pub fn by_service(&self) -> BTreeMap<ServiceName, u64> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(service, requests)| (*service, requests.values().sum())).collect()
    }

    /// All counts.
    fn json(&self) -> serde_json::Value {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(service, requests)| (service.name().to_owned(), serde_json::json!(requests))).collect()
    }
}

impl Upstream {
    /// Starts the servers on localhost: on ports from `first` on, or on free ones. `pace` multiplies their delays; 0: no
    /// delay.
    pub async fn start(first: Option<u16>, pace: f64) -> anyhow::Result<Self> {
        let requests = Arc::new(Requests::default());
        let (mut urls, mut servers) = (Vec::new(), JoinSet::new());
        for (service, place) in
            crate::services::all().filter(|service| crate::services::SERVICES.contains(service)).zip(0..)
        {
            let port = first.map_or(0, |first| first + place);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on port {port}"))?;
            urls.push((service, format!("http://{}{}", listener.local_addr()?, base(service))));
            servers.spawn(serve(listener, service, Arc::clone(&requests), pace));
        }
        Ok(Self { urls, requests, servers })
    }

    /// The URL of each service, for its `ANIMECACHE_<SERVICE>_URL`.
    pub fn urls(&self) -> &[(ServiceName, String)] {
        &self.urls
    }

    /// Replaces the URLs of the real services.
    ///
    /// Limits stay those of the real services, except Jikan's.
    pub fn configure(&self, services: &mut Services) {
        for (service, url) in &self.urls {
            services.set_url(*service, url);
        }
        if let Ok(limit) = JIKAN_LIMIT.parse()
            && services.limit(crate::services::jikan()) == Services::default().limit(crate::services::jikan())
        {
            services.set_limit(crate::services::jikan(), limit);
        }
    }

    /// The requests so far.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Runs until it is dropped: no server ends by itself.
    pub async fn run(&mut self) {
        self.servers.join_next().await;
    }
}

/// The path prefix of a service.
fn base(service: ServiceName) -> &'static str {
    match service.name() {
        "jikan" => "/v4",
        "anidb" => "/httpapi",
        "kitsu" => "/api/edge",
        "animeschedule" => "/api/v3",
        _ => "",
    }
}

async fn serve(listener: TcpListener, service: ServiceName, requests: Arc<Requests>, pace: f64) {
    let mut connections = JoinSet::new();
    loop {
        // The client may disconnect before it is accepted.
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let requests = Arc::clone(&requests);
        connections.spawn(async move {
            let answer = service_fn(move |request| respond(request, service, Arc::clone(&requests), pace));
            // An error means that the client disconnected.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    service: ServiceName,
    requests: Arc<Requests>,
    pace: f64,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    if head.uri.path() == COUNTS {
        return Ok(Response::new(Full::new(requests.json().to_string().into())));
    }
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let name = format!("{} {} {}", head.method, head.uri, String::from_utf8_lossy(&body));
    let before = requests.count(service, name.trim_end().to_owned());
    let body = serde_json::from_slice(&body).ok();
    let cookies = head.headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_browser = cookies.split("; ").any(|cookie| cookie == exchange::CHALLENGE_COOKIE);
    let request = DemoRequest { path: head.uri.path(), query: &query, body: body.as_ref(), before, is_browser };
    let reply = services::respond(service, &request);
    tokio::time::sleep(services::delay(service).mul_f64(pace)).await;
    let accepts = head.headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Ok(response(reply, accepts.contains("gzip")))
}

fn response(reply: DemoReply, compress: bool) -> Response<Full<Bytes>> {
    let packed = if compress { gzip(&reply.body) } else { None };
    let is_packed = packed.is_some();
    let mut response = Response::new(Full::new(packed.unwrap_or(reply.body).into()));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(name, value);
        }
    }
    if is_packed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}
