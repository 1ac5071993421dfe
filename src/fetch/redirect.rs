//! The route of a request from hop to hop, and what of it is permanent.

use percent_encoding::{AsciiSet, percent_encode};
use reqwest::StatusCode;
use url::Url;

use super::failure::answered;
use crate::domain::feed::{ErrorKind, PollError};

/// Redirects that are followed in one request; RFC 9110 15.4 leaves the number open.
const MAX_HOPS: usize = 10;
/// A longer `Location` is no address of a feed.
const MAX_LOCATION_BYTES: usize = 8192;
/// Nothing but bytes beyond ASCII, which are always encoded: the rest of a `Location` is left as it is written.
const BEYOND_ASCII: &AsciiSet = &AsciiSet::EMPTY;

/// Where a request is, and how it came there.
#[derive(Debug)]
pub(super) struct Route {
    /// The URL that is asked now: no user, no password, no fragment.
    url: Url,
    seen: Vec<Url>,
    moved: Option<(u16, Url)>,
    permanent: bool,
}

impl Route {
    /// The route begins.
    pub(super) fn new(url: &Url) -> Self {
        Self { url: bare(url.clone()), seen: Vec::new(), moved: None, permanent: true }
    }

    /// The URL that is asked now.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The first status and the end of the leading run of permanent redirects.
    pub(super) fn moved(self) -> Option<(u16, Url)> {
        self.moved
    }

    /// The end of the leading run of permanent redirects.
    pub(super) fn moved_to(&self) -> Option<&Url> {
        self.moved.as_ref().map(|(_, url)| url)
    }

    /// Whether every redirect so far was permanent.
    pub(super) fn is_permanent(&self) -> bool {
        self.permanent
    }

    /// Goes where `location` points, relative to where it is.
    ///
    /// # Errors
    /// A target that is none, one that was asked already (without cookies it will say the same again), or one
    /// hop too many.
    pub(super) fn follow(&mut self, status: StatusCode, location: Option<&[u8]>) -> Result<(), PollError> {
        let failed = |message: &str| Err(answered(ErrorKind::Redirect, status, message));
        let Some(location) = location.filter(|location| !location.is_empty()) else {
            return failed("the server redirects without saying where to");
        };
        if location.len() > MAX_LOCATION_BYTES {
            return failed("the server redirects to a URL that is too long");
        }
        // Raw UTF-8 and Latin-1 are seen in the wild; the bytes are kept.
        let Ok(next) = self.url.join(&percent_encode(location, BEYOND_ASCII).to_string()) else {
            return failed("the server redirects to something that is no URL");
        };
        let next = bare(next);
        let last = std::mem::replace(&mut self.url, next);
        self.seen.push(last);
        if self.seen.contains(&self.url) {
            return failed("the redirects go round in a circle");
        }
        if self.seen.len() > MAX_HOPS {
            return failed(&format!("there are more than {MAX_HOPS} redirects"));
        }
        self.permanent &= matches!(status.as_u16(), 301 | 308);
        if self.permanent {
            let first = self.moved.as_ref().map_or(status.as_u16(), |(first, _)| *first);
            self.moved = Some((first, self.url.clone()));
        }
        Ok(())
    }
}

/// A publisher's redirect cannot give us credentials, and a fragment is not sent.
fn bare(mut url: Url) -> Url {
    url.set_fragment(None);
    // Both fail only where there can be no user, and the guard refuses such URLs.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(route: &mut Route, status: u16, to: &str) -> Result<(), PollError> {
        route.follow(StatusCode::from_u16(status).unwrap(), Some(to.as_bytes()))
    }

    #[test]
    fn only_the_leading_permanent_run_is_a_move() {
        for (hops, moved) in [
            (&[][..], None),
            (&[(302, "/b")], None),
            (&[(301, "/b")], Some((301, "https://a.test/b"))),
            (&[(308, "/b"), (301, "https://c.test/d")], Some((308, "https://c.test/d"))),
            (&[(301, "/b"), (307, "/c"), (301, "/d")], Some((301, "https://a.test/b"))),
            (&[(303, "/b"), (301, "/c")], None),
        ] {
            let mut route = Route::new(&Url::parse("https://a.test/a").unwrap());
            for (status, to) in hops {
                follow(&mut route, *status, to).unwrap();
            }
            let moved = moved.map(|(status, url)| (status, Url::parse(url).unwrap()));
            assert_eq!(route.moved(), moved, "{hops:?}");
        }
    }

    #[test]
    fn ten_hops_are_followed_and_no_more() {
        let mut route = Route::new(&Url::parse("https://a.test/0").unwrap());
        for hop in 1..=10 {
            follow(&mut route, 302, &format!("/{hop}")).unwrap();
        }
        assert_eq!(follow(&mut route, 302, "/11").unwrap_err().kind, ErrorKind::Redirect);
    }

    #[test]
    fn a_circle_ends_at_its_first_turn() {
        let mut route = Route::new(&Url::parse("https://a.test/a").unwrap());
        follow(&mut route, 301, "/b").unwrap();
        assert!(follow(&mut route, 301, "/a#again").is_err());
    }

    #[test]
    fn a_target_is_resolved_and_stripped_and_its_bytes_are_kept() {
        for (location, expected) in [
            (&b"feed.xml"[..], "https://a.test/x/feed.xml"),
            (b"//b.test/y", "https://b.test/y"),
            (b"?q=1", "https://a.test/x/y?q=1"),
            (b"https://ann:pw@b.test/#top", "https://b.test/"),
            (b"/\xc3\xa9", "https://a.test/%C3%A9"),
            (b"/\xe9", "https://a.test/%E9"),
            (b"/a%2fb%20c", "https://a.test/a%2fb%20c"),
            ("https://b\u{fc}cher.test/".as_bytes(), "https://xn--bcher-kva.test/"),
        ] {
            let mut route = Route::new(&Url::parse("https://a.test/x/y").unwrap());
            route.follow(StatusCode::FOUND, Some(location)).unwrap();
            assert_eq!(route.url().as_str(), expected);
        }
    }

    #[test]
    fn a_target_that_is_none_is_a_failure() {
        for location in [None, Some(&b""[..]), Some(b"http://[::"), Some(&[b'a'; MAX_LOCATION_BYTES + 1])] {
            let mut route = Route::new(&Url::parse("https://a.test/").unwrap());
            assert_eq!(route.follow(StatusCode::FOUND, location).unwrap_err().kind, ErrorKind::Redirect);
        }
    }
}
