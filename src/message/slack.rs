//! A message for a Slack incoming webhook: blocks, and a text for notifications.
//!
//! Of Slack's limits: a section's text has 3,000 characters, a message 50 blocks, its text 40,000. The title is the only
//! markup of ours; all else is `plain_text`, in which Slack looks for nothing.

use serde_json::{Value, json};

use super::Digest;
use crate::sanitize::{shorten, units};

/// Of a link's label and of the notification's text, in what Slack counts after escaping.
const MAX_LABEL: usize = 900;

/// What `&`, `<` and `>` become in Slack's markup: so no mention, channel or link can be written with them.
fn measure(c: char) -> usize {
    match c {
        '&' => 5,
        '<' | '>' => 4,
        other => units(other),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub(super) fn message(digest: &Digest) -> Value {
    // A label ends at `>` only, but `|` parts it from the address, and these would be bold, italic, struck or code.
    let headline: String = digest.headline.chars().map(|c| if c == '|' { '¦' } else { c }).collect();
    let label = escaped(&shorten(&headline, MAX_LABEL, measure));
    let address = escaped(&digest.url.replace('|', "%7C"));
    let title =
        if digest.url.is_empty() { unformatted(&label) } else { format!("<{address}|{}>", unformatted(&label)) };
    let mut blocks = vec![json!({"type": "section", "text": {"type": "mrkdwn", "text": title, "verbatim": true}})];
    if !digest.text.is_empty() {
        blocks.push(json!({"type": "section", "text": {"type": "plain_text", "text": digest.text, "emoji": false}}));
    }
    let mut from = digest.source.clone();
    if !digest.streams.is_empty() {
        from = format!("{from} · {}", digest.streams.join(", "));
    }
    let from = shorten(&from, MAX_LABEL, units);
    blocks.push(json!({"type": "context", "elements": [{"type": "plain_text", "text": from, "emoji": false}]}));
    json!({"text": label, "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

/// A zero-width space behind each sign that would begin or end formatting: Slack has no escape for these.
fn unformatted(label: &str) -> String {
    let mut out = String::with_capacity(label.len());
    for c in label.chars() {
        out.push(c);
        if matches!(c, '*' | '_' | '~' | '`' | ':') {
            out.push('\u{200b}');
        }
    }
    out
}
