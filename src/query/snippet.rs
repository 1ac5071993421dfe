//! What a match shows of the item: the text as it stands, and a little around it, cut at words.

use std::ops::Range;

use super::evaluate::Spot;
use super::syntax::Node;
use super::words::Words;
use crate::domain::stream::TermHit;

/// Characters that a snippet may have (Unicode scalar values), and a text that was met.
pub const MAX_SNIPPET: usize = 200;

/// What a spot is, without what is around it. `source` is the query's.
pub(super) fn brief(spot: &Spot<'_>, source: &str) -> TermHit {
    let (field, text, term) = match *spot {
        Spot::Fact { field, text, term, .. } => (field, text, term),
        Spot::Text { words, first, last, term } => {
            let field = words.part(first).map_or("", |part| part.name());
            (field, words.raw(first, last).and_then(|raw| words.text().get(raw)).unwrap_or_default(), term)
        }
        Spot::Match { words, raw, part, term } => {
            (part.name(), words.text().get(raw.0..raw.1).unwrap_or_default(), term)
        }
    };
    TermHit {
        field: field.into(),
        term: source.get(term.at.range()).unwrap_or_default().to_owned(),
        text: head(text, MAX_SNIPPET).to_owned(),
        snippet: String::new(),
        highlights: Vec::new(),
    }
}

/// Shows a spot. `source` is the query's.
pub(super) fn show(spot: &Spot<'_>, source: &str) -> TermHit {
    match *spot {
        Spot::Fact { field, text, around, term } => {
            let snippet = flat(head(around, MAX_SNIPPET));
            let text = head(text, MAX_SNIPPET).to_owned();
            let at = snippet.find(&text).map(|at| (chars(snippet.get(..at).unwrap_or_default()), chars(&text)));
            let highlights = at.map(|(start, length)| (start, start + length)).into_iter().collect();
            let term = source.get(term.at.range()).unwrap_or_default().to_owned();
            TermHit { field: field.into(), term, text, snippet, highlights }
        }
        Spot::Text { words, first, last, term } => {
            let field = words.part(first).map_or("", |part| part.name());
            passage(words, words.raw(first, last).unwrap_or(0..0), field, term, source)
        }
        Spot::Match { words, raw, part, term } => passage(words, raw.0..raw.1, part.name(), term, source),
    }
}

fn passage(words: &Words, raw: Range<usize>, field: &'static str, term: &Node, source: &str) -> TermHit {
    let bounds = words.bounds(raw.start);
    let met = head(words.text().get(raw.clone()).unwrap_or_default(), MAX_SNIPPET);
    let raw = raw.start..raw.start + met.len();
    let window = window(words.text(), &bounds, &raw);
    let slice = |range: Range<usize>| words.text().get(range).unwrap_or_default();
    let start = chars(slice(window.start..raw.start));
    TermHit {
        field: field.into(),
        term: source.get(term.at.range()).unwrap_or_default().to_owned(),
        text: met.to_owned(),
        snippet: flat(slice(window)),
        highlights: vec![(start, start + chars(met))],
    }
}

/// Line feeds and the like become spaces, one for one, so that offsets stay true.
fn flat(text: &str) -> String {
    if text.bytes().all(|b| (b' '..0x7f).contains(&b)) {
        return text.to_owned();
    }
    text.chars().map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c }).collect()
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// The first characters of a text.
fn head(text: &str, most: usize) -> &str {
    let end = match text.as_bytes().get(..most) {
        None => text.len(),
        Some(bytes) if bytes.is_ascii() => most,
        _ => text.char_indices().nth(most).map_or(text.len(), |(at, _)| at),
    };
    text.get(..end).unwrap_or_default()
}

/// The last characters of a text.
fn tail(text: &str, most: usize) -> &str {
    let start = text.len().saturating_sub(most);
    let start = match text.as_bytes().get(start..) {
        Some(bytes) if bytes.is_ascii() => start,
        _ => text.char_indices().rev().take(most).last().map_or(text.len(), |(at, _)| at),
    };
    text.get(start..).unwrap_or_default()
}

