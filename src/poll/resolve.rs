//! Follows the short links of listed hosts, one at a time and slowly, and has the store keep what they stand for.
//!
//! What is known of a link is in the store before the next one is begun: whatever ends this task, nothing is lost but
//! one request.

mod believe;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::believe::{Judgement, Seen, same_site};
use crate::domain::feed::{ErrorKind, PollError};
use crate::domain::item::ItemId;
use crate::domain::time::{Clock, Timestamp};
use crate::domain::url::mask;
use crate::fetch::client::Fetcher;
use crate::fetch::visit::{Step, Visit};
use crate::identity::canonical::Rules;
use crate::store::{Hunt, Learned, Learnt, Resolution, ShortLink, Store, StoreError};

/// Between two requests to one host.
const GAP: Duration = Duration::from_secs(2);
/// Links that are followed within a day; the others wait.
const MOST_A_DAY: u32 = 5_000;
/// Older items are left alone.
const YOUNG: Duration = Duration::from_secs(7 * 86_400);
/// After a failure, the second and the third; after the fourth, never again.
const WAITS: [Duration; 3] = [Duration::from_secs(600), Duration::from_secs(3_600), Duration::from_secs(6 * 3_600)];
/// A host that has had enough is left alone for so long at least, and at most for `YOUNG`.
const HOLD: Duration = Duration::from_secs(3_600);
/// Links that are taken off the list at a time: few, so that newer ones get their turn.
const BATCH: u32 = 8;
/// The longest sleep.
const NAP: Duration = Duration::from_secs(60);
/// The list is made from scratch so often: then what is old goes.
const ANEW: Duration = Duration::from_secs(86_400);
/// Hosts whose last request is remembered.
const MOST_HOSTS: usize = 1_024;

/// When each host may be asked again. Outlives a reload.
#[derive(Debug, Default)]
pub struct Pace(Mutex<HashMap<String, Instant>>);

impl Pace {
    /// Waits until it is this host's turn.
    async fn turn(&self, place: &str) {
        let free = {
            let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            if hosts.len() >= MOST_HOSTS {
                hosts.retain(|_, free| *free > now);
            }
            let free = hosts.get(place).copied().unwrap_or(now).max(now);
            hosts.insert(place.to_owned(), free + GAP);
            free
        };
        tokio::time::sleep_until(free).await;
    }
}

/// What the task works with.
pub struct Resolver {
    /// Where links come from and lessons go.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who asks.
    pub fetcher: Arc<Fetcher>,
    /// The rules that keys are made by.
    pub rules: Arc<Rules>,
    /// Their version, as the store is told.
    pub rule_version: i64,
    /// Whose links are followed: host names, and what is below them.
    pub hosts: Vec<String>,
    /// When each host may be asked again.
    pub pace: Arc<Pace>,
    /// Poked when items were stored.
    pub news: Arc<Notify>,
}

/// How following a link ended.
#[derive(Debug)]
struct Ending {
    outcome: &'static str,
    lessons: Vec<Learnt>,
    /// Worth another try.
    again: bool,
    hold: Option<(String, Timestamp)>,
}

impl Ending {
    fn settled(outcome: &'static str) -> Self {
        Self { outcome, lessons: Vec::new(), again: false, hold: None }
    }
}

