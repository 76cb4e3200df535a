//! The architecture, kept by a test: imports run downwards through the layers that the README draws, no files import
//! each other in a circle, and nothing imports from the file of an ancestor.
#![allow(clippy::unwrap_used)]

mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use sources::{Import, Sources, Texts};

/// Holds the picture of the layers, which is also what this test compares with.
const README: &str = include_str!("../../README.md");
/// Crates that one place alone may name.
const DRIVERS: [(&str, &str); 5] = [
    ("redis", "cache-core/src/store/redis"),
    ("rusqlite", "cache-core/src/store/sqlite"),
    ("reqwest", "cache-core/src/transport/"),
    ("ratatui", "src/tui"),
    ("chromiumoxide", "src/enrich/browser"),
];
/// Data of the program, which the library must not know.
const FOREIGN: [&str; 8] =
    ["ANIMECACHE_", "jikan", "anilist", "anidb", "kitsu", "animeschedule", "anime_planet", "anisearch"];
const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 60;

static TEXTS: LazyLock<Texts> = LazyLock::new(sources::read);

/// The layers of one crate, the highest first: `a > b, c` means that `a` may import `b` and `c`, which import neither
/// `a` nor each other.
fn layers(crate_name: &str) -> Vec<Vec<String>> {
    let start = format!("{crate_name}: ");
    let line = README.lines().find_map(|line| line.strip_prefix(&start));
    let line = line.unwrap_or_else(|| panic!("the README draws no layers of {crate_name}"));
    let names = |layer: &str| layer.split(',').map(|name| name.trim().to_owned()).collect();
    line.split('>').map(names).collect()
}

/// The module of a file and its height: larger numbers may import smaller ones. `None`: the front page of a crate.
fn place(path: &str, program: &[Vec<String>], library: &[Vec<String>]) -> Option<(String, usize)> {
    let (layers, rest, below) = match path.strip_prefix("cache-core/src/") {
        Some(rest) => (library, rest, 0),
        None => (program, path.strip_prefix("src/")?, library.len() + 1),
    };
    let module = rest.split('/').next()?.trim_end_matches(".rs").to_owned();
    if module == "lib" {
        return None;
    }
    let depth = layers.iter().position(|layer| layer.contains(&module));
    let depth = depth.unwrap_or_else(|| panic!("{path} is in no layer: add `{module}` to the picture in the README"));
    Some((module, below + layers.len() - depth))
}

fn upward_imports(imports: &BTreeSet<Import>) -> Vec<String> {
    let (program, library) = (layers("animecache"), layers("cache_core"));
    let is_upward = |import: &&Import| {
        let from = place(&import.from, &program, &library);
        let to = place(&import.to, &program, &library);
        match (from, to) {
            (Some((from, height)), Some((to, other))) => height < other || height == other && from != to,
            (Some(_), None) => import.from.starts_with("cache-core/") == import.to.starts_with("cache-core/"),
            (None, _) => false,
        }
    };
    imports.iter().filter(is_upward).map(ToString::to_string).collect()
}

fn reachable<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, start: &'a str) -> BTreeSet<&'a str> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(file) = open.pop() {
        let next = graph.get(file).into_iter().flatten().copied();
        open.extend(next.filter(|next| seen.insert(*next)));
    }
    seen
}

