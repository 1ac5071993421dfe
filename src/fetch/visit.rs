//! Where a link leads, a hop at a time, so that who asks can wait between two of them and decide before each.
//!
//! Guarded and bounded as a poll is; of a page only the front is read. No cookies, no referrer, nobody's secrets.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use url::Url;

use super::client::{Fetcher, error_status};
use super::failure::{failure, place};
use super::redirect::Route;
use super::{body, freshness, request};
use crate::domain::feed::{ErrorKind, PollError};
use crate::domain::time::Timestamp;

/// For one hop, the page included.
const HOP_TIMEOUT: Duration = Duration::from_secs(15);
/// So much of a page is read.
const MAX_PAGE_BYTES: u64 = 512 * 1024;

/// A link on its way.
#[derive(Debug)]
pub struct Visit {
    route: Route,
    /// What the route leaves out: a fragment is not sent, but may be all that tells two addresses apart.
    fragment: Option<String>,
    moved_fragment: Option<String>,
}

/// What a hop brought.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// A redirect: [`Visit::url`] is another one now.
    Onward,
    /// An answer with a 2xx. The front of the page, if it is HTML.
    Page(Option<Bytes>),
    /// Anything else.
    Failed {
        /// Why.
        error: PollError,
        /// `Retry-After` of a 429 or 503, as a span from now; never zero.
        retry_after: Option<Duration>,
    },
}

impl Visit {
    /// It has not begun.
    #[must_use]
    pub fn new(link: &Url) -> Self {
        Self { route: Route::new(link), fragment: link.fragment().map(str::to_owned), moved_fragment: None }
    }

    /// The URL that is asked next, or that answered.
    #[must_use]
    pub fn url(&self) -> &Url {
        self.route.url()
    }

    /// Its fragment (RFC 9110 10.2.2: a redirect without one keeps that of before).
    #[must_use]
    pub fn fragment(&self) -> Option<&str> {
        self.fragment.as_deref()
    }

    /// Whether every redirect so far was permanent (301, 308).
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.route.is_permanent()
    }

    /// Where the leading permanent redirects led, fragment included; `None`: there was none.
    #[must_use]
    pub fn moved(&self) -> Option<Url> {
        let mut url = self.route.moved_to()?.clone();
        url.set_fragment(self.moved_fragment.as_deref());
        Some(url)
    }

    /// Host and port of [`Self::url`]: whom the next hop asks.
    #[must_use]
    pub fn place(&self) -> String {
        place(self.url())
    }

    fn follow(&mut self, status: reqwest::StatusCode, location: Option<&[u8]>) -> Result<(), PollError> {
        self.route.follow(status, location)?;
        let given = location.and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|text| text.split_once('#'));
        if let Some((_, fragment)) = given {
            self.fragment = Some(fragment.to_owned());
        }
        if self.is_permanent() {
            self.moved_fragment = self.fragment.clone();
        }
        Ok(())
    }
}

impl Fetcher {
    /// Makes one hop. Never fails otherwise than in a [`Step`].
    pub async fn step(&self, visit: &mut Visit, now: Timestamp) -> Step {
        let whom = visit.place();
        match tokio::time::timeout(HOP_TIMEOUT, Box::pin(self.hop(visit, now))).await {
            Ok(Ok(step)) => step,
            Ok(Err(error)) => Step::Failed { error, retry_after: None },
            Err(_) => {
                let message = format!("no whole answer from {whom} within {} s", HOP_TIMEOUT.as_secs());
                Step::Failed { error: failure(ErrorKind::Timeout, message), retry_after: None }
            }
        }
    }

    async fn hop(&self, visit: &mut Visit, now: Timestamp) -> Result<Step, PollError> {
        let url = visit.url().clone();
        let response = self.get(&url, request::page_headers(&self.agent()), self.reach()).await?;
        let status = response.status();
        match status.as_u16() {
            301 | 302 | 303 | 307 | 308 => {
                let location = response.headers().get(LOCATION).map(HeaderValue::as_bytes);
                visit.follow(status, location)?;
                Ok(Step::Onward)
            }
            200 | 203 if is_page(response.headers()) => {
                body::front(response, MAX_PAGE_BYTES, &self.memory).await.map(|front| Step::Page(Some(front)))
            }
            200..=299 => Ok(Step::Page(None)),
            _ => {
                let retry_after =
                    matches!(status.as_u16(), 429 | 503).then(|| freshness::retry_after(response.headers(), now));
                Ok(Step::Failed { error: error_status(status), retry_after: retry_after.flatten() })
            }
        }
    }
}

fn is_page(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    #[test]
    fn only_leading_permanent_hops_move_a_link_and_fragments_stay_with_it() {
        for (link, hops, moved) in [
            ("https://s.test/a", &[][..], None),
            ("https://s.test/a", &[(301, "https://n.test/1#c2")], Some("https://n.test/1#c2")),
            ("https://s.test/a#x", &[(308, "https://n.test/1")], Some("https://n.test/1#x")),
            ("https://s.test/a", &[(301, "/b#y"), (301, "/c"), (302, "/d#z")], Some("https://s.test/c#y")),
            ("https://s.test/a", &[(302, "/b"), (301, "/c")], None),
        ] {
            let mut visit = Visit::new(&Url::parse(link).unwrap());
            for (status, to) in hops {
                visit.follow(StatusCode::from_u16(*status).unwrap(), Some(to.as_bytes())).unwrap();
            }
            assert_eq!(visit.moved().map(String::from).as_deref(), moved, "{link} {hops:?}");
        }
    }
}
