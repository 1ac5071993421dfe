//! Documents as bytes, made once a change: rendered and hashed when first asked for, compressed when first asked for
//! in a coding, and kept until the store or the configuration changed. Who asks while one is being made waits for it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::coding::{self, Coding};
use super::conditional::{NoneMatch, none_match, not_modified_since};
use crate::domain::time::Timestamp;

/// Below this many bytes compression saves no packet.
const SMALLEST_CODED: usize = 1000;

/// A document in the codings that it is given out in.
#[derive(Debug)]
pub(crate) struct Document {
    media: &'static str,
    modified: Option<Timestamp>,
    /// When it becomes another one by itself.
    until: Option<Timestamp>,
    plain: Bytes,
    /// Of the plain bytes, in hex.
    hash: String,
    /// In each coding of [`Coding::ALL`], once somebody asked for it; `None` within: it would not be smaller.
    coded: [OnceCell<Option<Bytes>>; 3],
}

/// What of an answer is not the document's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// How long it is fresh, in seconds.
    pub(crate) max_age: u32,
    /// What else it depends on, besides the coding.
    pub(crate) vary: &'static str,
    /// When it is answered.
    pub(crate) now: Timestamp,
}

impl Document {
    /// Hashes: some milliseconds for a large one, so not on a thread that serves.
    pub(crate) fn new(media: &'static str, text: String, modified: Option<Timestamp>) -> Self {
        let plain = Bytes::from(text);
        Self { media, modified, until: None, hash: hash(&plain), plain, coded: Default::default() }
    }

    /// The same, until something in it grows too old.
    pub(crate) fn until(self, until: Option<Timestamp>) -> Self {
        Self { until, ..self }
    }

    /// 200, or 304 to who has it.
    pub(crate) async fn answer(&self, asked: &HeaderMap, manner: Manner) -> Response {
        let wanted = coding::wanted(asked).filter(|_| self.plain.len() >= SMALLEST_CODED);
        let known = self.known(asked, wanted);
        let (coding, bytes) = match wanted {
            // Who has it needs no bytes.
            Some(coding) if known.is_none() => match self.coded(coding).await {
                Some(bytes) => (Some(coding), bytes),
                None => (None, self.plain.clone()),
            },
            _ => (None, self.plain.clone()),
        };
        let mut headers = HeaderMap::new();
        set(&mut headers, ETAG, known.as_deref().unwrap_or(&self.tag(coding)));
        let left = self.until.and_then(|until| u32::try_from(until.since(manner.now).as_secs()).ok());
        set(&mut headers, CACHE_CONTROL, &format!("max-age={}", manner.max_age.min(left.unwrap_or(u32::MAX))));
        set(&mut headers, VARY, manner.vary);
        if let Some(modified) = self.dated(manner.now) {
            set(&mut headers, LAST_MODIFIED, &modified.rfc822());
        }
        if known.is_some() {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media));
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
        }
        (headers, Body::from(bytes)).into_response()
    }

    /// Its bytes in a coding, made once: milliseconds for a large one. `None`: they would not be fewer.
    async fn coded(&self, coding: Coding) -> Option<Bytes> {
        let place = Coding::ALL.iter().position(|one| *one == coding)?;
        let make = || async {
            let plain = self.plain.clone();
            let made = tokio::task::spawn_blocking(move || {
                coding.compress(&plain).filter(|small| small.len() < plain.len()).map(Bytes::from)
            });
            made.await.ok().flatten()
        };
        self.coded.get(place)?.get_or_init(make).await.clone()
    }

    /// Each coding is a representation of its own and needs a strong tag of its own (RFC 9110 8.8.3.3). The hash is of
    /// the plain bytes, so that nobody compresses to learn that nothing has changed.
    fn tag(&self, coding: Option<Coding>) -> String {
        match coding {
            Some(coding) => format!("\"{}-{}\"", self.hash, coding.token()),
            None => format!("\"{}\"", self.hash),
        }
    }

    /// The tag of what the client has, if that is what it would get. A tag of another coding will do: a cache
    /// between that decodes sends the one tag for the other form.
    fn known(&self, asked: &HeaderMap, wanted: Option<Coding>) -> Option<String> {
        let mut ours = vec![self.tag(wanted), self.tag(None)];
        ours.extend(Coding::ALL.iter().map(|coding| self.tag(Some(*coding))));
        match none_match(asked, &ours) {
            NoneMatch::Has(place) => ours.into_iter().nth(place),
            NoneMatch::Differs => None,
            NoneMatch::Absent => {
                debug_assert!(!asked.contains_key(IF_NONE_MATCH));
                self.modified.filter(|at| not_modified_since(asked, *at)).map(|_| self.tag(wanted))
            }
        }
    }

    /// The date for `Last-Modified`, once the second that it names is over: what changes twice in a second would
    /// else have the same date both times (RFC 9110 8.8.2.2), and a date must not lie ahead (8.8.2.1).
    fn dated(&self, now: Timestamp) -> Option<Timestamp> {
        self.modified.filter(|at| at.as_secs() < now.as_secs())
    }
}