/// The imports that close a circle, one line each: all between files that reach each other.
fn circles(imports: &BTreeSet<Import>) -> Vec<String> {
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for import in imports {
        graph.entry(&import.from).or_default().insert(&import.to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = graph.keys().map(|file| (*file, reachable(&graph, file))).collect();
    let reaches = |from: &str, to: &str| reached.get(from).is_some_and(|seen| seen.contains(to));
    imports.iter().filter(|import| reaches(&import.to, &import.from)).map(ToString::to_string).collect()
}

/// Imports of a file below `foo/` from `foo.rs`.
fn ancestor_imports(imports: &BTreeSet<Import>) -> Vec<String> {
    let is_below = |import: &&Import| {
        let folder = import.to.trim_end_matches(".rs").trim_end_matches("lib");
        import.from.starts_with(folder)
            && (import.to.ends_with("/lib.rs") || import.from[folder.len()..].starts_with('/'))
    };
    imports.iter().filter(is_below).map(ToString::to_string).collect()
}

fn long_files_and_functions(sources: &Sources) -> Vec<String> {
    let mut offences = Vec::new();
    for file in &sources.files {
        if file.lines > MAX_FILE_LINES {
            offences.push(format!("{} has {} lines", file.path, file.lines));
        }
        let long = file.functions.iter().filter(|(_, lines)| *lines > MAX_FUNCTION_LINES);
        offences.extend(long.map(|(name, lines)| format!("{}: `{name}` has {lines} lines", file.path)));
    }
    offences
}

#[track_caller]
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "{} offences:\n{}", offences.len(), offences.join("\n"));
}

/// One test, because each test has a process of its own, and reading the sources takes most of its time.
#[test]
fn the_sources_keep_the_architecture() {
    let sources = Sources::parse(&TEXTS);
    let imports = sources.imports();
    let offences = [
        ("imports upwards", upward_imports(&imports)),
        ("closes a circle", circles(&imports)),
        ("imports from the file of an ancestor", ancestor_imports(&imports)),
        ("has an inherent impl away from its type", sources.foreign_impls()),
        ("is too long", long_files_and_functions(&sources)),
    ];
    let lines = offences.iter().flat_map(|(rule, names)| names.iter().map(move |name| format!("{rule}: {name}")));
    assert_none(&lines.collect::<Vec<_>>());
}

#[test]
fn injected_offences_are_named() {
    let mut texts = TEXTS.clone();
    let lines = [
        ("cache-core/src/model/key.rs", "use crate::store::traits::ResponseStore;"),
        // `summary.rs` imports `entry.rs` already.
        ("cache-core/src/model/entry.rs", "fn f(_: &[crate::model::summary::Summary]) {}"),
        ("src/tui/view/frame.rs", "use super::draw;"),
    ];
    for (path, line) in lines {
        texts.get_mut(path).unwrap_or_else(|| panic!("{path} is missing")).push_str(line);
    }
    let imports = Sources::parse(&texts).imports();
    let upward = "cache-core/src/model/key.rs -> cache-core/src/store/traits.rs: ResponseStore";
    assert_eq!(upward_imports(&imports), [upward]);
    let circle = "cache-core/src/model/entry.rs -> cache-core/src/model/summary.rs: Summary";
    assert!(circles(&imports).contains(&circle.to_owned()), "{:?}", circles(&imports));
    assert_eq!(ancestor_imports(&imports), ["src/tui/view/frame.rs -> src/tui/view.rs: draw"]);
}

#[test]
fn a_driver_is_named_in_one_place() {
    let names = |text: &str, driver: &str| {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        code.into_iter().any(|line| {
            line.match_indices(&format!("{driver}::")).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':')
            })
        })
    };
    let mut offences = Vec::new();
    for (path, text) in TEXTS.iter() {
        let driver = DRIVERS.iter().find(|(driver, place)| !path.starts_with(place) && names(text, driver));
        offences.extend(driver.map(|(driver, _)| format!("{path} names {driver}")));
    }
    assert_none(&offences);
}

#[test]
fn the_library_knows_no_service_of_the_program() {
    let library = TEXTS.iter().filter(|(path, _)| path.starts_with("cache-core/"));
    let mut offences = Vec::new();
    for (path, text) in library {
        // Worked examples in docs may name one.
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (number, line) in code {
            let word = FOREIGN.iter().find(|word| line.contains(**word) || line.to_ascii_lowercase().contains(**word));
            offences.extend(word.map(|word| format!("{path}:{}: {word}", number + 1)));
        }
    }
    assert_none(&offences);
}
