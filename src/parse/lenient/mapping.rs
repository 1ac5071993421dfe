//! Elements by family and local name: what they mean in an entry and in a feed.

use std::borrow::Cow;

use super::entry::{About, Draft, Link, id, size};
use super::field::{Form, Reach};
use super::media::is_media_type;
use super::person;
use super::refs::Place as At;
use super::scan::Tag;
use super::space::Family;
use super::text::{self, Text};
use super::walk::{Place, Walk};
use crate::domain::item::{Category, Enclosure, Person};
use crate::domain::time::Timestamp;
use crate::parse::limits::MAX_LIST;
use crate::parse::{date, plain};

impl<'a> Walk<'a> {
    /// RDF and CDF say in attributes what others have elements for.
    pub(super) fn entry_attributes(&mut self, draft: &mut Draft, tag: &Tag<'a>, at: usize) {
        if tag.inside.is_empty() {
            return;
        }
        let about = self.attribute(tag, "rdf:about", at).or_else(|| self.attribute(tag, "about", at));
        if let Some(about) = about {
            draft.guid.offer(9, id(&about));
        }
        draft.link.offer(5, self.target(tag, "href", at));
        let modified = self.attribute(tag, "lastmod", at).and_then(|text| date::parse(&text));
        draft.updated.offer(9, modified);
    }

    /// The text of an element: by its type for Atom, else HTML.
    pub(super) fn text(&mut self, tag: &Tag<'a>, family: Family, reach: Reach) -> Text {
        let raw = self.inside(tag, reach);
        let mut reader = self.reader();
        if family == Family::Atom { text::atom(tag, &raw, &mut reader) } else { text::rss(&raw, &mut reader) }
    }

