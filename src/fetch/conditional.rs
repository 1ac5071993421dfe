//! Validators (RFC 9110 8.8): read from an answer, sent back byte for byte, to the URL that gave them only.

use reqwest::header::{AsHeaderName, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use url::Url;

use crate::domain::feed::Validators;

/// A longer one is not kept: sent back, it would meet the limit of most servers and be answered with an error.
const MAX_VALIDATOR_BYTES: usize = 4096;

/// What the answer from `url` can be recognised by.
pub(super) fn given(headers: &HeaderMap, url: &Url) -> Option<Validators> {
    let [etag, last_modified] = [ETAG, LAST_MODIFIED].map(|name| bytes(headers, name).map(<[u8]>::to_vec));
    let any = etag.is_some() || last_modified.is_some();
    any.then(|| Validators { url: url.as_str().to_owned(), etag, last_modified })
}

/// Adds the condition to a request for `url`, if these validators are that URL's, both fields if there are both
/// (RFC 9110 13.1.3). Whether there is one now.
pub(super) fn ask(headers: &mut HeaderMap, validators: Option<&Validators>, url: &Url) -> bool {
    let Some(validators) = validators.filter(|validators| validators.url == url.as_str()) else { return false };
    let mut asked = false;
    for (name, value) in [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.last_modified)] {
        // Bytes that no field can hold were never received in one.
        let value = value.as_ref().and_then(|value| HeaderValue::from_bytes(value).ok());
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            headers.insert(name, value);
            asked = true;
        }
    }
    asked
}

/// The validators after a 304, if it brought others: its fields take the place of the old ones (RFC 9111 3.2).
pub(super) fn merged(old: &Validators, headers: &HeaderMap) -> Option<Validators> {
    let fields = [(ETAG, &old.etag), (LAST_MODIFIED, &old.last_modified)];
    let [etag, last_modified] = fields.map(|(name, old)| bytes(headers, name).or(old.as_deref()));
    if etag == old.etag.as_deref() && last_modified == old.last_modified.as_deref() {
        return None;
    }
    Some(Validators {
        url: old.url.clone(),
        etag: etag.map(<[u8]>::to_vec),
        last_modified: last_modified.map(<[u8]>::to_vec),
    })
}

fn bytes(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&[u8]> {
    let value = headers.get(name)?.as_bytes();
    (1..=MAX_VALIDATOR_BYTES).contains(&value.len()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn validators_are_sent_to_their_own_url_only() {
        let validators = Validators {
            url: "https://example.org/feed".to_owned(),
            etag: Some(b"W/\"a\xff\"".to_vec()),
            last_modified: Some(b"yesterday".to_vec()),
        };
        let mut headers = HeaderMap::new();
        for other in ["https://example.org/feed2", "http://example.org/feed", "https://example.org/feed?x"] {
            assert!(!ask(&mut headers, Some(&validators), &url(other)));
        }
        assert!(headers.is_empty());
        assert!(ask(&mut headers, Some(&validators), &url("https://example.org/feed")));
        assert_eq!(headers[IF_NONE_MATCH].as_bytes(), b"W/\"a\xff\"");
        assert_eq!(headers[IF_MODIFIED_SINCE].as_bytes(), b"yesterday");
    }

    #[test]
    fn what_is_no_field_value_is_not_sent() {
        let mut headers = HeaderMap::new();
        for bad in [&b""[..], b"\"a\r\nX: y\"", b"\0"] {
            let validators =
                Validators { url: "https://a.test/".to_owned(), etag: Some(bad.to_vec()), last_modified: None };
            assert!(!ask(&mut headers, Some(&validators), &url("https://a.test/")));
        }
        assert!(headers.is_empty());
    }

    #[test]
    fn an_empty_or_huge_validator_is_as_good_as_none() {
        let mut headers = HeaderMap::new();
        headers.insert(ETAG, HeaderValue::from_static(""));
        headers.insert(LAST_MODIFIED, HeaderValue::from_bytes(&[b'x'; MAX_VALIDATOR_BYTES + 1]).unwrap());
        assert_eq!(given(&headers, &url("https://a.test/")), None);
    }

    #[test]
    fn fields_of_a_304_take_the_place_of_the_old_ones() {
        let old = Validators { url: "u".to_owned(), etag: Some(b"\"1\"".to_vec()), last_modified: Some(b"x".to_vec()) };
        let mut headers = HeaderMap::new();
        assert_eq!(merged(&old, &headers), None);
        headers.insert(ETAG, HeaderValue::from_static("\"1\""));
        assert_eq!(merged(&old, &headers), None, "the same");
        headers.insert(ETAG, HeaderValue::from_static("\"2\""));
        assert_eq!(merged(&old, &headers), Some(Validators { etag: Some(b"\"2\"".to_vec()), ..old }));
    }
}
