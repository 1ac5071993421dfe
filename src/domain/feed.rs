//! A feed: something that is followed, what its document says of itself, and how its polls went.

use serde::{Deserialize, Serialize};

use super::item::Person;
use super::time::Timestamp;

/// A feed's row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct FeedId(pub i64);

/// Something for each feed. Nobody but we chooses their numbers: a hash need not resist anyone.
pub type ByFeed<T> = foldhash::HashMap<FeedId, T>;
/// Some feeds.
pub type FeedSet = foldhash::HashSet<FeedId>;

/// What a document says of itself. A snapshot of it is kept with each item and becomes its `atom:source`
/// (RFC 4287 4.2.11).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct FeedInfo {
    /// Title, as plain text.
    pub title: Option<String>,
    /// Subtitle or description, as plain text.
    pub description: Option<String>,
    /// The site's page, absolute.
    pub home_url: Option<String>,
    /// The feed's own id: an `atom:id`, never made up.
    pub atom_id: Option<String>,
    /// Icon or logo, absolute.
    pub icon: Option<String>,
    /// BCP 47 language tag as given.
    pub language: Option<String>,
    /// Rights or copyright, as plain text.
    pub rights: Option<String>,
    /// When the document says that it last changed.
    pub updated: Option<Timestamp>,
    /// The feed's own authors.
    pub authors: Vec<Person>,
}

/// What a server gave to recognise a document by (RFC 9110 8.8), byte for byte as received, and the URL
/// that it belongs to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Validators {
    /// The URL that answered with them; they are sent to no other.
    pub url: String,
    /// `ETag`, quotes and `W/` included.
    pub etag: Option<Vec<u8>>,
    /// `Last-Modified`, never parsed.
    pub last_modified: Option<Vec<u8>>,
}

/// A poll's failure, as a decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The name did not resolve.
    Dns,
    /// No connection, or it broke.
    Connect,
    /// TLS failed.
    Tls,
    /// The whole request took longer than `timeout`.
    Timeout,
    /// The address may not be connected to, or the URL is not http(s).
    Refused,
    /// The body is larger than `max_body`.
    TooLarge,
    /// A redirect chain without an end, or a redirect without a usable target.
    Redirect,
    /// An HTTP status that is no success.
    Http,
    /// The body ended early or its coding is broken.
    Body,
    /// The body is no feed.
    Parse,
}

impl ErrorKind {
    /// The word under which it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::Redirect => "redirect",
            Self::Http => "http",
            Self::Body => "body",
            Self::Parse => "parse",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        const ALL: [ErrorKind; 10] = [
            ErrorKind::Dns,
            ErrorKind::Connect,
            ErrorKind::Tls,
            ErrorKind::Timeout,
            ErrorKind::Refused,
            ErrorKind::TooLarge,
            ErrorKind::Redirect,
            ErrorKind::Http,
            ErrorKind::Body,
            ErrorKind::Parse,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Why a poll failed: a sentence for people, with the kind for programs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PollError {
    /// What sort of failure.
    pub kind: ErrorKind,
    /// The status, where a server answered.
    pub http_status: Option<u16>,
    /// A sentence that names the thing and the cause. Holds no credentials.
    pub message: String,
}

impl PollError {
    /// Whether it is no trouble that passes by itself: there is nothing at the address, or no feed.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        matches!(self.kind, ErrorKind::Dns | ErrorKind::Parse) || matches!(self.http_status, Some(404 | 410))
    }
}

/// A permanent redirect that was stored, or the way back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Move {
    /// When.
    pub at: Timestamp,
    /// 301 or 308; `None`: it went back, for there was no feed any more where it had moved.
    pub status: Option<u16>,
    /// From where.
    pub from: String,
    /// To where.
    pub to: String,
}

/// A feed that is one with another one by now: both led to one address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Merged {
    /// The name of the one that is asked.
    pub into: String,
    /// Since when.
    pub since: Timestamp,
}

/// What an entry is known by within its feed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdPolicy {
    /// Its guid, else its link, else its content.
    #[default]
    Guid,
    /// Its link, else its content: the feed's guids say nothing.
    Link,
    /// Its content: neither guids nor links say anything.
    Content,
}

