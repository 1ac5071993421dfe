//! A message for a Discord webhook: one embed, and nobody is mentioned, whatever it says.
//!
//! Of Discord's limits: content 2,000, at most 10 embeds with 6,000 in all, a title 256, a description 4,096, an author
//! 256, a footer 2,048, an address 2,048.

use serde_json::{Value, json};

use super::Digest;
use crate::sanitize::{shorten, units};

const MAX_TITLE: usize = 256;
const MAX_DESCRIPTION: usize = 2000;
const MAX_AUTHOR: usize = 256;
const MAX_FOOTER: usize = 512;

/// Discord's Markdown; what stands behind a backslash is itself.
fn is_markup(c: char) -> bool {
    matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '[' | ']' | '(' | ')' | '@' | ':' | '-')
}

fn measure(c: char) -> usize {
    units(c) + usize::from(is_markup(c))
}

fn escaped(text: &str, most: usize) -> String {
    let mut out = String::new();
    for c in shorten(text, most, measure).chars() {
        if is_markup(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

pub(super) fn message(digest: &Digest) -> Value {
    let mut embed = json!({
        "title": escaped(&digest.headline, MAX_TITLE),
        "author": {"name": shorten(&digest.source, MAX_AUTHOR, units)},
        "timestamp": digest.timestamp,
    });
    if let Some(embed) = embed.as_object_mut() {
        let mut put = |key: &str, value: Value| embed.insert(key.to_owned(), value);
        if !digest.text.is_empty() {
            put("description", escaped(&digest.text, MAX_DESCRIPTION).into());
        }
        if !digest.url.is_empty() {
            put("url", digest.url.as_str().into());
        }
        if !digest.image.is_empty() {
            put("thumbnail", json!({"url": digest.image}));
        }
        if !digest.streams.is_empty() {
            put("footer", json!({"text": shorten(&digest.streams.join(", "), MAX_FOOTER, units)}));
        }
    }
    json!({"embeds": [embed], "allowed_mentions": {"parse": []}})
}
