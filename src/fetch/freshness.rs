//! What a server says about when to ask again: max-age, Expires, Retry-After.
//!
//! The spans are as the server gave them; the schedule caps them.

use std::time::Duration;

use reqwest::header::{AGE, AsHeaderName, CACHE_CONTROL, DATE, EXPIRES, HeaderMap, RETRY_AFTER};

use crate::domain::time::{self, Timestamp, delta_seconds};

/// For how long the answer is fresh (RFC 9111 4.2), seen by a private cache: `s-maxage` is not for us. `None`:
/// nothing is said, or that it is to be asked for each time; neither means that it should be asked for sooner.
pub(super) fn fresh_for(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let lifetime = match cache_control(headers) {
        Control::Fresh(lifetime) => lifetime,
        Control::Stale => return None,
        Control::Silent => {
            // 5.3: a date that cannot be read, `0` among them, means stale.
            let expires = date(headers, EXPIRES)?;
            expires.since(date(headers, DATE).unwrap_or(now))
        }
    };
    let age = text(headers, AGE).and_then(delta_seconds).unwrap_or_default();
    lifetime.checked_sub(age).filter(|left| !left.is_zero())
}

/// `Retry-After` (RFC 9110 10.2.3) in seconds or as a date, as a span from `now`. What is past or no such thing
/// counts as not given.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    time::retry_after(text(headers, RETRY_AFTER)?, now).filter(|span| !span.is_zero())
}

enum Control {
    Fresh(Duration),
    Stale,
    Silent,
}

/// The directives that concern us. Of several `max-age` the first counts (RFC 9111 4.2.1).
fn cache_control(headers: &HeaderMap) -> Control {
    let mut max_age = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in directives(&String::from_utf8_lossy(value.as_bytes())) {
            let (name, argument) = match directive.split_once('=') {
                Some((name, argument)) => (name.trim_end(), Some(argument.trim())),
                None => (directive, None),
            };
            // With an argument, no-cache is about single fields of the answer (5.2.2.4).
            if (name.eq_ignore_ascii_case("no-cache") && argument.is_none()) || name.eq_ignore_ascii_case("no-store") {
                return Control::Stale;
            }
            if name.eq_ignore_ascii_case("max-age") && max_age.is_none() {
                // 5.2: recipients accept both the token and the quoted form. 4.2.1: what is no number is stale.
                max_age = Some(argument.map(|argument| argument.trim_matches('"')).and_then(delta_seconds));
            }
        }
    }
    match max_age {
        Some(Some(span)) => Control::Fresh(span),
        Some(None) => Control::Stale,
        None => Control::Silent,
    }
}

/// Splits at commas that are not within quotes.
fn directives(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    let parts = value.split(move |c| {
        let comma = c == ',' && !quoted;
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        comma
    });
    parts.map(str::trim)
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn date(headers: &HeaderMap, name: impl AsHeaderName) -> Option<Timestamp> {
    Timestamp::parse_http(text(headers, name)?)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2026-11-24T08:00:00Z").unwrap()
    }

    #[test]
    fn freshness_is_max_age_less_age_else_expires_less_date() {
        const EIGHT: &str = "Date: Tue, 24 Nov 2026 08:00:00 GMT";
        const NINE: &str = "Expires: Tue, 24 Nov 2026 09:00:00 GMT";
        for (lines, expected) in [
            (&[][..], None),
            (&["cache-control: max-age=600"], Some(600)),
            (&["cache-control: private , MAX-AGE = 600"], Some(600)),
            (&["cache-control: max-age=\"600\""], Some(600)),
            (&["cache-control: max-age=600", "age: 100"], Some(500)),
            (&["cache-control: max-age=600", "age: -1"], Some(600)),
            (&["cache-control: max-age=600", "age: 600"], None),
            (&["cache-control: max-age=600", "age: 99999999999999999999999"], None),
            (&["cache-control: max-age=99999999999999999999999"], Some(u64::from(u32::MAX))),
            (&["cache-control: max-age=600, max-age=5"], Some(600)),
            (&["cache-control: public", "cache-control: max-age=60"], Some(60)),
            (&["cache-control: x=\"no-cache, max-age=1\", max-age=60"], Some(60)),
            (&["cache-control: x=\"\\\", no-cache\", max-age=60"], Some(60)),
            (&["cache-control: no-cache=\"set-cookie\", max-age=60"], Some(60)),
            (&["cache-control: s-maxage=600"], None),
            (&["cache-control: s-maxage=600, max-age=60"], Some(60)),
            (&["cache-control: no-cache, max-age=600"], None),
            (&["cache-control: max-age=600", "cache-control: no-store"], None),
            (&["cache-control: max-age=0", NINE], None),
            (&["cache-control: max-age=soon", NINE], None),
            (&["cache-control: max-age", NINE], None),
            (&["cache-control: max-age=-5", NINE], None),
            (&["cache-control: max-age=60", NINE], Some(60)),
            (&["cache-control: public", NINE], Some(3600)),
            (&[NINE], Some(3600)),
            (&[NINE, EIGHT], Some(3600)),
            (&[NINE, "Date: Tue, 24 Nov 2026 08:30:00 GMT"], Some(1800)),
            (&[NINE, EIGHT, "age: 600"], Some(3000)),
            (&[NINE, "Date: junk"], Some(3600)),
            (&["Expires: Tuesday, 24-Nov-26 09:00:00 GMT"], Some(3600)),
            (&["Expires: Tue Nov 24 09:00:00 2026"], Some(3600)),
            (&["Expires: 0"], None),
            (&["Expires: -1"], None),
            (&["Expires: Thu, 01 Jan 1970 00:00:00 GMT"], None),
            (&["Expires: Tue, 24 Nov 2026 07:59:59 GMT"], None),
        ] {
            assert_eq!(fresh_for(&headers(lines), now()), expected.map(Duration::from_secs), "{lines:?}");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_junk_counts_as_not_given() {
        for (value, expected) in [
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("315360000", Some(315_360_000)),
            ("99999999999999999999999", Some(u64::from(u32::MAX))),
            ("Tue, 24 Nov 2026 08:02:00 GMT", Some(120)),
            ("Tue, 24 Nov 2026 07:00:00 GMT", None),
            ("0", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let found = retry_after(&headers(&[&format!("retry-after: {value}")]), now());
            assert_eq!(found, expected.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now()), None);
    }
}
