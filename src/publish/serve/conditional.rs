//! What a request says about the form that it wants and the one that it has: pure.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, IF_MODIFIED_SINCE, IF_NONE_MATCH};

use crate::domain::time::Timestamp;

/// What `If-None-Match` says, where there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoneMatch {
    /// No such header.
    Absent,
    /// None of the tags is ours.
    Differs,
    /// `*`, or the tag at this place of the list that was asked about.
    Has(usize),
}

/// Compares weakly (RFC 9110 13.1.2): `W/` counts for nothing. Reads lists, and several headers as one list.
pub(crate) fn none_match(headers: &HeaderMap, ours: &[impl AsRef<str>]) -> NoneMatch {
    let mut seen = NoneMatch::Absent;
    for value in headers.get_all(IF_NONE_MATCH) {
        seen = NoneMatch::Differs;
        // A tag may hold bytes above 127 (obs-text): those are not ours, but others beside them may be.
        let text = String::from_utf8_lossy(value.as_bytes());
        if text.trim() == "*" {
            return NoneMatch::Has(0);
        }
        if let Some(place) = tags(&text).find_map(|tag| ours.iter().position(|own| own.as_ref() == tag)) {
            return NoneMatch::Has(place);
        }
    }
    seen
}

/// The entity tags of a list, quotes included and `W/` left out. A tag may hold a comma; what is no tag is skipped.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let tag = rest.strip_prefix("W/").unwrap_or(rest);
            if let Some(inside) = tag.strip_prefix('"') {
                let Some(end) = inside.find('"') else {
                    rest = "";
                    return None;
                };
                let (found, after) = tag.split_at_checked(end + 2)?;
                rest = after;
                return Some(found);
            }
            rest = rest.split_once(',')?.1;
        }
    })
}

/// Whether what is as old as `modified` is known to who sends `If-Modified-Since` (RFC 9110 13.1.3). Asked
/// only where there is no `If-None-Match`; a date that cannot be read counts as none.
pub(crate) fn not_modified_since(headers: &HeaderMap, modified: Timestamp) -> bool {
    let date = headers.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let Some(date) = date.and_then(|text| httpdate::parse_http_date(text).ok()) else { return false };
    let seconds = date.duration_since(std::time::UNIX_EPOCH).map_or(0, |span| span.as_secs());
    modified.as_secs() <= i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// Whether a person looks at it with a browser: it accepts HTML by name.
pub(crate) fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
}

/// Whether a browser navigates to this address, rather than a feed reader asking for it.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_some_and(|value| value.as_bytes() == b"document")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    fn with(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn an_entity_tag_is_found_weakly_in_lists_and_in_several_headers() {
        use NoneMatch::{Absent, Differs, Has};
        let ours = ["\"abc\"", "\"abc-gz\""];
        for (values, found) in [
            (&[][..], Absent),
            (&["\"abc\""], Has(0)),
            (&["W/\"abc\""], Has(0)),
            (&["\"abc-gz\""], Has(1)),
            (&["\"x\", \"abc\""], Has(0)),
            (&["\"a,b\",W/\"abc-gz\""], Has(1)),
            (&["\"x\"", "\"abc\""], Has(0)),
            (&["*"], Has(0)),
            (&[" * "], Has(0)),
            (&["\"*\""], Differs),
            (&["abc"], Differs),
            (&["abc, \"abc\""], Has(0)),
            (&["\"abc"], Differs),
            (&["\"abcd\""], Differs),
            (&["\"ABC\""], Differs),
            (&["w/\"abc\""], Differs),
            (&["\"\u{e4}\", \"abc\""], Has(0)),
            (&[""], Differs),
            (&[",,,"], Differs),
        ] {
            assert_eq!(none_match(&with(&IF_NONE_MATCH, values), &ours), found, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(text in "[ -~\u{e4}\t]{0,60}") {
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                let mut headers = HeaderMap::new();
                headers.insert(IF_NONE_MATCH, value.clone());
                headers.insert(IF_MODIFIED_SINCE, value);
                let _ = none_match(&headers, &["\"a\""]);
                let _ = not_modified_since(&headers, Timestamp::from_secs(0));
            }
        }
    }

    #[test]
    fn a_date_counts_to_the_second_and_nonsense_counts_as_none() {
        let modified = Timestamp::parse_rfc3339("2026-11-24T08:00:00.900Z").unwrap();
        for (date, known) in [
            ("Tue, 24 Nov 2026 08:00:00 GMT", true),
            ("Tue, 24 Nov 2026 08:00:01 GMT", true),
            ("Tue, 24 Nov 2026 07:59:59 GMT", false),
            ("Tuesday, 24-Nov-26 08:00:00 GMT", true),
            ("Tue Nov 24 08:00:00 2026", true),
            ("2026-11-24T08:00:00Z", false),
            ("", false),
            ("0", false),
        ] {
            assert_eq!(not_modified_since(&with(&IF_MODIFIED_SINCE, &[date]), modified), known, "{date}");
        }
        assert!(!not_modified_since(&HeaderMap::new(), modified));
    }
}
