//! `identity` and `query` behind the one face that the commit asks.

use std::sync::Arc;

use super::{FeedPlan, Plan};
use crate::domain::decision::{Candidate, Decision, Judge, Known, Scope, Survey};
use crate::domain::feed::{FeedId, FeedInfo, Habits};
use crate::domain::item::Entry;
use crate::domain::stream::Match;
use crate::domain::time::Timestamp;
use crate::identity::decide::{decide, survey};
use crate::identity::own;
use crate::identity::prepare::Texts;
use crate::query::scan::{Document, FeedTerms, Folded};
use crate::sanitize;

/// The judge of one load.
pub(super) struct LoadJudge {
    pub(super) plan: Arc<Plan>,
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

    fn looks_at_feeds(&self) -> bool {
        self.plan.index.looks_at_feeds()
    }

    /// Folds the text once more: few stories come to this, and all that wait for their commit would be kept for it.
    fn rematch(&self, candidate: &Candidate, feeds: &[FeedId], date: Timestamp) -> Vec<Match> {
        if self.plan.streams.is_empty() {
            return Vec::new();
        }
        let feeds: Vec<&FeedPlan> =
            feeds.iter().filter_map(|feed| self.plan.feeds.get(feed)).map(Arc::as_ref).collect();
        let mut folded = Folded::default();
        fold(&mut folded, candidate, &texts(&candidate.entry), date);
        matches(&self.plan, &folded, &feeds, date)
    }
}

/// Says that a feed's entries are known by something else from now on.
pub(super) fn tell_policy(feed: &FeedPlan, habits: &Habits) {
    tracing::warn!(
        feed.name = %feed.name, feed.id_policy = habits.id.as_str(), reason = %habits.reason,
        "the feed's guids are not believed any more; [feed.identity] id sets what its entries are known by"
    );
}

/// The plain texts of an entry.
pub(super) fn texts(entry: &Entry) -> Texts {
    let text = |html: &Option<String>| html.as_deref().map(sanitize::text).unwrap_or_default();
    (text(&entry.summary), text(&entry.content))
}

/// Makes `folded` an entry as queries see it. `texts` are its own.
pub(super) fn fold(folded: &mut Folded, candidate: &Candidate, (summary, content): &Texts, date: Timestamp) {
    let entry = &candidate.entry;
    folded.refill(&Document {
        title: entry.title.as_deref().unwrap_or_default(),
        summary,
        content,
        authors: entry.authors.iter().filter_map(|person| person.name.as_deref()).collect(),
        tags: entry.categories.iter().map(|category| category.term.as_str()).collect(),
        url: if candidate.scope == Scope::Global {
            &candidate.key
        } else {
            candidate.link.as_deref().unwrap_or_default()
        },
        language: entry.language.as_deref(),
        types: entry.enclosures.iter().filter_map(|file| file.mime_type.as_deref()).collect(),
        date,
    });
}

/// The streams that an entry meets when these feeds carry it and its story has this date.
pub(super) fn matches(plan: &Plan, folded: &Folded, feeds: &[&FeedPlan], date: Timestamp) -> Vec<Match> {
    let mut found = Vec::new();
    plan.index.visit(folded, &terms(feeds), date, &mut |query, seen| {
        let Some(stream) = plan.streams.get(query).copied() else { return };
        // A membership keeps no snippet; only a call shows one.
        let called = plan.routes.contains_key(&Some(stream));
        found.push(Match { stream, term: if called { seen.shown() } else { seen.brief() } });
    });
    found
}

/// Feeds as queries see them.
pub(super) fn terms<'a>(feeds: &[&'a FeedPlan]) -> Vec<FeedTerms<'a>> {
    feeds.iter().map(|feed| FeedTerms { name: feed.name.as_str(), tags: &feed.tags }).collect()
}
