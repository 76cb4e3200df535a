//! The sender that the ready clients use: reqwest, told to do nothing by itself.
//!
//! A cache must see what the origin said: no content coding is undone (none of reqwest's features for that are on), no
//! proxy is taken from the environment, no cookie is kept, and redirects are followed only where that is asked for.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

use crate::transport::error::SendError;
use crate::transport::traits::{FinalUrl, Incoming, Sender, Timeout};

/// Sends requests with reqwest. Built when it is used first, since only then it is known to be needed.
#[derive(Debug, Default)]
pub struct Reqwest {
    options: ReqwestOptions,
    client: OnceLock<Client>,
}

/// How [`Reqwest`] sends.
#[derive(Clone, Debug)]
pub struct ReqwestOptions {
    /// How many redirects are followed in a row; 0: none, they are answers like others.
    pub redirects: usize,
    /// Whether the proxies named by the environment are used.
    pub uses_proxies: bool,
    /// How many idle connections to one host are kept for the next request.
    pub idle_connections: usize,
    /// The longest that connecting may take.
    pub connect_timeout: Duration,
    /// The longest that the origin may be silent.
    pub read_timeout: Duration,
}

impl Default for ReqwestOptions {
    fn default() -> Self {
        Self {
            redirects: 0,
            uses_proxies: false,
            idle_connections: usize::MAX,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
        }
    }
}

impl Reqwest {
    /// A sender with these options.
    pub fn new(options: ReqwestOptions) -> Self {
        Self { options, client: OnceLock::new() }
    }

    fn client(&self) -> Result<&Client, SendError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Somebody else may have installed one: then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A machine without CA certificates can still do plain HTTP.
        let client = self
            .builder()
            .build()
            .or_else(|_| self.builder().tls_certs_only([]).build())
            .map_err(SendError::connect)?;
        Ok(self.client.get_or_init(|| client))
    }

    fn builder(&self) -> ClientBuilder {
        let options = &self.options;
        let builder = Client::builder()
            .redirect(if options.redirects == 0 { Policy::none() } else { Policy::limited(options.redirects) })
            .referer(false)
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(options.idle_connections)
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.read_timeout);
        if options.uses_proxies { builder } else { builder.no_proxy() }
    }
}

#[async_trait]
impl Sender for Reqwest {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Incoming>, SendError> {
        let timeout = request.extensions().get::<Timeout>().copied();
        let asked = request.uri().to_string();
        let (head, body) = request.into_parts();
        // Not as a whole: only its builder makes credentials of those in a URL.
        let mut request = self.client()?.request(head.method, &asked).headers(head.headers).body(body);
        if let Some(Timeout(time)) = timeout {
            request = request.timeout(time);
        }
        let mut response = request.send().await.map_err(explain)?;
        let mut answer = http::Response::new(());
        *answer.status_mut() = response.status();
        *answer.version_mut() = response.version();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        if response.url().as_str() != asked {
            answer.extensions_mut().insert(FinalUrl(response.url().as_str().to_owned()));
        }
        Ok(answer.map(|()| Box::pin(response.bytes_stream().map_err(explain)) as Incoming))
    }
}

/// The error without its URL, which may hold secrets.
fn explain(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    if error.is_timeout() {
        SendError::timeout(error)
    } else if error.is_connect() {
        SendError::connect(error)
    } else {
        SendError::broken(error)
    }
}
