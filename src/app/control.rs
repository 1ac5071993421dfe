//! What the operator asks of the running daemon: poll now, reload, test a webhook.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Configured, House, fetcher, once, translate};
use crate::config::settings::FeedSettings;
use crate::config::{self, Settings};
use crate::domain::feed::FeedId;
use crate::ops::logging;
use crate::poll::{Outcome, PollReport as Polled};
use crate::publish::hooks::{self, HookReport, ReplayRequest};
use crate::publish::merges::{self, UnmergeError, UnmergeReport};
use crate::publish::serve::control::{
    Control, ControlError, Doing, FeedReport, FillReport, LogReport, PollOutcome, PollReport, PollShape, ReloadReport,
    TestReport,
};
use crate::store::{FeedOrder, HookOrder, StoreError};

/// The operator's hand in the house.
pub(super) struct Operator(pub(super) Arc<House>);

impl Control for Operator {
    fn poll(&self, names: Option<Vec<String>>) -> Doing<'_, PollReport> {
        Box::pin(self.0.poll(names))
    }

    fn reload(&self) -> Doing<'_, ReloadReport> {
        Box::pin(async move {
            // Who asked may go away: what was begun is finished all the same.
            let house = Arc::clone(&self.0);
            let done = self.0.tasks.spawn(async move { house.reload().await });
            done.await.unwrap_or_else(|e| Err(ControlError::Failed(e.to_string())))
        })
    }

    fn fill(&self) -> FillReport {
        self.0.filling.far()
    }

    fn log_level(&self, level: String) -> Doing<'_, LogReport> {
        Box::pin(async move {
            if let Some(log) = &self.0.log {
                log.set_level(&level).map_err(ControlError::Unreadable)?;
            }
            tracing::info!(log.level = level, "the log has another level until the next reload");
            Ok(LogReport { level })
        })
    }

    fn unmerge(&self, item: i64) -> Doing<'_, UnmergeReport> {
        Box::pin(async move {
            let done = merges::unmerge(self.0.store.as_ref(), item, self.0.clock.now()).await;
            let report = done.map_err(|error| match error {
                UnmergeError::NotMerged(_) => ControlError::NotMerged(error.to_string()),
                UnmergeError::Several { .. } => ControlError::Ambiguous(error.to_string()),
                UnmergeError::Store(error) => ControlError::Failed(error.to_string()),
            })?;
            tracing::info!(item = report.item, from = report.from, "two stories were parted");
            Ok(report)
        })
    }

    fn order_feed(&self, name: String, order: FeedOrder) -> Doing<'_, FeedReport> {
        Box::pin(async move {
            // Who asked may go away: what was begun is finished all the same.
            let house = Arc::clone(&self.0);
            let done = self.0.tasks.spawn(async move { house.order_feed(name, order).await });
            done.await.unwrap_or_else(|e| Err(ControlError::Failed(e.to_string())))
        })
    }

    fn order_webhook(&self, name: String, order: HookOrder) -> Doing<'_, HookReport> {
        Box::pin(async move {
            // Who asked may go away: what was begun is finished all the same.
            let house = Arc::clone(&self.0);
            let done = self.0.tasks.spawn(async move { house.order_webhook(name, order).await });
            done.await.unwrap_or_else(|e| Err(ControlError::Failed(e.to_string())))
        })
    }

    fn replay(&self, name: String, asked: ReplayRequest) -> Doing<'_, HookReport> {
        Box::pin(async move {
            let house = Arc::clone(&self.0);
            let done = self.0.tasks.spawn(async move { house.replay(name, asked).await });
            done.await.unwrap_or_else(|e| Err(ControlError::Failed(e.to_string())))
        })
    }

    fn test_webhook(&self, name: String) -> Doing<'_, TestReport> {
        Box::pin(async move {
            let Some((id, attempt)) = self.0.outbox.send_test(&name).await else {
                return Err(ControlError::UnknownWebhook(name));
            };
            Ok(TestReport {
                count: 1,
                webhook: name,
                ok: attempt.error.is_none(),
                id,
                http_status: attempt.http_status,
                duration_ms: attempt.duration_ms,
                error: attempt.error,
                request: attempt.request,
                response: attempt.response,
            })
        })
    }
}

