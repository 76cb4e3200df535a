//! `show`: prints one entry.

pub(crate) mod document;
pub(crate) mod encoding;
pub(crate) mod find;
pub(crate) mod text;

use std::io::{IsTerminal as _, Write as _, stdout};

use anyhow::Context as _;

use bytes::Bytes;
use cache_core::redact::Secrets;
use cache_core::{EntryDetails, EntryState, clock, try_decode_body, write_decoded};

use crate::cli::ShowArgs;
use crate::commands::session::Session;
use crate::commands::show::document::Document;
use crate::commands::show::encoding::{content_type, encoding};
use crate::exit::{Exit, Refused};
use crate::output;

/// Why `--body` fails.
const CANNOT_DECODE: &str = "cannot decode the body; use --raw for the stored bytes";

/// Runs the command.
pub(crate) async fn run(session: &Session, args: &ShowArgs) -> anyhow::Result<Exit> {
    if args.raw && stdout().is_terminal() {
        let message = "--raw does not write to a terminal because the bytes may contain control sequences\n\
                       hint: redirect the output, or use --body";
        return Err(Refused(message.to_owned()).into());
    }
    let cache = session.open_to_read().await?;
    let Some(found) = find::entry(&cache.store, args.entry.as_encoded_bytes()).await? else {
        session.note(&format!("No entry matches '{}'", args.entry.to_string_lossy()));
        if !session.global.quiet {
            output::hint("run 'animecache ls' to list IDs, keys and URLs");
        }
        return Ok(Exit::NothingMatched);
    };
    let body = if args.headers && !session.global.json {
        None
    } else {
        let stored = cache.store.raw_body(&found.summary.id, usize::MAX).await?;
        // hishel 2 stores nothing for an empty body.
        stored.or_else(|| (found.summary.state == EntryState::Live).then(Bytes::new))
    };
    if args.body || args.raw {
        let Some(body) = body else {
            return Err(Refused(format!("{} has no body", found.summary.id)).into());
        };
        write_body(args, &found, &body)?;
        return Ok(Exit::Done);
    }
    let is_encoded = body.as_ref().is_some_and(|body| try_decode_body(body, encoding(&found)).is_err());
    if is_encoded {
        session.warn("the body is damaged, or too long to be decoded here; shown as stored (use --body or --raw)");
    }
    let (backend, secrets) = (cache.store.id(), Secrets::revealed_if(args.reveal));
    if session.global.json {
        let body = body.as_deref().filter(|_| !args.headers);
        let mut document = Document::new(&found, body, backend.kind, clock::now(), secrets);
        document.fallback = cache.is_fallback.then_some(true);
        output::write_json(&document)?;
    } else {
        let shown = text::EntryText { found: &found, body: body.as_ref(), now: clock::now(), secrets };
        let text = if args.headers { shown.headers(session.style) } else { shown.all(session.style) };
        output::write(text.as_bytes())?;
    }
    Ok(if is_encoded { Exit::Partial } else { Exit::Done })
}

/// The body alone. On a terminal it is printed without control characters and with a final line break; a pipe gets the
/// bytes.
fn write_body(args: &ShowArgs, found: &EntryDetails, stored: &Bytes) -> anyhow::Result<()> {
    if args.raw {
        return Ok(output::write(stored)?);
    }
    if stdout().is_terminal() {
        let decoded = try_decode_body(stored, encoding(found)).context(CANNOT_DECODE)?;
        return Ok(output::write(text::readable(&decoded, content_type(found), Secrets::Revealed).as_bytes())?);
    }
    let mut out = output::out();
    let written = write_decoded(stored, encoding(found), &mut out);
    out.flush()?;
    written.context(CANNOT_DECODE)
}