fn set(headers: &mut HeaderMap, name: axum::http::HeaderName, value: &str) {
    // All values here are made by us of digits, hex and fixed words.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn hash(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(32);
    for byte in Sha256::digest(bytes).iter().take(16) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Which form of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Format {
    /// Atom 1.0.
    Atom,
    /// RSS 2.0.
    Rss,
    /// JSON Feed 1.1.
    Json,
    /// The page.
    Page,
}

/// The state of the house that a document shows: the number of the configuration, then that of the store. Both
/// only grow.
pub(crate) type Stamp = (u64, u64);

/// The documents that are kept: at most one for each stream and form.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    edition: u64,
    slots: HashMap<(String, Format), Arc<Slot>>,
}

/// A document, since when it is known to be as it is, and the version of the stream that it shows.
#[derive(Debug)]
struct Kept {
    since: Stamp,
    own: Option<i64>,
    document: Arc<Document>,
}

#[derive(Debug, Default)]
struct Slot {
    kept: RwLock<Option<Kept>>,
    turn: tokio::sync::Mutex<()>,
}

impl Cache {
    /// The document of that stream and form as it is since `stamp`, and at `now`; `make` makes it if there is none yet. The
    /// stamp is to be read before anything that `make` reads. `own` gives the version of the stream, if it has one: where that is
    /// what it was, whatever has changed was elsewhere, and nothing is made again.
    pub(crate) async fn get<E>(
        &self,
        key: (String, Format),
        stamp: Stamp,
        now: Timestamp,
        own: impl Future<Output = Result<Option<i64>, E>>,
        make: impl Future<Output = Result<Document, E>>,
    ) -> Result<Arc<Document>, E> {
        let slot = self.slot(key, stamp.0);
        if let Some(document) = slot.fresh(stamp, now) {
            return Ok(document);
        }
        let _turn = slot.turn.lock().await;
        if let Some(document) = slot.fresh(stamp, now) {
            return Ok(document);
        }
        let own = own.await?;
        if let Some(document) = slot.same(own, stamp, now) {
            return Ok(document);
        }
        let document = Arc::new(make.await?);
        let kept = Kept { since: stamp, own, document: Arc::clone(&document) };
        *slot.kept.write().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(document)
    }

    fn slot(&self, key: (String, Format), edition: u64) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if edition > slots.edition {
            // A reload: streams may have gone, and the documents of the others are stale anyway.
            slots.edition = edition;
            slots.slots.clear();
        }
        Arc::clone(slots.slots.entry(key).or_default())
    }
}

impl Slot {
    fn fresh(&self, stamp: Stamp, now: Timestamp) -> Option<Arc<Document>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref()?;
        (kept.since >= stamp && kept.holds(now)).then(|| Arc::clone(&kept.document))
    }

    /// What is kept, if it shows this version of the stream under the same configuration.
    fn same(&self, own: Option<i64>, stamp: Stamp, now: Timestamp) -> Option<Arc<Document>> {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_mut().filter(|kept| own.is_some() && kept.own == own && kept.since.0 == stamp.0)?;
        kept.since = kept.since.max(stamp);
        kept.holds(now).then(|| Arc::clone(&kept.document))
    }
}

