//! `feedmill doctor`: configuration, daemon, database, clock, disk and network, a verdict each, and what helps.
//!
//! It reads and changes nothing. Beside a running daemon it opens the file as one more reader.

mod outside;
mod secrets;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use hyper::Method;
use serde::Serialize;

use super::reach::Place;
use super::{Failure, out};
use crate::app;
use crate::config::{self, Settings};
use crate::domain::time::{Clock as _, SystemClock, Timestamp};
use crate::domain::webhook::{WebhookState, WebhookStatus};
use crate::store::sqlite::{Access, Options as Opening, Sqlite, overgrown};
use crate::store::{Anatomy, Store as _};

/// Feeds whose size is shown.
const LARGEST: u32 = 20;
/// How long the daemon may take to say that it is ready.
const PATIENCE: Duration = Duration::from_secs(10);
/// Times of the database may be so far ahead of the clock.
const SKEW: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(86_400);
/// With less free disk than this, the log of the database may not fit.
const LEAST_DISK_BYTES: u64 = 128_000_000;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Ask no name server, call no host
    #[arg(long)]
    offline: bool,
}

/// The whole report.
#[derive(Serialize)]
struct Report {
    /// Nothing is wrong.
    ok: bool,
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<Anatomy>,
}

/// A verdict.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    state: State,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Problem,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, state: State::Ok, message: message.into(), advice: None }
    }

    fn warning(name: &'static str, message: impl Into<String>, advice: &str) -> Self {
        Self { name, state: State::Warning, message: message.into(), advice: Some(advice.to_owned()) }
    }

    fn problem(name: &'static str, message: impl Into<String>, advice: Option<&str>) -> Self {
        Self { name, state: State::Problem, message: message.into(), advice: advice.map(str::to_owned) }
    }
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let report = place.block_on(async { Ok(examine(options, place).await) })?;
    if options.json {
        out::json(&report)?;
    } else {
        print(&report)?;
    }
    if report.ok { Ok(()) } else { Err(Failure::new("")) }
}

async fn examine(options: &Options, place: &Place) -> Report {
    let now = SystemClock.now();
    let mut checks = Vec::new();
    let path = match place.path() {
        Ok(path) => Some(path),
        Err(e) => {
            checks.push(Check::problem("config", e.message, Some("`feedmill init` writes one")));
            None
        }
    };
    let settings = path.as_ref().and_then(|_| settings(place, &mut checks));
    if let Some(path) = &path {
        checks.push(daemon(place).await);
        checks.extend(versions(place).await);
        checks.extend(secrets::in_the_configuration(path));
    }
    let file = settings.map(|settings| settings.storage.database.clone());
    let file = file.or_else(|| config::database_of(path.as_deref()?, &place.environment));
    let mut database = None;
    if let Some(file) = file {
        database = look_at_database(&file, settings, now, &mut checks).await;
        checks.extend(secrets::in_the_database(&file));
        checks.push(disk(&file, database.as_ref()));
    }
    if let Some(database) = &database {
        checks.push(clock(database, now));
    }
    if let Some(settings) = settings.filter(|_| !options.offline) {
        checks.push(outside::names(settings).await);
        checks.extend(outside::webhooks(settings).await);
    }
    Report { ok: checks.iter().all(|check| check.state != State::Problem), checks, database }
}

fn settings<'a>(place: &'a Place, checks: &mut Vec<Check>) -> Option<&'a Settings> {
    match place.settings() {
        Ok(settings) => {
            let (feeds, streams, webhooks) = (settings.feeds.len(), settings.streams.len(), settings.webhooks.len());
            let path = settings.path.display();
            let said = format!("{path} is good: {feeds} feeds, {streams} streams, {webhooks} webhooks.");
            checks.push(Check::ok("config", said));
            let warnings = settings.warnings.iter();
            checks
                .extend(warnings.map(|warning| Check::warning("config", warning, "`feedmill check` shows the place")));
            Some(settings)
        }
        Err(e) => {
            checks.push(Check::problem("config", e.message, Some("correct these; a running daemon keeps the old one")));
            None
        }
    }
}

