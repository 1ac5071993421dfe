//! `feedmill webhooks`: how they are, what they were sent, and what is done with them by hand.

mod verify;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, Subcommand};
use hyper::Method;

use super::client::Client;
use super::reach::{Place, Source};
use super::{Failure, Listing, out};
use crate::app;
use crate::deliver::Sender;
use crate::domain::shape::DeliveryShape;
use crate::domain::time::{Clock as _, SystemClock};
use crate::domain::webhook::DeliveryState;
use crate::publish::hooks::{self, HookReport, ReplayReport, ReplayRequest};
use crate::publish::lists::{self, DeliveryFilter, DeliveryList, Part, WebhookList};
use crate::publish::serve::control::TestReport;
use crate::store::sqlite::{Access, Options as Opening, Sqlite};
use crate::store::{HookOrder, Store as _, StoreError};

/// The longest time-out of a webhook, and a little.
const PATIENCE: Duration = Duration::from_secs(330);

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    #[command(flatten)]
    listing: Listing,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show deliveries, newest first
    Deliveries {
        /// Only of this webhook
        #[arg(long, value_name = "NAME")]
        webhook: Option<String>,
        /// Only those that are pending, succeeded, failed or held
        #[arg(long)]
        state: Option<DeliveryState>,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show one delivery with each of its attempts: what was sent, what was answered
    Show {
        /// Its id, as in the header webhook-id
        id: String,
        /// Print the body of the API route
        #[arg(long)]
        json: bool,
    },
    /// Make a signed test call with the newest item, and print request and answer
    Test {
        /// Which webhook
        name: String,
        /// Print the body of the API route
        #[arg(long)]
        json: bool,
    },
    /// Make deliveries again that were given up, under their old ids
    Replay {
        /// Those that were enqueued at this time or later: 2026-11-24T08:00:00Z, or an age such as 3d
        #[arg(long, value_name = "TIME")]
        since: String,
        /// Those that were enqueued before this time [default: now]
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Those that succeeded, too
        #[arg(long)]
        all: bool,
        /// Only of this webhook
        #[arg(long, value_name = "NAME")]
        webhook: Option<String>,
        /// Print what was done as JSON
        #[arg(long)]
        json: bool,
    },
    /// Hold what a webhook is owed, until it is resumed
    Pause {
        /// Which webhook
        name: String,
        /// Print the body of the API route
        #[arg(long)]
        json: bool,
    },
    /// Call a webhook again that was paused or disabled; what was held goes first, the oldest before the others
    Resume {
        /// Which webhook
        name: String,
        /// Print the body of the API route
        #[arg(long)]
        json: bool,
    },
    /// Give up what a webhook is owed; a replay within thirty days brings it back
    Drop {
        /// Which webhook
        name: String,
        /// Print the body of the API route
        #[arg(long)]
        json: bool,
    },
    /// Read a captured request and say what is wrong with its signature
    Verify {
        /// Headers, an empty line, the body as it came [default: standard input]
        file: Option<PathBuf>,
        /// With the secrets of this webhook only
        #[arg(long, value_name = "NAME")]
        webhook: Option<String>,
        /// Print what was found as JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    match &options.action {
        None => list(&options.listing, place),
        Some(Action::Deliveries { webhook, state, listing }) => deliveries(webhook.as_deref(), *state, listing, place),
        Some(Action::Show { id, json }) => show(id, *json, place),
        Some(Action::Test { name, json }) => test(name, *json, place),
        Some(Action::Replay { since, until, all, webhook, json }) => {
            let asked = ReplayRequest { since: since.clone(), until: until.clone(), all: *all };
            replay(webhook.as_deref(), &asked, *json, place)
        }
        Some(Action::Pause { name, json }) => order(name, HookOrder::Pause, *json, place),
        Some(Action::Resume { name, json }) => order(name, HookOrder::Resume, *json, place),
        Some(Action::Drop { name, json }) => order(name, HookOrder::Drop, *json, place),
        Some(Action::Verify { file, webhook, json }) => verify::run(file.as_deref(), webhook.as_deref(), *json, place),
    }
}

async fn all(place: &Place, listing: &Listing) -> Result<WebhookList, Failure> {
    match place.source().await? {
        Source::Daemon(daemon) => daemon.get(&listing.path("/api/v1/webhooks", &[])).await,
        Source::Database(at) => {
            let part = Part { limit: listing.limit, after: listing.after.clone() };
            Ok(lists::webhooks(at.store.as_ref(), &at.published, &part).await.map_err(Failure::from)?)
        }
    }
}

