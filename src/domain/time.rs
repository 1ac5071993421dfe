//! Points in time: UTC milliseconds inside, RFC 3339 and RFC 822 at the edges.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last moment that RFC 3339 can write with a four-digit year.
    pub const MAX: Self = Self(253_402_300_799_000);

    /// From milliseconds since the epoch, kept within the years 0 to 9999 so that it can always be written.
    #[must_use]
    pub fn from_ms(ms: i64) -> Self {
        Self(ms.clamp(-62_167_219_200_000, Self::MAX.0))
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub fn from_secs(secs: i64) -> Self {
        Self::from_ms(secs.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment and `span` more.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self::from_ms(self.0.saturating_add(millis(span)))
    }

    /// This moment less `span`.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self::from_ms(self.0.saturating_sub(millis(span)))
    }

    /// How long after `earlier` this is; nothing if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// As chrono has it.
    #[must_use]
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// From chrono.
    #[must_use]
    pub fn from_chrono(at: DateTime<Utc>) -> Self {
        Self::from_ms(at.timestamp_millis())
    }

    /// RFC 3339 in UTC with `Z`, whole seconds.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.to_chrono().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// RFC 822 with a four-digit year, as RSS 2.0 wants it: `Tue, 24 Nov 2026 08:00:00 GMT`. It is the
    /// IMF-fixdate of RFC 9110 5.6.7 as well.
    #[must_use]
    pub fn rfc822(self) -> String {
        self.to_chrono().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// Reads RFC 3339, with any offset.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let at = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self::from_chrono(at.with_timezone(&Utc)))
    }

    /// Reads any of the three forms of an HTTP date (RFC 9110 5.6.7).
    #[must_use]
    pub fn parse_http(text: &str) -> Option<Self> {
        let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self::from_secs(i64::try_from(since.as_secs()).ok()?))
    }
}

/// Digits and nothing else; a number beyond all bounds is a very long time (RFC 9111 1.2.2).
#[must_use]
pub fn delta_seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))))
}

/// `Retry-After` (RFC 9110 10.2.3), in seconds or as a date, as a span from `now`: nothing for a date that has
/// passed, `None` for what is neither. As it was given: who asks caps it.
#[must_use]
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    delta_seconds(text).or_else(|| Some(Timestamp::parse_http(text)?.since(now)))
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Rfc3339)
    }
}

/// Reads a time where its text stands, copying nothing: there is one in the state of each feed.
struct Rfc3339;

impl Visitor<'_> for Rfc3339 {
    type Value = Timestamp;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an RFC 3339 time")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse_rfc3339(text).ok_or_else(|| E::custom("not an RFC 3339 time"))
    }
}

/// Where the time comes from: the system, or a test.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The system's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 counts as 1970. Not by chrono, which would make a date of it first.
        Timestamp::from_ms(millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back_to_the_second() {
        let at = Timestamp::parse_rfc3339("2026-11-24T09:30:05.250+01:00").unwrap();
        assert_eq!(at.rfc3339(), "2026-11-24T08:30:05Z");
        assert_eq!(at.rfc822(), "Tue, 24 Nov 2026 08:30:05 GMT");
        assert_eq!(at.as_ms() % 1000, 250);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now = Timestamp::parse_rfc3339("2026-11-24T08:00:00Z").unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("315360000", Some(315_360_000)),
            ("99999999999999999999999999", Some(u64::from(u32::MAX))),
            ("Tue, 24 Nov 2026 08:00:30 GMT", Some(30)),
            ("Tuesday, 24-Nov-26 08:00:30 GMT", Some(30)),
            ("Tue Nov 24 08:00:30 2026", Some(30)),
            ("Tue, 24 Nov 2026 07:00:00 GMT", Some(0)),
            ("Wed, 24 Nov 2027 08:00:00 GMT", Some(31_536_000)),
            ("-5", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
            ("12 s", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn a_time_beyond_the_year_9999_is_kept_within_it() {
        assert_eq!(Timestamp::from_secs(i64::MAX).rfc3339(), "9999-12-31T23:59:59Z");
        assert_eq!(Timestamp::from_ms(i64::MIN).rfc3339(), "0000-01-01T00:00:00Z");
    }
}
