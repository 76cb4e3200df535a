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
use crate::enrich::error::Problem;
use crate::enrich::response::Answer;
use crate::enrich::retry::retried;
use crate::enrich::service_client::Way;
use crate::enrich::source::Source;

/// AniDB.
pub struct AniDb;

const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How long AniDB is let be after a failure, whoever wants to ask it.
const LET_BE: Duration = Duration::from_secs(10);

/// Seconds after which it is asked for the same again: half as much more, as the pipeline has it.
const WAITS: [f64; 3] = [15.0; 3];

/// What a compressed document may come to; it is some hundred KB.
const LARGEST: u64 = 64 << 20;

#[async_trait]
impl Source for AniDb {
    async fn fetch(&self, anime: &Anime, way: &Way) -> Result<Value, Problem> {
        let id = anime.ids.anidb.ok_or(Problem::NotFound)?;
        way.meter().expect(1);
        // Up to a second more, as the pipeline has it, so that those who failed together do not come back together.
        let waits = WAITS.map(|wait| Duration::from_secs_f64(wait + clock::now().rem_euclid(1.0)));
        let body = || async {
            let body = way.ask(request(way, id), is_good).await.and_then(Answer::whole);
            if body.as_ref().is_err_and(passes) {
                way.let_be(LET_BE).await;
            }
            body
        };
        let body = retried(way, &waits, passes, 1, body).await?;
        read(&body, |root| match root.tag_name().name() {
            "anime" => Ok(document::anime(root)),
            "error" => Err(refusal(root.text().unwrap_or_default())),
            _ => Err(Problem::Unexpected("unexpected response: no <anime> element".to_owned())),
        })
        .unwrap_or_else(|| Err(Problem::Unexpected("invalid XML in the response".to_owned())))
    }
}

fn request(way: &Way, id: u64) -> RequestBuilder {
    let client = &way.services().anidb_client;
    let params = [
        ("request", "anime"),
        ("aid", &id.to_string()),
        ("client", &client.name),
        ("clientver", &client.version),
        ("protover", &client.protocol),
    ];
    way.client()
        .get(way.url())
        .params(params)
        .header("user-agent", format!("{}/{}", client.name, client.version))
        .header("accept", "application/xml, text/xml")
        .timeout(TIME_LIMIT)
}

/// Whether asking again may help: not after a ban (555), which that would only make longer, nor after an error in XML,
/// which is AniDB's last word on this anime or this client.
fn passes(problem: &Problem) -> bool {
    match problem {
        Problem::TooMany(_) => true,
        Problem::Status(status) => (500..555).contains(status),
        Problem::Fetch(error) => !matches!(error, FetchError::Request(_)),
        _ => false,
    }
}

/// What is meant by an error, which comes with status 200.
fn refusal(text: &str) -> Problem {
    let text: String = text.trim().chars().take(200).collect();
    if text.to_lowercase().contains("not found") { Problem::NotFound } else { Problem::Unexpected(text) }
}

/// An anime: errors look like answers, but for their root.
fn is_good(body: &[u8]) -> bool {
    read(body, |root| root.has_tag_name("anime")) == Some(true)
}

/// Whether AniDB says in this body that it answers us no more. It says so with status 200.
pub(crate) fn is_ban(body: &[u8]) -> bool {
    let says_so = |error: Node<'_, '_>| error.text().unwrap_or_default().to_lowercase().contains("banned");
    read(body, |root| root.has_tag_name("error") && says_so(root)) == Some(true)
}

/// What `understand` makes of a document; `None`: it is no XML.
fn read<T>(body: &[u8], understand: impl FnOnce(Node<'_, '_>) -> T) -> Option<T> {
    let text = text(body);
    let document = Document::parse(&text).ok()?;
    Some(understand(document.root_element()))
}

/// A body as text: AniDB compresses its documents even where nothing says so, and the pipeline takes what is not UTF-8
/// for Latin-1.
fn text(body: &[u8]) -> String {
    let mut bytes = Vec::new();
    if !body.starts_with(&[0x1f, 0x8b]) {
        bytes.extend_from_slice(body);
    } else if GzDecoder::new(body).take(LARGEST).read_to_end(&mut bytes).is_err() {
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
    fn documents_are_read_compressed_and_in_latin_1() {
        let document = "<anime><title>Café</title></anime>";
        let latin_1: Vec<_> = document.chars().map(|c| u8::try_from(c).unwrap()).collect();
        for body in [document.as_bytes(), &packed(document.as_bytes()), &latin_1, &packed(&latin_1)] {
            assert_eq!((text(body).as_str(), is_good(body)), (document, true), "{body:?}");
        }
    }

    #[test]
    fn a_ban_is_an_error_document_compressed_or_not() {
        let packed = packed(b"<error>Banned</error>");
        for ban in [&b"\n<error>Banned</error>"[..], b"<error code=\"500\">banned</error>", &packed] {
            assert!(is_ban(ban), "{ban:?}");
        }
        for other in ["<error>Anime not found</error>", "<anime><title>Banned</title></anime>", "", "banned"] {
            assert!(!is_ban(other.as_bytes()), "{other}");
        }
    }
}
