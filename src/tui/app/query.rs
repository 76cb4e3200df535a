//! The query of the filter line: selectors of the command line, and words.
//!
//! A selector is written `--name value`, `name=value` or `name:value`; without a value `--name`, `name:` or `is:name`.
//! Every other word must be contained, ignoring case, in the method, the URL, the key (with the arguments of a result)
//! or the title.

use std::collections::HashSet;
use std::error::Error as _;
use std::sync::Arc;

use cache_core::redact::Secrets;
use cache_core::{EntryId, Filter, Summary};
use clap::error::ContextKind;
use clap::{Arg, Args, Command, FromArgMatches};

use crate::cli::selectors::Selectors;

/// The parts of the Redis key of an HTTP entry.
const ID_LETTERS: &[u8] = b"hishel_cache:entry:0123456789abcdef-";

/// A parsed filter line.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// The text.
    pub text: String,
    /// The selectors.
    pub filter: Filter,
    /// A selector with the name of one of the words, for a hint.
    pub hint: Option<String>,
    /// The words, in lower case.
    words: Vec<String>,
    /// Saves checking an empty filter for every entry.
    has_filter: bool,
    /// The entries with a matching body, if the filter has a body pattern.
    pub found: HashSet<EntryId>,
    /// Only the entries that an enrichment used.
    pub touched: Option<Arc<ResponseDigest>>,
}

/// The entries that an enrichment used.
#[derive(Debug)]
pub struct ResponseDigest {
    /// The title of the enrichment, without control characters.
    pub name: String,
    /// Cache keys of responses, Redis keys of results, without credentials.
    pub keys: HashSet<String>,
}

impl ResponseDigest {
    fn has(&self, entry: &Summary) -> bool {
        match (&entry.http, &entry.id) {
            (Some(http), _) => self.keys.contains(&*Secrets::Masked.key_bytes(http.cache_key.as_bytes())),
            (None, EntryId::Key(key)) => self.keys.contains(&*Secrets::Masked.key_bytes(key)),
            (None, EntryId::Http(..)) => false,
        }
    }
}

impl Query {
    /// Reads a filter line.
    ///
    /// # Errors
    /// An invalid selector.
    pub fn parse(text: &str) -> Result<Self, String> {
        let command = Selectors::augment_args(Command::new("filter").no_binary_name(true).disable_help_flag(true));
        let mut arguments = Vec::new();
        let mut words = Vec::new();
        let mut hint = None;
        let mut is_value = false;
        for token in tokens(text) {
            let selector = as_selector(&command, &token);
            if std::mem::take(&mut is_value) {
                arguments.push(token);
            } else if let Some((name, value)) = selector {
                is_value = value.is_none() && argument(&command, name).is_some_and(takes_value);
                arguments.push(value.map_or_else(|| format!("--{name}"), |value| format!("--{name}={value}")));
            } else if token.starts_with("--") {
                return Err(format!("Unknown selector '{token}'"));
            } else {
                if argument(&command, &token).is_some_and(is_flag) {
                    hint = Some(format!("--{token}"));
                }
                words.push(token.to_lowercase());
            }
        }
        let matches = command.try_get_matches_from(&arguments).map_err(|error| problem(&error))?;
        let selectors = Selectors::from_arg_matches(&matches).map_err(|error| problem(&error))?;
        let filter = selectors.filter();
        let text = text.trim().to_owned();
        Ok(Self { text, has_filter: !filter.is_everything(), filter, words, hint, ..Self::default() })
    }

    /// Whether everything matches.
    pub fn is_everything(&self) -> bool {
        !self.has_filter && self.words.is_empty() && self.touched.is_none()
    }

    /// Whether an entry matches; `now` in Unix seconds.
    pub fn matches(&self, entry: &Summary, now: f64) -> bool {
        self.matches_but_body(entry, now) && (self.filter.body.is_none() || self.found.contains(&entry.id))
    }

    /// Whether an entry matches, its body ignored.
    pub fn matches_but_body(&self, entry: &Summary, now: f64) -> bool {
        (!self.has_filter || self.filter.matches(entry, now))
            && self.touched.as_ref().is_none_or(|touched| touched.has(entry))
            && self.words.iter().all(|word| has_word(entry, word))
    }
}

fn has_word(entry: &Summary, word: &str) -> bool {
    if let Some(http) = &entry.http {
        let title = http.title.as_deref().unwrap_or_default();
        if [&*http.method, &*http.url, title].into_iter().any(|text| contains(text.as_bytes(), word))
            || contains(http.cache_key.as_bytes(), word)
        {
            return true;
        }
    }
    match &entry.id {
        EntryId::Key(key) => contains(key, word),
        // IDs come last: few words match one, and formatting IDs is the slowest part of the search.
        id @ EntryId::Http(..) => word.bytes().all(|b| ID_LETTERS.contains(&b)) && contains(&id.redis_key(), word),
    }
}

