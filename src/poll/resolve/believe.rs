//! What following a link teaches: pure. A page may say anything, so little of it is believed.

use std::sync::Arc;

use url::{Host, Url};

use crate::identity::canonical::Rules;
use crate::identity::is_front_page;
use crate::sanitize::own_address;
use crate::store::{AliasSource, Learnt};

/// What was seen at the end of a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// The key of the link.
    pub(super) key: &'a str,
    /// Where permanent redirects led from it.
    pub(super) moved: Option<&'a Url>,
    /// Whether no other redirect came after them.
    pub(super) permanent: bool,
    /// The URL that answered, and the fragment that belongs to it.
    pub(super) last: &'a Url,
    pub(super) fragment: Option<&'a str>,
    /// The front of its page.
    pub(super) html: Option<&'a str>,
}

/// Whom to believe.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    pub(super) rules: Arc<Rules>,
    /// Hosts of short links, as configured.
    pub(super) hosts: Vec<String>,
}

/// Names of pages that stand where a story is not: an error, or a door before it.
const NO_STORIES: [&str; 17] = [
    "404",
    "403",
    "410",
    "500",
    "error",
    "errors",
    "not-found",
    "notfound",
    "page-not-found",
    "pagenotfound",
    "login",
    "signin",
    "sign-in",
    "sign_in",
    "unavailable",
    "consent",
    "subscribe",
];

/// Caches of AMP pages (<https://amp.dev/documentation/guides-and-tutorials/learn/amp-caches-and-cors/amp-cache-urls>):
/// a page there names its original at another's host.
const AMP_CACHES: [&str; 2] = ["cdn.ampproject.org", "bing-amp.com"];

/// Two-label names under which anybody may have a site: what is below them belongs to different people. Not the whole
/// list of public suffixes: two-letter countries with a general second label are known by their form.
const SHARED: [&str; 25] = [
    "github.io",
    "gitlab.io",
    "blogspot.com",
    "wordpress.com",
    "tumblr.com",
    "substack.com",
    "medium.com",
    "netlify.app",
    "vercel.app",
    "pages.dev",
    "workers.dev",
    "web.app",
    "firebaseapp.com",
    "herokuapp.com",
    "appspot.com",
    "cloudfront.net",
    "amazonaws.com",
    "azurewebsites.net",
    "livejournal.com",
    "typepad.com",
    "weebly.com",
    "wixsite.com",
    "neocities.org",
    "bearblog.dev",
    "altervista.org",
];
/// General second labels below countries: `co.uk`, `com.au`.
const GENERAL: [&str; 10] = ["co", "com", "net", "org", "gov", "gob", "ac", "edu", "ne", "or"];

impl Judgement {
    /// What is learnt; each lesson builds on those before it.
    pub(super) fn lessons(&self, seen: Seen<'_>) -> Vec<Learnt> {
        let mut lessons = Vec::new();
        let lesson = |from: &str, to: &str, source| Learnt { from: from.to_owned(), to: to.to_owned(), source };
        if let Some(moved) = seen.moved {
            let Some(to) = self.rules.key(moved.as_str()).filter(|to| is_story(to)) else { return lessons };
            if to != seen.key {
                lessons.push(lesson(seen.key, &to, AliasSource::Redirect));
            }
        }
        if let Some((from, to)) = self.canonical(seen) {
            lessons.push(lesson(&from, &to, AliasSource::Canonical));
        }
        lessons
    }

