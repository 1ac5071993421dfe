//! A document read and matched: entries, the queries that each meets, and who judges them. Pure.

use std::sync::Arc;

use super::judge::{LoadJudge, matches, tell_policy, terms};
use super::{FeedPlan, Plan};
use crate::domain::decision::{Candidate, Scope};
use crate::domain::feed::{Cadence, FeedInfo, Habits};
use crate::domain::time::Timestamp;
use crate::identity::prepare::{Ways, prepare};
use crate::parse::Feed;
use crate::query::scan::{Document, Folded};
use crate::sanitize;
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
    let texts: Vec<(String, String)> = parsed
        .entries
        .iter()
        .map(|entry| {
            let text = |html: &Option<String>| html.as_deref().map(sanitize::text).unwrap_or_default();
            (text(&entry.summary), text(&entry.content))
        })
        .collect();
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
    let (mut folded, mut ignored) = (Vec::new(), Vec::new());
    let ignore = feed.manner.ignore.as_deref();
    for (mut candidate, (summary, content)) in prepared.candidates {
        if !plan.streams.is_empty() || ignore.is_some() {
            let date = candidate.effective_at(now);
            let words = Folded::new(&document(&candidate, &summary, &content, date));
            candidate.matches = matches(plan, &words, &feeds, date);
            ignored.push(ignore.is_some_and(|ignore| !ignore.index.scan(&words, &terms(&feeds)).is_empty()));
            folded.push(words);
        }
        candidates.push(candidate);
    }
    let habits = Some(prepared.habits.clone()).filter(|habits| habits != before);
    let judge =
        LoadJudge { plan: Arc::clone(plan), folded, ignored, feed: Arc::clone(feed), habits: prepared.habits, now };
    Read { info: parsed.info, candidates, judge, habits, cadence, repairs: parsed.repairs.len() }
}

/// An entry as queries see it.
fn document<'a>(candidate: &'a Candidate, summary: &'a str, content: &'a str, date: Timestamp) -> Document<'a> {
    let entry = &candidate.entry;
    Document {
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
    }
}
