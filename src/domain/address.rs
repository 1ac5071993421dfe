//! The web address of a feed as it is kept: its text, once. There may be a hundred thousand of them, asleep.

use std::fmt;
use std::sync::Arc;

use memchr::{memchr, memchr3, memrchr};
use url::{ParseError, Url};

/// An address that was read as a [`Url`] and is written as that writes it. A clone shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address(Arc<str>);

impl Address {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text for whoever keeps it too.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The address to ask or to take apart.
    ///
    /// # Errors
    /// None: what a [`Url`] wrote is one. The type cannot say so.
    pub fn url(&self) -> Result<Url, ParseError> {
        Url::parse(&self.0)
    }

    /// Its host as [`Url::host_str`] gives it; empty if it has none. Cheap, for it is asked for every feed at the start
    /// and at each poll.
    #[must_use]
    pub fn host(&self) -> &str {
        let text = self.as_str();
        let scheme = memchr(b':', text.as_bytes()).and_then(|colon| text.get(colon..));
        let Some(rest) = scheme.and_then(|rest| rest.strip_prefix("://")) else { return "" };
        let end = memchr3(b'/', b'?', b'#', rest.as_bytes());
        let authority = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
        let user = memrchr(b'@', authority.as_bytes());
        let host = user.and_then(|at| authority.get(at + 1..)).unwrap_or(authority);
        match memrchr(b':', host.as_bytes()) {
            // The colons of an IPv6 address stand in brackets.
            Some(colon) if !host.ends_with(']') => host.get(..colon).unwrap_or(host),
            _ => host,
        }
    }
}

impl From<&Url> for Address {
    fn from(url: &Url) -> Self {
        Self(url.as_str().into())
    }
}

impl PartialEq<Url> for Address {
    fn eq(&self, url: &Url) -> bool {
        self.as_str() == url.as_str()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_host_and_the_text_of_its_url() {
        for text in [
            "http://a.example/feed?x=http://b.example/",
            "https://A.example:8443",
            "https://a.example:443/x",
            "http://127.0.0.1:80/a:b",
            "http://[::1]:8080/x",
            "http://[2001:db8::1]",
            "https://ann:pw@a.example/@b:c",
            "https://münchen.example?q#f",
            "https:a.example//x",
        ] {
            let url = Url::parse(text).unwrap();
            let address = Address::from(&url);
            assert_eq!(Some(address.host()), url.host_str(), "{text}");
            assert_eq!((&address.url().unwrap(), address.to_string().as_str()), (&url, url.as_str()));
            assert!(address == url);
        }
    }
}
