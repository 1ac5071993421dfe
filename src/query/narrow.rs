//! What an index of words can say of a query before it is tried: the positive part of its text.

use super::syntax::{Field, Node, NodeKind, Query, TextAtom};
use crate::domain::search::{Narrow, Phrase, Within};

impl Query {
    /// What the words of an item that meets this query are bound to be. What only the query itself can tell (other
    /// fields, symbols, case, places, what must not be there) leaves more items, never fewer.
    #[must_use]
    pub fn narrow(&self) -> Narrow {
        of(&self.inner.root)
    }
}

fn of(node: &Node) -> Narrow {
    match &node.kind {
        NodeKind::And(nodes) => Narrow::all(nodes.iter().map(of)),
        NodeKind::Near(near) => Narrow::all(near.operands().map(of)),
        NodeKind::Or(nodes) => Narrow::one_of(nodes.iter().map(of)),
        NodeKind::Text(atom) => phrase(atom),
        _ => Narrow::Any,
    }
}

fn phrase(atom: &TextAtom) -> Narrow {
    let within = match atom.field {
        Field::Any => Within::Anywhere,
        Field::Title => Within::Title,
        Field::Body => Within::Body,
        _ => return Narrow::Any,
    };
    let words: Vec<&str> = atom.words.iter().collect();
    Narrow::Phrase(Phrase { within, words: words.join(" ").into(), prefix: atom.prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(narrow: &Narrow) -> String {
        let list = |parts: &[Narrow], by: &str| parts.iter().map(shown).collect::<Vec<_>>().join(by);
        match narrow {
            Narrow::Any => "?".to_owned(),
            Narrow::Phrase(p) => format!("{:?}:{}{}", p.within, p.words, if p.prefix { "*" } else { "" }),
            Narrow::All(parts) => format!("({})", list(parts, " & ")),
            Narrow::OneOf(parts) => format!("({})", list(parts, " | ")),
        }
    }

    #[test]
    fn the_positive_text_of_a_query_narrows_and_nothing_else_does() {
        for (query, want) in [
            ("*", "?"),
            ("Peace", "Anywhere:peace"),
            ("zelensk* title:\"Peace Talks\"", "(Anywhere:zelensk* & Title:peace talks)"),
            ("a OR body:b", "(Anywhere:a | Body:b)"),
            ("a OR tag:b", "?"),
            ("a -b author:c feed:d", "Anywhere:a"),
            ("-a", "?"),
            ("=IT C++", "(Anywhere:it & Anywhere:c)"),
            ("a NEAR/3 (b OR c)", "(Anywhere:a & (Anywhere:b | Anywhere:c))"),
            ("上海", "Anywhere:上 海"),
        ] {
            assert_eq!(shown(&Query::parse(query).unwrap().narrow()), want, "{query}");
        }
    }
}
