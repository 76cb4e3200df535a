//! Examples below the help of the commands that have many options, and what their exit codes mean.

pub(crate) const PROGRAM: &str = "\
Examples:
  animecache doctor                          what is set, what is reached, what to type next
  animecache tui --demo                      the dashboard on a throw-away cache
  animecache ls --service jikan --limit 20
  animecache flush --older-than 7d --dry-run

Exit codes: 0 done, 1 fault, 2 usage or refused, 3 nothing matched, 4 partial, interrupted or findings, \
5 backend unreachable";

pub(crate) const STATS: &str = "\
Examples:
  animecache stats --window 7d
  animecache stats --watch 2s
  animecache stats --json | jq .hit_rate";

pub(crate) const LS: &str = "\
Examples:
  animecache ls --service jikan --sort age --reverse --limit 20
  animecache ls --url '*/anime/21/*' --status 2xx
  animecache ls --state corrupt --json | jq -r .id";

pub(crate) const SHOW: &str = "\
Examples:
  animecache show 209662e2                   by the id that `ls` prints
  animecache show /anime/21/full --headers   by a part of its URL
  animecache show result_cache:anisearch_anime:18878 --body | jq .";

pub(crate) const FLUSH: &str = "\
Examples:
  animecache flush --service anisearch --dry-run
  animecache flush --url '*/anime/21*'
  animecache flush --dead-schemas --yes";

pub(crate) const TTL: &str = "\
Examples:
  animecache ttl --no-ttl --set 24h
  animecache ttl --service kitsu --extend 2h --dry-run
  animecache ttl --id 209662e2 --persist";

pub(crate) const WATCH: &str = "\
Examples:
  animecache watch --service jikan --for 10m
  animecache watch --monitor --json | jq -c 'select(.event == \"miss\")'";
