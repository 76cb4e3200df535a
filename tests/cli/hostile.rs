//! Every command over a cache full of secrets and of escape sequences, as text and as JSON.

use std::collections::BTreeSet;

use cache_core::{Config, IfMissing, Redis, RedisUrl, Sqlite, Store};

use crate::harness::{escapes, fill_with_escapes, fill_with_secrets, leaks};
use crate::program::{Program, Run, empty};

/// A program on a store full of secrets or of escapes, for each backend: the options that select it come first.
async fn filled(with_secrets: bool) -> Vec<(Program, Vec<&'static str>, Vec<String>)> {
    let (program, _connection) = empty();
    let config = Config { redis_url: RedisUrl::new(program.url()), ..Config::default() };
    let names = fill(&Redis::new(&config).unwrap(), with_secrets).await;
    let bare = Program::bare();
    let file = bare.directory.path().join("cache.db");
    let store = Sqlite::open(&file, animecache::services::registry().clone(), IfMissing::Create).await.unwrap();
    let others = fill(&store, with_secrets).await;
    vec![(program, vec![], names), (bare, vec!["--sqlite", "cache.db"], others)]
}

async fn fill(store: &dyn Store, with_secrets: bool) -> Vec<String> {
    if with_secrets { fill_with_secrets(store).await } else { fill_with_escapes(store).await }
}

/// The arguments with which each command is run; `None`: it shows nothing of a cache, or another test runs it.
fn runs(command: &str) -> Option<Vec<Vec<&'static str>>> {
    let all = |runs: &[&'static str]| Some(runs.iter().map(|run| run.split(' ').collect()).collect());
    match command {
        "ls" => all(&["ls", "ls --json", "ls --sort url", "ls --body-match . --json", "-vv ls --url *"]),
        "stats" => all(&["stats", "stats --json", "stats --prometheus"]),
        "flush" => all(&["flush --all --dry-run", "flush --all --dry-run --json", "flush --url *S3* --dry-run --json"]),
        "ttl" => all(&["ttl --all --set 1h --dry-run", "ttl --all --set 1h --dry-run --json"]),
        "doctor" => all(&["doctor", "doctor --json", "-vv doctor"]),
        "watch" => all(&["watch --for 100ms", "watch --for 100ms --json"]),
        "show" => all(&["show api.jikan.moe", "show nothing"]),
        "enrich" => all(&["-vv enrich --title Monster --offline", "-vv enrich --title Monster --offline --json"]),
        "warm" => all(&["-vv warm --titles titles.txt --only jikan", "warm --titles titles.txt --json --only jikan"]),
        "undo" => all(&["undo --list", "undo --list --json"]),
        "export" => all(&["export --out exported.ndjson", "export --out exported.ndjson --json"]),
        "import" => all(&["import nothing.ndjson"]),
        "completions" => all(&["completions bash"]),
        "man" | "tui" | "demo-upstream" | "help" => None,
        other => panic!("no test runs `{other}`: say here how it is run"),
    }
}

/// The commands in the help.
fn commands(program: &Program) -> BTreeSet<String> {
    let help = program.run(&["--help"]).out;
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let names = list.lines().take_while(|line| !line.is_empty());
    names
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect()
}

fn run(program: &Program, backend: &[&str], arguments: &[&str]) -> String {
    let secret = "http://me:S3CRETurlx@127.0.0.1:1/v4?token=S3CRETurlx";
    let mut command = program.command();
    for service in ["JIKAN", "ANILIST", "ANIDB", "KITSU", "ANIMESCHEDULE", "ANIME_PLANET", "ANISEARCH"] {
        command.env(format!("ANIMECACHE_{service}_URL"), secret);
    }
    command.env("ANIMECACHE_ANIMESCHEDULE_TOKEN", "S3CRETtokx");
    std::fs::write(program.directory.path().join("titles.txt"), "Monster\n").unwrap();
    let run = Run::of(&command.args(backend).args(arguments).output().unwrap());
    assert_ne!(run.code, None, "{arguments:?}: {}", run.err);
    format!("{}{}", run.out, run.err)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_shows_a_secret_unasked() {
    for (program, backend, names) in filled(true).await {
        assert!(names.len() >= 150, "{}", names.len());
        let mut shown = Vec::new();
        for arguments in commands(&program).iter().filter_map(|command| runs(command)).flatten() {
            let found = leaks(&run(&program, &backend, &arguments));
            shown.extend(found.into_iter().map(|marker| format!("{arguments:?}: {marker}")));
        }
        for name in &names {
            for arguments in [&["show", name][..], &["show", name, "--json"], &["show", name, "--headers"]] {
                let output = run(&program, &backend, arguments);
                assert!(output.len() > 20 || arguments[2..] == ["--headers"], "{arguments:?}: {output}");
                shown.extend(leaks(&output).into_iter().map(|marker| format!("{arguments:?}: {marker}")));
            }
        }
        assert!(shown.is_empty(), "{backend:?}: {} shown:\n{}", shown.len(), shown.join("\n"));
        let revealed = run(&program, &backend, &["ls", "--json", "--reveal"]);
        assert!(leaks(&revealed).len() >= 50, "the secrets are there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_cache_reaches_the_terminal_raw() {
    for (program, backend, names) in filled(false).await {
        let shows = names.iter().flat_map(|name| [vec!["show", name], vec!["show", name, "--json"]]);
        let others = commands(&program).into_iter().filter_map(|command| runs(&command)).flatten();
        for arguments in others.chain(shows) {
            let output = run(&program, &backend, &arguments);
            assert_eq!(escapes(&output), "", "{arguments:?}: {output:?}");
        }
        let listed = run(&program, &backend, &["ls"]);
        assert!(listed.contains("␛]52;c;aGk=␇"), "{listed}");
    }
}
