//! The schedule loop: it wakes at the earliest due time, for a signal, or after a minute at the latest, since
//! the wall clock may step and the machine may sleep. Missed ticks coalesce, for a feed has one due time.

use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::crew::{Crews, Job};
use super::queue::Queue;
use super::stages::Stages;
use super::{Observer, Outcome, Plan, PollReport};
use crate::domain::feed::{ByFeed, ErrorKind, FeedId, FeedSet, NextPoll, PollError};
use crate::domain::time::Timestamp;
use crate::schedule::due::reschedule;
use crate::store::{CommitReport, FeedLease, FeedOrdered, FeedStatus};

/// The longest sleep.
const NAP: Duration = Duration::from_secs(60);
/// A clock that was put back by more than this makes due times wrong.
const STEP: Duration = Duration::from_secs(30);
/// What a lease has beyond the feed's time-out: for parsing and the commit.
const LEASE_MARGIN: Duration = Duration::from_secs(120);
/// Feeds that are leased while they still wait for their host: reading what is remembered of many together is
/// cheaper, for each read wakes a thread and finds the pages changed that it knew.
const AHEAD: usize = 256;
/// A poll that takes longer than this gives its place to another.
const SLOW: Duration = Duration::from_secs(3);
/// So many times as many polls as there are places may be slow.
const SLOW_SHARE: usize = 8;
/// Overdue feeds are begun so far apart, and all within this.
const STEP_APART: Duration = Duration::from_millis(50);
const CATCH_UP: Duration = Duration::from_secs(900);
/// A feed that is due for longer than this was missed.
const OVERDUE: Duration = Duration::from_secs(60);
/// After the store failed, before it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// A feed and when it is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scheduled {
    /// The feed.
    pub feed: FeedId,
    /// When; `None`: only by hand.
    pub due: Option<Timestamp>,
}

/// What the loop is told.
enum Order {
    /// Another plan.
    Replace(Arc<Plan>, Vec<Scheduled>),
    /// Poll these now, by hand, and tell how it went.
    Now(Vec<FeedId>, mpsc::UnboundedSender<PollReport>),
    /// A feed was paused or resumed, and is due then.
    Wake(Box<FeedOrdered>),
}

/// What a poll tells the loop.
pub(super) enum Told {
    /// It takes long: its place goes to another.
    Slow(FeedId),
    /// These ended.
    Ended(Vec<PollReport>),
}

/// The handle of the schedule loop.
pub struct Poller {
    stages: Stages,
    plan: RwLock<Arc<Plan>>,
    orders: Mutex<Vec<Order>>,
    ordered: Notify,
    observer: Arc<dyn Observer>,
}

/// Feeds that are ours and wait for their turn.
type Leased = ByFeed<FeedLease>;
/// Those who wait for a feed's poll.
type Waiting = ByFeed<Vec<mpsc::UnboundedSender<PollReport>>>;

/// What the loop has before it.
#[derive(Default)]
struct Desk {
    plan: Arc<Plan>,
    queue: Queue,
    waiting: Waiting,
    leased: Leased,
    running: usize,
    /// Polls that take long, and do not count against the others' places.
    slow: FeedSet,
    /// When feeds are due that were paused or resumed while they were under way: whatever the end of their poll says.
    later: ByFeed<Option<Timestamp>>,
    /// The last look at the clock.
    seen: Timestamp,
}

