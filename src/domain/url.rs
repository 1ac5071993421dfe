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

/// The forms under which one address may be known: by http and https, unless it names a port (two services), with and
/// without a slash at the end, without its fragment. The same list for each of them, in the same order.
#[must_use]
pub fn spellings(url: &str) -> Vec<String> {
    let Some(mut parsed) = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return vec![url.to_owned()];
    };
    parsed.set_fragment(None);
    let _ = parsed.set_username("").and_then(|()| parsed.set_password(None));
    let bare = parsed.path().strip_suffix('/').unwrap_or(parsed.path()).to_owned();
    let schemes = if parsed.port().is_none() { &["http", "https"][..] } else { &[][..] };
    let mut all = Vec::with_capacity(4);
    for path in [bare.clone(), format!("{bare}/")] {
        parsed.set_path(&path);
        if schemes.is_empty() {
            all.push(parsed.to_string());
        }
        for scheme in schemes {
            if parsed.set_scheme(scheme).is_ok() {
                all.push(parsed.to_string());
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_one_address_have_one_list() {
        for (a, b, same) in [
            ("http://example.org/feed", "https://example.org/feed", true),
            ("https://example.org/feed/", "https://example.org/feed", true),
            ("https://EXAMPLE.org:443/feed", "http://example.org/feed/", true),
            ("https://example.org/feed#top", "https://example.org/feed", true),
            ("https://example.org", "http://example.org/", true),
            ("https://example.org/feed?a=1", "http://example.org/feed/?a=1", true),
            ("https://example.org/feed?a=1", "https://example.org/feed?a=2", false),
            ("https://example.org/feed", "https://example.org/Feed", false),
            ("https://example.org/feed", "https://www.example.org/feed", false),
            ("http://example.org:8080/", "https://example.org:8080/", false),
            ("http://example.org:8080", "http://example.org:8080/", true),
            ("https://example.org/a%2fb", "https://example.org/a/b", false),
        ] {
            assert_eq!(spellings(a) == spellings(b), same, "{a} {b}");
            let known = url::Url::parse(a).unwrap();
            assert!(a.contains('#') || spellings(a).contains(&known.to_string()), "{a}");
        }
        assert_eq!(spellings("no url"), ["no url"]);
    }

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
