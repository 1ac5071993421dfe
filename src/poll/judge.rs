//! `identity` and `query` behind the one face that the commit asks.

use std::sync::Arc;

use super::{FeedPlan, Plan};
use crate::domain::decision::{Candidate, Decision, Judge, Known, Survey};
use crate::domain::feed::{FeedId, FeedInfo, Habits};
use crate::domain::stream::Match;
use crate::domain::time::Timestamp;
use crate::identity::decide::{decide, survey};
use crate::identity::own;
use crate::query::scan::{FeedTerms, Folded};

/// The judge of one load: its entries, folded once.
pub(super) struct LoadJudge {
    pub(super) plan: Arc<Plan>,
    /// In the order of the candidates; empty where there are no queries.
    pub(super) folded: Vec<Folded>,
    pub(super) feed: Arc<FeedPlan>,
    /// In the order of the candidates: whether the feed does not keep it.
    pub(super) ignored: Vec<bool>,
    /// The feed's habits, this document included.
    pub(super) habits: Habits,
    pub(super) now: Timestamp,
}

impl Judge for LoadJudge {
    fn survey(&self, known: &[Known], candidates: &[Candidate], newest: Option<Timestamp>) -> Survey {
        let found = survey(&self.habits, known, candidates, newest, self.now);
        let backfill = found.backfill.iter().filter(|old| **old).count();
        if found.flood || backfill > 0 {
            tracing::warn!(
                feed.name = %self.feed.name, entries = candidates.len(), backfill, flood = found.flood,
                "much of a load is new and old at once: known stories are matched by what they say, old ones call nobody"
            );
        }
        if let Some(habits) = found.habits.as_ref().filter(|habits| habits.id != self.habits.id) {
            tell_policy(&self.feed, habits);
        }
        found
    }

    fn decide(&self, known: &Known, candidate: &Candidate, survey: &Survey) -> Decision {
        decide(known, candidate, survey)
    }

    fn rule_version(&self) -> i64 {
        self.feed.manner.rules.version()
    }

    fn is_own(&self, info: &FeedInfo, link: &str) -> bool {
        own::is_own(info, link)
    }

    fn ignore(&self) -> Option<&str> {
        self.feed.manner.ignored()
    }

    fn is_ignored(&self, index: usize) -> bool {
        self.ignored.get(index).copied().unwrap_or(false)
    }

    fn looks_at_dates(&self) -> bool {
        self.plan.index.looks_at_dates()
    }

    fn rematch(&self, index: usize, feeds: &[FeedId], date: Timestamp) -> Vec<Match> {
        let feeds: Vec<&FeedPlan> =
            feeds.iter().filter_map(|feed| self.plan.feeds.get(feed)).map(Arc::as_ref).collect();
        self.folded.get(index).map_or_else(Vec::new, |folded| matches(&self.plan, folded, &feeds, date))
    }
}

/// Says that a feed's entries are known by something else from now on.
pub(super) fn tell_policy(feed: &FeedPlan, habits: &Habits) {
    tracing::warn!(
        feed.name = %feed.name, feed.id_policy = habits.id.as_str(), reason = %habits.reason,
        "the feed's guids are not believed any more; [feed.identity] id sets what its entries are known by"
    );
}

/// The streams that an entry meets when these feeds carry it and its story has this date.
pub(super) fn matches(plan: &Plan, folded: &Folded, feeds: &[&FeedPlan], date: Timestamp) -> Vec<Match> {
    let hits = plan.index.scan_dated(folded, &terms(feeds), date);
    hits.into_iter().filter_map(|hit| Some(Match { stream: *plan.streams.get(hit.query)?, term: hit.term })).collect()
}

/// Feeds as queries see them.
pub(super) fn terms<'a>(feeds: &[&'a FeedPlan]) -> Vec<FeedTerms<'a>> {
    feeds.iter().map(|feed| FeedTerms { name: feed.name.as_str(), tags: &feed.tags }).collect()
}
