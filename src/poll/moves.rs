//! Where a feed is asked, and what the answer means for its address. Pure, but for the journal.

use std::sync::Arc;

use url::Url;

use super::{FeedPlan, Plan};
use crate::domain::address::Address;
use crate::domain::feed::{FeedId, FeedState, PollError};
use crate::domain::time::Timestamp;
use crate::domain::url::mask;
use crate::store::{Redirect, Unions};

/// Where a feed is asked this time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Way {
    /// The address.
    pub(super) url: Address,
    /// It is the one before the feed's last move: there is no feed any more where it had moved.
    pub(super) back: bool,
}

impl Way {
    /// For what is remembered of the feed; `configured` stands in for an address that is none.
    pub(super) fn of(state: &FeedState, configured: &Address, now: Timestamp) -> Self {
        let (url, back) = state.asked_at(now);
        let other = Some(url).filter(|url| *url != configured.as_str()).and_then(|url| Url::parse(url).ok());
        Self { url: other.map_or_else(|| configured.clone(), Address::from), back }
    }

    /// What the address becomes after a feed answered; `moved`: the permanent redirects on the way to it.
    pub(super) fn ended(&self, state: &FeedState, moved: Option<(u16, Url)>) -> Option<Redirect> {
        let (status, to) = match (moved, self.back) {
            (Some((status, to)), false) => (Some(status), to),
            (Some((_, to)), true) => (None, to),
            (None, true) => (None, self.url.url().clone()),
            (None, false) => return None,
        };
        // The old address may lead to the new one still, and that may be a feed again.
        let from = state.current_url.clone();
        Some(Redirect { status, from, to: to.into() }).filter(|redirect| redirect.to != redirect.from)
    }

    /// The failure, with the address that it is about, if that is not the feed's.
    pub(super) fn failed(&self, mut error: PollError) -> PollError {
        if self.back {
            let url = mask(self.url.as_str());
            error.message =
                format!("there is no feed any more, and at the address before its move, {url}: {}", error.message);
        }
        error
    }
}

/// The journal's line about a move that was stored.
pub(super) fn tell_move(feed: &FeedPlan, redirect: &Redirect) {
    let Redirect { status, from, to } = redirect;
    match status {
        Some(status) => tracing::info!(
            feed.name = %feed.name, redirect.from = %from, redirect.to = %to, http.status = *status,
            "the feed has moved for good and is asked at its new address"
        ),
        None => tracing::warn!(
            feed.name = %feed.name, redirect.from = %from, redirect.to = %to,
            "there is no feed any more where this one had moved; it went back to the address before that, which answers"
        ),
    }
}

/// The journal's lines about feeds that became one, or are so no longer.
pub(crate) fn tell_unions(plan: &Plan, unions: &Unions) {
    let name = |feed: &FeedId| plan.feeds.get(feed).map_or("?", |feed: &Arc<FeedPlan>| feed.name.as_str());
    for (feed, kept) in &unions.joined {
        tracing::info!(
            feed.name = %name(feed), feed.merged_into = %name(kept),
            "the feed leads to the address of another one, which is asked in its place"
        );
    }
    for feed in &unions.parted {
        tracing::info!(feed.name = %name(feed), "the feed is asked on its own again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::feed::ErrorKind;

    fn url(path: &str) -> Url {
        Url::parse(&format!("https://n.example/{path}")).unwrap()
    }

    #[test]
    fn an_answer_moves_the_feed_takes_it_back_or_leaves_it_where_it_is() {
        let now = Timestamp::from_secs(1_000_000);
        for (case, dead, moved, asked, becomes) in [
            ("it answers where it is", 0, None, "new", None),
            ("it moves on", 0, Some((301, "newer")), "new", Some((Some(301), "newer"))),
            ("it moves to where it is", 0, Some((301, "new")), "new", None),
            ("the old address answers", 3, None, "old", Some((None, "old"))),
            ("the old address has moved elsewhere", 3, Some((308, "newer")), "old", Some((None, "newer"))),
            ("the old address leads to the new one still, which answers", 3, Some((301, "new")), "old", None),
        ] {
            let state = FeedState {
                current_url: url("new").into(),
                moved: Some((now, url("old").into())),
                dead,
                ..FeedState::default()
            };
            let way = Way::of(&state, &url("configured").into(), now);
            assert_eq!(way.url, url(asked).into(), "{case}");
            let redirect = way.ended(&state, moved.map(|(status, to)| (status, url(to))));
            let expected = becomes.map(|(status, to)| Redirect { status, from: url("new").into(), to: url(to).into() });
            assert_eq!(redirect, expected, "{case}");
        }
    }

    #[test]
    fn a_failure_on_the_way_back_names_the_address() {
        let error = PollError { kind: ErrorKind::Http, http_status: Some(404), message: "404 Not Found".to_owned() };
        let there = Way { url: url("new").into(), back: false };
        assert_eq!(there.failed(error.clone()), error);
        let back = Way { url: url("old").into(), back: true }.failed(error);
        assert!(back.message.contains("https://n.example/old") && back.message.ends_with("404 Not Found"), "{back:?}");
    }
}
