//! Whether a feed is the publisher's own: its home page and a link are one site.

use url::{Host, Url};

use crate::domain::feed::FeedInfo;

/// True if the feed's home page and `link` are on one site: one host, or one below the other.
#[must_use]
pub fn is_own(info: &FeedInfo, link: &str) -> bool {
    let (Some(home), Some(link)) = (info.home_url.as_deref().and_then(host), host(link)) else { return false };
    home == link || is_below(&home, &link) || is_below(&link, &home)
}

/// The host name without `www.`. An address has no site.
fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let Some(Host::Domain(name)) = url.host() else { return None };
    Some(name.strip_prefix("www.").unwrap_or(name).trim_end_matches('.').to_owned())
}

/// `blog.example.org` is below `example.org`. A name of one label has nothing of its own below it.
fn is_below(name: &str, above: &str) -> bool {
    above.contains('.') && name.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_owns_what_stands_on_its_site() {
        for (home, link, own) in [
            ("https://www.news.example/", "http://news.example/a", true),
            ("https://news.example/", "https://sport.news.example/a", true),
            ("https://blog.news.example/", "https://news.example/a", true),
            ("https://planet.example/", "https://news.example/a", false),
            ("https://a.pages.example/", "https://b.pages.example/x", false),
            ("https://ews.example/", "https://news.example/a", false),
            ("https://example/", "https://news.example/a", false),
            ("https://127.0.0.1/", "https://127.0.0.1/a", false),
            ("", "https://news.example/a", false),
        ] {
            let info = FeedInfo { home_url: Some(home.to_owned()), ..FeedInfo::default() };
            assert_eq!(is_own(&info, link), own, "{home} {link}");
        }
    }
}
