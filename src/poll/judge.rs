//! `identity` and `query` behind the one face that the commit asks.

use std::sync::Arc;

use super::{FeedPlan, Plan};
use crate::domain::decision::{Candidate, Decision, Judge, Known};
use crate::domain::feed::FeedId;
use crate::domain::stream::Match;
use crate::identity::decide::decide;
use crate::query::scan::{FeedTerms, Folded};

/// The judge of one load: its entries, folded once.
pub(super) struct LoadJudge {
    pub(super) plan: Arc<Plan>,
    /// In the order of the candidates; empty where there are no queries.
    pub(super) folded: Vec<Folded>,
}

impl Judge for LoadJudge {
    fn decide(&self, known: &Known, candidate: &Candidate) -> Decision {
        decide(known, candidate)
    }

    fn rematch(&self, index: usize, feeds: &[FeedId]) -> Vec<Match> {
        let feeds: Vec<&FeedPlan> =
            feeds.iter().filter_map(|feed| self.plan.feeds.get(feed)).map(Arc::as_ref).collect();
        self.folded.get(index).map_or_else(Vec::new, |folded| matches(&self.plan, folded, &feeds))
    }
}

/// The streams that an entry meets when these feeds carry it.
pub(super) fn matches(plan: &Plan, folded: &Folded, feeds: &[&FeedPlan]) -> Vec<Match> {
    let terms: Vec<FeedTerms<'_>> = feeds.iter().map(|feed| FeedTerms { name: &feed.name, tags: &feed.tags }).collect();
    let hits = plan.index.scan(folded, &terms);
    hits.into_iter().filter_map(|hit| Some(Match { stream: *plan.streams.get(hit.query)?, term: hit.term })).collect()
}
