//! Headers that the configuration adds to requests.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::secret;
use super::section::{Section, Value};
use super::source::quoted;

/// What makes or frames a request is ours.
const FRAMING: &[&str] = &[
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "expect",
    "user-agent",
];

/// What a proxy would say about who asks is nobody's to claim: a server that trusts such a header would take the
/// feed's word for it.
pub(super) const FEED_REFUSED: &[&str] = &[
    "if-none-match",
    "if-modified-since",
    "if-match",
    "if-unmodified-since",
    "if-range",
    "range",
    "accept-encoding",
    "cookie",
    "referer",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-user",
    "x-real-ip",
    "remote-user",
    "x-remote-user",
    "x-webauth-user",
    "proxy-authorization",
    "via",
];

/// A webhook's own headers are ours.
pub(super) const WEBHOOK_REFUSED: &[&str] =
    &["content-type", "content-encoding", "webhook-id", "webhook-timestamp", "webhook-signature"];

/// The `headers` of a section.
pub(super) fn read(section: &Section<'_>, refused: &[&str]) -> Option<BTreeMap<String, SecretString>> {
    let pairs = section.pairs("headers")?;
    let mut headers = BTreeMap::new();
    for (name, at, value) in pairs {
        let lower = name.to_ascii_lowercase();
        if !is_token(name) {
            section.mistake(at, format!("{} is no name of a header (RFC 9110 5.1).", quoted(name)), None);
        } else if FRAMING.contains(&lower.as_str()) || refused.contains(&lower.as_str()) {
            section.mistake(at, format!("The header {lower} cannot be set here."), None);
        } else if let Some(secret) = secret::read(&value) {
            if is_value(secret.expose_secret()) {
                headers.insert(lower, secret);
            } else {
                value.refuse::<()>(
                    format!("The value of the header {lower} has characters that no header can have."),
                    None,
                );
            }
        }
    }
    Some(headers)
}

/// A text that goes into a header.
pub(super) fn value(value: &Value<'_>) -> Option<String> {
    let text = value.text()?;
    if is_value(text) && !text.is_empty() {
        return Some(text.to_owned());
    }
    value.refuse(
        format!("`{}` goes into a header, and this text cannot: it has to be printable ASCII.", value.key),
        None,
    )
}

/// RFC 9110 5.6.2.
fn is_token(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.len() <= 200 && name.bytes().all(token)
}

fn is_value(text: &str) -> bool {
    text.len() <= 8000 && text.trim() == text && text.bytes().all(|b| (b' '..=b'~').contains(&b))
}