async fn daemon(place: &Place) -> Check {
    let name = "daemon";
    match place.daemon().await {
        Ok(Some(daemon)) => match daemon.ask(Method::GET, "/readyz", Bytes::new(), PATIENCE).await {
            Ok(_) => Check::ok(name, "It runs and is ready."),
            Err(e) => Check::problem(name, format!("It runs and is not ready: {}", e.message), Some("see its log")),
        },
        Ok(None) => Check::warning(
            name,
            "None runs on this configuration: nothing is polled, published or called.",
            "`systemctl start feedmill`, or `feedmill run`",
        ),
        Err(e) => Check::problem(name, e.message, None),
    }
}

/// Whether the daemon that runs is this program: after an upgrade by hand it is not.
async fn versions(place: &Place) -> Option<Check> {
    let name = "version";
    let daemon = place.daemon().await.ok().flatten()?;
    let numbers = daemon.ask(Method::GET, "/metrics", Bytes::new(), PATIENCE).await.ok()?;
    let numbers = String::from_utf8_lossy(&numbers);
    let line = numbers.lines().find(|line| line.starts_with("feedmill_build_info{"))?;
    let running = line.split_once("version=\"")?.1.split_once('"')?.0;
    Some(if running == app::VERSION {
        Check::ok(name, format!("The daemon and this program are {running}."))
    } else {
        let said = format!("The daemon is {running}, this program is {}.", app::VERSION);
        Check::warning(name, said, "`systemctl restart feedmill`")
    })
}

/// Opens the database, every page checked, and measures it.
async fn look_at_database(
    file: &Path,
    settings: Option<&Settings>,
    now: Timestamp,
    checks: &mut Vec<Check>,
) -> Option<Anatomy> {
    let name = "database";
    let opening = Opening { access: Access::Look, check: true, tagging: String::new() };
    let measured = match Sqlite::open(file, &opening) {
        Ok(store) => {
            let measured = store.anatomy(LARGEST, now).await;
            // An older database has no states yet.
            checks.extend(store.webhook_status().await.unwrap_or_default().iter().filter_map(held_up));
            let _ = store.close().await;
            measured
        }
        Err(e) => Err(e),
    };
    let database = match measured {
        Ok(database) => database,
        Err(e) => {
            checks.push(Check::problem(name, e.to_string(), None)); // the sentence has the way out
            return None;
        }
    };
    let (shown, size, free) = (file.display(), bytes(database.size_bytes), bytes(database.free_bytes));
    checks.push(Check::ok(
        name,
        format!("{shown} is sound: version {}, {size}, of which {free} are free.", database.version),
    ));
    checks.extend(long_log(file));
    if database.version < database.newest_version {
        let said = format!("Its version is {}, this program writes {}.", database.version, database.newest_version);
        checks.push(Check::warning(
            name,
            said,
            "the next start of the daemon brings it up to date; make a backup first",
        ));
    }
    let most = settings.and_then(|settings| settings.storage.max_bytes);
    if let Some(most) = most.filter(|most| database.identity_bytes.saturating_mul(2) > *most) {
        let needed = bytes(database.identity_bytes);
        let said = format!("To know stories again takes {needed}, and max_size is {}: little is left.", bytes(most));
        checks.push(Check::warning(name, said, "raise [storage] max_size"));
    }
    Some(database)
}

/// Somebody reads the database in a transaction that does not end, and its log grows.
fn long_log(database: &Path) -> Option<Check> {
    let size = bytes(overgrown(database)?);
    let said = format!("The log beside it takes {size}: while somebody reads it in one transaction it can only grow.");
    let advice = format!("`fuser {}` names who has it open; it becomes short when they end", database.display());
    Some(Check::warning("database", said, &advice))
}

