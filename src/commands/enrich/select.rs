//! Selects anime by IDs, index or title.

use std::fmt::Write as _;
use std::path::Path;

use crate::anime::{Anime, Ids};
use crate::cli::enrich::{EnrichArgs, IdArgs, ServiceArgs};
use crate::commands::session::Session;
use crate::enrich::lookup::{Catalogue, PIPELINES_FILE, TitleMatch};
use crate::exit::Refused;
use crate::output;
use crate::output::human::{count, counted};
use crate::output::safe;

/// Candidates that are listed.
const MAX_LISTED: usize = 20;

/// The selected anime; `None`: there is none, which has been reported.
pub(crate) fn anime(session: &Session, args: &EnrichArgs) -> anyhow::Result<Option<Anime>> {
    let title = args.title.as_deref().unwrap_or_default().trim();
    if args.ids != IdArgs::default() {
        return Ok(Some(Anime { title: title.to_owned(), ids: args.ids.clone().into(), ..Anime::default() }));
    }
    if title.is_empty() && args.index.is_none() {
        let message = "no anime selected: pass --title, --index, or an ID option such as --mal-id";
        return Err(Refused(message.into()).into());
    }
    let catalogue = catalogue(session, &args.services)?;
    let anime = match args.index {
        Some(index) => catalogue.get(index),
        None => by_title(&catalogue, title)?,
    };
    if anime.is_none() {
        let what = args
            .index
            .map_or_else(|| format!("no title contains '{title}'"), |index| format!("no anime with index {index}"));
        output::error(&safe::line(&format!("{what} in {}", catalogue.name())));
        if args.services.file.is_none() {
            output::hint("pass --file FILE to use an anime-offline-database");
        }
    }
    Ok(anime.cloned())
}

/// The anime that a title matches; fails with a list if it matches several.
pub(crate) fn by_title<'a>(catalogue: &'a Catalogue, title: &str) -> anyhow::Result<Option<&'a Anime>> {
    match catalogue.find(title) {
        TitleMatch::None => Ok(None),
        TitleMatch::One(index) => Ok(catalogue.get(index)),
        TitleMatch::Several(indices) => Err(Refused(candidates(catalogue, title, &indices)).into()),
    }
}

/// The selected database.
pub(crate) fn catalogue(session: &Session, args: &ServiceArgs) -> anyhow::Result<Catalogue> {
    let is_demo = session.global.demo || args.demo_upstream;
    let pipelines = Path::new(PIPELINES_FILE);
    let catalogue = match &args.file {
        Some(file) => Catalogue::open(file)?,
        None if !is_demo && pipelines.is_file() => Catalogue::open(pipelines)?,
        None => Catalogue::demo(),
    };
    if catalogue.invalid() > 0 {
        let (odd, what) = (catalogue.invalid() as u64, if catalogue.invalid() == 1 { "entry" } else { "entries" });
        session.warn(&format!("skipped {} invalid {what} in {}", count(odd), catalogue.name()));
    }
    Ok(catalogue)
}

fn candidates(catalogue: &Catalogue, title: &str, indices: &[usize]) -> String {
    // Writing to a String cannot fail.
    let mut text = format!("'{}' matches {} titles; choose one with --index:", safe::line(title), indices.len());
    for index in indices.iter().take(MAX_LISTED) {
        if let Some(anime) = catalogue.get(*index) {
            let kind = [anime.kind.clone(), anime.episodes.map(|number| counted(number, "episode"))];
            let kind: Vec<_> = kind.into_iter().flatten().collect();
            let kind = if kind.is_empty() { String::new() } else { format!(" ({})", kind.join(", ")) };
            // A line break in a title must not start a new line.
            let _ = write!(text, "\n  {index:>6}  {}", safe::line(&format!("{}{kind}", anime.title)));
        }
    }
    if indices.len() > MAX_LISTED {
        let _ = write!(text, "\n  … and {} more", indices.len() - MAX_LISTED);
    }
    text
}

impl From<IdArgs> for Ids {
    fn from(args: IdArgs) -> Self {
        Self {
            mal: args.mal_id,
            anilist: args.anilist_id,
            kitsu: args.kitsu_id,
            anidb: args.anidb_id,
            anime_planet: args.anime_planet_slug,
            anisearch: args.anisearch_id,
        }
    }
}
