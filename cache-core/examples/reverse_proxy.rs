//! A reverse proxy with the HTTP cache, for the public HTTP cache test suite.
//!
//! It removes hop-by-hop fields and passes everything else on unchanged, so that the test suite sees the cache only.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use cache_core::{
    Body, Cache, Config, HttpCache, Memory, OpenOptions, PolicyKind, RedisUrl, ReqwestOptions, ReqwestTransport,
    ServiceName, Storage, WhenUnreachable,
};
use clap::{Parser, ValueEnum};
use futures_util::TryStreamExt as _;
use futures_util::stream::MapOk;
use http::header::{CONNECTION, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Hop-by-hop fields (RFC 9110, 7.6.1).
const FRAMING: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

#[derive(Parser)]
pub struct Args {
    /// Where to listen; port 0: any free one
    #[arg(long, default_value = "127.0.0.1:8001")]
    listen: SocketAddr,
    /// Where what is not in the cache comes from: `http://host:port`
    #[arg(long, env = "ORIGIN")]
    origin: Uri,
    /// How it is decided what is stored and served
    #[arg(long, value_enum, default_value = "specification")]
    policy: Policy,
    /// Decide as a cache for several users
    #[arg(long)]
    shared: bool,
    /// Give the cookies of one user to all, as the public test suite expects
    #[arg(long)]
    store_set_cookie: bool,
    /// `memory`, the file of an SQLite cache, or the URL of a Redis
    #[arg(long, default_value = "memory")]
    store: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    Ttl,
    Specification,
}

type Answer = Response<StreamBody<MapOk<Body, fn(Bytes) -> Frame<Bytes>>>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (listener, proxy) = listen(Args::parse()).await?;
    println!("{}", listener.local_addr()?);
    serve(listener, proxy).await
}

/// Opens the cache and the port.
pub async fn listen(args: Args) -> anyhow::Result<(TcpListener, Proxy)> {
    let mut config = Config::default();
    config.services.get_mut(ServiceName::OTHER).policy = match (args.policy, args.shared) {
        (Policy::Ttl, _) => PolicyKind::FixedTtl,
        (Policy::Specification, false) => PolicyKind::Rfc9111,
        (Policy::Specification, true) => PolicyKind::Shared,
    };
    config.services.get_mut(ServiceName::OTHER).stores_set_cookie = args.store_set_cookie;
    let cache = open(&args.store, config).await?;
    // An origin may close an idle connection at any time, and a request lost by that must not be sent again.
    let sender = ReqwestTransport::new(ReqwestOptions { idle_connections: 0, ..ReqwestOptions::default() });
    let proxy = Proxy { cache: cache.http(ServiceName::OTHER, Arc::new(sender)), origin: args.origin };
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    Ok((listener, proxy))
}

/// Serves connections until it is dropped.
pub async fn serve(listener: TcpListener, proxy: Proxy) -> anyhow::Result<()> {
    let proxy = Arc::new(proxy);
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let proxy = Arc::clone(&proxy);
        let service = service_fn(move |request| {
            let proxy = Arc::clone(&proxy);
            async move { Ok::<_, Infallible>(proxy.answer(request).await) }
        });
        #[expect(clippy::disallowed_methods, reason = "a program of its own, which ends when it is killed")]
        tokio::spawn(async move {
            // The origin sets `Date`.
            let mut server = hyper::server::conn::http1::Builder::new();
            let served = server.auto_date_header(false).serve_connection(TokioIo::new(connection), service).await;
            if let Err(error) = served {
                eprintln!("{error}");
            }
        });
    }
}

async fn open(store: &str, mut config: Config) -> anyhow::Result<Cache> {
    if store == "memory" {
        return Ok(Cache::with_store(Arc::new(Memory::new(config.services.clone())), &config));
    }
    if store.contains("://") {
        (config.storage, config.redis_url) = (Storage::Redis, RedisUrl::new(store));
    } else {
        (config.storage, config.sqlite) = (Storage::Sqlite, store.into());
    }
    let options = OpenOptions { when_unreachable: WhenUnreachable::Fail, is_read_only: false, creates: true };
    let opened = cache_core::open(&config, options).await?;
    Ok(Cache::with_store(opened.store, &config))
}

pub struct Proxy {
    cache: HttpCache,
    origin: Uri,
}

impl Proxy {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let answer = self.forward(request).await.unwrap_or_else(|error| {
            eprintln!("{error:#}");
            let mut answer = Response::new(Body::from(Bytes::new()));
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        });
        answer.map(|body| StreamBody::new(body.map_ok(Frame::data as fn(Bytes) -> Frame<Bytes>)))
    }

    async fn forward(&self, request: Request<Incoming>) -> anyhow::Result<Response<Body>> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.context("the request broke off")?.to_bytes();
        let (origin, mut url) = (self.origin.clone().into_parts(), head.uri.into_parts());
        (url.scheme, url.authority) = (origin.scheme, origin.authority);
        head.uri = Uri::from_parts(url)?;
        without_framing(&mut head.headers);
        // The transport sets `Host` to the origin.
        head.headers.remove(HOST);
        let mut answer = self.cache.fetch(Request::from_parts(head, body)).await?.into_response();
        without_framing(answer.headers_mut());
        Ok(answer)
    }
}

fn without_framing(fields: &mut HeaderMap) {
    for field in FRAMING {
        fields.remove(field);
    }
}