/// A webhook that is not called, or that keeps what nobody will be called about.
fn held_up(hook: &WebhookStatus) -> Option<Check> {
    let (name, due) = (&hook.name, hook.due);
    if !hook.active {
        let said = format!("The webhook {name} is no longer configured and is owed {due} deliveries.");
        let advice = format!("bring it back, or `feedmill webhooks drop {name}`");
        return Some(Check::warning("webhooks", said, &advice));
    }
    let why = hook.reason.as_deref().unwrap_or("it fails");
    let said = format!("The webhook {name} is {} and is owed {due} deliveries: {why}.", hook.state.as_str());
    match hook.state {
        WebhookState::Active => None,
        WebhookState::Slowed => Some(Check::warning("webhooks", said, "it is tried again by itself")),
        WebhookState::Paused | WebhookState::Disabled => {
            let advice = format!("mend its endpoint, then `feedmill webhooks resume {name}`");
            Some(Check::warning("webhooks", said, &advice))
        }
    }
}

fn disk(file: &Path, database: Option<&Anatomy>) -> Check {
    let name = "disk";
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let free = match rustix::fs::statvfs(&folder) {
        Ok(system) => system.f_bavail.saturating_mul(system.f_frsize),
        Err(e) => return Check::problem(name, format!("{} cannot be looked at: {e}.", folder.display()), None),
    };
    let size = database.map_or(0, |database| database.size_bytes);
    let said = format!("{} are free where the database is.", bytes(free));
    if free < LEAST_DISK_BYTES {
        return Check::problem(name, said, Some("make room: without it nothing can be stored"));
    }
    if free < size {
        return Check::warning(name, said, "a copy of the database would not fit; set [storage] keep or max_size");
    }
    Check::ok(name, said)
}

fn clock(database: &Anatomy, now: Timestamp) -> Check {
    let name = "clock";
    let advice = "compare `date -u` with another machine; see that time synchronisation runs";
    if let Some(newest) = database.newest.filter(|newest| *newest > now.plus(SKEW)) {
        let said = format!("It says {now}, and the database has seen {newest}.");
        return Check::problem(name, said, Some(advice));
    }
    let behind = database.keep_clock.map(|keep| now.since(keep)).unwrap_or_default();
    if behind > 2 * DAY {
        let days = behind.as_secs() / DAY.as_secs();
        let said = format!(
            "It is {days} days ahead of the clock of retention, which follows by a day an hour while the daemon runs: \
             the daemon stood still, or the clock is wrong."
        );
        return Check::warning(name, said, advice);
    }
    Check::ok(name, format!("It says {now}."))
}

fn print(report: &Report) -> Result<(), Failure> {
    for check in &report.checks {
        let state = match check.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Problem => "PROBLEM",
        };
        let message = check.message.replace('\n', "\n                     ");
        out::line(&format!("{state:<8} {:<11} {message}", check.name))?;
        if let Some(advice) = &check.advice {
            out::line(&format!("{:21}→ {advice}", ""))?;
        }
    }
    let Some(database) = report.database.as_ref().filter(|database| database.items > 0) else { return Ok(()) };
    let each = |sum: u64, n: u64| sum.checked_div(n).unwrap_or(0);
    out::line("")?;
    out::line(&format!(
        "{} stories are kept. {} are known, {} bytes each without their text; {} of them are past, {} bytes each.",
        database.stories,
        database.items,
        each(database.identity_bytes, database.items),
        database.past,
        each(database.past_bytes, database.past)
    ))?;
    out::line("")?;
    let rows = database.feeds.feeds.iter().map(|feed| {
        vec![
            feed.name.clone(),
            feed.stories.to_string(),
            bytes(feed.body_bytes),
            feed.entries.to_string(),
            bytes(feed.identity_bytes),
        ]
    });
    out::table(&["feed", "stories kept", "their text", "ever seen", "to know them, about"], rows.collect())?;
    match database.feeds.more {
        0 => Ok(()),
        more => out::line(&format!("and {more} smaller ones")),
    }
}

/// A size for people.
fn bytes(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}
