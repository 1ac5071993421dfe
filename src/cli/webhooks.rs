//! `feedmill webhooks`: how they are, and a signed test call.

use std::time::Duration;

use bytes::Bytes;
use clap::{Args, Subcommand};
use hyper::Method;

use super::reach::{Place, Source};
use super::{Failure, Listing, out};
use crate::app;
use crate::deliver::Sender;
use crate::domain::time::{Clock as _, SystemClock};
use crate::publish::lists::{self, Part, WebhookList};
use crate::publish::serve::control::TestReport;

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
    /// Make a signed test call
    Test {
        /// Which webhook
        name: String,
        /// Print the body of the API route
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    match &options.action {
        Some(Action::Test { name, json }) => test(name, *json, place),
        None => list(&options.listing, place),
    }
}

fn list(listing: &Listing, place: &Place) -> Result<(), Failure> {
    let list: WebhookList = place.block_on(async {
        match place.source().await? {
            Source::Daemon(daemon) => daemon.get(&listing.path("/api/v1/webhooks", &[])).await,
            Source::Database(at) => {
                let part = Part { limit: listing.limit, after: listing.after.clone() };
                Ok(lists::webhooks(at.store.as_ref(), &at.published, &part).await.map_err(Failure::from)?)
            }
        }
    })?;
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
        ]
    });
    out::table(&["webhook", "state", "due", "failed", "oldest due", "last attempt", "answer"], rows.collect())?;
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
        let (id, attempt) = Sender::new().send_test(&target, SystemClock.now()).await;
        Ok(TestReport {
            count: 1,
            webhook: name.to_owned(),
            ok: attempt.error.is_none(),
            id,
            http_status: attempt.http_status,
            duration_ms: attempt.duration_ms,
            error: attempt.error,
        })
    })?;
    if json {
        out::json(&report)?;
    }
    let status = report.http_status.map(|status| format!(" {status}")).unwrap_or_default();
    match &report.error {
        None if json => Ok(()),
        None => out::line(&format!("{name} answered{status} within {} ms", report.duration_ms)),
        Some(error) => Err(Failure::new(format!("{name} was called, but {error}"))),
    }
}
