//! How a server is reached: through which proxy, and whose certificates count beside those that the system trusts.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

/// How a server is reached. Feeds with the same one share their connections.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Reach {
    /// Through this proxy; `None`: directly.
    pub proxy: Option<Proxy>,
    /// Trusted beside the system's.
    pub authorities: Authorities,
}

/// A proxy. What is shown of it is scheme, host and port.
#[derive(Clone)]
pub struct Proxy {
    scheme: &'static str,
    host: Host,
    port: u16,
    /// User and password, and a `@`, as they stand in a URL; empty if there are none.
    login: SecretString,
}

const SCHEMES: [(&str, u16); 4] = [("http", 80), ("https", 443), ("socks5", 1080), ("socks5h", 1080)];

impl Proxy {
    /// Reads `http://…`, `https://…`, `socks5://…` or `socks5h://…`, with or without credentials and a port.
    ///
    /// # Errors
    /// A part of a sentence that shows nothing of the text, for it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "it is no URL such as http://proxy.example:3128 or socks5h://127.0.0.1:1080";
        let url = Url::parse(text.trim()).map_err(|_| FORM.to_owned())?;
        let known = SCHEMES.iter().find(|(scheme, _)| *scheme == url.scheme());
        let (scheme, port) = *known.ok_or("its scheme is none of http, https, socks5 and socks5h")?;
        // The parser does not look into the host of a scheme that it does not know.
        let host = url.host_str().filter(|host| !host.is_empty()).and_then(|host| Host::parse(host).ok());
        let host = host.ok_or_else(|| FORM.to_owned())?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("nothing can follow its host and port".to_owned());
        }
        let coded = |text: &str| {
            let bytes: Vec<u8> = percent_decode_str(text).collect();
            let text = String::from_utf8(bytes).map_err(|_| "its user or password is no UTF-8".to_owned())?;
            Ok::<_, String>(utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string())
        };
        let login = match (url.username(), url.password()) {
            ("", None) => String::new(),
            (user, None) => format!("{}@", coded(user)?),
            (user, Some(password)) => format!("{}:{}@", coded(user)?, coded(password)?),
        };
        Ok(Self { scheme, host, port: url.port().unwrap_or(port), login: login.into() })
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Host and port, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether names are looked up there; with `socks5` we do it ourselves.
    #[must_use]
    pub fn resolves_names(&self) -> bool {
        self.scheme != "socks5"
    }

    /// Whether we speak TLS with the proxy itself.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    /// The whole of it, credentials included.
    #[must_use]
    pub fn secret_url(&self) -> SecretString {
        format!("{}://{}{}", self.scheme, self.login.expose_secret(), self.place()).into()
    }
}

impl PartialEq for Proxy {
    fn eq(&self, other: &Self) -> bool {
        let plain = |proxy: &Self| (proxy.scheme, proxy.host.clone(), proxy.port);
        plain(self) == plain(other) && self.login.expose_secret() == other.login.expose_secret()
    }
}

impl Eq for Proxy {}

impl Hash for Proxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.scheme, &self.host, self.port).hash(state);
        self.login.expose_secret().hash(state);
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.place())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// Certificates, each in DER: of authorities, or of a server itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Authorities(Arc<[Vec<u8>]>);

impl Authorities {
    /// These certificates.
    #[must_use]
    pub fn new(certificates: Vec<Vec<u8>>) -> Self {
        Self(certificates.into())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl Hash for Authorities {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Enough to tell files apart; a bundle may be long, and is compared whole anyway.
        self.0.len().hash(state);
        self.0.first().hash(state);
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_shown_without_its_credentials_and_told_with_them() {
        for (text, shown, whole) in [
            ("http://p.test", "http://p.test:80", "http://p.test:80"),
            ("https://P.test/", "https://p.test:443", "https://p.test:443"),
            ("socks5://127.0.0.1", "socks5://127.0.0.1:1080", "socks5://127.0.0.1:1080"),
            ("socks5h://[::1]:9050", "socks5h://[::1]:9050", "socks5h://[::1]:9050"),
            ("http://ann@p.test:3128", "http://p.test:3128", "http://ann@p.test:3128"),
            ("http://ann:p%40ss:w/@p.test", "", ""),
            ("socks5h://ann:p%40s%3As@p.test", "socks5h://p.test:1080", "socks5h://ann:p%40s%3As@p.test:1080"),
            ("http://ann:pä ss@p.test", "http://p.test:80", "http://ann:p%C3%A4%20ss@p.test:80"),
        ] {
            match Proxy::parse(text) {
                Ok(proxy) => {
                    assert_eq!((proxy.to_string().as_str(), proxy.secret_url().expose_secret()), (shown, whole));
                    assert_eq!(format!("{proxy:?}"), format!("Proxy({shown})"));
                }
                Err(_) => assert!(shown.is_empty(), "{text}"),
            }
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_showing_it() {
        for text in [
            "",
            "none",
            "proxy:3128",
            "ftp://p.test",
            "socks4://p.test",
            "http://",
            "socks5://",
            "socks5://a b/",
            "http://p.test/path",
            "http://p.test?x",
            "http://s3cret@p.test#x",
            "http://s3cret:%ff@p.test",
            "//p.test",
        ] {
            let why = Proxy::parse(text).unwrap_err();
            assert!(!why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn the_same_proxy_with_another_password_is_another_one() {
        let proxy = |text| Proxy::parse(text).unwrap();
        assert_eq!(proxy("http://a:b@p.test"), proxy("http://a:b@P.test:80/"));
        assert_ne!(proxy("http://a:b@p.test"), proxy("http://a:c@p.test"));
        assert_ne!(proxy("socks5://p.test"), proxy("socks5h://p.test"));
    }
}
