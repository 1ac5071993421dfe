//! The loop: claims what is due, renders what was never rendered, sends, settles.
//!
//! It never polls: it sleeps until a commit pokes it, an attempt ends, or the next delivery is due.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::body;
use super::flight::{Flight, later};
use super::send::Sender;
use super::slots::{Slots, Wants};
pub use super::target::Target;
use crate::domain::time::Clock;
use crate::domain::webhook::{Attempt, DeliveryLease, EventKind, HookAlert, Settled, Verdict, WebhookId, WebhookState};
use crate::message::{self, Rendered};
use crate::store::{Leased, PageRequest, Store, StoreError};

/// It wakes at least this often: timers stand still while a machine sleeps, and its clock may be set.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// What is due and still was not given out is asked for again after this.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// A lease outlives its attempt by this: rendering and waiting for the store happen within it.
const LEASE_MARGIN: Duration = Duration::from_secs(60);
/// Pauses after a failure of the store: the first, and the longest that doubling leads to.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After the drain deadline, to give leases back.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// Called after each attempt that was written down: for counting. Must return at once.
pub type OnAttempt = Arc<dyn Fn(&Target, &Attempt, &Settled) + Send + Sync>;

/// What bounds the outbox.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Attempts at a time, all webhooks together; a webhook with none under way may always have one.
    pub concurrency: usize,
    /// How long a stop waits for what is in flight.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: 64, drain: Duration::from_secs(20) }
    }
}

/// The outbox.
pub struct Outbox {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sender: Sender,
    limits: Limits,
    on_attempt: OnAttempt,
    /// Poked after a commit that owes deliveries.
    wake: Arc<Notify>,
    /// Poked by the outbox itself: a slot is free, or the targets are others.
    pub(super) changed: Notify,
    /// Cancelled when what is in flight is to be given up.
    pub(super) give_up: CancellationToken,
    /// Failures of the store since a delivery last went all the way.
    store_failures: AtomicU32,
    state: Mutex<State>,
}

pub(super) struct State {
    targets: Arc<[Arc<Target>]>,
    pub(super) slots: Slots,
    /// Webhooks whose last attempt failed: the log says so once, and once more when it is over.
    failing: HashSet<WebhookId>,
}

