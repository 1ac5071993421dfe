//! The header fields that are sent: few, and the same each time, so that a cache in between can do its work
//! (`Vary`, RFC 9111 4.1). No cookies of our own, no Referer, no Cache-Control.

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::body;
use super::client::Ask;
use super::failure::failure;
use crate::domain::feed::{ErrorKind, PollError};

const ACCEPT_FEEDS: &str = "application/atom+xml, application/rss+xml, application/feed+json, \
                            application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, \
                            application/json;q=0.7, */*;q=0.1";

const ACCEPT_PAGES: &str = "text/html, application/xhtml+xml;q=0.9, */*;q=0.1";

/// Fields that a request has room for at once: ours, and a condition's.
const USUAL: usize = 6;

/// All fields of a request for a page: nobody's secrets, no condition.
pub(super) fn page_headers(agent: &HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(USUAL);
    headers.insert(USER_AGENT, agent.clone());
    headers.insert(ACCEPT, HeaderValue::from_static(ACCEPT_PAGES));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(body::ACCEPT_ENCODING));
    headers
}

/// Who we are: `Feedmill/1.2.3 (+https://example.org/contact; 12 subscribers)`. Of readers nothing is said until there
/// are any.
///
/// # Errors
/// A sentence, if the contact cannot stand in a header field.
pub(super) fn user_agent(contact: Option<&str>, readers: u64) -> Result<HeaderValue, String> {
    let name = concat!("Feedmill/", env!("CARGO_PKG_VERSION"));
    let said = [contact.map(|contact| format!("+{contact}")), (readers > 0).then(|| format!("{readers} subscribers"))];
    let said: Vec<String> = said.into_iter().flatten().collect();
    let agent = if said.is_empty() { name.to_owned() } else { format!("{name} ({})", said.join("; ")) };
    HeaderValue::from_str(&agent).map_err(|_| {
        format!(
            "the contact `{}` has characters that no header field may hold",
            contact.unwrap_or_default().escape_debug()
        )
    })
}

/// All fields of a request for `url`, the condition excepted.
pub(super) fn headers(ask: &Ask, agent: &HeaderValue, url: &Url) -> Result<HeaderMap, PollError> {
    let mut headers = HeaderMap::with_capacity(USUAL);
    let agent = match &ask.user_agent {
        Some(own) => HeaderValue::from_str(own).map_err(|_| {
            failure(ErrorKind::Refused, "the feed's user_agent has characters that no header field may hold")
        })?,
        None => agent.clone(),
    };
    headers.insert(USER_AGENT, agent);
    headers.insert(ACCEPT, HeaderValue::from_static(ACCEPT_FEEDS));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(body::ACCEPT_ENCODING));
    if !ask.private_headers.is_empty() && is_at_home(url, ask.private_origin.url()) {
        add_private(&mut headers, &ask.private_headers)?;
    }
    Ok(headers)
}

/// A feed's own field takes the place of ours.
fn add_private(headers: &mut HeaderMap, private: &[(String, SecretString)]) -> Result<(), PollError> {
    let mut own = HeaderMap::new();
    for (name, value) in private {
        let parsed =
            HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value.expose_secret()).ok());
        let Some((name, mut value)) = parsed else {
            let message = format!("the feed's header `{}` is no header field", name.escape_debug());
            return Err(failure(ErrorKind::Refused, message));
        };
        value.set_sensitive(true);
        own.append(name, value);
    }
    for name in own.keys() {
        headers.remove(name);
    }
    for (name, value) in &own {
        headers.append(name, value.clone());
    }
    Ok(())
}

/// Whether secrets meant for `home` may go to `url`: the same origin, or the same host come up to https, both on
/// their usual ports.
fn is_at_home(url: &Url, home: &Url) -> bool {
    let upgraded = home.scheme() == "http" && url.scheme() == "https" && home.port().is_none() && url.port().is_none();
    url.host() == home.host()
        && (upgraded || (url.scheme() == home.scheme() && url.port_or_known_default() == home.port_or_known_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_their_own_origin_or_up_to_https() {
        for (home, url, expected) in [
            ("https://a.test/feed", "https://a.test/other", true),
            ("https://a.test/feed", "https://a.test:443/", true),
            ("https://a.test/feed", "https://A.TEST/", true),
            ("http://a.test/feed", "https://a.test/feed", true),
            ("https://a.test/feed", "http://a.test/feed", false),
            ("http://a.test:8080/feed", "https://a.test/feed", false),
            ("http://a.test/feed", "https://a.test:8443/feed", false),
            ("https://a.test/feed", "https://a.test:8443/feed", false),
            ("https://a.test/feed", "https://www.a.test/feed", false),
            ("https://a.test/feed", "https://a.test.evil.test/feed", false),
        ] {
            assert_eq!(is_at_home(&Url::parse(url).unwrap(), &Url::parse(home).unwrap()), expected, "{home} {url}");
        }
    }

    #[test]
    fn the_user_agent_names_us_and_a_contact() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(user_agent(None, 0).unwrap(), format!("Feedmill/{version}"));
        assert_eq!(user_agent(None, 3).unwrap(), format!("Feedmill/{version} (3 subscribers)"));
        let both = user_agent(Some("https://example.org/bot"), 12).unwrap();
        assert_eq!(both, format!("Feedmill/{version} (+https://example.org/bot; 12 subscribers)"));
        let contact = user_agent(Some("https://example.org/bot"), 0).unwrap();
        assert_eq!(contact, format!("Feedmill/{version} (+https://example.org/bot)"));
        assert!(user_agent(Some("a\r\nX: y"), 0).is_err());
    }
}