/// What is shown around `raw`: half of the room before it, the rest after, and what is left over before again.
fn window(text: &str, bounds: &Range<usize>, raw: &Range<usize>) -> Range<usize> {
    let room = MAX_SNIPPET.saturating_sub(chars(text.get(raw.clone()).unwrap_or_default()));
    let before = text.get(bounds.start..raw.start).unwrap_or_default();
    let after = text.get(raw.end..bounds.end).unwrap_or_default();
    let lead = tail_of(before, room / 2);
    let follow = head_of(after, room - chars(lead));
    let lead = tail_of(before, room - chars(follow));
    raw.start - lead.len()..raw.end + follow.len()
}

/// At most so many of the last characters, beginning with a word, or all.
fn tail_of(text: &str, most: usize) -> &str {
    let part = tail(text, most);
    let cut = text.get(..text.len() - part.len()).unwrap_or_default();
    if cut.is_empty() || cut.ends_with(char::is_whitespace) {
        return part.trim_start();
    }
    // The first word is cut: leave it out. Without white space (long words, Chinese) the cut is as good as any.
    part.find(char::is_whitespace).and_then(|at| part.get(at..)).map_or(part, str::trim_start)
}

/// At most so many of the first characters, ending with a word, or all.
fn head_of(text: &str, most: usize) -> &str {
    let part = head(text, most);
    let rest = text.get(part.len()..).unwrap_or_default();
    if rest.is_empty() || rest.starts_with(char::is_whitespace) {
        return part.trim_end();
    }
    part.rfind(char::is_whitespace).and_then(|at| part.get(..at)).map_or(part, str::trim_end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::compile::Index;
    use crate::query::scan::{Document, Folded};
    use crate::query::syntax::Query;

    fn hit(query: &str, content: &str) -> TermHit {
        let document = Document { content, ..Document::default() };
        let index = Index::new(&[Query::parse(query).unwrap()]);
        index.scan(&Folded::new(&document), &[]).remove(0).term.unwrap()
    }

    #[test]
    fn a_snippet_is_cut_at_words_and_shows_the_text_as_it_stands() {
        let content = format!("{} the Große\nStraße! {}", "before ".repeat(40), "behind ".repeat(40));
        let hit = hit("grosse*", &content);
        assert_eq!(hit.text, "Große");
        assert!(hit.snippet.contains(" the Große Straße! behind"), "{}", hit.snippet);
        assert!(hit.snippet.starts_with("before ") && hit.snippet.ends_with(" behind"), "{}", hit.snippet);
        assert!((150..=200).contains(&hit.snippet.chars().count()));
    }

    #[test]
    fn a_short_text_is_its_own_snippet_and_a_long_word_is_cut() {
        assert_eq!(hit("b", "a b c").snippet, "a b c");
        let long = hit("aa*", &"a".repeat(100_000));
        assert_eq!((long.text.len(), long.snippet.len()), (200, 200));
        let han = hit("\"的海\"", &format!("{}海{}", "的".repeat(300), "上".repeat(300)));
        assert_eq!(han.snippet.chars().count(), 200);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_highlight_is_the_text_that_was_met(words in proptest::collection::vec("[aé海 \n]{1,30}", 0..20)) {
            let content = format!("{} needle {}", words.concat(), words.join(" "));
            let query = Query::parse("needle").unwrap();
            let folded = Folded::new(&Document { content: &content, ..Document::default() });
            let crate::query::explain::Verdict::Met(passages) = query.explain(&folded, &[], None) else { panic!() };
            for passage in passages {
                let (start, end) = passage.highlights[0];
                let shown: String = passage.snippet.chars().skip(start).take(end - start).collect();
                prop_assert_eq!(&shown, "needle");
                prop_assert!(passage.snippet.chars().count() <= MAX_SNIPPET);
            }
        }
    }
}
