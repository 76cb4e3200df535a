//! A local headless Chromium, for pages that are complete only after their scripts have run.
//!
//! It starts when the first page is rendered, and again if it has exited since. Its profile is temporary, and it ends
//! with the process that started it, even if that is killed. It can reach the crawled sites only.

use std::env;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use crate::services::Services;
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use chromiumoxide::error::CdpError;
use chromiumoxide::handler::HandlerConfig;
use chromiumoxide::{Browser as Connection, Page};
use futures_util::StreamExt as _;
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStderr, ChildStdin, Command};
use tokio::sync::{Mutex, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use url::{Host, Url};

use crate::enrich::challenge::is_challenge;
use crate::enrich::error::{FetchFailure, NoBrowser};
use crate::enrich::rendered_page::{FetchedPage, LazySection};

/// The longest that one page may take.
pub(crate) const PAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Names of the Chromium program on various systems.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// No window, no traffic of its own, and no images: only the text is read.
const FLAGS: [&str; 19] = [
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--metrics-recording-only",
    "--blink-settings=imagesEnabled=false",
    "--mute-audio",
];

/// Runs a program until standard input closes, then ends it and removes its profile (the first argument).
const WATCH: &str = r#"
profile=$1; shift
"$@" </dev/null & browser=$!
exec 2>/dev/null
read -r _
kill "$browser"; wait "$browser"
rm -rf "$profile" || { sleep 1; rm -rf "$profile"; }
"#;

/// The variables that the browser gets, in addition to `TMPDIR`.
const PASSED: [&str; 3] = ["PATH", "HOME", "LANG"];

/// The variable that allows the browser to run as root, without its sandbox, if it is `1`.
const UNCONFINED: &str = "ANIMECACHE_BROWSER_WITHOUT_SANDBOX";

/// The longest that starting may take.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest wait for a lazily loaded section; then the page is read without it.
const SECTION_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest wait for a challenge page to pass; then the challenge page is the result.
const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(15);

/// Between two checks for a challenge page.
const CHALLENGE_INTERVAL: Duration = Duration::from_millis(100);

/// The status of a page that is complete; 0 until it is.
const STATUS: &str =
    "document.readyState === 'complete' ? performance.getEntriesByType('navigation')[0].responseStatus : 0";

/// A Chromium that is started when it is first needed.
pub struct Browser {
    program: PathBuf,
    /// The hosts that it can reach, as `--host-resolver-rules`.
    reach: String,
    /// It may run as root, without its sandbox.
    is_unconfined: bool,
    running: Mutex<Option<Arc<Running>>>,
}

struct Running {
    connection: Connection,
    /// Finished once the browser has exited.
    driver: AbortHandle,
    _tasks: JoinSet<()>,
    /// Standard input of the shell: the browser ends when it closes.
    _lifeline: ChildStdin,
}

impl Browser {
    /// A browser for the crawled sites that `services` names: `program`, else the variable `CHROME`, else the first
    /// Chromium on the `PATH`.
    pub fn new(program: Option<PathBuf>, services: &Services) -> Result<Self, NoBrowser> {
        let named = program.or_else(|| env::var_os("CHROME").filter(|name| !name.is_empty()).map(PathBuf::from));
        let program = match &named {
            Some(program) => found(program).ok_or_else(|| NoBrowser(program.display().to_string()))?,
            None => {
                PROGRAMS.iter().find_map(|name| found(Path::new(name))).ok_or_else(|| NoBrowser(PROGRAMS.join(", ")))?
            }
        };
        let sites =
            [crate::services::anime_planet(), crate::services::anisearch()].map(|service| services.url(service));
        let is_unconfined = env::var_os(UNCONFINED).is_some_and(|value| value == "1");
        Ok(Self { program, reach: reach(sites), is_unconfined, running: Mutex::default() })
    }

    /// The browser, allowed to run as root, where Chromium has no sandbox.
    pub fn without_sandbox(self) -> Self {
        Self { is_unconfined: true, ..self }
    }

    /// The page at this address, after its scripts have run.
    pub(crate) async fn render(&self, url: &str, section: Option<LazySection>) -> Result<FetchedPage, FetchFailure> {
        let (running, url) = (self.running().await?, url.to_owned());
        let (mut transport, receiver) = oneshot::channel();
        #[expect(clippy::disallowed_methods, reason = "the tab must be closed even if the caller is canceled")]
        tokio::spawn(async move {
            let rendered = running.render(&url, section, transport.closed()).await;
            // The caller may have been canceled.
            let _ = transport.send(rendered);
        });
        receiver.await.unwrap_or_else(|_| Err(FetchFailure::Browser("it was stopped".to_owned())))
    }

    /// The running browser, started if there is none.
    async fn running(&self) -> Result<Arc<Running>, FetchFailure> {
        let mut running = self.running.lock().await;
        if let Some(running) = running.as_ref().filter(|running| !running.driver.is_finished()) {
            return Ok(Arc::clone(running));
        }
        let started = Arc::new(self.start().await?);
        *running = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn start(&self) -> Result<Running, FetchFailure> {
        let failed =
            |error: &dyn std::fmt::Display| FetchFailure::Browser(format!("{}: {error}", self.program.display()));
        let profile = tempfile::Builder::new().prefix("animecache-browser-").tempdir().map_err(|e| failed(&e))?;
        // Chromium has no sandbox as root: a page that breaks out of it would be root, too.
        let is_root = profile.path().metadata().is_ok_and(|metadata| metadata.uid() == 0);
        if is_root && !self.is_unconfined {
            return Err(failed(&format!("no sandbox as root; run as another user, or set {UNCONFINED}=1")));
        }
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCH, "sh"]).arg(profile.path()).arg(&self.program).args(FLAGS);
        shell.arg(format!("--user-data-dir={}", profile.path().display())).arg(&self.reach);
        shell.args(is_root.then_some("--no-sandbox")).arg("about:blank");
        // The environment holds credentials of this program and of others.
        shell.env_clear().envs(PASSED.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        // Chromium leaves temporary files behind.
        shell.env("TMPDIR", profile.path());
        // A process group of its own: Ctrl-C on the terminal must not end the shell before it has cleaned up.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut shell = shell.spawn().map_err(|e| failed(&e))?;
        let profile = profile.keep();
        let (Some(lifeline), Some(log)) = (shell.stdin.take(), shell.stderr.take()) else {
            return Err(failed(&"cannot open its pipes"));
        };
        let mut log = BufReader::new(log).lines();
        let listening = tokio::time::timeout(START_TIMEOUT, address(&mut log)).await;
        let listening = listening.unwrap_or_else(|_| Err("it did not start in time".to_owned()));
        let address = listening.map_err(|why| {
            // The shell does this too, unless it failed to start.
            let _ = std::fs::remove_dir_all(&profile);
            failed(&why)
        })?;
        let config =
            HandlerConfig { ignore_https_errors: false, request_timeout: PAGE_TIMEOUT, ..HandlerConfig::default() };
        let (connection, mut events) = Connection::connect_with_config(address, config).await?;
        let mut tasks = JoinSet::new();
        let driver = tasks.spawn(async move {
            let is_there = |event: Option<Result<(), CdpError>>| !matches!(event, None | Some(Err(CdpError::Ws(_))));
            let driven = async { while is_there(events.next().await) {} };
            // Reading the log keeps the browser from blocking on a full pipe; its end means that the browser exited.
            let (mut log, mut nowhere) = (log.into_inner(), tokio::io::sink());
            tokio::select! {
                () = driven => {}
                _ = tokio::io::copy(&mut log, &mut nowhere) => {}
            }
        });
        Ok(Running { connection, driver, _tasks: tasks, _lifeline: lifeline })
    }
}

impl Running {
    /// The page in a tab of its own, which is always closed, and at once if the caller is canceled.
    async fn render(
        &self,
        url: &str,
        section: Option<LazySection>,
        given_up: impl Future<Output = ()>,
    ) -> Result<FetchedPage, FetchFailure> {
        let page = self.connection.new_page("about:blank").await?;
        let rendered = tokio::select! {
            rendered = tokio::time::timeout(PAGE_TIMEOUT, read(&page, url, section)) => rendered.ok(),
            () = given_up => None,
        };
        // A tab that cannot be closed ends with the browser.
        let _ = page.close().await;
        rendered.unwrap_or(Err(FetchFailure::SlowPage(PAGE_TIMEOUT)))
    }
}

/// The `DevTools` address of a starting browser, or the last line of its log.
async fn address(log: &mut Lines<BufReader<ChildStderr>>) -> Result<String, String> {
    let mut last = "it exited immediately".to_owned();
    while let Ok(Some(line)) = log.next_line().await {
        if let Some(address) = line.strip_prefix("DevTools listening on ") {
            return Ok(address.to_owned());
        }
        if !line.trim().is_empty() {
            last = line;
        }
    }
    Err(last)
}

async fn read(page: &Page, url: &str, section: Option<LazySection>) -> Result<FetchedPage, FetchFailure> {
    page.goto(url).await?;
    let answer = page.wait_for_navigation_response().await?.and_then(|request| request.response.clone());
    let (mut status, mut fields) = (Some(StatusCode::OK), HeaderMap::new());
    if let Some(answer) = answer {
        status = u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let all = answer.headers.inner().as_object().into_iter().flatten();
        fields = all.filter_map(|(name, value)| Some((name.parse().ok()?, value.as_str()?.parse().ok()?))).collect();
    }
    if is_challenge(page.content().await?.into()).await?
        && let Ok(behind) = tokio::time::timeout(CHALLENGE_TIMEOUT, past_challenge(page)).await
    {
        (status, fields) = (Some(behind), HeaderMap::new());
    }
    if let Some(section) = section {
        // A page that navigates meanwhile fails this; the page it leads to is read.
        let _ = page.evaluate(fill(section)).await;
    }
    // A status that is not valid means that the page did not load.
    let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
    Ok(FetchedPage { status, fields, html: page.content().await?.into(), is_rendered: true })
}

/// Waits until the page behind a challenge is complete; its status.
async fn past_challenge(page: &Page) -> StatusCode {
    loop {
        tokio::time::sleep(CHALLENGE_INTERVAL).await;
        // Evaluation fails during navigation.
        let (Ok(html), Ok(status)) = (page.content().await, page.evaluate(STATUS).await) else { continue };
        if let Ok(false) = is_challenge(html.into()).await
            && let Ok(status) = status.into_value()
            && let Ok(status) = StatusCode::from_u16(status)
        {
            return status;
        }
    }
}

/// The script that selects the option and waits for the section.
fn fill(section: LazySection) -> EvaluateParams {
    let [select, option, awaited] =
        [section.select, section.option, section.awaited].map(|text| serde_json::Value::from(text).to_string());
    let limit = SECTION_TIMEOUT.as_millis();
    let script = format!(
        "new Promise(done => {{
            const select = document.querySelector({select});
            if (select) {{
                select.value = {option};
                select.dispatchEvent(new Event('change', {{ bubbles: true }}));
            }}
            const look = () => document.querySelector({awaited}) && done(true);
            new MutationObserver(look).observe(document, {{ childList: true, subtree: true }});
            look();
            setTimeout(() => done(false), {limit});
        }})"
    );
    let mut evaluate = EvaluateParams::new(script);
    evaluate.await_promise = Some(true);
    evaluate
}

