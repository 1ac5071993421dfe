//! Names of feeds, streams and webhooks: `[a-z0-9][a-z0-9-]{0,62}`.

use std::fmt;
use std::sync::Arc;

/// Stream names that routes already use.
pub const RESERVED_STREAMS: &[&str] = &[
    "search", "feeds", "status", "events", "healthz", "readyz", "metrics", "api", "item", "archive", "hub", "callback",
    "static", "assets", "robots", "favicon",
];

/// The stream that holds every item.
pub const ALL: &str = "all";

/// A checked name. It has no dot, so that a route `/{name}.atom` splits at the last one. A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(Arc<str>);

impl Name {
    /// Checks a name: a lower-case letter or digit, then up to 62 of these and hyphens.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let (first, rest) = text.as_bytes().split_first()?;
        let fits = good(*first) && rest.len() <= 62 && rest.iter().all(|b| good(*b) || *b == b'-');
        fits.then(|| Self(text.into()))
    }

    /// Makes a name of any text: runs of other characters become one hyphen. `feed` if nothing is left.
    #[must_use]
    pub fn slug(text: &str) -> Self {
        let mut out = String::with_capacity(text.len().min(63));
        for b in text.bytes() {
            if b.is_ascii_alphanumeric() {
                out.push(b.to_ascii_lowercase().into());
            } else if !out.is_empty() && !out.ends_with('-') {
                out.push('-');
            }
            if out.len() == 63 {
                break;
            }
        }
        let out = out.trim_end_matches('-');
        Self(if out.is_empty() { "feed".into() } else { out.into() })
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for whoever keeps it too.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_short_slug_without_dots() {
        for good in ["a", "0", "peace-talks", "a--b", &"x".repeat(63)] {
            assert!(Name::parse(good).is_some(), "{good}");
        }
        for bad in ["", "-a", "A", "a.b", "a_b", "ä", "a/b", "..", &"x".repeat(64)] {
            assert!(Name::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn any_text_becomes_a_valid_name() {
        assert_eq!(Name::slug("Example.com/RSS feed").as_str(), "example-com-rss-feed");
        assert_eq!(Name::slug("§§").as_str(), "feed");
        assert!(Name::parse(Name::slug(&"ab.".repeat(80)).as_str()).is_some());
    }
}