    /// The page's key, and that of the address that it gives as its own.
    fn canonical(&self, seen: Seen<'_>) -> Option<(String, String)> {
        let own = own_address(seen.html?)?;
        let page = self.rules.key(seen.last.as_str())?;
        // A page's word is about the page; a link to a part of it may be a story of its own.
        let mut part = seen.last.clone();
        part.set_fragment(seen.fragment);
        if self.rules.key(part.as_str())? != page {
            return None;
        }
        let base = own.base.and_then(|base| seen.last.join(&base).ok());
        let named = base.as_ref().unwrap_or(seen.last).join(&own.url).ok()?;
        if !named.username().is_empty() || named.password().is_some() || !self.speaks_for(seen.last, &named) {
            return None;
        }
        let to = self.rules.key(named.as_str()).filter(|to| is_story(to))?;
        let from = if seen.permanent && seen.moved.is_none() { seen.key.to_owned() } else { page };
        (from != to && is_story(&from)).then_some((from, to))
    }

    /// Whether a page may say that it is another one: on its own site, or where it only stands in for others.
    fn speaks_for(&self, page: &Url, named: &Url) -> bool {
        let Some(host) = page.host_str() else { return false };
        let stands_in = self.hosts.iter().map(String::as_str).chain(AMP_CACHES).any(|name| is_below(host, name));
        stands_in || same_site(page, named)
    }
}

fn is_story(key: &str) -> bool {
    let path = key.split(['?', '#']).next().unwrap_or(key);
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let name = last.split('.').next().unwrap_or_default();
    !is_front_page(key) && !NO_STORIES.contains(&name)
}

/// Whether two URLs belong to one site. Without the list of public suffixes this is stricter than one registrable domain:
/// the same host but for `www.`, `m.`, `mobile.`, `amp.`, or one host below the other.
pub(super) fn same_site(one: &Url, other: &Url) -> bool {
    match (one.host(), other.host()) {
        (Some(Host::Domain(one)), Some(Host::Domain(other))) => {
            let (one, other) = (bare(one), bare(other));
            let (longer, shorter) = if one.len() >= other.len() { (one, other) } else { (other, one) };
            longer == shorter || (is_below(longer, shorter) && is_owned(shorter))
        }
        (one, other) => one.is_some() && one == other,
    }
}

/// The host without labels that name a form of the same site.
fn bare(host: &str) -> &str {
    let mut host = host.trim_end_matches('.');
    while let Some((label, rest)) = host.split_once('.')
        && matches!(label, "www" | "m" | "mobile" | "amp")
        && rest.contains('.')
    {
        host = rest;
    }
    host
}

