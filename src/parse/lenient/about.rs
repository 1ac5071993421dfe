//! Elements by family and local name: what they mean in a feed, and in the source of an entry.

use super::entry::{About, id};
use super::field::{Fields, Form, Reach};
use super::refs::Place as At;
use super::scan::{Scanner, Tag, Token};
use super::space::Family;
use super::walk::Walk;
use crate::parse::limits::MAX_LIST;
use crate::parse::{date, plain};

impl<'a> Walk<'a> {
    pub(super) fn feed_attributes(&mut self, tag: &Tag<'a>, at: usize) {
        if tag.inside.is_empty() {
            return;
        }
        let language = self.attribute(tag, "xml:lang", at).and_then(|text| plain::filled(plain::line(&text)));
        self.about.language.offer(1, language);
        let href = self.target(tag, "href", at);
        self.about.link.offer(5, href);
        let modified = self.attribute(tag, "lastmod", at).and_then(|text| date::parse(&text));
        self.about.updated.offer(9, modified);
    }

    /// An element of a feed, or of the source of an entry; false if it means nothing there.
    pub(super) fn feed_element(&mut self, tag: Tag<'a>, family: Family, name: &str, at: usize) -> bool {
        let source = self.source.take();
        let inner = source.is_some();
        let mut about = source.unwrap_or_else(|| std::mem::take(&mut self.about));
        let known = self.about_element(&mut about, tag, family, name, at);
        if inner {
            self.source = Some(about);
        } else {
            self.about = about;
        }
        known
    }

    fn about_element(&mut self, about: &mut About, tag: Tag<'a>, family: Family, name: &str, at: usize) -> bool {
        match (family, name) {
            (Family::Rss | Family::Atom, "title") => {
                let title = self.text(&tag, family, Reach::Line).title();
                about.title.offer(0, title);
            }
            (Family::Dc | Family::Itunes, "title") => about.title.offer(5, self.line(&tag)),
            (Family::Rss | Family::Atom, "link") if tag.raw("href").is_some() => {
                let link = self.link(&tag, at).filter(|_| about.links.len() < MAX_LIST);
                about.links.extend(link);
            }
            (Family::Rss | Family::Atom, "link") => about.link.offer(0, self.address(&tag)),
            (Family::Rss | Family::Atom, "description" | "subtitle" | "tagline" | "abstract") => {
                let text = self.text(&tag, family, Reach::Body).title();
                about.description.offer(0, text);
            }
            (Family::Dc, "description") | (Family::Itunes, "subtitle" | "summary") => {
                let text = self.text(&tag, Family::Rss, Reach::Body).title();
                about.description.offer(5, text);
            }
            (Family::Rss | Family::Atom, "id") => {
                let id = id(&self.word(&tag, At::Address));
                about.id.offer(0, id);
            }
            (Family::Rss | Family::Atom, "updated" | "lastbuilddate" | "modified") => {
                about.updated.offer(0, self.date(&tag));
            }
            (Family::Dc, "date" | "modified") => about.updated.offer(1, self.date(&tag)),
            (Family::Rss | Family::Atom, "pubdate" | "published" | "date") => about.updated.offer(2, self.date(&tag)),
            (Family::Rss, "language") | (Family::Dc, "language") => {
                let language = self.line(&tag);
                about.language.offer(u8::from(family == Family::Dc) * 2, language);
            }
            (Family::Rss | Family::Atom, "copyright" | "rights") => {
                let text = self.text(&tag, family, Reach::Line).title();
                about.rights.offer(0, text);
            }
            (Family::Dc, "rights") => about.rights.offer(1, self.line(&tag)),
            (Family::Rss | Family::Atom, "icon" | "logo") => {
                let rank = u8::from(name == "logo");
                about.icon.offer(rank, self.address(&tag));
            }
            (Family::Rss, "image") => self.picture(about, &tag),
            (Family::Itunes, "image") => {
                about.icon.offer(3, self.target(&tag, "href", at));
                self.inside(&tag, Reach::Line);
            }
            (Family::Atom, "author") | (Family::Dc, "creator") | (Family::Itunes, "author") => {
                let author = self.person(&tag).filter(|_| about.authors.len() < MAX_LIST);
                about.authors.extend(author);
            }
            _ => return self.cadence(about, &tag, family, name) || self.furniture(&tag, family, name),
        }
        true
    }

    /// How often the feed wants to be asked for. The syndication module has no family of its own: its names are enough.
    fn cadence(&mut self, about: &mut About, tag: &Tag<'a>, family: Family, name: &str) -> bool {
        let said = &mut about.cadence;
        match (family, name) {
            (Family::Rss | Family::Atom, "ttl") => said.ttl(&self.word(tag, At::Address)),
            (Family::Rss | Family::Atom, "skiphours") => self.each(tag, "hour", |text| said.hour(text)),
            (Family::Rss | Family::Atom, "skipdays") => self.each(tag, "day", |text| said.day(text)),
            (Family::Other, "updateperiod") => said.period(&self.word(tag, At::Address)),
            (Family::Other, "updatefrequency") => said.frequency(&self.word(tag, At::Address)),
            _ => return false,
        }
        true
    }

    /// The texts of the elements of a name in a list.
    fn each(&mut self, tag: &Tag<'a>, name: &str, mut read: impl FnMut(&str)) {
        let raw = self.inside(tag, Reach::Body);
        let mut inside = Scanner::new(raw.text, 0);
        let mut fields = Fields::default();
        while let Some(token) = inside.next(None) {
            if let Token::Open(tag) = token
                && tag.local().eq_ignore_ascii_case(name)
            {
                let text = fields.read(&mut inside, &tag, Reach::Line, &mut self.log);
                read(&self.reader().text(&text, Form::Decoded, At::Address));
            }
        }
    }

    /// Elements that are known and not kept: what is inside of them is not the feed's own.
    fn furniture(&mut self, tag: &Tag<'a>, family: Family, name: &str) -> bool {
        let known = matches!(family, Family::Rss | Family::Atom)
            && matches!(
                name,
                "author"
                    | "contributor"
                    | "textinput"
                    | "managingeditor"
                    | "webmaster"
                    | "category"
                    | "generator"
                    | "docs"
                    | "cloud"
            );
        if known {
            self.inside(tag, Reach::Body);
        }
        known
    }

    /// RSS' picture, with a title and a link of its own.
    fn picture(&mut self, about: &mut About, tag: &Tag<'a>) {
        let raw = self.inside(tag, Reach::Body);
        let mut inside = Scanner::new(raw.text, 0);
        let mut fields = Fields::default();
        while let Some(token) = inside.next(None) {
            if let Token::Open(tag) = token
                && tag.local().eq_ignore_ascii_case("url")
            {
                let url = fields.read(&mut inside, &tag, Reach::Line, &mut self.log);
                let url = self.reader().text(&url, Form::Decoded, At::Address);
                let url = url.into_owned();
                about.icon.offer(2, self.resolve(&url));
            }
        }
    }
}
