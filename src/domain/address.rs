//! The web address of a feed as it is kept: once, and parsed once. There may be a hundred thousand of them, asleep.

use std::fmt;
use std::sync::Arc;

use url::Url;

/// An address, compared and hashed by its text. A clone shares it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address(Arc<Url>);

impl Address {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address to ask or to take apart.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// Its host as [`Url::host_str`] gives it; empty if it has none.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl From<Url> for Address {
    fn from(url: Url) -> Self {
        Self(Arc::new(url))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_host_and_the_text_of_its_url() {
        for (text, host) in [
            ("http://a.example/feed?x=http://b.example/", "a.example"),
            ("https://A.example:8443", "a.example"),
            ("http://127.0.0.1:80/a:b", "127.0.0.1"),
            ("http://[::1]:8080/x", "[::1]"),
            ("https://ann:pw@a.example/@b:c", "a.example"),
            ("https://münchen.example?q#f", "xn--mnchen-3ya.example"),
            ("mailto:ann@a.example", ""),
        ] {
            let url = Url::parse(text).unwrap();
            let address = Address::from(url.clone());
            assert_eq!(address.host(), host, "{text}");
            assert_eq!((address.url(), address.as_str(), address.to_string()), (&url, url.as_str(), url.to_string()));
        }
    }

    #[test]
    fn addresses_compare_as_their_texts_do_however_they_were_written() {
        let read = |text| Address::from(Url::parse(text).unwrap());
        assert_eq!(read("HTTPS://a.example:443"), read("https://a.example/"));
        let texts = ["http://b.example/", "https://a.example/", "https://a.example/a", "https://a.example:8/"];
        assert!(texts.is_sorted() && texts.map(read).is_sorted());
    }
}
