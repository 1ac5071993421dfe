//! A document read and matched: entries, the queries that each meets, and who judges them. Pure.

use std::sync::Arc;

use super::judge::{LoadJudge, fold, matches, tell_policy, terms, texts};
use super::{FeedPlan, Plan};
use crate::domain::decision::Candidate;
use crate::domain::feed::{Cadence, FeedInfo, Habits};
use crate::domain::time::Timestamp;
use crate::identity::prepare::{Texts, Ways, prepare};
use crate::parse::Feed;
use crate::query::scan::Folded;
use crate::schedule::auto::usual_gap;

/// A document that was read and matched.
pub(super) struct Read {
    pub(super) info: FeedInfo,
    pub(super) candidates: Vec<Candidate>,
    pub(super) judge: LoadJudge,
    /// Habits that the document has changed.
    pub(super) habits: Option<Habits>,
    pub(super) cadence: Cadence,
    pub(super) repairs: usize,
}

/// `also`: feeds in whose place this one is asked. What it brings, they bring, for `feed:` and `tag:`.
pub(super) fn read_document(
    plan: &Arc<Plan>,
    (feed, also): (&Arc<FeedPlan>, &[Arc<FeedPlan>]),
    parsed: Feed,
    before: &Habits,
    now: Timestamp,
) -> Read {
    let feeds: Vec<&FeedPlan> = std::iter::once(feed).chain(also).map(Arc::as_ref).collect();
    let texts: Vec<Texts> = parsed.entries.iter().map(texts).collect();
    let dates = parsed.entries.iter().filter_map(|entry| entry.published.or(entry.updated));
    let (usual_gap_s, newest) = usual_gap(dates, now);
    let cadence = Cadence { usual_gap_s, newest, ..parsed.cadence };
    let ways =
        Ways { rules: &feed.manner.rules, id: feed.manner.id_policy, dedupe: feed.manner.dedupe, habits: before };
    let prepared = prepare(ways, &parsed.info, parsed.entries, texts, now);
    if prepared.habits.id != before.id {
        tell_policy(feed, &prepared.habits);
    }
    let mut candidates = Vec::new();
    let (mut words, mut ignored) = (Folded::default(), Vec::new());
    let ignore = feed.manner.ignore.as_deref();
    for (mut candidate, texts) in prepared.candidates {
        if !plan.streams.is_empty() || ignore.is_some() {
            let date = candidate.effective_at(now);
            fold(&mut words, &candidate, &texts, date);
            candidate.matches = matches(plan, &words, &feeds, date);
            ignored.push(ignore.is_some_and(|ignore| !ignore.index.met(&words, &terms(&feeds)).is_empty()));
        }
        candidates.push(candidate);
    }
    let habits = Some(prepared.habits.clone()).filter(|habits| habits != before);
    let judge = LoadJudge { plan: Arc::clone(plan), ignored, feed: Arc::clone(feed), habits: prepared.habits, now };
    Read { info: parsed.info, candidates, judge, habits, cadence, repairs: parsed.repairs.len() }
}
