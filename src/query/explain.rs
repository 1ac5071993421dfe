//! Why an item meets a query, or why not: for `match`, the API and the page of a stream.

use std::ops::Range;

use super::compile::Index;
use super::evaluate::{Context, Spot};
use super::scan::{FeedTerms, Folded};
use super::snippet;
pub use super::snippet::MAX_SNIPPET;
use super::syntax::{Node, NodeKind, Query};
use crate::domain::stream::TermHit;
use crate::domain::time::Timestamp;

/// Passages that are shown of one item.
pub const MAX_PASSAGES: usize = 3;

/// Whether an item meets a query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It does, in these places: at most [`MAX_PASSAGES`], in the order of the query's terms. None if the query has
    /// no positive part.
    Met(Vec<TermHit>),
    /// It does not: this clause failed.
    Failed {
        /// The clause as it is written.
        clause: String,
        /// Where it stands in the query, in bytes.
        at: Range<usize>,
    },
}

impl Query {
    /// Tries this query alone on an item, and says why. `now`: what `age:` is reckoned to; `None`: as for a stream.
    #[must_use]
    pub fn explain(&self, item: &Folded, feeds: &[FeedTerms<'_>], now: Option<Timestamp>) -> Verdict {
        let index = Index::new(std::slice::from_ref(self));
        let tags = index.split_tags(feeds);
        let layers = [index.layer(item.words()), index.layer(&tags)];
        let Some(plan) = index.plan(0) else { return Verdict::Met(Vec::new()) };
        let context = Context { plan, layers: [&layers[0], &layers[1]], item, feeds, date: item.date(), now };
        let root = &plan.query.root;
        if context.meet(root).is_none() {
            let at = failed(&context, root).at.range();
            let clause = plan.query.source.get(at.clone()).unwrap_or_default().to_owned();
            return Verdict::Failed { clause, at };
        }
        let mut spots = Vec::new();
        collect(&context, root, &mut spots);
        Verdict::Met(spots.iter().map(|spot| snippet::show(spot, &plan.query.source)).collect())
    }
}

/// The innermost clause that is to blame: of an AND the first part that fails; an OR fails as a whole.
fn failed<'a>(context: &Context<'a>, node: &'a Node) -> &'a Node {
    match &node.kind {
        NodeKind::And(nodes) => {
            nodes.iter().find(|node| context.meet(node).is_none()).map_or(node, |node| failed(context, node))
        }
        _ => node,
    }
}

/// The places of the positive terms, until there are enough: first one of each term, in the query's order, and of
/// a single term more than one.
fn collect<'a>(context: &Context<'a>, root: &'a Node, spots: &mut Vec<Spot<'a>>) {
    let mut terms = Vec::new();
    positive(context, root, &mut terms);
    for round in 0..MAX_PASSAGES {
        for node in &terms {
            if spots.len() == MAX_PASSAGES {
                return;
            }
            match &node.kind {
                NodeKind::Text(atom) => spots.extend(context.spots(node, atom).nth(round)),
                NodeKind::Pattern(pattern) => spots.extend(context.matches(node, pattern).nth(round)),
                _ if round == 0 => spots.extend(context.meet(node).flatten()),
                _ => {}
            }
        }
    }
}

/// The terms by which a clause is met.
fn positive<'a>(context: &Context<'a>, node: &'a Node, out: &mut Vec<&'a Node>) {
    match &node.kind {
        NodeKind::And(nodes) | NodeKind::Or(nodes) => {
            for node in nodes.iter().filter(|node| context.meet(node).is_some()) {
                positive(context, node, out);
            }
        }
        NodeKind::Everything | NodeKind::Not(_) | NodeKind::When(_) => {}
        _ => out.push(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::scan::Document;

    fn explain(query: &str) -> Verdict {
        let document = Document {
            title: "Peace talks in Geneva",
            content: "Talks about talks.\nNo war.",
            url: "https://news.example.com/a",
            ..Document::default()
        };
        Query::parse(query).unwrap().explain(&Folded::new(&document), &[], None)
    }

    #[test]
    fn what_is_not_met_names_the_clause_that_failed() {
        for (query, want) in [
            ("peace treaty", "treaty"),
            ("peace -war", "-war"),
            ("peace (treaty OR accord)", "(treaty OR accord)"),
            ("geneva (talks (title:war))", "war"),
            ("treaty OR accord", "treaty OR accord"),
            ("peace NEAR/1 geneva", "peace NEAR/1 geneva"),
            ("NOT peace", "NOT peace"),
            ("talks site:example.org", "example.org"),
        ] {
            let Verdict::Failed { clause, at } = explain(query) else { panic!("{query}") };
            assert_eq!(query.get(at), Some(clause.as_str()), "{query}");
            assert_eq!(clause.trim_matches(['(', ')']), want.trim_matches(['(', ')']), "{query}");
        }
    }

    #[test]
    fn what_is_met_shows_one_place_of_each_term_and_more_of_a_single_one() {
        let fields = |query| match explain(query) {
            Verdict::Met(passages) => passages.into_iter().map(|p| (p.field.into_owned(), p.text)).collect::<Vec<_>>(),
            Verdict::Failed { clause, .. } => panic!("{query}: {clause}"),
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(fields("talks"), [pair("title", "talks"), pair("content", "Talks"), pair("content", "talks")]);
        assert_eq!(fields("war OR peace -moon"), [pair("content", "war"), pair("title", "Peace")]);
        assert_eq!(fields("site:example.com"), [pair("site", "news.example.com")]);
        assert_eq!(fields("-moon"), []);
    }
}