fn list(listing: &Listing, place: &Place) -> Result<(), Failure> {
    let list = place.block_on(all(place, listing))?;
    if listing.json {
        return out::json(&list);
    }
    let rows = list.webhooks.iter().map(|hook| {
        let last = hook.last_attempt.as_ref();
        vec![
            hook.name.clone(),
            hook.state.as_str().to_owned(),
            hook.due.to_string(),
            hook.failed.to_string(),
            out::time(hook.oldest_due),
            out::time(last.map(|attempt| attempt.at)),
            last.map_or_else(String::new, |attempt| {
                let status = attempt.http_status.map(|status| status.to_string());
                out::short(attempt.error.as_deref().or(status.as_deref()).unwrap_or_default(), 80)
            }),
            out::short(hook.reason.as_deref().unwrap_or_default(), 80),
        ]
    });
    out::table(&["webhook", "state", "due", "failed", "oldest due", "last attempt", "answer", "why"], rows.collect())?;
    out::more(list.next.as_deref())
}

fn test(name: &str, json: bool, place: &Place) -> Result<(), Failure> {
    let report = place.block_on(async {
        if let Some(daemon) = place.daemon().await? {
            let body =
                daemon.ask(Method::POST, &format!("/api/v1/webhooks/{name}/test"), Bytes::new(), PATIENCE).await?;
            return serde_json::from_slice(&body).map_err(|e| Failure::new(e.to_string()));
        }
        let settings = place.settings()?;
        let Some(target) = app::target(settings, name) else {
            return Err(Failure::new(format!("there is no webhook `{name}` in {}.", settings.path.display())));
        };
        let (id, attempt) = Sender::new().send_test(&target, None, SystemClock.now()).await;
        Ok(TestReport {
            count: 1,
            webhook: name.to_owned(),
            ok: attempt.error.is_none(),
            id,
            http_status: attempt.http_status,
            duration_ms: attempt.duration_ms,
            error: attempt.error,
            request: attempt.request,
            response: attempt.response,
        })
    })?;
    if json {
        out::json(&report)?;
    }
    let status = report.http_status.map(|status| format!(" {status}")).unwrap_or_default();
    if !json {
        for (mark, text) in [("> ", &report.request), ("< ", &report.response)] {
            for line in text.lines() {
                out::line(&format!("{mark}{}", out::printable(line)))?;
            }
        }
    }
    match &report.error {
        None if json => Ok(()),
        None => out::line(&format!("{name} answered{status} within {} ms", report.duration_ms)),
        Some(error) => Err(Failure::new(format!("{name} was called, but {error}"))),
    }
}

fn deliveries(
    webhook: Option<&str>,
    state: Option<DeliveryState>,
    listing: &Listing,
    place: &Place,
) -> Result<(), Failure> {
    let list: DeliveryList = place.block_on(async {
        match place.source().await? {
            Source::Daemon(daemon) => {
                let word = state.map_or("", DeliveryState::as_str);
                let asked = [("webhook", webhook.unwrap_or_default()), ("state", word)];
                daemon.get(&listing.path("/api/v1/deliveries", &asked)).await
            }
            Source::Database(at) => {
                let part = Part { limit: listing.limit, after: listing.after.clone() };
                let filter = DeliveryFilter { webhook: webhook.map(str::to_owned), state };
                Ok(lists::deliveries(at.store.as_ref(), filter, &part).await.map_err(Failure::from)?)
            }
        }
    })?;
    if listing.json {
        return out::json(&list);
    }
    let rows = list.deliveries.iter().map(|delivery| {
        let about = delivery.item.map(|item| format!("item {item}")).or_else(|| delivery.feed.clone());
        vec![
            delivery.id.clone(),
            delivery.webhook.clone(),
            delivery.kind.clone(),
            about.unwrap_or_default(),
            delivery.state.as_str().to_owned(),
            delivery.attempts.to_string(),
            out::time(delivery.next_attempt),
        ]
    });
    out::table(&["id", "webhook", "event", "about", "state", "attempts", "next attempt"], rows.collect())?;
    out::more(list.next.as_deref())
}