impl Outbox {
    /// An outbox that sleeps until [`Self::run`]. Poke `wake` with `notify_one` after each commit that owes
    /// deliveries.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        wake: Arc<Notify>,
        targets: Vec<Target>,
        limits: Limits,
        on_attempt: OnAttempt,
    ) -> Arc<Self> {
        let state = State {
            targets: targets.into_iter().map(Arc::new).collect(),
            slots: Slots::new(limits.concurrency),
            failing: HashSet::new(),
        };
        Arc::new(Self {
            store,
            clock,
            sender: Sender::new(),
            limits,
            on_attempt,
            wake,
            changed: Notify::new(),
            give_up: CancellationToken::new(),
            store_failures: AtomicU32::new(0),
            state: Mutex::new(state),
        })
    }

    /// Puts other targets in place. Attempts in flight end as they began.
    pub fn set_targets(&self, targets: Vec<Target>) {
        self.sender.keep_only(&targets);
        self.state().targets = targets.into_iter().map(Arc::new).collect();
        self.changed.notify_one();
    }

    /// Looks again at what is due: a webhook was resumed, or deliveries were made due by hand.
    pub fn nudge(&self) {
        self.changed.notify_one();
    }

    /// Makes a signed test call to a webhook, outside the queue: its `webhook-id` and how it went. `None`: no
    /// target has that name.
    pub async fn send_test(&self, webhook: &str) -> Option<(String, Attempt)> {
        let targets = self.state().targets.clone();
        let target = targets.iter().find(|target| target.name == webhook)?;
        let newest = self.store.public().stream_page(PageRequest { stream: None, limit: 1, before: None }).await;
        let item = newest.ok().and_then(|page| page.items.into_iter().next());
        Some(self.sender.send_test(target, item.as_ref(), self.clock.now()).await)
    }

    /// Deliveries under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.state().slots.busy()
    }

    /// Ends what is in flight at once and gives it back: for a second stop signal.
    pub fn hasten(&self) {
        self.give_up.cancel();
    }

    /// Works until `stop`; then claims no more, finishes what is in flight and returns. What is not finished by
    /// the drain deadline is given back and sent again after the next start, under its old id.
    pub async fn run(self: Arc<Self>, stop: CancellationToken, tasks: TaskTracker) {
        while !stop.is_cancelled() {
            match self.round(&stop, &tasks).await {
                Ok(wait) => tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = self.wake.notified() => {}
                    () = self.changed.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                },
                // No wake-up cuts this short: a store that fails is not asked again at once.
                Err(error) => tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(self.store_failed(&error)) => {}
                },
            }
        }
        self.drain().await;
    }

    /// Claims what there is room for and sets it going. Gives how long to sleep if nothing happens.
    async fn round(self: &Arc<Self>, stop: &CancellationToken, tasks: &TaskTracker) -> Result<Duration, StoreError> {
        let (targets, wants) = {
            let mut state = self.state();
            let targets = state.targets.clone();
            let wants = state.slots.wants(&targets, Instant::now());
            (targets, wants)
        };
        if wants.list.is_empty() {
            return Ok(paced(&wants, &HashMap::new()).unwrap_or(LONGEST_WAIT));
        }
        let longest = targets.iter().map(|target| target.timeout).max().unwrap_or_default();
        let span = longest.saturating_add(LEASE_MARGIN);
        let (now, ends) = (self.clock.now(), later(span));
        let leased = self.store.lease_deliveries(wants.list.clone(), now, now.plus(span)).await?;
        if leased.deliveries.is_empty() && self.in_flight() == 0 {
            self.store_works();
        }
        let wait = self.wait(&wants, &leased);
        let batch = self.take_off(&targets, leased.deliveries, ends);
        if !batch.is_empty() {
            tasks.spawn(Arc::clone(self).start(batch, stop.clone(), tasks.clone()));
        }
        Ok(wait)
    }

    fn wait(&self, wants: &Wants, leased: &Leased) -> Duration {
        let mut counts: HashMap<WebhookId, u32> = HashMap::new();
        for lease in &leased.deliveries {
            *counts.entry(lease.webhook).or_default() += 1;
        }
        if wants.cut_short(&counts) {
            return Duration::ZERO;
        }
        let due = leased.next_at.map_or(LONGEST_WAIT, |at| at.since(self.clock.now()));
        // Due already, but not given out: its webhook is full and `changed` will come, or another holds it.
        let due = if due.is_zero() { SHORTEST_WAIT } else { due.min(LONGEST_WAIT) };
        paced(wants, &counts).map_or(due, |paced| paced.min(due))
    }

    fn take_off(
        self: &Arc<Self>,
        targets: &[Arc<Target>],
        leases: Vec<DeliveryLease>,
        ends: Instant,
    ) -> Vec<(Flight, DeliveryLease)> {
        let mut state = self.state();
        let mut batch = Vec::with_capacity(leases.len());
        for lease in leases {
            let Some(target) = targets.iter().find(|target| target.id == lease.webhook) else { continue };
            if !state.slots.begin(lease.webhook, lease.id, lease.token) {
                continue;
            }
            state.slots.spend(target, Instant::now());
            let flight = Flight {
                outbox: Arc::clone(self),
                target: Arc::clone(target),
                delivery: lease.id,
                message_id: lease.message_id.clone(),
                attempts: lease.attempts,
                tries: lease.tries,
                ends,
            };
            batch.push((flight, lease));
        }
        batch
    }

    /// Sends what has a body; renders the rest, keeps the bodies in one transaction, and sends that.
    async fn start(self: Arc<Self>, batch: Vec<(Flight, DeliveryLease)>, stop: CancellationToken, tasks: TaskTracker) {
        let mut rendering = Vec::new();
        for (flight, mut lease) in batch {
            match lease.body.take() {
                Some(body) => drop(tasks.spawn(flight.fly(body.into(), stop.clone()))),
                None => {
                    let target = Arc::clone(&flight.target);
                    rendering.push((flight, tasks.spawn_blocking(move || render(&lease, &target))));
                }
            }
        }
        let (mut rendered, mut failed) = (Vec::new(), Vec::new());
        for (flight, job) in rendering {
            match job.await {
                Ok(Ok(made)) => {
                    failed.extend(made.failed.map(|why| (Arc::clone(&flight.target), why)));
                    rendered.push((flight, made.body));
                }
                Ok(Err(error)) => flight.unrendered(&error.to_string()).await,
                // A panic over one item must not hold up the others, nor come back without end.
                Err(_) => flight.unrendered("rendering it failed; this is a mistake in Feedmill").await,
            }
        }
        if rendered.is_empty() {
            return;
        }
        let bodies = rendered.iter().map(|(flight, body)| (flight.delivery, body.clone())).collect();
        if let Err(error) = self.store.keep_bodies(bodies).await {
            // What could not be kept is not sent. The slots stay taken meanwhile.
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.store_failed(&error)) => {}
            }
            for (flight, _) in &rendered {
                flight.release().await;
            }
            return;
        }
        for (flight, body) in rendered {
            tasks.spawn(flight.fly(body.into(), stop.clone()));
        }
        for (target, why) in failed {
            self.tell_of_template(&target, why).await;
        }
    }

    /// Says that a call went out in the standard form. That it is told is worth less than that it went out: if it cannot
    /// be stored, the log has it.
    async fn tell_of_template(&self, target: &Target, why: String) {
        tracing::error!(webhook.name = %target.name, error = %why, "a call goes out in the standard form");
        let alert = HookAlert {
            kind: EventKind::TemplateFailed,
            occurred_at: self.clock.now(),
            webhook: target.name.clone(),
            since: None,
            reason: format!("{why}; its calls go out in the standard form until then"),
            due: 0,
        };
        match self.store.tell_of_webhook(target.id, alert, Arc::clone(&target.alerts)).await {
            Ok(0) => {}
            Ok(_) => self.changed.notify_one(),
            Err(error) => tracing::error!(error = %error, "it could not be told to [alerts]"),
        }
    }

    async fn drain(&self) {
        let idle = async {
            while self.in_flight() > 0 {
                self.changed.notified().await;
            }
        };
        tokio::pin!(idle);
        tokio::select! {
            () = &mut idle => return,
            () = self.give_up.cancelled() => {}
            () = tokio::time::sleep(self.limits.drain) => {}
        }
        tracing::warn!(deliveries = self.in_flight(), "the stop does not wait for these calls any longer");
        self.give_up.cancel();
        if tokio::time::timeout(GIVE_BACK, idle).await.is_err() {
            tracing::warn!(deliveries = self.in_flight(), "these calls could not be given back; their leases run out");
        }
    }

    /// Gives how long to leave the store alone. Says only once that it fails, however many calls run into it.
    pub(super) fn store_failed(&self, error: &StoreError) -> Duration {
        let before = self.store_failures.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            tracing::error!(error = %error, "deliveries stand still: what is owed stays owed");
        } else {
            tracing::debug!(error = %error, failures = before, "the store fails still");
        }
        FIRST_PAUSE.saturating_mul(1 << before.min(5)).min(LONGEST_PAUSE)
    }

    pub(super) fn store_works(&self) {
        if self.store_failures.swap(0, Ordering::Relaxed) > 0 {
            tracing::info!("deliveries go on");
        }
    }

    /// Counts an attempt that was settled. Says once that a webhook began to fail, and once that it recovered; the rest
    /// is for debugging, and in the attempt log.
    pub(super) fn report(&self, flight: &Flight, attempt: &Attempt, settled: &Settled) {
        let verdict = &settled.verdict;
        (self.on_attempt)(&flight.target, attempt, settled);
        if settled.owed > 0 {
            self.changed.notify_one();
        }
        let (webhook, call, n) = (&flight.target.name, &flight.message_id, flight.attempts.saturating_add(1));
        let (status, ms) = (attempt.http_status, attempt.duration_ms);
        let good = *verdict == Verdict::Succeeded;
        let turned = {
            let mut state = self.state();
            let failing = &mut state.failing;
            if good { failing.remove(&flight.target.id) } else { failing.insert(flight.target.id) }
        };
        let error = attempt.error.as_deref().unwrap_or_default();
        match settled.turned {
            Some(WebhookState::Disabled) => {
                tracing::error!(webhook.name = %webhook, delivery.id = %call, error, "the webhook answered 410 and is disabled");
            }
            Some(WebhookState::Paused) => {
                tracing::error!(webhook.name = %webhook, error, "the webhook did nothing but fail for too long and is paused");
            }
            Some(WebhookState::Slowed) => tracing::warn!(webhook.name = %webhook, error, "the webhook is slowed"),
            _ => {}
        }
        match verdict {
            Verdict::Failed => {
                tracing::error!(webhook.name = %webhook, delivery.id = %call, attempt.n = n, error, "a call was given up");
            }
            Verdict::Retry(at) if turned => {
                tracing::warn!(webhook.name = %webhook, delivery.id = %call, attempt.n = n, next = %at, error, "the webhook fails");
            }
            Verdict::Succeeded if turned => tracing::info!(webhook.name = %webhook, "the webhook takes calls again"),
            _ => {
                tracing::debug!(webhook.name = %webhook, delivery.id = %call, attempt.n = n, http.status = status, http.duration_ms = ms, error, "called");
            }
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn render(lease: &DeliveryLease, target: &Target) -> Result<Rendered, serde_json::Error> {
    message::render(&target.format, &body::call(lease, target.html), &lease.message_id, &target.name)
}

/// How long until somebody whom a rate holds back may have one more.
fn paced(wants: &Wants, leased: &HashMap<WebhookId, u32>) -> Option<Duration> {
    wants.paced_until(leased).map(|at| at.saturating_duration_since(Instant::now()))
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("in_flight", &self.in_flight()).finish_non_exhaustive()
    }
}
