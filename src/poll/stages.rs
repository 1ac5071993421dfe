//! One feed through the stages: fetch, parse, match, commit.

use std::hash::Hasher as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use siphasher::sip::SipHasher13;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::end::{End, millis, unless_paused};
use super::large::Large;
use super::moves::Way;
use super::outage::{Outage, Sign, Turn};
use super::poison::Poison;
use super::quiet::Quiet;
use super::read::{Read, read_document};
use super::{FeedPlan, Outcome, Plan, PollReport, Throttled};
use crate::domain::decision::Judge;
use crate::domain::feed::{ErrorKind, FeedState, NextPoll, PollError, Validators};
use crate::domain::time::{Clock, Timestamp};
use crate::fetch::client::{Ask, Fetcher};
use crate::fetch::outcome::{Answer, Outcome as Fetched};
use crate::parse;
use crate::schedule::due::{Ended, next_poll};
use crate::store::{CommitReport, FeedLease, PollCommit, PollResult, Redirect, Store};

/// Of bodies that are read, matched and committed at a time, in kilobytes.
const ROOM_KB: u32 = 12 * 1024;

/// A larger document is read on a thread for such, in bytes.
const MAX_SHARED_BYTES: usize = 1_000_000;

/// The longest that one document is read; the slowest that is known takes some seconds.
const LONGEST_READ: Duration = Duration::from_secs(60);

/// What the stages work with.
pub struct Stages {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Swapped at a reload, for the guard's list may change.
    fetcher: RwLock<Arc<Fetcher>>,
    /// Poked after a commit that owes deliveries.
    owed: Arc<Notify>,
    /// Documents are read beside the runtime, one a core, so that a large one delays no request.
    cores: Arc<Semaphore>,
    large: Large,
    /// What documents may take together from the moment that they are read until they are committed, in kilobytes of their bodies: a
    /// document becomes several times its body in between.
    room: Semaphore,
    /// Where polls that brought no document are committed together.
    quiet: Quiet<End>,
    outage: Mutex<Outage>,
    poison: Arc<Poison>,
    longest_read: Duration,
}