    /// The text of an element that is no prose: an id, an address, a word.
    pub(super) fn word(&mut self, tag: &Tag<'a>, place: At) -> Cow<'a, str> {
        let raw = self.inside(tag, Reach::Line);
        self.reader().text(&raw, Form::Decoded, place)
    }

    pub(super) fn date(&mut self, tag: &Tag<'a>) -> Option<Timestamp> {
        date::parse(&self.word(tag, At::Address))
    }

    pub(super) fn line(&mut self, tag: &Tag<'a>) -> Option<String> {
        let raw = self.inside(tag, Reach::Line);
        let source = self.reader().text(&raw, Form::Either, At::Text);
        plain::title(&source)
    }

    pub(super) fn person(&mut self, tag: &Tag<'a>) -> Option<Person> {
        let raw = self.inside(tag, Reach::Body);
        let mut person = person::read(&raw, &mut self.reader())?;
        person.uri = person.uri.and_then(|uri| self.resolve(&uri));
        Some(person)
    }

    /// An absolute address. A short relative one under a long base takes much of little: all of them together are bounded.
    pub(super) fn resolve(&mut self, address: &str) -> Option<String> {
        let url = plain::url(address, self.bases.nearest())?;
        self.growth = self.growth.checked_sub(url.len().saturating_sub(address.len()))?;
        Some(url)
    }

    /// An address in the text of an element.
    pub(super) fn address(&mut self, tag: &Tag<'a>) -> Option<String> {
        let word = self.word(tag, At::Address);
        self.resolve(&word)
    }

    /// An address in an attribute.
    pub(super) fn target(&mut self, tag: &Tag<'a>, name: &str, at: usize) -> Option<String> {
        let value = self.attribute(tag, name, at)?;
        self.resolve(&value)
    }

    /// Atom's link, wherever it stands.
    pub(super) fn link(&mut self, tag: &Tag<'a>, at: usize) -> Option<Link> {
        Some(Link {
            url: self.target(tag, "href", at)?,
            rel: self.attribute(tag, "rel", at).map(|rel| rel.trim().to_owned()).unwrap_or_default(),
            kind: self.attribute(tag, "type", at).and_then(|text| plain::filled(plain::line(&text))),
            length: self.attribute(tag, "length", at).and_then(|text| size(&text)),
            title: self.attribute(tag, "title", at).and_then(|text| plain::plain_title(&text)),
        })
    }

    fn category(&mut self, tag: &Tag<'a>, at: usize) -> Option<Category> {
        let filled = |text: Cow<'_, str>| plain::filled(plain::line(&text));
        let term = self.attribute(tag, "term", at).and_then(filled);
        let label = self.attribute(tag, "label", at).and_then(filled);
        let scheme = self.attribute(tag, "scheme", at).or_else(|| self.attribute(tag, "domain", at)).and_then(filled);
        let text = self.line(tag);
        Some(Category { term: term.or(text).or_else(|| label.clone())?, scheme, label })
    }

    /// An element of an entry; false if it means nothing there.
    pub(super) fn entry_element(&mut self, tag: Tag<'a>, family: Family, name: &str, at: usize) -> bool {
        let Some(mut draft) = self.draft.take() else { return false };
        let known = match family {
            Family::Rss | Family::Atom => self.core_element(&mut draft, tag, family, name, at),
            Family::Dc => self.dublin_core(&mut draft, tag, name),
            Family::Content if name == "encoded" => {
                let body = self.text(&tag, family, Reach::Body).body();
                draft.content.offer(0, body);
                true
            }
            Family::Xhtml if matches!(name, "body" | "div") => {
                let raw = self.inside(&tag, Reach::Body);
                let source = self.reader().text(&raw, Form::Markup, At::Text).into_owned();
                draft.content.offer(2, Text { source, html: true }.body());
                true
            }
            Family::Burner if name == "origlink" => {
                let link = self.word(&tag, At::Address);
                let link = plain::url(&link, None).filter(|url| url.starts_with("http"));
                draft.original = draft.original.take().or(link);
                true
            }
            Family::License => {
                let license = self.target(&tag, "rdf:resource", at).or_else(|| self.address(&tag));
                draft.extras.license = draft.extras.license.take().or(license);
                true
            }
            _ => match family.vocabulary() {
                Some(prefix) => self.vocabulary(&mut draft, &tag, prefix, at),
                None => false,
            },
        };
        self.draft = Some(draft);
        known
    }

    fn core_element(&mut self, draft: &mut Draft, tag: Tag<'a>, family: Family, name: &str, at: usize) -> bool {
        match name {
            "title" => {
                let title = self.text(&tag, family, Reach::Line).title();
                draft.title.offer(0, title);
            }
            "link" if tag.raw("href").is_some() => {
                let link = self.link(&tag, at).filter(|_| draft.links.len() < MAX_LIST);
                draft.links.extend(link);
            }
            "link" => {
                let link = self.address(&tag);
                draft.link.offer(0, link);
            }
            "guid" => {
                let permanent = self.attribute(&tag, "ispermalink", at);
                draft.permanent = permanent.is_none_or(|word| !word.trim().eq_ignore_ascii_case("false"));
                draft.guid.offer(0, id(&self.word(&tag, At::Address)));
            }
            "id" => draft.guid.offer(1, id(&self.word(&tag, At::Address))),
            "description" | "summary" | "abstract" => {
                let body = self.text(&tag, family, Reach::Body).body();
                if name == "summary" && family == Family::Rss {
                    draft.short = draft.short.take().or(body);
                } else {
                    draft.summary.offer(0, body);
                }
            }
            "content" | "fullitem" | "body" => {
                draft.language =
                    self.attribute(&tag, "xml:lang", at).and_then(|text| plain::filled(plain::line(&text)));
                let body = self.text(&tag, if name == "content" { Family::Atom } else { family }, Reach::Body).body();
                draft.content.offer(1, body);
            }
            "pubdate" | "published" => draft.published.revise(0, self.date(&tag)),
            "issued" | "date" => draft.published.revise(1, self.date(&tag)),
            "created" => draft.published.revise(3, self.date(&tag)),
            "updated" => draft.updated.revise(0, self.date(&tag)),
            "modified" => draft.updated.revise(1, self.date(&tag)),
            "author" => {
                let author = self.person(&tag).filter(|_| draft.authors.len() < MAX_LIST);
                draft.authors.extend(author);
            }
            "category" => {
                if let Some(category) = self.category(&tag, at) {
                    draft.category(category);
                }
            }
            "comments" => {
                let page = self.address(&tag);
                draft.extras.comments_url = draft.extras.comments_url.take().or(page);
            }
            "rights" | "copyright" => {
                let rights = self.text(&tag, family, Reach::Line).title();
                draft.extras.rights = draft.extras.rights.take().or(rights);
            }
            "enclosure" => {
                draft.file(self.file(&tag, at));
            }
            "source" if family == Family::Atom && !tag.closed => {
                self.source = Some(About::default());
                self.push(tag, Place::Source);
            }
            "contributor" | "source" | "generator" => {
                self.inside(&tag, Reach::Body);
            }
            _ => return false,
        }
        true
    }

    fn dublin_core(&mut self, draft: &mut Draft, tag: Tag<'a>, name: &str) -> bool {
        match name {
            "title" => {
                let title = self.line(&tag);
                draft.title.offer(5, title);
            }
            "description" | "abstract" => {
                let body = self.text(&tag, Family::Rss, Reach::Body).body();
                draft.summary.offer(2, body);
            }
            "date" => draft.date = self.date(&tag).or(draft.date),
            "issued" => draft.published.revise(2, self.date(&tag)),
            "created" | "available" => draft.published.revise(3, self.date(&tag)),
            "modified" => draft.updated.revise(1, self.date(&tag)),
            "creator" | "author" => {
                let author = self.person(&tag).filter(|_| draft.authors.len() < MAX_LIST);
                draft.authors.extend(author);
            }
            "rights" => {
                let rights = self.line(&tag);
                draft.extras.rights = draft.extras.rights.take().or(rights);
            }
            "license" => {
                let license = self.address(&tag);
                draft.extras.license = draft.extras.license.take().or(license);
            }
            "subject" => {
                if let Some(term) = self.line(&tag) {
                    draft.category(Category { term, ..Category::default() });
                }
            }
            _ => return false,
        }
        true
    }

    fn file(&mut self, tag: &Tag<'a>, at: usize) -> Option<Enclosure> {
        let kind = self.attribute(tag, "type", at).map(|text| plain::line(&text));
        Some(Enclosure {
            url: ["url", "href"].into_iter().find_map(|name| self.target(tag, name, at))?,
            mime_type: kind.filter(|kind| is_media_type(kind)),
            length_bytes: self.attribute(tag, "length", at).and_then(|text| size(&text)),
            ..Enclosure::default()
        })
    }
}