impl IdPolicy {
    /// The word under which it is configured, stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guid => "guid",
            Self::Link => "link",
            Self::Content => "content",
        }
    }
}

/// How far the entries of a feed may be one story with others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Dedupe {
    /// With those of every feed.
    #[default]
    Global,
    /// With those of the same feed.
    Feed,
    /// With none: each entry is an item.
    Off,
}

/// What a publisher's ways with guids and links have shown, from load to load. Evidence only ever takes trust
/// away; it comes back by the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Habits {
    /// What entries are known by.
    pub id: IdPolicy,
    /// Why, if it is not the guid: a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Loads in a row in which most guids were new and most stories known, by weight.
    #[serde(skip_serializing_if = "is_zero")]
    pub floods: u32,
    /// Keys that many different entries share: they stand for no story.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hubs: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What a document says of how often it should be asked for, and how often it brings something.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cadence {
    /// `<ttl>` (RSS 2.0): for how many minutes the document may be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_minutes: Option<u32>,
    /// `<skipHours>` (RSS 2.0): bit `n` stands for the hour that begins at `n`:00 GMT.
    #[serde(skip_serializing_if = "is_zero")]
    pub skip_hours: u32,
    /// `<skipDays>` (RSS 2.0), by GMT: bit 0 is Monday, bit 6 is Sunday.
    #[serde(skip_serializing_if = "is_none_of_seven")]
    pub skip_days: u8,
    /// `sy:updatePeriod` by `sy:updateFrequency` (RSS 1.0 syndication), in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_period_s: Option<u32>,
    /// The usual gap between its items by their dates, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usual_gap_s: Option<u64>,
    /// The date of its newest item, if that is not in the future.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none_of_seven(days: &u8) -> bool {
    *days == 0
}

/// What is remembered about a feed between polls.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeedState {
    /// Where it is asked: the configured URL, or where permanent redirects led.
    pub current_url: String,
    /// What the last whole and parsed answer gave.
    pub validators: Option<Validators>,
    /// Hash of the last body that was parsed and stored.
    pub body_hash: Option<u64>,
    /// Whether a document of it was ever stored.
    pub loaded_once: bool,
    /// When it was last asked.
    pub last_try: Option<Timestamp>,
    /// When it last answered well (200 or 304).
    pub last_ok: Option<Timestamp>,
    /// When it is to be asked next; `None` for a feed that is gone.
    pub due_at: Option<Timestamp>,
    /// Why then: a short sentence.
    pub due_reason: String,
    /// Until when the last answer is fresh by its own word (RFC 9111 4.2).
    pub fresh_until: Option<Timestamp>,
    /// Not before this, by `Retry-After` (RFC 9110 10.2.3).
    pub retry_until: Option<Timestamp>,
    /// Failures in a row.
    pub errors: u32,
    /// Since when it fails without a success in between.
    pub failing_since: Option<Timestamp>,
    /// The last failure, while it lasts.
    pub error: Option<PollError>,
    /// It answered 410 and is asked no more on its own.
    pub gone: bool,
    /// What its guids and links are worth.
    pub habits: Habits,
    /// What its last document said of how often to ask.
    pub cadence: Cadence,
    /// When it last moved, and the address before that; `None`: never, or it went back.
    pub moved: Option<(Timestamp, String)>,
    /// Failures in a row that say that there is no feed at its address.
    pub dead: u32,
    /// Since when it counts as broken, where that was told.
    pub broken_at: Option<Timestamp>,
    /// The feed that is asked in its place: both led to one address.
    pub merged_into: Option<FeedId>,
    /// The query of what is not kept that its last document was judged by.
    pub ignore: Option<String>,
    /// Since when it is paused by hand.
    pub paused_at: Option<Timestamp>,
}

impl FeedState {
    /// What is remembered of its last document is forgotten if that was judged by another query of what is not kept: then it
    /// is read again, even where nothing else has changed.
    pub fn judge_anew(&mut self, ignore: Option<&str>) {
        if self.ignore.as_deref() != ignore {
            self.validators = None;
            self.body_hash = None;
        }
    }
}