/// Whether a text contains a word, which is in lower case. Only letters outside ASCII need an allocation to fold case.
fn contains(text: &[u8], word: &str) -> bool {
    let word_bytes = word.as_bytes();
    let Some(&first) = word_bytes.first() else { return true };
    if !word.is_ascii() {
        return String::from_utf8_lossy(text).to_lowercase().contains(word);
    }
    if word_bytes.len() > text.len() {
        return false;
    }
    let last_start = text.len() - word_bytes.len();
    text[..=last_start].iter().enumerate().any(|(at, byte)| {
        byte.to_ascii_lowercase() == first && text[at..at + word_bytes.len()].eq_ignore_ascii_case(word_bytes)
    })
}

/// The name and value of a token that names a selector; `--name` alone has no value yet.
fn as_selector<'a>(command: &Command, token: &'a str) -> Option<(&'a str, Option<&'a str>)> {
    if let Some(name) = token.strip_prefix("--") {
        let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
        return argument(command, name).map(|_| (name, value));
    }
    let at = token.find([':', '='])?;
    match (&token[..at], &token[at + 1..]) {
        (name, value) if argument(command, name).is_some_and(takes_value) => Some((name, Some(value))),
        (name, "") | ("is", name) if argument(command, name).is_some_and(is_flag) => Some((name, None)),
        _ => None,
    }
}

/// The selector with this name.
fn argument<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|argument| argument.get_long() == Some(name))
}

fn takes_value(selector: &Arg) -> bool {
    selector.get_action().takes_values()
}

fn is_flag(selector: &Arg) -> bool {
    !takes_value(selector)
}

/// Words between blanks; quoted text is one word.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = vec![String::new()];
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, blank) if blank.is_whitespace() => tokens.push(String::new()),
            (_, other) => {
                if let Some(token) = tokens.last_mut() {
                    token.push(other);
                }
            }
        }
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

/// The error message of Clap, shortened for the footer, without usage.
fn problem(error: &clap::Error) -> String {
    let fact = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    match error.source() {
        Some(reason) => {
            let argument = fact(ContextKind::InvalidArg);
            let name = argument.split(' ').next().unwrap_or_default();
            format!("Invalid {name} '{}': {reason}", fact(ContextKind::InvalidValue))
        }
        None => error.to_string().trim_start_matches("error: ").lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services;
    use cache_core::{CacheKind, StatusRange};

    #[test]
    fn selectors_are_those_of_the_command_line_in_three_spellings() {
        for text in ["--service jikan --status 4xx", "service=jikan status=4xx", "service:jikan status:400-499"] {
            let query = Query::parse(text).unwrap();
            assert_eq!(query.filter.services, [services::jikan()], "{text}");
            assert_eq!(query.filter.status, Some(StatusRange(400, 499)), "{text}");
            assert!(query.words.is_empty());
        }
        assert_eq!(Query::parse("kind:result").unwrap().filter.kind, Some(CacheKind::Result));
        for text in ["--stale", "stale:", "is:stale"] {
            assert_eq!(Query::parse(text).unwrap().filter.is_fresh, Some(false), "{text}");
        }
        assert!(Query::parse("no-ttl: dead-schemas:").unwrap().filter.is_without_ttl);
        assert_eq!(Query::parse("older-than:'2d 12h'").unwrap().filter.older_than, Some(216_000.0));
    }

    #[test]
    fn what_is_no_selector_is_a_word() {
        let query = Query::parse("https://kitsu.io/ \"Cowboy Bebop\" a:b").unwrap();
        assert_eq!(query.words, ["https://kitsu.io/", "cowboy bebop", "a:b"]);
        assert!(!query.is_everything());
        assert!(Query::parse("  ").unwrap().is_everything());
    }

    #[test]
    fn a_word_that_names_a_selector_is_searched_for_and_hinted_at() {
        let query = Query::parse("Fresh precure no-ttl").unwrap();
        assert_eq!((query.words.len(), query.hint.as_deref()), (3, Some("--no-ttl")));
        assert_eq!(Query::parse("service:jikan freshness").unwrap().hint, None);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("service:nobody", "nobody"),
            ("--nothing", "--nothing"),
            ("status:abc", "abc"),
            ("older-than:", "older-than"),
            ("--service", "--service"),
        ] {
            let problem = Query::parse(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
            assert!(!problem.contains('\n'));
        }
    }

    #[test]
    fn words_are_found_in_any_case() {
        assert!(contains(b"https://Kitsu.io/API", "kitsu.io/api"));
        assert!(contains("ÉTÉ ワンピース".as_bytes(), "été ワン"));
        assert!(!contains(b"abc", "abcd"));
        assert!(contains(b"", ""));
    }
}
