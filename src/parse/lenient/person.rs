//! Persons: Atom's elements, RSS' address with a name in brackets, and everything between.

use super::field::{Fields, Form, Raw, Reach, Reader};
use super::refs::Place;
use super::scan::{Scanner, Token, lower};
use crate::domain::item::Person;
use crate::parse::limits::MAX_LIST;
use crate::parse::plain;

/// The person in an element with elements of its own, or with a text; their page as it is written.
pub(super) fn read(raw: &Raw<'_>, reader: &mut Reader<'_>) -> Option<Person> {
    if !raw.tags {
        return parse(&plain::line(&reader.text(raw, Form::Decoded, Place::Text)));
    }
    let mut scanner = Scanner::new(raw.text, 0);
    let mut fields = Fields::default();
    let mut person = Person::default();
    let mut loose = String::new();
    while let Some(token) = scanner.next(None) {
        match token {
            Token::Text(text) | Token::CData(text) => loose.push_str(plain::cut(text, 1_000)),
            Token::Open(tag) => {
                let slot = match &*lower(tag.local()) {
                    "name" | "fullname" => &mut person.name,
                    "email" | "mail" | "mbox" => &mut person.email,
                    "uri" | "url" | "homepage" | "href" => &mut person.uri,
                    _ => continue,
                };
                let inside = fields.read(&mut scanner, &tag, Reach::Line, reader.log);
                let inside = Raw { at: raw.at + inside.at, ..inside };
                let text = reader.text(&inside, Form::Either, Place::Text);
                *slot = slot.take().or_else(|| plain::title(&text));
            }
            Token::Close(_) | Token::Other => {}
        }
    }
    person.email = person.email.and_then(|email| plain::filled(email.trim_start_matches("mailto:").to_owned()));
    if person.name.is_none() && person.email.is_none() {
        let spoken = parse(&plain::line(&loose))?;
        return Some(Person { uri: person.uri, ..spoken });
    }
    Some(person)
}

/// A name, an address, or both in any order, as `joe@example.org (Joe)` and `Joe <joe@example.org>`.
pub(super) fn parse(text: &str) -> Option<Person> {
    let parts = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | '"');
    let address = text.split(parts).find(|word| {
        let bare = word.strip_prefix("mailto:").unwrap_or(word);
        bare.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty()
                && host.contains('.')
                && !host.contains('@')
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        })
    });
    let Some(address) = address else {
        return plain::filled(text.trim().to_owned()).map(|name| Person { name: Some(name), ..Person::default() });
    };
    let edge =
        |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | '"' | '-' | ':');
    let rest = text.replacen(address, " ", 1);
    let name = plain::filled(plain::line(rest.trim_matches(edge)));
    let email = address.trim_start_matches("mailto:").trim_end_matches('.').to_owned();
    Some(Person { name, email: Some(email), uri: None })
}

/// At most so many as are kept, each once.
pub(super) fn distinct(people: Vec<Person>) -> Vec<Person> {
    let mut kept: Vec<Person> = Vec::new();
    for person in people.into_iter().take(MAX_LIST) {
        if !kept.contains(&person) {
            kept.push(person);
        }
    }
    kept.shrink_to_fit();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart_in_any_order() {
        let cases = [
            ("joe@example.org (Joe Doe)", Some("Joe Doe"), Some("joe@example.org")),
            ("Joe Doe <joe@example.org>", Some("Joe Doe"), Some("joe@example.org")),
            ("mailto:joe@example.org", None, Some("joe@example.org")),
            ("Joe (joe@example.org)", Some("Joe"), Some("joe@example.org")),
            ("Joe @ home", Some("Joe @ home"), None),
            ("\u{2014}\u{2014}a@example.org", None, Some("\u{2014}\u{2014}a@example.org")),
        ];
        for (text, name, email) in cases {
            let person = parse(text).unwrap();
            assert_eq!((person.name.as_deref(), person.email.as_deref()), (name, email), "{text}");
        }
        assert_eq!(parse("  "), None);
    }
}