impl Kept {
    fn holds(&self, now: Timestamp) -> bool {
        self.document.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::super::coding::tests::unpack;
    use super::*;
    use axum::http::HeaderName;
    use axum::http::header::{ACCEPT_ENCODING, IF_MODIFIED_SINCE};
    use std::collections::HashSet;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const MANNER: Manner = Manner { max_age: 60, vary: "Accept-Encoding", now: Timestamp::MAX };

    fn asked(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn header(response: &Response, name: HeaderName) -> Option<&str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    async fn bytes(response: Response) -> Bytes {
        axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()
    }

    fn long() -> Document {
        Document::new("text/plain", "a story ".repeat(1000), Some(Timestamp::from_secs(1_764_000_000)))
    }

    #[tokio::test]
    async fn each_coding_has_its_own_strong_tag_and_all_hold_the_same() {
        let document = long();
        let plain = document.answer(&asked(&[]), MANNER).await;
        assert_eq!((header(&plain, CONTENT_ENCODING), header(&plain, VARY)), (None, Some("Accept-Encoding")));
        let plain_tag = header(&plain, ETAG).unwrap().to_owned();
        let plain = bytes(plain).await;
        let mut tags = HashSet::from([plain_tag]);
        for coding in Coding::ALL {
            let answer = document.answer(&asked(&[(ACCEPT_ENCODING, coding.token())]), MANNER).await;
            assert_eq!(header(&answer, CONTENT_ENCODING), Some(coding.token()));
            assert_eq!(header(&answer, VARY), Some("Accept-Encoding"));
            let tag = header(&answer, ETAG).unwrap().to_owned();
            assert!(tag.starts_with('"') && tags.insert(tag.clone()), "{tag}");
            let packed = bytes(answer).await;
            assert_eq!(unpack(coding, &packed), plain);
            assert!(packed.len() < plain.len() / 10, "{coding:?}: {}", packed.len());
        }
    }

    #[tokio::test]
    async fn a_document_is_compressed_once_and_what_is_small_or_does_not_shrink_stays_plain() {
        let document = long();
        let ask = |coding: &str| asked(&[(ACCEPT_ENCODING, coding)]);
        let first = bytes(document.answer(&ask("br"), MANNER).await).await;
        let again = bytes(document.answer(&ask("br"), MANNER).await).await;
        assert_eq!(first.as_ptr(), again.as_ptr(), "the same bytes, not the same made again");
        assert!(document.coded.iter().filter(|coded| coded.initialized()).count() == 1, "only what was asked for");
        let small = Document::new("text/plain", "a".repeat(SMALLEST_CODED - 1), None);
        assert_eq!(header(&small.answer(&ask("br, gzip"), MANNER).await, CONTENT_ENCODING), None);
        // 304 costs no compression.
        let fresh = long();
        let tag = fresh.tag(Some(Coding::Zstd));
        let answer = fresh.answer(&asked(&[(ACCEPT_ENCODING, "zstd"), (IF_NONE_MATCH, &tag)]), MANNER).await;
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
        assert!(fresh.coded.iter().all(|coded| !coded.initialized()));
    }

    #[tokio::test]
    async fn who_has_it_gets_304_with_the_tag_and_without_a_body() {
        for coding in ["identity", "gzip", "br", "zstd"] {
            let first = long().answer(&asked(&[(ACCEPT_ENCODING, coding)]), MANNER).await;
            let tag = header(&first, ETAG).unwrap().to_owned();
            for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}")] {
                let again = long().answer(&asked(&[(ACCEPT_ENCODING, coding), (IF_NONE_MATCH, &known)]), MANNER).await;
                assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
                assert_eq!(header(&again, ETAG), Some(tag.as_str()));
                assert_eq!(header(&again, CACHE_CONTROL), Some("max-age=60"));
                assert_eq!(header(&again, CONTENT_TYPE), None);
                assert!(bytes(again).await.is_empty());
            }
        }
    }

