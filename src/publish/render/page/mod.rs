//! The pages that people see: the river of news, what a search found, one story with its trace, what is followed, how it all is, and what
//! went wrong.
//!
//! Never a script or a style in the markup, or HTML that a publisher wrote: the Content-Security-Policy allows
//! none of them, and a page shows text alone. One script file says when news came in; nothing depends on it. Whatever is folded away by the width of a screen is still there.
//!
//! Invariant: each link within the site is below the path of `public_url`, so that the pages work behind a
//! prefix; the addresses to subscribe to are whole.

use maud::{DOCTYPE, Markup, html};
use url::Url;

use super::address;
use super::text;
use crate::domain::shape::StreamShape;

pub use self::item::item;
pub use self::river::river;
pub use self::search::{Results, asked, search};
pub use self::status::{Report, feeds, status};
pub use self::subscribe::subscribe;

mod item;
mod river;
mod search;
mod status;
mod subscribe;
mod words;

/// The style of all pages; served at `/static/style.css`.
pub const STYLE: &str = include_str!("../style.css");
/// The icon of all pages; served at `/static/icon.svg` and `/favicon.ico`.
pub const ICON: &str = include_str!("../icon.svg");
/// The script of the river; served at `/static/live.js`.
pub const SCRIPT: &str = include_str!("../live.js");

/// What all pages show.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// `[server] title`.
    pub title: &'a str,
    /// `public_url`.
    pub base: &'a Url,
    /// The streams, `all` first.
    pub streams: &'a [StreamShape],
}

/// Which entry of the menu a page is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    River,
    Search,
    Feeds,
    Status,
    Elsewhere,
}

impl Site<'_> {
    /// A link within the site. The host is left out: who looks at a page through a tunnel stays in it, and
    /// the style is of the page's own origin.
    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.base.path().trim_end_matches('/'))
    }

    /// Its title, never empty.
    fn title(&self) -> &str {
        text::present(Some(self.title)).unwrap_or("Feedmill")
    }
}

/// A page that says what went wrong, for people. `sentence` names the cause and the way out.
#[must_use]
pub fn error(site: &Site<'_>, status: u16, title: &str, sentence: &str) -> String {
    let main = html! {
        main.error #main {
            p.code { (status) }
            h1 { (title) }
            p { (sentence) }
            p { a href=(site.path("")) { "To the news" } }
        }
    };
    shell(site, title, Place::Elsewhere, &html! {}, &main)
}

/// A whole page. `head`: what the page adds to the document's head.
fn shell(site: &Site<'_>, title: &str, here: Place, head: &Markup, main: &Markup) -> String {
    let whole_title = if title == site.title() { title.to_owned() } else { format!("{title} · {}", site.title()) };
    let current = |place: Place| (place == here).then_some("page");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (whole_title) }
                link rel="icon" type="image/svg+xml" href=(site.path("static/icon.svg"));
                link rel="stylesheet" href=(site.path("static/style.css"));
                (head)
            }
            body {
                a.skip href="#main" { "To the content" }
                header.site {
                    a.brand href=(site.path("")) { bdi { (site.title()) } }
                    nav aria-label="Site" {
                        a href=(site.path("")) aria-current=[current(Place::River)] { "News" }
                        a href=(site.path("search")) aria-current=[current(Place::Search)] { "Search" }
                        a href=(site.path("feeds")) aria-current=[current(Place::Feeds)] { "Feeds" }
                        a href=(site.path("status")) aria-current=[current(Place::Status)] { "Status" }
                    }
                }
                (main)
                footer.site {
                    p { "Kept by Feedmill. Times are UTC." }
                    p { a href=(address(site.base, "feeds.opml")) { "What is followed, as OPML" } }
                }
            }
        }
    };
    let page = page.into_string();
    match text::legal(&page) {
        std::borrow::Cow::Borrowed(_) => page,
        std::borrow::Cow::Owned(legal) => legal,
    }
}

/// `link rel=alternate` for the three formats of a stream, so that readers find them from its page.
fn alternates(title: &str, documents: &[(&str, String)]) -> Markup {
    html! {
        @for (kind, href) in documents {
            link rel="alternate" type=(kind) title=(title) href=(href);
        }
    }
}

/// Where a story's own page is.
fn item_path(site: &Site<'_>, item: i64) -> String {
    site.path(&format!("item/{item}"))
}

/// A link that leads away from the site, or its text alone where the link is not one of the web.
fn away(url: Option<&str>, words: &str) -> Markup {
    let shown = text::excerpt(words, 300);
    match url.and_then(text::web_link) {
        Some(url) => html! { a href=(url) { bdi { (shown) } } },
        None => html! { bdi { (shown) } },
    }
}