impl Resolver {
    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.forever() => {}
        }
    }

    async fn forever(&self) {
        let mut newest: Option<ItemId> = None;
        let mut anew = Instant::now();
        loop {
            if anew <= Instant::now() {
                (newest, anew) = (None, Instant::now() + ANEW);
            }
            let idle = match self.round(&mut newest).await {
                Ok(followed) => followed == 0,
                Err(e) => {
                    tracing::error!(error = %e, "short links cannot be followed; trying again");
                    true
                }
            };
            if idle {
                tokio::select! {
                    () = self.news.notified() => {}
                    () = tokio::time::sleep(NAP) => {}
                }
            }
        }
    }

    /// Looks for links that are new, and follows a few of those that are due.
    async fn round(&self, newest: &mut Option<ItemId>) -> Result<usize, StoreError> {
        self.hunt(newest).await?;
        let due = self.store.unresolved(self.clock.now(), BATCH).await?;
        let left = usize::try_from(MOST_A_DAY.saturating_sub(due.tried_today)).unwrap_or(usize::MAX);
        let mut held: HashSet<String> = due.held.into_iter().collect();
        let mut followed = 0;
        for link in due.links.iter().take(left) {
            let Some(ending) = self.follow(link, &held).await else { continue };
            held.extend(ending.hold.iter().map(|(host, _)| host.clone()));
            self.settle(link, ending).await?;
            followed += 1;
        }
        Ok(followed)
    }

    async fn hunt(&self, newest: &mut Option<ItemId>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (mut below, mut top) = (None, None);
        loop {
            let hunt = Hunt { hosts: self.hosts.clone(), above: *newest, below, since: now.minus(YOUNG) };
            let page = self.store.hunt_links(hunt, now).await?;
            top = top.or(page.newest);
            below = page.next;
            if below.is_none() {
                *newest = top.or(*newest);
                return Ok(());
            }
        }
    }

    /// Follows a link. `None`: its host has had enough since the list was read.
    async fn follow(&self, link: &ShortLink, held: &HashSet<String>) -> Option<Ending> {
        let Ok(url) = Url::parse(&link.link) else { return Some(Ending::settled("no url")) };
        // Its key is known to be another by now, or never was that of the link.
        if !Url::parse(&link.key).is_ok_and(|key| same_site(&key, &url)) {
            return Some(Ending::settled("known"));
        }
        let mut visit = Visit::new(&url);
        if held.contains(&visit.place()) {
            return None;
        }
        loop {
            let place = visit.place();
            if held.contains(&place) {
                return Some(self.learnt("held", link, &visit, None));
            }
            self.pace.turn(&place).await;
            match self.fetcher.step(&mut visit, self.clock.now()).await {
                Step::Onward => {}
                Step::Page(front) => {
                    let html = front.as_deref().map(String::from_utf8_lossy);
                    return Some(self.learnt("answered", link, &visit, html.as_deref()));
                }
                Step::Failed { error, retry_after } => {
                    tracing::debug!(item = link.item.0, link = %mask(&link.link), error = %error.message, "a short link");
                    return Some(self.failed(link, &visit, &error, retry_after));
                }
            }
        }
    }

    fn learnt(&self, outcome: &'static str, link: &ShortLink, visit: &Visit, html: Option<&str>) -> Ending {
        let judgement = Judgement { rules: Arc::clone(&self.rules), hosts: self.hosts.clone() };
        let moved = visit.moved();
        let seen = Seen {
            key: &link.key,
            moved: moved.as_ref(),
            permanent: visit.is_permanent(),
            last: visit.url(),
            fragment: visit.fragment(),
            html,
        };
        Ending { lessons: judgement.lessons(seen), ..Ending::settled(outcome) }
    }

    fn failed(&self, link: &ShortLink, visit: &Visit, error: &PollError, retry_after: Option<Duration>) -> Ending {
        let moved = visit.moved().is_some();
        match (error.http_status, error.kind) {
            (Some(429 | 503), _) if error.http_status == Some(429) || retry_after.is_some() => {
                let until = self.clock.now().plus(retry_after.unwrap_or_default().clamp(HOLD, YOUNG));
                let hold = Some((visit.place(), until));
                // The target has had enough, and the way to it is known all the same.
                let ending = self.learnt("held", link, visit, None);
                Ending { again: ending.lessons.is_empty(), hold, ..ending }
            }
            (Some(404 | 410), _) => Ending::settled("gone"),
            // There is a page, though not for us.
            (Some(401..=403 | 405 | 406 | 451), _) if moved => self.learnt("closed", link, visit, None),
            (_, ErrorKind::Refused) => Ending::settled("refused"),
            (_, ErrorKind::Redirect) => Ending::settled("astray"),
            _ => Ending { again: true, ..Ending::settled("failed") },
        }
    }

    async fn settle(&self, link: &ShortLink, ending: Ending) -> Result<(), StoreError> {
        let now = self.clock.now();
        for lesson in ending.lessons {
            let (from, to, source) = (lesson.from.clone(), lesson.to.clone(), lesson.source);
            let learned = self.store.learn_aliases(vec![lesson], self.rule_version, now).await?;
            for learned in learned {
                let source = source.as_str();
                match learned {
                    Learned::Merged(kept) => {
                        tracing::info!(%from, %to, source, item = kept.0, "two stories are one");
                    }
                    Learned::Kept => tracing::info!(%from, %to, source, "another address of a story"),
                    Learned::Known => tracing::debug!(%from, %to, source, "an address that was known"),
                    Learned::Refused(why) => tracing::debug!(%from, %to, source, why, "an address is not believed"),
                }
            }
        }
        let wait = usize::try_from(link.tries).ok().and_then(|tries| WAITS.get(tries)).copied();
        let until = ending.hold.as_ref().map(|(_, until)| *until);
        let next = wait.filter(|_| ending.again).map(|wait| now.plus(wait)).map(|at| until.map_or(at, |u| u.max(at)));
        let resolution = Resolution { item: link.item, outcome: ending.outcome, next, hold: ending.hold };
        self.store.keep_resolution(resolution, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_host_is_asked_once_in_a_while_and_others_do_not_wait_for_it() {
        let (pace, begun) = (Pace::default(), Instant::now());
        pace.turn("s.test").await;
        pace.turn("n.test").await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        pace.turn("s.test").await;
        assert_eq!(begun.elapsed(), GAP);
        for n in 0..3 * MOST_HOSTS {
            pace.turn(&n.to_string()).await;
        }
        tokio::time::sleep(GAP).await;
        pace.turn("last").await;
        assert!(pace.0.lock().unwrap().len() <= 3 * MOST_HOSTS);
    }
}
