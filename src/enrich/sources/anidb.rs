//! AniDB's HTTP API: one XML document for an anime.

pub(crate) mod document;

use std::io::Read as _;
use std::time::Duration;

use async_trait::async_trait;
use cache_core::{FetchError, RequestBuilder, clock};
use flate2::read::GzDecoder;
use roxmltree::{Document, Node};
use serde_json::Value;

use crate::anime::Anime;
use crate::enrich::error::FetchFailure;
use crate::enrich::response::ServiceResponse;
use crate::enrich::retry::with_retries;
use crate::enrich::service_client::ServiceClient;
use crate::enrich::source::Source;

/// AniDB.
pub struct AniDb;

const TIMEOUT: Duration = Duration::from_secs(60);

/// The backoff of AniDB after a failure, in all processes.
const BACKOFF: Duration = Duration::from_secs(10);

/// Seconds before retries: half as much again, as in the pipeline.
const RETRY_DELAYS: [f64; 3] = [15.0; 3];

/// Of a decompressed document; usual are some hundred KB.
const MAX_BYTES: u64 = 64 << 20;

#[async_trait]
impl Source for AniDb {
    async fn fetch(&self, anime: &Anime, client: &ServiceClient) -> Result<Value, FetchFailure> {
        let id = anime.ids.anidb.ok_or(FetchFailure::NotFound)?;
        client.metrics().expect(1);
        // Up to a second of jitter, as in the pipeline.
        let waits = RETRY_DELAYS.map(|wait| Duration::from_secs_f64(wait + clock::now().rem_euclid(1.0)));
        let body = || async {
            let body = client.request(request(client, id), is_good).await.and_then(ServiceResponse::ok);
            if body.as_ref().is_err_and(passes) {
                client.back_off(BACKOFF).await;
            }
            body
        };
        let body = with_retries(client, &waits, passes, 1, body).await?;
        read(&body, |root| match root.tag_name().name() {
            "anime" => Ok(document::anime(root)),
            "error" => Err(error_document(root.text().unwrap_or_default())),
            _ => Err(FetchFailure::Unexpected("unexpected response: no <anime> element".to_owned())),
        })
        .unwrap_or_else(|| Err(FetchFailure::Unexpected("invalid XML in the response".to_owned())))
    }

    fn is_ban(&self) -> Option<fn(&[u8]) -> bool> {
        Some(is_ban)
    }
}

fn request(client: &ServiceClient, id: u64) -> RequestBuilder {
    let identity = &client.services().anidb_client;
    let params = [
        ("request", "anime"),
        ("aid", &id.to_string()),
        ("client", &identity.name),
        ("clientver", &identity.version),
        ("protover", &identity.protocol),
    ];
    client
        .http()
        .get(client.url())
        .params(params)
        .header("user-agent", format!("{}/{}", identity.name, identity.version))
        .header("accept", "application/xml, text/xml")
        .timeout(TIMEOUT)
}

/// Whether a retry may help: not after a ban (555), which it would extend, nor after an error in XML, which is final.
fn passes(problem: &FetchFailure) -> bool {
    match problem {
        FetchFailure::TooMany(_) => true,
        FetchFailure::Status(status) => (500..555).contains(status),
        FetchFailure::Fetch(error) => !matches!(error, FetchError::Request(_)),
        _ => false,
    }
}

/// The failure of an `<error>` document, which comes with status 200.
fn error_document(text: &str) -> FetchFailure {
    let text: String = text.trim().chars().take(200).collect();
    if text.to_lowercase().contains("not found") { FetchFailure::NotFound } else { FetchFailure::Unexpected(text) }
}

/// Whether the root is an anime: errors have the same status.
fn is_good(body: &[u8]) -> bool {
    read(body, |root| root.has_tag_name("anime")) == Some(true)
}

/// Whether a body bans this client. It comes with status 200.
fn is_ban(body: &[u8]) -> bool {
    let says_so = |error: Node<'_, '_>| error.text().unwrap_or_default().to_lowercase().contains("banned");
    read(body, |root| root.has_tag_name("error") && says_so(root)) == Some(true)
}

/// Parses a document and reads it with `understand`; `None`: it is not XML.
fn read<T>(body: &[u8], understand: impl FnOnce(Node<'_, '_>) -> T) -> Option<T> {
    let text = text(body);
    let document = Document::parse(&text).ok()?;
    Some(understand(document.root_element()))
}

/// A body as text. AniDB compresses documents even without `Content-Encoding`; what is not UTF-8 is read as Latin-1,
/// as in the pipeline.
fn text(body: &[u8]) -> String {
    let mut bytes = Vec::new();
    if !body.starts_with(&[0x1f, 0x8b]) {
        bytes.extend_from_slice(body);
    } else if GzDecoder::new(body).take(MAX_BYTES).read_to_end(&mut bytes).is_err() {
        return String::new();
    }
    String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(document: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(document).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn documents_compressed_or_latin_1_are_read() {
        let document = "<anime><title>Café</title></anime>";
        let latin_1: Vec<_> = document.chars().map(|c| u8::try_from(c).unwrap()).collect();
        for body in [document.as_bytes(), &packed(document.as_bytes()), &latin_1, &packed(&latin_1)] {
            assert_eq!((text(body).as_str(), is_good(body)), (document, true), "{body:?}");
        }
    }

    #[test]
    fn ban_is_recognized_compressed_or_not() {
        let packed = packed(b"<error>Banned</error>");
        for ban in [&b"\n<error>Banned</error>"[..], b"<error code=\"500\">banned</error>", &packed] {
            assert!(is_ban(ban), "{ban:?}");
        }
        for other in ["<error>Anime not found</error>", "<anime><title>Banned</title></anime>", "", "banned"] {
            assert!(!is_ban(other.as_bytes()), "{other}");
        }
    }
}