impl Poller {
    /// A poller without a plan; it does nothing until it gets one.
    #[must_use]
    pub fn new(stages: Stages, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self { stages, plan: RwLock::default(), orders: Mutex::default(), ordered: Notify::new(), observer })
    }

    /// Swaps the plan whole. Documents that are being read are committed under the plan before it, which lives until then.
    pub fn replace(&self, plan: Plan, scheduled: Vec<Scheduled>) -> Weak<Plan> {
        let plan = Arc::new(plan);
        let before =
            std::mem::replace(&mut *self.plan.write().unwrap_or_else(PoisonError::into_inner), Arc::clone(&plan));
        self.order(Order::Replace(plan, scheduled));
        Arc::downgrade(&before)
    }

    /// The stages, to swap the fetcher.
    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Polls feeds now, within the limits of each host. Each report comes when its poll ends; the channel
    /// closes after the last one.
    pub fn poll_now(&self, feeds: Vec<FeedId>) -> mpsc::UnboundedReceiver<PollReport> {
        let (tell, told) = mpsc::unbounded_channel();
        self.order(Order::Now(feeds, tell));
        told
    }

    /// Follows what the store did with a feed that was paused or resumed.
    pub fn ordered(&self, ordered: FeedOrdered) {
        self.order(Order::Wake(Box::new(ordered)));
    }

    /// Has the loop go round once, so that it can be seen to live.
    pub fn nudge(&self) {
        self.ordered.notify_one();
    }

    fn order(&self, order: Order) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        self.ordered.notify_one();
    }

    /// Runs until `stop`, then waits for nothing: polls in flight are on `tasks`. `alone`: a runtime of one thread,
    /// for feeds that will not hold it.
    pub async fn run(self: Arc<Self>, stop: CancellationToken, tasks: TaskTracker, alone: Option<Handle>) {
        let (done, mut reports) = mpsc::unbounded_channel();
        let mut crews = Crews::new(&self, &done, &tasks, alone);
        let mut desk = Desk { queue: Queue::new(1), ..Desk::default() };
        while !stop.is_cancelled() {
            let orders = std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner));
            for order in orders {
                if !matches!(order, Order::Now(..)) {
                    self.give_back(&mut desk.leased).await;
                }
                self.obey(order, &mut desk);
            }
            let now = self.stages.clock().now();
            if now.plus(STEP) < desk.seen {
                self.reckon_anew(&mut desk, now).await;
            }
            desk.seen = now;
            self.hand_out(&mut desk, &crews, now).await;
            self.observer.ticked(now, desk.queue.oldest());
            if desk.running + desk.slow.len() == 0 {
                crews.dismiss();
            }
            let nap = self.nap(&mut desk, now).min(crews.look().unwrap_or(NAP));
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.ordered.notified() => {}
                Some(told) = reports.recv() => {
                    let mut next = Some(told);
                    while let Some(told) = next {
                        self.hear(told, &mut desk);
                        next = reports.try_recv().ok();
                    }
                }
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    fn hear(&self, told: Told, desk: &mut Desk) {
        match told {
            // However many hang, there are places for others; but not without end.
            Told::Slow(feed) if desk.slow.len() < desk.plan.concurrency * SLOW_SHARE => {
                if desk.slow.insert(feed) {
                    desk.running = desk.running.saturating_sub(1);
                }
            }
            Told::Slow(_) => {}
            Told::Ended(reports) => {
                for report in reports {
                    if !desk.slow.remove(&report.feed) {
                        desk.running = desk.running.saturating_sub(1);
                    }
                    self.end(&report, desk);
                }
            }
        }
    }

    /// Begins polls that are due, as many as there are free places.
    async fn hand_out(&self, desk: &mut Desk, crews: &Crews, now: Timestamp) {
        let free = match self.probe_at(desk, now) {
            // Our own network is down: one at a time, a minute apart.
            Some(at) => usize::from(desk.running + desk.slow.len() == 0 && at <= now),
            None => desk.plan.concurrency.saturating_sub(desk.running),
        };
        let due = desk.queue.take(now, free);
        self.tell_held(desk, now);
        if due.iter().any(|feed| !desk.leased.contains_key(feed)) {
            let ahead = desk.queue.ahead(AHEAD).filter(|feed| !desk.leased.contains_key(feed));
            let wanted = due.iter().copied().filter(|feed| !desk.leased.contains_key(feed)).chain(ahead).collect();
            self.lease(wanted, &desk.plan, &mut desk.leased).await;
        }
        let busy = desk.running + due.len();
        for feed in due {
            let by_hand = desk.waiting.contains_key(&feed);
            if let Some(due) = desk.later.get(&feed).copied().filter(|due| !by_hand && due.is_none_or(|due| due > now))
            {
                // It was paused while it waited for its host.
                desk.later.remove(&feed);
                desk.queue.finished(feed, due, now);
                continue;
            }
            match (desk.leased.remove(&feed), desk.plan.feeds.get(&feed)) {
                (Some(lease), Some(feed)) => {
                    self.stages.outage().probing(now);
                    crews.begin(Arc::clone(feed), lease, busy);
                    desk.running += 1;
                }
                // It cannot be polled now: again a minute later.
                _ => desk.queue.finished(feed, Some(now.plus(NAP)), now),
            }
        }
    }

    /// Whoever asked by hand for a feed of a site that wants to be left alone need not wait for that.
    fn tell_held(&self, desk: &mut Desk, now: Timestamp) {
        for (feed, until) in desk.queue.held(desk.waiting.keys().copied(), now) {
            let name = desk.plan.feeds.get(&feed).map(|feed| feed.name.shared()).unwrap_or_default();
            let message =
                format!("its site answered \u{201c}too many requests\u{201d} and is not called before {until}");
            let error = Some(PollError { kind: ErrorKind::Http, http_status: None, message });
            let report = PollReport { outcome: Outcome::Held, error, next_due: Some(until), ..lost(feed, name, now) };
            self.end(&report, desk);
        }
    }

    /// When the next probe may be made, if our own network is down and nobody waits for a poll by hand.
    fn probe_at(&self, desk: &Desk, now: Timestamp) -> Option<Timestamp> {
        self.stages.outage().probe_at(now).filter(|_| desk.waiting.is_empty())
    }

    fn nap(&self, desk: &mut Desk, now: Timestamp) -> Duration {
        let next = match self.probe_at(desk, now) {
            Some(_) if desk.running + desk.slow.len() > 0 => None,
            Some(at) if at > now => Some(at),
            // Feeds that wait for a free place are woken by the poll that frees it.
            None if desk.running >= desk.plan.concurrency => None,
            _ => desk.queue.earliest(),
        };
        next.map_or(NAP, |at| at.since(now).min(NAP))
    }

    /// The clock was put back: due times that lie in what was the future are reckoned anew, or feeds would wait for it to
    /// come round again. Put forward, what was missed is due, once.
    async fn reckon_anew(&self, desk: &mut Desk, now: Timestamp) {
        tracing::warn!(
            clock.back_ms = desk.seen.since(now).as_millis(),
            "the clock was put back; due times are reckoned anew"
        );
        self.give_back(&mut desk.leased).await;
        desk.queue.put_back(desk.seen.since(now));
        let anew = |status: &FeedStatus| {
            let pace = desk.plan.feeds.get(&status.feed)?.pace();
            status.state.due_at?;
            Some((status.feed, reschedule(&pace, &status.state, now)))
        };
        let due: Vec<(FeedId, NextPoll)> = match self.stages.store().feed_status().await {
            Ok(feeds) => feeds.iter().filter_map(anew).collect(),
            Err(e) => return tracing::error!(error = %e, "due times could not be reckoned anew"),
        };
        for (feed, next) in due.iter().filter(|_| !desk.plan.by_hand) {
            desk.queue.wake_at(*feed, next.due_at);
        }
        if let Err(e) = self.stages.store().keep_due(due, now).await {
            tracing::error!(error = %e, "due times that were reckoned anew could not be stored");
        }
    }

    fn obey(&self, order: Order, desk: &mut Desk) {
        let Desk { plan, queue, waiting, later, .. } = desk;
        match order {
            Order::Replace(new, scheduled) => {
                let first = plan.feeds.is_empty() && !new.by_hand;
                let mut scheduled = scheduled;
                if first {
                    spread_overdue(&mut scheduled, self.stages.clock().now());
                }
                let mut feeds = Vec::with_capacity(scheduled.len());
                feeds.extend(
                    scheduled.iter().filter_map(|s| Some((s.feed, new.feeds.get(&s.feed)?.url.clone(), s.due))),
                );
                queue.replace(new.per_host, feeds);
                *plan = new;
                // Whoever waits for a feed that is no longer polled is told so by the end of the channel.
                waiting.retain(|feed, _| queue.contains(*feed));
            }
            Order::Wake(ordered) => {
                let FeedOrdered { feed, due, unions } = *ordered;
                let now = self.stages.clock().now();
                let joined = unions.joined.iter().map(|(joined, _)| (*joined, None));
                let parted = unions.parted.iter().map(|parted| (*parted, Some(now)));
                for (feed, due) in parted.chain(joined).chain([(feed, due)]) {
                    if !queue.wake_at(feed, due) {
                        later.insert(feed, due);
                    }
                }
            }
            Order::Now(feeds, tell) => {
                let now = self.stages.clock().now();
                for feed in feeds {
                    if queue.contains(feed) {
                        queue.force(feed, now);
                        waiting.entry(feed).or_default().push(tell.clone());
                    }
                }
            }
        }
    }

    /// Leases feeds together.
    async fn lease(&self, wanted: Vec<FeedId>, plan: &Plan, leased: &mut Leased) {
        let now = self.stages.clock().now();
        let longest = wanted.iter().filter_map(|feed| plan.feeds.get(feed)).map(|feed| feed.manner.timeout).max();
        // Those that wait for their host come after the others there.
        let until = now.plus(longest.unwrap_or_default() * 10 + LEASE_MARGIN);
        match self.stages.store().lease_due_feeds(wanted, now, until).await {
            Ok(leases) => leased.extend(leases.into_iter().map(|lease| (lease.feed, lease))),
            Err(e) => {
                tracing::error!(error = %e, "no feed can be leased; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// What was leased ahead under another plan is read anew: its address may have changed.
    async fn give_back(&self, leased: &mut Leased) {
        for (feed, lease) in leased.drain() {
            if let Err(e) = self.stages.store().release_feed(feed, lease.token).await {
                tracing::error!(error = %e, "a lease could not be given back");
            }
        }
    }

    /// Polls a feed, and says so if it takes long. The reports are as those of [`Stages::poll`].
    pub(super) async fn poll(&self, mut job: Job, done: &mpsc::UnboundedSender<Told>) -> Vec<PollReport> {
        let id = job.feed.id;
        job.lease.state.judge_anew(job.feed.manner.ignored());
        let mut poll = std::pin::pin!(self.stages.poll(&self.plan, job.feed, job.lease));
        match tokio::time::timeout(SLOW, &mut poll).await {
            Ok(reports) => reports,
            Err(_) => {
                let _ = done.send(Told::Slow(id));
                poll.await
            }
        }
    }

    fn end(&self, report: &PollReport, desk: &mut Desk) {
        let now = self.stages.clock().now();
        if let Some(throttled) = report.throttled {
            desk.queue.throttled(report.feed, throttled.again, now);
        }
        let due = desk.later.remove(&report.feed).unwrap_or(report.next_due).filter(|_| !desk.plan.by_hand);
        desk.queue.finished(report.feed, due, now);
        // They were one with this one, and are due.
        for feed in report.stored.unions.parted.iter().filter(|_| !desk.plan.by_hand) {
            desk.queue.wake_at(*feed, Some(now));
        }
        log(report);
        self.observer.polled(report);
        for tell in desk.waiting.remove(&report.feed).into_iter().flatten() {
            let _ = tell.send(report.clone());
        }
    }
}

/// What was missed while nothing ran is made up for one after the other, the longest due first: not all at once.
fn spread_overdue(scheduled: &mut [Scheduled], now: Timestamp) {
    let missed = |s: &Scheduled| s.due.is_some_and(|due| due.plus(OVERDUE) < now);
    let mut overdue: Vec<&mut Scheduled> = scheduled.iter_mut().filter(|s| missed(s)).collect();
    overdue.sort_by_key(|s| (s.due, s.feed));
    let count = u32::try_from(overdue.len()).unwrap_or(u32::MAX).max(1);
    let apart = STEP_APART.min(CATCH_UP / count);
    for (n, s) in (0..).zip(overdue) {
        s.due = Some(now.plus(apart * n));
    }
}

/// A poll that came to no end of its own: again a minute later.
pub(super) fn lost(feed: FeedId, name: Arc<str>, now: Timestamp) -> PollReport {
    PollReport {
        feed,
        name,
        outcome: Outcome::Failed,
        stored: CommitReport::default(),
        duration_ms: 0,
        error: None,
        next_due: Some(now.plus(NAP)),
        throttled: None,
        body_bytes: 0,
        behind_ms: None,
    }
}

fn log(report: &PollReport) {
    let (outcome, stored) = (report.outcome.as_str(), &report.stored);
    // Written only where the line is.
    let next = report.next_due.map(tracing::field::display);
    match &report.error {
        Some(error) if report.outcome == Outcome::Offline => tracing::debug!(
            feed.name = %report.name, poll.outcome = outcome, poll.duration_ms = report.duration_ms,
            error.kind = error.kind.as_str(), error = %error.message, "poll put off"
        ),
        Some(error) => tracing::warn!(
            feed.name = %report.name, poll.outcome = outcome, poll.duration_ms = report.duration_ms,
            poll.next = next, error.kind = error.kind.as_str(), error = %error.message, "poll failed"
        ),
        None if *stored == CommitReport::default() => tracing::debug!(
            feed.name = %report.name, poll.outcome = outcome, poll.duration_ms = report.duration_ms,
            poll.next = next, "polled, nothing new"
        ),
        None => tracing::info!(
            feed.name = %report.name, poll.outcome = outcome, poll.duration_ms = report.duration_ms,
            poll.next = next, items.new = stored.new, items.changed = stored.changed,
            items.sighted = stored.sighted, deliveries = stored.deliveries, "polled"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_overdue_feeds_are_begun_one_after_the_other() {
        let now = Timestamp::from_secs(1_000_000);
        let scheduled = |feed: i64, due: Timestamp| Scheduled { feed: FeedId(feed), due: Some(due) };
        let mut all: Vec<Scheduled> = (0..10_000).map(|n| scheduled(n, Timestamp::from_secs(900_000 - n))).collect();
        all.push(scheduled(10_000, now));
        all.push(scheduled(10_001, Timestamp::from_secs(2_000_000)));
        spread_overdue(&mut all, now);
        let due = |n: usize| all[n].due.unwrap().since(now);
        assert_eq!(due(9_999), Duration::ZERO, "the one that is due for longest");
        assert_eq!(due(0), Duration::from_millis(50) * 9_999);
        assert_eq!(due(10_000), Duration::ZERO, "a new one at once");
        assert_eq!(all[10_001].due, Some(Timestamp::from_secs(2_000_000)));
        for second in 0..499_u64 {
            let begun = (0..10_000).filter(|n| due(*n).as_secs() == second).count();
            assert_eq!(begun, 20, "{second}");
        }
        let mut many: Vec<Scheduled> = (0..100_000).map(|n| scheduled(n, Timestamp::from_secs(n))).collect();
        spread_overdue(&mut many, now);
        assert!(many.iter().all(|s| s.due.unwrap().since(now) <= CATCH_UP));
    }
}