fn show(id: &str, json: bool, place: &Place) -> Result<(), Failure> {
    let missing = || Failure::new(format!("there is no delivery `{id}`. `feedmill webhooks deliveries` lists them."));
    let delivery: DeliveryShape = place.block_on(async {
        match place.source().await? {
            Source::Daemon(daemon) => {
                let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
                daemon.get(&format!("/api/v1/deliveries/{id}")).await
            }
            Source::Database(at) => lists::delivery(at.store.as_ref(), id).await?.ok_or_else(missing),
        }
    })?;
    if json {
        return out::json(&delivery);
    }
    let about = delivery.item.map(|item| format!(" about item {item}")).unwrap_or_default();
    out::line(&format!(
        "{} to {}: {}{about}, {}",
        delivery.id,
        delivery.webhook,
        delivery.kind,
        delivery.state.as_str()
    ))?;
    for line in delivery.body.iter().flat_map(|body| body.lines()) {
        out::line(&out::printable(line))?;
    }
    for attempt in &delivery.log {
        let at = out::time(Some(attempt.at));
        let how = match (&attempt.error, attempt.http_status) {
            (Some(error), _) => out::printable(error),
            (None, status) => format!("answered {}", status.unwrap_or_default()),
        };
        out::line(&format!("\n{at}  {how} ({} ms)", attempt.duration_ms))?;
        for (mark, text) in [("> ", &attempt.request), ("< ", &attempt.response)] {
            for line in text.iter().flat_map(|text| text.lines()) {
                out::line(&format!("{mark}{}", out::printable(line)))?;
            }
        }
    }
    match delivery.next_attempt {
        Some(next) => out::line(&format!("\nnext attempt: {}", out::time(Some(next)))),
        None => Ok(()),
    }
}

/// The database for a command that changes it while no daemon runs.
fn open(place: &Place) -> Result<Sqlite, Failure> {
    let path = &place.settings()?.storage.database;
    if !path.exists() {
        return Err(StoreError::Missing { path: path.display().to_string() }.into());
    }
    Ok(Sqlite::open(path, &Opening { access: Access::Own, check: false, tagging: String::new() })?)
}

async fn ask(daemon: Client, path: &str, body: Bytes) -> Result<HookReport, Failure> {
    let body = daemon.ask(Method::POST, path, body, PATIENCE).await?;
    serde_json::from_slice(&body).map_err(|e| Failure::new(e.to_string()))
}

fn unknown(name: &str) -> Failure {
    Failure::new(format!("there is no webhook `{name}`. `feedmill webhooks` lists them."))
}

fn order(name: &str, order: HookOrder, json: bool, place: &Place) -> Result<(), Failure> {
    let (route, done) = match order {
        HookOrder::Pause => ("pause", "is paused and is owed"),
        HookOrder::Resume => ("resume", "is called again and is owed"),
        HookOrder::Drop => ("drop", "is no longer owed"),
    };
    let report = place.block_on(async {
        if let Some(daemon) = place.daemon().await? {
            return ask(daemon, &format!("/api/v1/webhooks/{name}/{route}"), Bytes::new()).await;
        }
        let store = open(place)?;
        let report = hooks::order(&store, name.to_owned(), order, SystemClock.now()).await;
        store.close().await?;
        report?.ok_or_else(|| unknown(name))
    })?;
    if json {
        return out::json(&report);
    }
    out::line(&format!("{name} {done} {} deliveries", report.count))
}

fn replay(webhook: Option<&str>, asked: &ReplayRequest, json: bool, place: &Place) -> Result<(), Failure> {
    let reports: Vec<HookReport> = place.block_on(async {
        let names = match webhook {
            Some(name) => vec![name.to_owned()],
            None => {
                let whole = Listing { json: false, limit: lists::MAX_LIMIT, after: None };
                all(place, &whole).await?.webhooks.into_iter().map(|hook| hook.name).collect()
            }
        };
        let body = Bytes::from(serde_json::to_vec(asked).map_err(|e| Failure::new(e.to_string()))?);
        let mut reports = Vec::new();
        for name in names {
            if let Some(daemon) = place.daemon().await? {
                reports.push(ask(daemon, &format!("/api/v1/webhooks/{name}/replay"), body.clone()).await?);
                continue;
            }
            let now = SystemClock.now();
            let window = hooks::window(name.clone(), asked, now).map_err(Failure::new)?;
            let store = open(place)?;
            let report = hooks::replay(&store, window, now).await;
            store.close().await?;
            reports.push(report?.ok_or_else(|| unknown(&name))?);
        }
        Ok(reports)
    })?;
    if json {
        return out::json(&ReplayReport { count: reports.iter().map(|report| report.count).sum(), webhooks: reports });
    }
    for report in reports {
        out::line(&format!("{}: {} deliveries are made again", report.webhook, report.count))?;
    }
    Ok(())
}
