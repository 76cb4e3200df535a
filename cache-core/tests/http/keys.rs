//! Cache keys of requests: byte-identical to the pipeline's, for every service.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{BodyStream, CachedClient, PolicyKind, ServiceName, Transport, TransportError};
use futures_util::stream;
use rstest::rstest;

use crate::cache;

/// Responds without a network.
struct Nobody;

#[async_trait]
impl Transport for Nobody {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<BodyStream>, TransportError> {
        Ok(http::Response::new(Box::pin(stream::empty())))
    }
}

// Computed with the pipeline's own code.
#[rstest]
#[case("https://api.jikan.moe/v4/anime/1/full", &[], "444dfee7563f94510277001649c36877b0832ca404d0cce8ebe7c498dd633bae")]
#[case("https://kitsu.io/api/edge/anime/1", &[], "2ed07e61068ff53a7ef7c04b607d35d3e4936d477b8960924647c89be3f817f0")]
#[case(
    "https://kitsu.io/api/edge/anime/1/episodes",
    &[("page[limit]", "20"), ("page[offset]", "0")],
    "1ee6ae4830b093817b18840667b839a063484e7f1a9dc3806487874ad2ee5582"
)]
#[case(
    "http://api.anidb.net:9001/httpapi",
    &[("request", "anime"), ("client", "animeenrichment"), ("clientver", "1.0"), ("protover", "1"), ("aid", "23")],
    "45fd4be866ff306bb7cc30eb66d95353bc984b69ab483da731723f60a9175c16"
)]
#[case(
    "https://animeschedule.net/api/v3/anime?q=Cowboy Bebop",
    &[],
    "fe580aee8a614dce869ab732d55a11eb5e80d1c6eeae9de1f62bc1d8a6420348"
)]
#[tokio::test]
async fn client_uses_the_pipelines_keys(#[case] url: &str, #[case] params: &[(&str, &str)], #[case] expected: &str) {
    let client = CachedClient::from(cache(PolicyKind::FixedTtl).http(ServiceName::new("jikan"), Arc::new(Nobody)));
    let params: cache_core::FormValue = params.iter().copied().collect();
    let fetched = client.get(url).params(params).send().await.unwrap();
    assert_eq!(fetched.cache_status().cache_key.to_string(), format!("GET:{expected}"));
}
