//! A headless Chromium on this machine, for pages that only their scripts complete.
//!
//! It is started when the first page is rendered, and again where it has gone since, with a profile of its own that goes
//! with it, and it ends with the process that started it, however that ends. It can reach the crawled sites, and nothing
//! else.

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
use crate::enrich::error::{NoBrowser, Problem};
use crate::enrich::rendered_page::{Arrived, Filled};
use crate::services;

/// What Chromium is called on various systems.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// No window, no traffic of its own, and no pictures, which nobody sees.
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

/// Runs a program until the standard input ends, and then ends it and removes its profile: the first argument.
const WATCH: &str = r#"
profile=$1; shift
"$@" </dev/null & browser=$!
exec 2>/dev/null
read -r _
kill "$browser"; wait "$browser"
rm -rf "$profile" || { sleep 1; rm -rf "$profile"; }
"#;

/// The longest that starting may take.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The longest that a part of a page is waited for; then the page is read as it is.
const FILL_LIMIT: Duration = Duration::from_secs(5);

/// The longest that a challenge may keep the browser; then the page is read as it is.
const CHALLENGE_LIMIT: Duration = Duration::from_secs(15);

/// Between two looks at a challenge.
const CHALLENGE_PAUSE: Duration = Duration::from_millis(100);

/// The status of a page that is complete; 0 until it is.
const STATUS: &str =
    "document.readyState === 'complete' ? performance.getEntriesByType('navigation')[0].responseStatus : 0";

/// A Chromium that is started when it is first needed.
pub struct Browser {
    program: PathBuf,
    /// Which hosts it can reach, as `--host-resolver-rules` has it.
    reach: String,
    running: Mutex<Option<Arc<Running>>>,
}

struct Running {
    connection: Connection,
    /// Is over once the browser has gone.
    driver: AbortHandle,
    _tasks: JoinSet<()>,
    /// When it closes, the shell that watches over the browser ends it.
    _lifeline: ChildStdin,
}

impl Browser {
    /// A browser for the crawled sites that `services` names: `program`, or else what the variable `CHROME` names, or
    /// else the first Chromium on the `PATH`.
    pub fn new(program: Option<PathBuf>, services: &Services) -> Result<Self, NoBrowser> {
        let named = program.or_else(|| env::var_os("CHROME").filter(|name| !name.is_empty()).map(PathBuf::from));
        let program = match &named {
            Some(program) => found(program).ok_or_else(|| NoBrowser(program.display().to_string()))?,
            None => {
                PROGRAMS.iter().find_map(|name| found(Path::new(name))).ok_or_else(|| NoBrowser(PROGRAMS.join(", ")))?
            }
        };
        let sites = [services::anime_planet(), services::anisearch()].map(|service| services.url(service));
        Ok(Self { program, reach: reach(sites), running: Mutex::default() })
    }

