//! A message for an ntfy server, published as JSON: plain text, in which ntfy looks for no markup.

use serde_json::{Value, json};

use super::Digest;
use crate::sanitize::shorten;

/// A longer message becomes an attachment; the title counts as if it were of it. In bytes.
const MAX_BYTES: usize = 4096;
const MAX_TITLE_BYTES: usize = 1000;

pub(super) fn message(digest: &Digest, topic: &str) -> Value {
    let title = shorten(&digest.headline, MAX_TITLE_BYTES, char::len_utf8);
    // An empty message is shown as "triggered".
    let text = if digest.text.is_empty() { &digest.source } else { &digest.text };
    let text = shorten(text, MAX_BYTES - MAX_TITLE_BYTES, char::len_utf8);
    let mut message = json!({"topic": topic, "title": title, "message": text});
    if let Some(message) = message.as_object_mut().filter(|_| !digest.url.is_empty()) {
        message.insert("click".to_owned(), digest.url.as_str().into());
    }
    message
}
