//! Usage lines and examples in the help of commands, and the exit codes.

pub(crate) const PROGRAM: &str = "\
Examples:
  # Check the settings and the connection
  animecache doctor

  # Try the dashboard with sample data
  animecache tui --demo

  # List 20 Jikan entries
  animecache ls --service jikan --limit 20

  # Show what would be deleted
  animecache flush --older-than 7d --dry-run

Exit codes:
  0  Success
  1  Error
  2  Usage error, or operation not allowed
  3  No entries match
  4  Incomplete or interrupted, or problems found
  5  Backend unreachable";

pub(crate) const TUI: &str = "\
Examples:
  # Browse sample data in a temporary cache
  animecache tui --demo

  # Browse the cache without changing it
  animecache tui --read-only";

pub(crate) const LS: &str = "\
Examples:
  # List the 20 oldest Jikan entries
  animecache ls --service jikan --sort age --reverse --limit 20

  # List successful responses for one anime
  animecache ls --url '*/anime/21/*' --status 2xx

  # Print the IDs of corrupt entries
  animecache ls --state corrupt --json | jq -r .id";

pub(crate) const SHOW: &str = "\
Examples:
  # By ID
  animecache show 209662e2

  # Only the headers, by part of the URL
  animecache show /anime/21/full --headers

  # Print the value of a result
  animecache show result_cache:anisearch_anime:18878 --body | jq .";

pub(crate) const STATS: &str = "\
Examples:
  # Hits and misses of the last seven days
  animecache stats --window 7d

  # Repeat every two seconds
  animecache stats --watch 2s

  # Print only the hit rate
  animecache stats --json | jq .hit_rate";

pub(crate) const WATCH: &str = "\
Examples:
  # Watch one service for ten minutes
  animecache watch --service jikan --for 10m

  # Print misses as JSON
  animecache watch --monitor --json | jq -c 'select(.event == \"miss\")'";

pub(crate) const FLUSH: &str = "\
Examples:
  # Show what would be deleted
  animecache flush --service anisearch --dry-run

  # Delete the Jikan responses for one anime
  animecache flush --service jikan --url '*/anime/21/*'

  # Delete every function result without asking
  animecache flush --prefix result_cache --yes";

pub(crate) const UNDO: &str = "\
Examples:
  # Show what would be restored
  animecache undo --dry-run

  # Undo the last change of this cache without asking
  animecache undo --yes

  # List the changes that can be undone
  animecache undo --list";

pub(crate) const TTL_USAGE: &str =
    "animecache ttl [OPTIONS] <--set <DURATION>|--extend <DURATION>|--persist> <SELECTORS>";

pub(crate) const TTL: &str = "\
Examples:
  # Set a TTL of 24 hours on entries that never expire
  animecache ttl --no-ttl --set 24h

  # Show which entries would be extended
  animecache ttl --service kitsu --extend 2h --dry-run

  # Keep one entry
  animecache ttl --id 209662e2 --persist";

pub(crate) const ENRICH_USAGE: &str = "animecache enrich [OPTIONS] <--title <TITLE>|--index <N>|ID OPTIONS>";

pub(crate) const ENRICH: &str = "\
Examples:
  # Try it with simulated services and a temporary cache
  animecache enrich --title \"Cowboy Bebop\" --demo

  # Fetch from two services and write the data to files
  animecache enrich --title \"Cowboy Bebop\" --only jikan,kitsu --out data

  # Check whether cached entries are still up to date
  animecache enrich --title \"Cowboy Bebop\" --verify";

pub(crate) const WARM: &str = "\
Examples:
  # Fill the cache for the titles in a file
  animecache warm --titles watchlist.txt

  # Fetch the first 100 anime from two services
  animecache warm --index 0..100 --only jikan,anilist";

pub(crate) const DOCTOR: &str = "\
Examples:
  # Check everything
  animecache doctor

  # Print only the failed checks
  animecache doctor --json | jq '.checks[] | select(.status == \"fail\")'";

pub(crate) const DEMO_UPSTREAM: &str = "\
Examples:
  # Print the URLs as export lines for other programs
  animecache demo-upstream --port 8101 > demo.env";