    /// The page at this address, after its scripts have run.
    pub(crate) async fn render(&self, url: &str, filled: Option<Filled>) -> Result<Arrived, Problem> {
        let (running, url) = (self.running().await?, url.to_owned());
        let (mut sender, receiver) = oneshot::channel();
        #[expect(
            clippy::disallowed_methods,
            reason = "a tab is to be closed though nobody waits for its page any more"
        )]
        tokio::spawn(async move {
            let rendered = running.render(&url, filled, sender.closed()).await;
            // Whoever waited for it may be gone.
            let _ = sender.send(rendered);
        });
        receiver.await.unwrap_or_else(|_| Err(Problem::Browser("it was stopped".to_owned())))
    }

    /// The browser: started where there is none, or none any more.
    async fn running(&self) -> Result<Arc<Running>, Problem> {
        let mut running = self.running.lock().await;
        if let Some(running) = running.as_ref().filter(|running| !running.driver.is_finished()) {
            return Ok(Arc::clone(running));
        }
        let started = Arc::new(self.start().await?);
        *running = Some(Arc::clone(&started));
        Ok(started)
    }

    async fn start(&self) -> Result<Running, Problem> {
        let failed = |error: &dyn std::fmt::Display| Problem::Browser(format!("{}: {error}", self.program.display()));
        let profile = tempfile::Builder::new().prefix("animecache-browser-").tempdir().map_err(|e| failed(&e))?;
        // Chromium refuses to run as root without this.
        let is_root = profile.path().metadata().is_ok_and(|metadata| metadata.uid() == 0);
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCH, "sh"]).arg(profile.path()).arg(&self.program).args(FLAGS);
        shell.arg(format!("--user-data-dir={}", profile.path().display())).arg(&self.reach);
        shell.args(is_root.then_some("--no-sandbox")).arg("about:blank");
        // Chromium leaves more there than it takes away.
        shell.env("TMPDIR", profile.path());
        // A group of its own: what ends this program by the terminal must not end the shell before it has cleaned up.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut shell = shell.spawn().map_err(|e| failed(&e))?;
        let profile = profile.keep();
        let (Some(lifeline), Some(log)) = (shell.stdin.take(), shell.stderr.take()) else {
            return Err(failed(&"cannot open its pipes"));
        };
        let mut log = BufReader::new(log).lines();
        let listening = tokio::time::timeout(START_LIMIT, address(&mut log)).await;
        let listening = listening.unwrap_or_else(|_| Err("it did not start in time".to_owned()));
        let address = listening.map_err(|why| {
            // The shell does the same, unless it could not even be started.
            let _ = std::fs::remove_dir_all(&profile);
            failed(&why)
        })?;
        let config =
            HandlerConfig { ignore_https_errors: false, request_timeout: TIME_LIMIT, ..HandlerConfig::default() };
        let (connection, mut events) = Connection::connect_with_config(address, config).await?;
        let mut tasks = JoinSet::new();
        let driver = tasks.spawn(async move {
            let is_there = |event: Option<Result<(), CdpError>>| !matches!(event, None | Some(Err(CdpError::Ws(_))));
            let driven = async { while is_there(events.next().await) {} };
            // The log is read to its end, so that the browser never waits for a reader; with that it has gone.
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
    /// The page in a tab of its own, which is closed whatever comes of it, and soon where the page is given up.
    async fn render(
        &self,
        url: &str,
        filled: Option<Filled>,
        given_up: impl Future<Output = ()>,
    ) -> Result<Arrived, Problem> {
        let page = self.connection.new_page("about:blank").await?;
        let rendered = tokio::select! {
            rendered = tokio::time::timeout(TIME_LIMIT, read(&page, url, filled)) => rendered.ok(),
            () = given_up => None,
        };
        // If it cannot be closed, it ends with the browser.
        let _ = page.close().await;
        rendered.unwrap_or(Err(Problem::SlowPage(TIME_LIMIT)))
    }
}

/// Where a browser that starts can be driven; or the last that it said.
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

async fn read(page: &Page, url: &str, filled: Option<Filled>) -> Result<Arrived, Problem> {
    page.goto(url).await?;
    let answer = page.wait_for_navigation_response().await?.and_then(|request| request.response.clone());
    let (mut status, mut fields) = (Some(StatusCode::OK), HeaderMap::new());
    if let Some(answer) = answer {
        status = u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let all = answer.headers.inner().as_object().into_iter().flatten();
        fields = all.filter_map(|(name, value)| Some((name.parse().ok()?, value.as_str()?.parse().ok()?))).collect();
    }
    if is_challenge(page.content().await?.into()).await?
        && let Ok(behind) = tokio::time::timeout(CHALLENGE_LIMIT, past_challenge(page)).await
    {
        (status, fields) = (Some(behind), HeaderMap::new());
    }
    if let Some(filled) = filled {
        // The page may go on to another one meanwhile: then that is the one that is read.
        let _ = page.evaluate(fill(filled)).await;
    }
    // A status that is none is not the page that was asked for.
    let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
    Ok(Arrived { status, fields, html: page.content().await?.into(), is_rendered: true })
}

/// Waits until the browser has got past a challenge, and all of the page behind it is there; that page's status.
async fn past_challenge(page: &Page) -> StatusCode {
    loop {
        tokio::time::sleep(CHALLENGE_PAUSE).await;
        // On its way from one page to the other it has no answers.
        let (Ok(html), Ok(status)) = (page.content().await, page.evaluate(STATUS).await) else { continue };
        if let Ok(false) = is_challenge(html.into()).await
            && let Ok(status) = status.into_value()
            && let Ok(status) = StatusCode::from_u16(status)
        {
            return status;
        }
    }
}

/// Chooses what is to be chosen, and waits until what is awaited is there.
fn fill(filled: Filled) -> EvaluateParams {
    let [select, option, awaited] =
        [filled.select, filled.option, filled.awaited].map(|text| serde_json::Value::from(text).to_string());
    let limit = FILL_LIMIT.as_millis();
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

/// A program that is there: at a path, or by its name on the `PATH`.
fn found(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let paths = env::var_os("PATH")?;
    env::split_paths(&paths).map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// No name is known but those of the sites, whatever their pages load.
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

impl From<CdpError> for Problem {
    fn from(error: CdpError) -> Self {
        Self::Browser(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reaches_the_sites_and_nothing_else() {
        assert_eq!(
            reach(["https://www.anisearch.com", "http://127.0.0.1:8080/x", "no url"]),
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE anisearch.com, EXCLUDE *.anisearch.com, EXCLUDE 127.0.0.1"
        );
    }

    #[test]
    fn what_is_missing_is_named_with_the_way_to_get_it() {
        let Err(missing) = Browser::new(Some("/nowhere/chromium".into()), &Services::default()) else {
            panic!("there is nothing there")
        };
        let told = missing.to_string();
        assert!(told.contains("/nowhere/chromium") && told.contains("apt-get install chromium"), "{told}");
    }

    #[test]
    fn programs_are_found_by_name() {
        assert!(found(Path::new("sh")).is_some_and(|path| path.is_absolute()));
        assert_eq!(found(Path::new("no-such-program-anywhere")), None);
    }
}

/// The longest that one page may take.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(60);