/// When to ask next.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NextPoll {
    /// When; `None`: not on its own any more.
    pub due_at: Option<Timestamp>,
    /// Why then.
    pub reason: String,
    /// Until when the answer is fresh.
    pub fresh_until: Option<Timestamp>,
    /// Not before this, by `Retry-After`.
    pub retry_until: Option<Timestamp>,
}

/// How a feed is, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// The last poll went well, or none was made yet.
    Ok,
    /// It fails, but not for long.
    Failing,
    /// At least three failures in a row over at least six hours.
    Broken,
    /// It answered 410.
    Gone,
    /// Switched off in the configuration, or paused by hand.
    Paused,
}

impl Health {
    /// The word that is shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Broken => "broken",
            Self::Gone => "gone",
            Self::Paused => "paused",
        }
    }
}

impl FeedState {
    /// Failures in a row before a feed may count as broken.
    pub const BROKEN_ERRORS: u32 = 3;
    /// How long it must have been failing for that.
    pub const BROKEN_AFTER_MS: i64 = 6 * 3_600_000;

    /// For how long after a move the address before it is remembered.
    pub const REVERSIBLE_MS: i64 = 30 * 86_400_000;
    /// Failures in a row that say that there is no feed, after which that address is tried.
    pub const DEAD_ERRORS: u32 = 3;

    /// The address before its last move, while that is reversible.
    #[must_use]
    pub fn address_before(&self, now: Timestamp) -> Option<&str> {
        let (at, url) = self.moved.as_ref()?;
        (now.as_ms().saturating_sub(at.as_ms()) < Self::REVERSIBLE_MS).then_some(url.as_str())
    }

    /// Where it is asked next, and whether that is the way back: after each third failure in a row that says that there
    /// is no feed where it moved.
    #[must_use]
    pub fn asked_at(&self, now: Timestamp) -> (&str, bool) {
        let turn = self.dead > 0 && self.dead.is_multiple_of(Self::DEAD_ERRORS);
        match self.address_before(now).filter(|_| turn) {
            Some(before) => (before, true),
            None => (&self.current_url, false),
        }
    }

    /// The feed's health; `now` is when one asks.
    #[must_use]
    pub fn health(&self, now: Timestamp) -> Health {
        if self.paused_at.is_some() {
            return Health::Paused;
        }
        if self.gone {
            return Health::Gone;
        }
        let Some(since) = self.failing_since.filter(|_| self.errors > 0) else {
            return Health::Ok;
        };
        let long = now.as_ms().saturating_sub(since.as_ms()) >= Self::BROKEN_AFTER_MS;
        if self.errors >= Self::BROKEN_ERRORS && long { Health::Broken } else { Health::Failing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn each_third_failure_that_says_no_feed_leads_to_the_address_before_the_move_for_thirty_days() {
        for (case, moved, dead, days, asked) in [
            ("it never moved", false, 3, 1, ("new", false)),
            ("all is well", true, 0, 1, ("new", false)),
            ("two failures", true, 2, 1, ("new", false)),
            ("three", true, 3, 1, ("old", true)),
            ("the old address failed, too", true, 4, 1, ("new", false)),
            ("six", true, 6, 29, ("old", true)),
            ("too late", true, 6, 30, ("new", false)),
        ] {
            let moved = moved.then(|| (Timestamp::from_secs(0), "old".to_owned()));
            let state = FeedState { current_url: "new".to_owned(), moved, dead, ..FeedState::default() };
            assert_eq!(state.asked_at(Timestamp::from_secs(days * DAY)), asked, "{case}");
        }
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_says_that_there_is_no_feed() {
        for (kind, http_status, lasting) in [
            (ErrorKind::Http, Some(404), true),
            (ErrorKind::Http, Some(410), true),
            (ErrorKind::Http, Some(503), false),
            (ErrorKind::Http, Some(403), false),
            (ErrorKind::Dns, None, true),
            (ErrorKind::Parse, None, true),
            (ErrorKind::Connect, None, false),
            (ErrorKind::Timeout, None, false),
            (ErrorKind::Tls, None, false),
            (ErrorKind::Body, Some(200), false),
        ] {
            let error = PollError { kind, http_status, message: String::new() };
            assert_eq!(error.is_lasting(), lasting, "{kind:?} {http_status:?}");
        }
    }
}
