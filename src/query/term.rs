//! A single term: its field, and the word, phrase or `*` after it.

use std::ops::Range;

use super::grammar::{Reader, ends_word, error};
use super::syntax::{Field, NodeKind, SyntaxError};
use super::{atom, pattern};

impl Reader<'_> {
    /// The field that stands here, with its colon's length.
    pub(super) fn field(&self) -> Result<Option<(Field, usize)>, SyntaxError> {
        let rest = self.rest();
        let length = rest.bytes().take_while(|b| b.is_ascii_alphabetic() || *b == b'_').count();
        if length == 0 || rest.as_bytes().get(length) != Some(&b':') {
            return Ok(None);
        }
        let name = rest.get(..length).unwrap_or_default();
        let at = self.at..self.at + length + 1;
        let field = match name {
            "title" => Field::Title,
            "body" => Field::Body,
            "author" => Field::Author,
            "tag" => Field::Tag,
            "feed" => Field::Feed,
            "site" => Field::Site,
            "url" => Field::Url,
            "lang" => Field::Language,
            "type" => Field::Type,
            "before" => Field::Before,
            "after" => Field::After,
            "age" => Field::Age,
            _ => return Err(unknown_field(name, at, rest.get(length + 1..).unwrap_or_default())),
        };
        let after = rest.get(length + 1..).and_then(|r| r.chars().next());
        if after.is_none_or(|c| c.is_whitespace() || c == ')') {
            let hint = format!("Write what to look for directly after the colon, as in `{name}:word`.");
            return Err(error(format!("`{name}:` has nothing to look for."), at, hint));
        }
        Ok(Some((field, length + 1)))
    }

    /// A regular expression, from its first `/`.
    fn pattern(&mut self, field: Field) -> Result<NodeKind, SyntaxError> {
        let open = self.at;
        let inner = self.rest().get(1..).unwrap_or_default();
        let Some(length) = pattern::length(inner) else {
            let hint = "Write a second `/` after it; if the text itself is meant, put it in quotes.";
            return Err(error("This regular expression is not closed.", open..open + 1, hint));
        };
        let text = inner.get(..length).unwrap_or_default();
        let after = inner.get(length + 1..).unwrap_or_default();
        let flags = after.split(ends_word).next().unwrap_or_default();
        self.at = open + 1 + length + 1 + flags.len();
        pattern::read(field, (text, open + 1), flags).map(|pattern| NodeKind::Pattern(Box::new(pattern)))
    }

    /// A phrase, a word, or a `*`, after its field.
    pub(super) fn term(&mut self, field: Field, start: usize) -> Result<NodeKind, SyntaxError> {
        let exact = self.peek() == Some('=');
        self.at += usize::from(exact);
        if self.peek() == Some('"') {
            let open = self.at;
            let inner = self.rest().get(1..).unwrap_or_default();
            let Some(length) = inner.find('"') else {
                return Err(error("This quote is not closed.", open..open + 1, "Write a second \" after the phrase."));
            };
            self.at += length + 2;
            if self.peek() == Some('*') {
                let hint = "Write the `*` within the quotes, after the last word.";
                return Err(error("This `*` stands outside of the quotes.", self.at..self.at + 1, hint));
            }
            let typed = atom::Typed { text: inner.get(..length).unwrap_or_default(), at: open + 1, exact };
            return atom::value(field, &typed, &mut self.atoms);
        }
        let token = self.rest().split(ends_word).next().unwrap_or_default();
        let at = self.at..self.at + token.len();
        if token.is_empty() {
            let hint = "Write a word or a \"phrase\" directly after it.";
            return Err(error("A term is missing here.", start..self.at + 1, hint));
        }
        if token.starts_with('/') && !exact {
            return self.pattern(field);
        }
        if token.starts_with('-') {
            let hint = "Write the hyphen before the field, as in `-title:word`.";
            return Err(error("This hyphen negates nothing.", at.start..at.start + 1, hint));
        }
        self.at = at.end;
        if token == "*" && field == Field::Any && !exact {
            return Ok(NodeKind::Everything);
        }
        if ["and", "or", "not"].contains(&token.to_ascii_lowercase().as_str()) && !exact {
            let operator = token.to_ascii_uppercase();
            self.warnings.push(format!("`{token}` is a plain word here; the operator is `{operator}`."));
        }
        if token.to_ascii_lowercase().starts_with("near/") {
            self.warnings.push(format!("`{token}` is plain words here; the operator is in capitals."));
        }
        atom::value(field, &atom::Typed { text: token, at: at.start, exact }, &mut self.atoms)
    }
}

fn unknown_field(name: &str, at: Range<usize>, after: &str) -> SyntaxError {
    let lower = name.to_ascii_lowercase();
    let known = ["title", "body", "author", "tag", "feed", "site", "url", "lang", "type", "before", "after", "age"];
    let hint = if after.starts_with("//") {
        "Put the address in quotes to look for its words, or use `site:host` or `url:words`.".to_owned()
    } else if known.contains(&lower.as_str()) {
        format!("Fields are in lower case: `{lower}:`.")
    } else {
        format!("The fields are {}: . If the text itself is meant, put it in quotes.", known.join(": "))
    };
    error(format!("There is no field `{name}:`."), at, hint)
}