impl Stages {
    /// Puts the stages together.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, fetcher: Fetcher, owed: Arc<Notify>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            quiet: Quiet::new(Arc::clone(&store)),
            outage: Mutex::default(),
            poison: Arc::default(),
            longest_read: LONGEST_READ,
            store,
            clock,
            fetcher: RwLock::new(Arc::new(fetcher)),
            owed,
            cores: Arc::new(Semaphore::new(cores)),
            large: Large::default(),
            room: Semaphore::new(usize::try_from(ROOM_KB).unwrap_or(Semaphore::MAX_PERMITS)),
        }
    }

    /// Remembers in a file which documents are being read, so that one that ends the process does not do so at every start.
    #[must_use]
    pub fn remembering(mut self, file: &Path) -> Self {
        match Poison::open(file) {
            Ok(poison) => self.poison = Arc::new(poison),
            Err(error) => tracing::warn!(path = %file.display(), %error, "what is being read cannot be remembered"),
        }
        self
    }

    /// Gives each document so much time, in place of a minute.
    #[must_use]
    pub fn reading_for(self, longest: Duration) -> Self {
        Self { longest_read: longest, ..self }
    }

    /// Uses another fetcher from now on.
    pub fn set_fetcher(&self, fetcher: Fetcher) {
        *self.fetcher.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fetcher);
    }

    /// The fetcher that is used now.
    #[must_use]
    pub fn fetcher(&self) -> Arc<Fetcher> {
        Arc::clone(&self.fetcher.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Polls a feed that was leased. What is fetched is read under the plan that holds by then. Gives the reports of all polls that
    /// ended with this one: its own, those that were committed with it, or none if it is committed with another, which tells of it.
    pub(super) async fn poll(
        &self,
        plan: &RwLock<Arc<Plan>>,
        feed: Arc<FeedPlan>,
        mut lease: FeedLease,
    ) -> Vec<PollReport> {
        let (begun, away) = (Instant::now(), self.quiet.begin());
        if let Some(until) = lease.state.retry_until.filter(|until| *until > self.clock.now()) {
            return vec![self.held(&feed, &lease, until).await];
        }
        let asked_at = self.clock.now();
        let behind_ms = behind(&lease.state, asked_at);
        let (ask, back) = ask(&feed, &mut lease.state, asked_at);
        let fetched = self.fetcher().fetch(&ask, asked_at).await;
        lease.state.validators = ask.validators;
        let way = Way { url: ask.url, back };
        let body_bytes = if let Fetched::Body(answer) = &fetched { size(&answer.body) } else { 0 };
        // Kept until the commit is done.
        let _room = self.room(body_bytes).await;
        let plan = Arc::clone(&plan.read().unwrap_or_else(PoisonError::into_inner));
        let feed = plan.feeds.get(&feed.id).map_or(feed, Arc::clone);
        let (result, ended, judge) = self.read(&plan, &feed, &lease, &way, fetched).await;
        let now = self.clock.now();
        let FeedLease { token, mut state, .. } = lease;
        let failure = if let PollResult::Failed(error) = &result { Some(error) } else { None };
        let ours = !plan.by_hand && self.is_ours(&feed, failure, &state, now);
        if let Some(error) = failure.filter(|_| ours) {
            return vec![self.put_off(&feed, (token, &state), error.clone(), begun, now).await];
        }
        if let PollResult::Loaded { cadence: Some(cadence), .. } = &result {
            state.cadence = cadence.as_ref().clone();
        }
        let mut next = next_poll(&feed.pace(), &state, ended, now);
        if state.merged_into.is_some() {
            // Somebody asked for it by hand; on its own it is not asked.
            next = NextPoll { reason: state.due_reason.clone(), ..NextPoll::default() };
        }
        let (outcome, error) = told(&result);
        let report = PollReport {
            feed: feed.id,
            name: feed.name.shared(),
            outcome,
            stored: CommitReport::default(),
            duration_ms: 0,
            throttled: throttled(error.as_ref(), next.retry_until),
            error,
            next_due: unless_paused(&state, next.due_at),
            body_bytes,
            behind_ms,
        };
        let (paused, redirect) = (state.paused_at.is_some(), redirect_of(&result));
        let poll = PollCommit { feed: feed.id, token, at: now, result, next, alerts: Arc::clone(&plan.alerts) };
        let routes = judge.map(|judge| (judge, Arc::clone(&plan.routes)));
        let end = End { plan, feed, begun, at: now, paused, redirect, report };
        match routes {
            Some((judge, routes)) => {
                vec![end.told(self.store.commit_poll(poll, judge, routes).await, &self.owed)]
            }
            None => {
                let settled = self.quiet.commit(poll, end, away).await;
                settled.into_iter().map(|(end, committed)| end.told(committed, &self.owed)).collect()
            }
        }
    }

    /// Room for a document; one that is larger than all of it has it alone.
    async fn room(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let wanted = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(ROOM_KB);
        self.room.acquire_many(wanted).await.ok()
    }

    /// Whether a poll failed because our own network is down; when that begins and ends, one line says so.
    fn is_ours(&self, feed: &FeedPlan, error: Option<&PollError>, before: &FeedState, now: Timestamp) -> bool {
        let host = feed.url.host();
        let turn = self.outage().ended(host, Sign::of(error), before, now);
        match turn {
            Turn::Counts => false,
            Turn::Lasts => true,
            Turn::Began => {
                let error = error.map_or("", |error| error.message.as_str());
                tracing::warn!(
                    %error,
                    "our own network seems to be down: polls fail on several hosts before a byte. No failure is counted, \
                     and one feed a minute is tried until one answers"
                );
                true
            }
            Turn::Over(span, polls) => {
                tracing::info!(
                    outage.duration_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
                    outage.polls = polls,
                    "our own network is back; feeds that are due are polled"
                );
                false
            }
        }
    }

    pub(super) fn outage(&self) -> MutexGuard<'_, Outage> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A failure that is not the feed's: nothing of it is kept but the reason, and the feed stays due.
    async fn put_off(
        &self,
        feed: &FeedPlan,
        (token, state): (u64, &FeedState),
        mut error: PollError,
        begun: Instant,
        now: Timestamp,
    ) -> PollReport {
        let next = NextPoll {
            due_at: Some(now),
            reason: format!("our own network seems to be down, and this does not count: {}", error.message),
            fresh_until: state.fresh_until,
            retry_until: state.retry_until,
        };
        let kept = self.store.keep_due(vec![(feed.id, next)], now).await;
        if let Err(e) = kept.and(self.store.release_feed(feed.id, token).await) {
            tracing::error!(feed.name = %feed.name, error = %e, "a feed could not be put off");
        }
        error.message = format!("our own network seems to be down: {}", error.message);
        PollReport {
            feed: feed.id,
            name: feed.name.shared(),
            outcome: Outcome::Offline,
            stored: CommitReport::default(),
            duration_ms: millis(begun),
            error: Some(error),
            next_due: unless_paused(state, Some(now)),
            throttled: None,
            body_bytes: 0,
            behind_ms: None,
        }
    }

    async fn held(&self, feed: &FeedPlan, lease: &FeedLease, until: Timestamp) -> PollReport {
        let message = format!("its server asked not to be called before {until} (Retry-After)");
        if let Err(e) = self.store.release_feed(feed.id, lease.token).await {
            tracing::error!(feed.name = %feed.name, error = %e, "a lease could not be given back");
        }
        PollReport {
            feed: feed.id,
            name: feed.name.shared(),
            outcome: Outcome::Held,
            stored: CommitReport::default(),
            duration_ms: 0,
            error: Some(PollError { kind: ErrorKind::Http, http_status: None, message }),
            next_due: unless_paused(&lease.state, lease.state.due_at.map(|due| due.max(until))),
            throttled: None,
            body_bytes: 0,
            behind_ms: None,
        }
    }

    /// From an answer to what is to be committed.
    async fn read(
        &self,
        plan: &Arc<Plan>,
        feed: &Arc<FeedPlan>,
        lease: &FeedLease,
        way: &Way,
        fetched: Fetched,
    ) -> (PollResult, Ended, Option<Arc<dyn Judge>>) {
        match fetched {
            Fetched::NotModified { validators, fresh_for, moved } => {
                let redirect = way.ended(&lease.state, moved);
                (
                    PollResult::NotModified { validators: validators.map(Some), redirect },
                    Ended::Well { fresh_for },
                    None,
                )
            }
            // Where it moved lately. The address before that is tried first.
            Fetched::Gone(error) if lease.state.address_before(self.clock.now()).is_some() => {
                (PollResult::Failed(way.failed(error)), Ended::Badly { retry_after: None }, None)
            }
            Fetched::Gone(error) => (PollResult::Gone(error), Ended::Gone, None),
            Fetched::Failed { error, retry_after } => {
                (PollResult::Failed(way.failed(error)), Ended::Badly { retry_after }, None)
            }
            Fetched::Body(answer) => {
                let fresh_for = answer.fresh_for;
                let body_hash = hash(&answer.body);
                let unmoved = answer.moved.is_none() && !way.back && lease.state.loaded_once;
                if unmoved && lease.state.body_hash == Some(body_hash) {
                    let result =
                        PollResult::NotModified { validators: changed(lease, answer.validators), redirect: None };
                    return (result, Ended::Well { fresh_for }, None);
                }
                match self.document(plan, feed, lease, &answer).await {
                    Ok(read) => {
                        if read.repairs > 0 {
                            tracing::debug!(feed.name = %feed.name, parse.repairs = read.repairs, "a document was mended");
                        }
                        let result = PollResult::Loaded {
                            info: Box::new(read.info),
                            candidates: read.candidates,
                            quiet: !lease.state.loaded_once && !feed.manner.first_import_notifies,
                            habits: read.habits,
                            cadence: Some(read.cadence).filter(|cadence| *cadence != lease.state.cadence).map(Box::new),
                            validators: answer.validators,
                            body_hash,
                            redirect: way.ended(&lease.state, answer.moved),
                        };
                        (result, Ended::Well { fresh_for }, Some(Arc::new(read.judge) as Arc<dyn Judge>))
                    }
                    Err(message) => {
                        let error = PollError { kind: ErrorKind::Parse, http_status: None, message };
                        (PollResult::Failed(way.failed(error)), Ended::Badly { retry_after: None }, None)
                    }
                }
            }
        }
    }

    /// Reads and matches a document beside the runtime. A panic in there, or an end that does not come, is that document's
    /// failure.
    async fn document(
        &self,
        plan: &Arc<Plan>,
        feed: &Arc<FeedPlan>,
        lease: &FeedLease,
        answer: &Answer,
    ) -> Result<Read, String> {
        let _alone = self.poison.turn(feed.id).await;
        // Given back after the time is over: what hangs must not keep others from being read.
        let _core = Arc::clone(&self.cores).acquire_owned().await.map_err(|e| e.to_string())?;
        let reading = self.poison.begin(feed.id, self.clock.now())?;
        let (plan, feed) = (Arc::clone(plan), Arc::clone(feed));
        let (body, content_type, base) = (answer.body.clone(), answer.content_type.clone(), answer.base.clone());
        let (habits, now) = (lease.state.habits.clone(), self.clock.now());
        let also: Vec<Arc<FeedPlan>> = lease.also.iter().filter_map(|id| plan.feeds.get(id)).cloned().collect();
        let large = body.len() > MAX_SHARED_BYTES;
        let read = move || {
            let document = parse::parse(&body, content_type.as_deref(), Some(&base)).map_err(|e| e.message);
            let read = document.map(|document| read_document(&plan, (&feed, &also), document, &habits, now));
            drop(reading);
            read
        };
        let done =
            async { if large { self.large.run(read).await } else { tokio::task::spawn_blocking(read).await.ok() } };
        match tokio::time::timeout(self.longest_read, done).await {
            Ok(done) => {
                done.unwrap_or_else(|| Err("reading it failed inside Feedmill; please report this feed".to_owned()))
            }
            Err(_) => Err(format!(
                "its document was not read within {} seconds; please report this feed",
                self.longest_read.as_secs()
            )),
        }
    }
}

/// Where a feed is asked, and for what, with the validators of `state`; and whether that is the way back.
fn ask(feed: &FeedPlan, state: &mut FeedState, now: Timestamp) -> (Ask, bool) {
    let Way { url, back } = Way::of(state, &feed.url, now);
    let ask = Ask {
        url,
        validators: state.validators.take(),
        timeout: feed.manner.timeout,
        max_body_bytes: feed.manner.max_body_bytes,
        user_agent: feed.manner.user_agent.clone(),
        private_headers: feed.manner.private_headers.clone(),
        private_origin: feed.url.clone(),
        reach: Arc::clone(&feed.manner.reach),
    };
    (ask, back)
}

fn told(result: &PollResult) -> (Outcome, Option<PollError>) {
    match result {
        PollResult::Loaded { .. } => (Outcome::Loaded, None),
        PollResult::NotModified { .. } => (Outcome::NotModified, None),
        PollResult::Failed(error) => (Outcome::Failed, Some(error.clone())),
        PollResult::Gone(error) => (Outcome::Gone, Some(error.clone())),
    }
}

fn redirect_of(result: &PollResult) -> Option<Redirect> {
    match result {
        PollResult::Loaded { redirect, .. } | PollResult::NotModified { redirect, .. } => redirect.clone(),
        PollResult::Failed(_) | PollResult::Gone(_) => None,
    }
}

fn size(body: &[u8]) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}

/// How long after its due time a feed is asked, in milliseconds.
fn behind(state: &FeedState, now: Timestamp) -> Option<u64> {
    let due = state.due_at.filter(|due| *due <= now)?;
    Some(u64::try_from(now.since(due).as_millis()).unwrap_or(u64::MAX))
}

/// Whether it was too many requests that the server complained of: 429, or 503 with a time (RFC 6585 4, RFC 9110 15.6.4).
fn throttled(error: Option<&PollError>, again: Option<Timestamp>) -> Option<Throttled> {
    match error?.http_status? {
        429 => Some(Throttled { again }),
        503 if again.is_some() => Some(Throttled { again }),
        _ => None,
    }
}

/// Most answers bring validators that are known already; then the row stays as it is.
fn changed(lease: &FeedLease, validators: Option<Validators>) -> Option<Option<Validators>> {
    Some(validators).filter(|new| *new != lease.state.validators)
}

/// The same bytes are no update, whatever their ETag says. Not keyed: it is compared with itself only, and
/// must be the same after a restart.
fn hash(body: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(body);
    hasher.finish()
}