/// The file of a program: a path, or a name on the `PATH`.
fn found(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// Resolver rules under which only the names of these sites resolve.
fn reach<'a>(sites: impl IntoIterator<Item = &'a str>) -> String {
    let mut rules = "--host-resolver-rules=MAP * ~NOTFOUND".to_owned();
    for site in sites {
        let Ok(url) = Url::parse(site) else { continue };
        match url.host() {
            Some(Host::Domain(name)) => {
                let name = name.strip_prefix("www.").unwrap_or(name);
                rules.extend([", EXCLUDE ", name, ", EXCLUDE *.", name]);
            }
            Some(address) => rules.extend([", EXCLUDE ", &address.to_string()]),
            None => {}
        }
    }
    rules
}

impl From<CdpError> for FetchFailure {
    fn from(error: CdpError) -> Self {
        Self::Browser(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_of_sites_excludes_all_other_hosts() {
        assert_eq!(
            reach(["https://www.anisearch.com", "http://127.0.0.1:8080/x", "no url"]),
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE anisearch.com, EXCLUDE *.anisearch.com, EXCLUDE 127.0.0.1"
        );
    }

    #[test]
    fn missing_browser_is_named_with_install_hint() {
        let Err(missing) = Browser::new(Some("/nowhere/chromium".into()), &Services::default()) else {
            panic!("there is no such program")
        };
        let message = missing.to_string();
        assert!(message.contains("/nowhere/chromium") && message.contains("apt-get install chromium"), "{message}");
    }

    #[test]
    fn programs_are_found_by_name() {
        assert!(found(Path::new("sh")).is_some_and(|path| path.is_absolute()));
        assert_eq!(found(Path::new("no-such-program-anywhere")), None);
    }
}
