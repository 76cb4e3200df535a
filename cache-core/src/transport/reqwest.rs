//! A [`Transport`] based on reqwest, without any of its automatisms.
//!
//! A cache must see the response of the origin: bodies are not decoded (reqwest's features for that are off), proxies
//! of the environment are ignored, cookies are not kept, and redirects are followed only if configured.

use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

use crate::transport::error::TransportError;
use crate::transport::traits::{BodyStream, FinalUrl, RequestTimeout, Transport};

/// A [`Transport`] based on reqwest. The client is built on first use.
#[derive(Debug, Default)]
pub struct ReqwestTransport {
    options: ReqwestOptions,
    client: OnceLock<Client>,
}

/// Options of [`ReqwestTransport`].
#[derive(Clone, Debug)]
pub struct ReqwestOptions {
    /// Maximum number of redirects to follow; 0 returns them as responses.
    pub redirects: usize,
    /// Whether the proxies of the environment are used.
    pub uses_proxies: bool,
    /// Maximum number of idle connections to one host.
    pub idle_connections: usize,
    /// Timeout of connecting.
    pub connect_timeout: Duration,
    /// Timeout between two reads.
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

impl ReqwestTransport {
    /// Creates a transport with these options.
    pub fn new(options: ReqwestOptions) -> Self {
        Self { options, client: OnceLock::new() }
    }

    fn client(&self) -> Result<&Client, TransportError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // If the program has installed a provider already, that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Without CA certificates, plain HTTP still works.
        let client = self
            .builder()
            .build()
            .or_else(|_| self.builder().tls_certs_only([]).build())
            .map_err(TransportError::connect)?;
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
impl Transport for ReqwestTransport {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<BodyStream>, TransportError> {
        let timeout = request.extensions().get::<RequestTimeout>().copied();
        let asked = request.uri().to_string();
        let (head, body) = request.into_parts();
        // Built step by step: only the builder turns credentials in a URL into a header field.
        let mut request = self.client()?.request(head.method, &asked).headers(head.headers).body(body);
        if let Some(RequestTimeout(time)) = timeout {
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
        Ok(answer.map(|()| Box::pin(response.bytes_stream().map_err(explain)) as BodyStream))
    }
}

/// The error without its URL, which may contain secrets.
fn explain(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    if error.is_timeout() {
        TransportError::timeout(error)
    } else if error.is_connect() {
        TransportError::connect(error)
    } else {
        TransportError::broken(error)
    }
}
