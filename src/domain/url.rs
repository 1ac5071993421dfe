//! URLs as people may see them: in messages, logs and listings.

use url::Url;

/// The URL without what may be secret in it: user, password, query and fragment. Text that is no URL loses
/// everything before its last `@` as well, for it may be a password with a slash in it.
#[must_use]
pub fn mask(url: &str) -> String {
    let shown = url.find(['?', '#']).map_or(url, |end| url.split_at(end).0);
    let parsed = Url::parse(shown).ok().filter(Url::has_host);
    let Some(mut parsed) = parsed else {
        return match shown.rsplit_once('@') {
            Some((_, rest)) => format!("…@{rest}"),
            None => shown.to_owned(),
        };
    };
    if parsed.username().is_empty() && parsed.password().is_none() {
        return shown.to_owned();
    }
    // Both fail only for URLs that have no authority, and those have no user either.
    let cleared = parsed.set_username("").and_then(|()| parsed.set_password(None));
    cleared.map_or_else(|()| "…".to_owned(), |()| parsed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_left_in_a_masked_url() {
        for (url, masked) in [
            ("https://example.org/feed", "https://example.org/feed"),
            ("https://example.org", "https://example.org"),
            ("https://ann:pw@example.org/feed?token=1#x", "https://example.org/feed"),
            ("https://ann@example.org:8443/feed", "https://example.org:8443/feed"),
            ("https://:pw@example.org/", "https://example.org/"),
            ("https:ann:pw@example.org/a", "https://example.org/a"),
            ("http:\\\\ann:pw@example.org\\a", "http://example.org/a"),
            ("https://example.org?key=a@b", "https://example.org"),
            ("https://example.org/@ann/feed", "https://example.org/@ann/feed"),
            ("ann:p/w@example.org/feed", "…@example.org/feed"),
            ("//ann:p/w@example.org/feed", "…@example.org/feed"),
            ("", ""),
        ] {
            assert_eq!(mask(url), masked, "{url}");
        }
    }
}