/// One poll, as it is told.
pub(crate) fn shape(report: Polled) -> PollShape {
    let outcome = match report.outcome {
        Outcome::Loaded => PollOutcome::Loaded,
        Outcome::NotModified => PollOutcome::NotModified,
        Outcome::Failed | Outcome::Offline => PollOutcome::Failed,
        Outcome::Gone => PollOutcome::Gone,
        Outcome::Held => PollOutcome::Skipped,
    };
    PollShape {
        name: (*report.name).to_owned(),
        outcome,
        new: report.stored.new,
        changed: report.stored.changed,
        sighted: report.stored.sighted,
        http_status: report.error.as_ref().and_then(|error| error.http_status),
        duration_ms: report.duration_ms,
        error: report.error.map(|error| error.message),
    }
}

impl House {
    async fn poll(&self, names: Option<Vec<String>>) -> Result<PollReport, ControlError> {
        let configured = self.configured();
        let wanted: Vec<FeedId> = match names {
            None => {
                let others = once::not_on_their_own(self.store.as_ref()).await;
                let others = others.map_err(|e| ControlError::Failed(e.to_string()))?;
                let own = |feed: &FeedSettings| feed.terms.enabled && !others.contains(feed.name.as_str());
                let all = configured.feeds().filter(|(feed, _)| own(feed));
                all.map(|(_, row)| row).collect()
            }
            Some(names) => {
                let rows: HashMap<&str, FeedId> =
                    configured.feeds().map(|(feed, row)| (feed.name.as_str(), row)).collect();
                let known = |name: String| rows.get(name.as_str()).copied().ok_or(ControlError::UnknownFeed(name));
                names.into_iter().map(known).collect::<Result<_, _>>()?
            }
        };
        let mut reports = self.poller.poll_now(wanted);
        let mut feeds = Vec::new();
        loop {
            tokio::select! {
                report = reports.recv() => match report {
                    Some(report) => feeds.push(shape(report)),
                    None => break,
                },
                () = self.stop.cancelled() => return Err(ControlError::Stopping),
            }
        }
        feeds.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(PollReport { count: feeds.len(), feeds })
    }

    async fn order_feed(&self, name: String, order: FeedOrder) -> Result<FeedReport, ControlError> {
        // A reload would have read what this changes.
        let _one = self.reloading.lock().await;
        let failed = |e: StoreError| ControlError::Failed(e.to_string());
        let done = self.store.order_feed(name.clone(), order, self.clock.now()).await.map_err(failed)?;
        let ordered = done.ok_or_else(|| ControlError::UnknownFeed(name.clone()))?;
        tracing::info!(feed.name = %name, order = ?order, "a feed was told by hand");
        let mut published = (*self.live.get().published).clone();
        published.unite(self.store.merged_feeds().await.map_err(failed)?);
        self.live.set(published);
        let next_poll = ordered.due;
        self.poller.ordered(ordered);
        Ok(FeedReport { count: 1, feed: name, next_poll })
    }

    async fn order_webhook(&self, name: String, order: HookOrder) -> Result<HookReport, ControlError> {
        let now = self.clock.now();
        let done = hooks::order(self.store.as_ref(), name.clone(), order, now).await;
        let report = done.map_err(|e| ControlError::Failed(e.to_string()))?;
        let report = report.ok_or_else(|| ControlError::UnknownWebhook(name.clone()))?;
        tracing::info!(webhook.name = %name, order = ?order, deliveries = report.count, "a webhook was told by hand");
        self.outbox.nudge();
        Ok(report)
    }

    async fn replay(&self, name: String, asked: ReplayRequest) -> Result<HookReport, ControlError> {
        let now = self.clock.now();
        let window = hooks::window(name.clone(), &asked, now).map_err(ControlError::Asked)?;
        let done = hooks::replay(self.store.as_ref(), window, now).await;
        let report = done.map_err(|e| ControlError::Failed(e.to_string()))?;
        let report = report.ok_or_else(|| ControlError::UnknownWebhook(name.clone()))?;
        tracing::info!(webhook.name = %name, deliveries = report.count, "deliveries are made again by hand");
        self.outbox.nudge();
        Ok(report)
    }