fn is_below(host: &str, name: &str) -> bool {
    host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether all below this host is one owner's, as far as that can be told.
fn is_owned(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    match labels.as_slice() {
        [] | [_] => false,
        [second, first] => !(SHARED.contains(&host) || (first.len() == 2 && GENERAL.contains(second))),
        _ => !SHARED.iter().any(|name| is_below(host, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// `from to source` of each lesson. `moved` may be empty.
    fn learnt(link: &str, moved: &str, permanent: bool, last: &str, html: &str) -> Vec<String> {
        let rules = Arc::new(Rules::default());
        let judgement = Judgement { rules: Arc::clone(&rules), hosts: vec!["s.test".to_owned()] };
        let moved = Url::parse(moved).ok();
        let mut last = url(last);
        let fragment = last.fragment().map(str::to_owned);
        last.set_fragment(None);
        let key = rules.key(link).unwrap();
        let seen = Seen {
            key: &key,
            moved: moved.as_ref(),
            permanent,
            last: &last,
            fragment: fragment.as_deref(),
            html: Some(html).filter(|html| !html.is_empty()),
        };
        let lessons = judgement.lessons(seen);
        lessons.iter().map(|l| format!("{} {} {}", l.from, l.to, l.source.as_str())).collect()
    }

    #[test]
    fn permanent_redirects_teach_and_others_do_not() {
        let s = "https://s.test/x";
        let redirect = |to: &str| vec![format!("{s} {to} redirect")];
        for (moved, last, expected) in [
            ("http://www.n.test/1?utm_source=t.co", "https://n.test/1", redirect("https://n.test/1")),
            ("https://n.test/1#c5", "https://n.test/1#c5", redirect("https://n.test/1#c5")),
            ("https://n.test/1", "https://n.test/login", redirect("https://n.test/1")),
            ("", "https://n.test/1", vec![]),
            ("https://s.test/x/", "https://s.test/x/", vec![]),
            ("https://n.test/", "https://n.test/", vec![]),
            ("https://n.test/404", "https://n.test/404", vec![]),
            ("https://n.test/a/Error.aspx?u=1", "https://n.test/a", vec![]),
            ("https://n.test/login?next=/1", "https://n.test/a", vec![]),
        ] {
            assert_eq!(learnt(s, moved, true, last, ""), expected, "{moved}");
        }
    }

    #[test]
    fn a_page_is_believed_about_its_own_site_only() {
        let page = |href: &str| format!("<head><link rel=canonical href='{href}'>");
        let about = |last: &str, href: &str| {
            let lessons = learnt("https://s.test/x", last, true, last, &page(href));
            lessons.into_iter().filter_map(|l| l.strip_suffix(" canonical").map(str::to_owned)).collect::<Vec<_>>()
        };
        for (last, href, to) in [
            ("https://n.test/1?ref=ABC-1", "https://n.test/1", "https://n.test/1"),
            ("https://n.test/1-short", "/2026/1", "https://n.test/2026/1"),
            ("https://amp.n.test/1", "https://www.n.test/story", "https://n.test/story"),
            ("https://n.co.uk/a", "https://news.n.co.uk/b", "https://news.n.co.uk/b"),
            ("https://a.b.n.test/a", "https://n.test/b", "https://n.test/b"),
            ("https://a-n-test.cdn.ampproject.org/v/x", "https://n.test/b", "https://n.test/b"),
            ("https://s.test/page", "https://n.test/b", "https://n.test/b"),
            ("https://n.test/1-short", "https://other.test/1", ""),
            ("https://n.test/1-short", "https://n.test.evil.test/1", ""),
            ("https://n.test/1-short", "https://evil-n.test/1", ""),
            ("https://a.github.io/1", "https://b.github.io/1", ""),
            ("https://a.github.io/1", "https://github.io/1", ""),
            ("https://a.co.uk/1", "https://co.uk/1", ""),
            ("https://a.eu.github.io/1", "https://eu.github.io/1", ""),
            ("https://n.test/1-short", "https://n.test/", ""),
            ("https://n.test/1-short", "https://n.test/error", ""),
            ("https://n.test/1-short", "https://ann:pw@n.test/1", ""),
            ("https://n.test/1-short", "javascript:alert(1)", ""),
            ("https://n.test/1-short", "ftp://n.test/1", ""),
            ("https://n.test/1#comment-5", "https://n.test/story", ""),
            ("http://127.0.0.1:81/1", "http://127.0.0.1:82/1", "http://127.0.0.1:82/1"),
            ("http://127.0.0.1:81/1", "http://127.0.0.2:82/1", ""),
            ("http://127.0.0.1:81/1", "http://localhost:82/1", ""),
        ] {
            let lessons = about(last, href);
            if to.is_empty() {
                assert_eq!(lessons, [""; 0], "{last} {href}");
            } else {
                let from = Rules::default().key(last).unwrap();
                assert_eq!(lessons, [format!("{from} {to}")], "{last} {href}");
            }
        }
    }

    #[test]
    fn after_another_redirect_a_page_speaks_for_itself_and_not_for_the_link() {
        let html = "<link rel=canonical href=/story>";
        assert_eq!(
            learnt("https://s.test/x", "", false, "https://n.test/1", html),
            ["https://n.test/1 https://n.test/story canonical"]
        );
        assert_eq!(
            learnt("https://s.test/x", "", true, "https://s.test/x", html),
            ["https://s.test/x https://s.test/story canonical"]
        );
        // Where the link itself is no story's address, its page is nobody either.
        assert_eq!(learnt("https://s.test/x", "https://n.test/", true, "https://n.test/", html), [""; 0]);
    }
}