    #[tokio::test]
    async fn a_date_answers_only_where_no_tag_was_sent() {
        let date = Timestamp::from_secs(1_764_000_000).rfc822();
        let status = async |pairs: &[(HeaderName, &str)]| long().answer(&asked(pairs), MANNER).await.status();
        assert_eq!(status(&[(IF_MODIFIED_SINCE, &date)]).await, StatusCode::NOT_MODIFIED);
        // RFC 9110 13.1.3: a recipient must ignore If-Modified-Since if there is an If-None-Match.
        assert_eq!(status(&[(IF_MODIFIED_SINCE, &date), (IF_NONE_MATCH, "\"x\"")]).await, StatusCode::OK);
        let earlier = Timestamp::from_secs(1_763_999_999).rfc822();
        assert_eq!(status(&[(IF_MODIFIED_SINCE, &earlier)]).await, StatusCode::OK);
    }

    #[tokio::test]
    async fn last_modified_is_told_only_when_its_second_is_over() {
        let at = Timestamp::from_secs(1_764_000_000);
        let told = async |now: i64| {
            let manner = Manner { now: Timestamp::from_ms(now), ..MANNER };
            header(&long().answer(&HeaderMap::new(), manner).await, LAST_MODIFIED).map(str::to_owned)
        };
        assert_eq!(told(1_764_000_000_999).await, None);
        assert_eq!(told(1_764_000_001_000).await, Some(at.rfc822()));
    }

    #[tokio::test]
    async fn many_who_ask_at_once_get_one_that_was_made_once_for_each_change() {
        let (cache, made) = (Cache::default(), AtomicUsize::new(0));
        let make = || async {
            made.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Document::new("text/plain", "x".to_owned(), None))
        };
        let key = || ("all".to_owned(), Format::Atom);
        let ask = |stamp| cache.get(key(), stamp, Timestamp::MAX, async { Ok(None) }, make());
        let _ = tokio::join!(ask((1, 1)), ask((1, 1)), ask((1, 1)), ask((1, 1)));
        assert_eq!(made.load(Ordering::Relaxed), 1);
        let _ = tokio::join!(ask((1, 2)), ask((1, 2)), ask((1, 1)));
        assert_eq!(made.load(Ordering::Relaxed), 2, "the store changed; a late asker takes the newer one");
        let _ = ask((2, 2)).await;
        assert_eq!(made.load(Ordering::Relaxed), 3, "the configuration changed");
        let _ = cache.get(("all".to_owned(), Format::Rss), (2, 2), Timestamp::MAX, async { Ok(None) }, make()).await;
        assert_eq!(made.load(Ordering::Relaxed), 4, "another form");
        let of = |stamp, own| {
            cache.get(("s".to_owned(), Format::Rss), stamp, Timestamp::MAX, async move { Ok(own) }, make())
        };
        for (stamp, own, count, case) in [
            ((2, 2), Some(7), 5, "it was not there"),
            ((2, 3), Some(7), 5, "something else changed"),
            ((2, 3), Some(9), 5, "nobody asks for its version while nothing changes"),
            ((2, 4), Some(8), 6, "it changed"),
            ((3, 4), Some(8), 7, "the configuration changed"),
            ((3, 5), None, 8, "it has no version"),
            ((3, 6), None, 9, "nor has it now"),
        ] {
            let _ = of(stamp, own).await;
            assert_eq!(made.load(Ordering::Relaxed), count, "{case}");
        }
    }

    #[tokio::test]
    async fn one_that_could_not_be_made_is_made_by_the_next_who_asks() {
        let cache = Cache::default();
        let key = || ("all".to_owned(), Format::Atom);
        assert!(
            cache
                .get(key(), (1, 1), Timestamp::MAX, async { Ok(None) }, async { Err::<Document, _>("no") })
                .await
                .is_err()
        );
        let good = async { Ok::<_, &str>(Document::new("text/plain", "x".to_owned(), None)) };
        assert!(cache.get(key(), (1, 1), Timestamp::MAX, async { Ok(None) }, good).await.is_ok());
    }
}