    /// Reads the configuration again: whole or not at all.
    pub(super) async fn reload(self: &Arc<Self>) -> Result<ReloadReport, ControlError> {
        let _one = self.reloading.lock().await;
        self.reload_locked().await
    }

    /// The caller holds the lock.
    pub(super) async fn reload_locked(self: &Arc<Self>) -> Result<ReloadReport, ControlError> {
        self.notifier.reloading();
        let outcome = self.try_reload().await;
        self.metrics.reload(outcome.is_ok());
        match &outcome {
            Ok(report) => {
                tracing::info!(config = %report.message, "configuration reloaded");
                super::tell_doubts(&report.warnings);
            }
            Err(e) => {
                tracing::error!(error = %e, "reload refused");
                self.notifier.status("reload refused: the old configuration stays in force; see the journal");
            }
        }
        // Always, also after a refusal: systemd would wait for it.
        self.notifier.ready();
        outcome
    }

    async fn try_reload(self: &Arc<Self>) -> Result<ReloadReport, ControlError> {
        let old = self.settings();
        let (path, environment) = (old.path.clone(), self.environment.clone());
        let read = tokio::task::spawn_blocking(move || config::load(&path, &environment)).await;
        let new = read.map_err(|e| ControlError::Failed(e.to_string()))?;
        let new = new.map_err(|mistakes| ControlError::Refused { errors: vec![mistakes.to_string()] })?;
        let fixed = needs_restart(&old, &new);
        if !fixed.is_empty() {
            return Err(ControlError::Refused { errors: fixed });
        }
        logging::readable(&new.log.level).map_err(|error| ControlError::Refused { errors: vec![error] })?;
        let fetcher = fetcher(&new).map_err(ControlError::Failed)?;
        let failed = |e: &dyn std::fmt::Display| ControlError::Failed(format!("the configuration is good, but {e}"));
        self.filling.end().await;
        let now = self.clock.now();
        let registry =
            self.store.apply_subscriptions(translate::subscriptions(&new), now).await.map_err(|e| failed(&e))?;
        let (feeds, streams, webhooks) = (new.feeds.len(), new.streams.len(), new.webhooks.len());
        let warnings = new.warnings.clone();
        self.poller.stages().set_fetcher(fetcher);
        self.outbox.set_targets(translate::targets(&new, &registry));
        let mut published = translate::published(&new, &registry, now);
        published.unite(self.store.merged_feeds().await.map_err(|e| failed(&e))?);
        self.live.set(published);
        if let Some(log) = &self.log {
            log.set_level(&new.log.level).map_err(ControlError::Failed)?;
        }
        *self.configured.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Configured::new(new, &registry);
        let filling = self.put_plan(&registry).await.map_err(|e| failed(&e))?;
        let message = format!("{feeds} feeds, {streams} streams, {webhooks} webhooks{}", being_filled(&filling));
        Ok(ReloadReport { count: feeds + streams + webhooks, ok: true, message, filling, warnings })
    }
}

/// Which streams are being filled, for people.
fn being_filled(names: &[String]) -> String {
    const NAMED: usize = 5;
    let named = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => String::new(),
        1..=NAMED => format!("; being filled from what is stored: {named}"),
        count => format!("; being filled from what is stored: {named} and {} more", count - NAMED),
    }
}

/// What a reload cannot change, a sentence each.
fn needs_restart(old: &Settings, new: &Settings) -> Vec<String> {
    let (was, is) = (&old.server, &new.server);
    let checks = [
        ("[server] listen", was.listen == is.listen),
        ("[server] private_listen", was.private_listen == is.private_listen),
        ("[server] max_connections", was.max_connections == is.max_connections),
        ("[storage] database", old.storage.database == new.storage.database),
        ("[log] format", old.log.format == new.log.format),
    ];
    let changed = checks.into_iter().filter(|(_, same)| !same);
    changed.map(|(key, _)| format!("{key} changed, which needs a restart; nothing was reloaded.")).collect()
}
