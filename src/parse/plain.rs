//! Small texts: titles, names and terms on one line, addresses made absolute, plain text as HTML.

use std::borrow::Cow;
use std::cell::RefCell;

use encoding_rs::WINDOWS_1252;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::{RawKind, State};
use html5ever::tokenizer::{BufferQueue, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use url::Url;

use super::limits::{MAX_LINE_BYTES, MAX_LIST, MAX_URL_BYTES};
use crate::domain::item::Enclosure;

/// Schemes that a link may have. A link is shown to people: nothing that runs, and nothing that reads their disk.
const SCHEMES: [&str; 6] = ["https", "http", "ftp", "gemini", "gopher", "magnet"];

/// `text` cut to at most `max` bytes, at a character.
pub(super) fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Plain text on one line: references decoded, white space collapsed.
pub(super) fn line(text: &str) -> String {
    one_line(&references(&modern(cut(text, MAX_LINE_BYTES))))
}

/// `text` with its C1 controls as what they were meant to be, which nobody ever means: UTF-8 that was taken for Latin-1 where
/// all of it together is valid UTF-8, else windows-1252 (HTML section 13.2.5.80), as XML has `&#146;` as U+0092.
pub(super) fn modern(text: &str) -> Cow<'_, str> {
    let c1 = |c: char| matches!(c, '\u{80}'..='\u{9F}');
    let bytes = text.as_bytes();
    if !memchr::memchr_iter(0xC2, bytes).any(|at| matches!(bytes.get(at + 1), Some(0x80..=0x9F))) {
        return Cow::Borrowed(text);
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    if let Some(meant) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        return Cow::Owned(meant);
    }
    Cow::Owned(text.chars().map(|c| if c1(c) { windows(c) } else { c }).collect())
}

/// The character of windows-1252 in the place of a C1 control.
fn windows(c: char) -> char {
    let Ok(byte) = u8::try_from(u32::from(c)) else { return c };
    WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next().unwrap_or(c)
}

/// HTML as plain text on one line; tags go, text in angle brackets that is no tag stays. Decoded once more where a
/// publisher escaped twice and the result has no markup.
pub(super) fn title(html: &str) -> Option<String> {
    let html = modern(cut(html, MAX_LINE_BYTES));
    let once = references(&without_tags(&html)).into_owned();
    filled(one_line(&decode_again(&once)))
}

/// A title that is plain text by its own word: markup in it is text (RFC 4287 3.1.1.1).
pub(super) fn plain_title(text: &str) -> Option<String> {
    filled(one_line(&decode_again(&modern(cut(text, MAX_LINE_BYTES)))))
}

fn decode_again(text: &str) -> Cow<'_, str> {
    let again = references(text);
    if again.contains('<') { Cow::Borrowed(text) } else { again }
}

pub(super) fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

fn without_tags(html: &str) -> Cow<'_, str> {
    if !html.contains('<') {
        return Cow::Borrowed(html);
    }
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, here) = rest.split_at(at);
        text.push_str(before);
        let length = hidden_length(here).unwrap_or_else(|| tag_length(here));
        if length == 0 {
            text.push('<');
        } else if breaks(here) {
            text.push(' ');
        }
        rest = here.get(length.max(1)..).unwrap_or_default();
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Length of a script or style with what is in it; one that is not closed takes the rest.
fn hidden_length(here: &str) -> Option<usize> {
    ["<script", "<style"].iter().zip(["</script>", "</style>"]).find_map(|(open, close)| {
        here.get(..open.len()).filter(|start| start.eq_ignore_ascii_case(open))?;
        let at = here.as_bytes().windows(close.len()).position(|end| end.eq_ignore_ascii_case(close.as_bytes()));
        Some(at.map_or(here.len(), |at| at + close.len()))
    })
}

/// Length of the tag or comment at the start of `here`; 0 if it is none.
fn tag_length(here: &str) -> usize {
    let name = here.get(1..).unwrap_or_default();
    let name = name.strip_prefix('/').unwrap_or(name);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?') {
        return 0;
    }
    if here.starts_with("<!--") {
        return here.find("-->").map_or(here.len(), |end| end + 3);
    }
    let inside = here.get(1..).unwrap_or_default();
    match inside.find(['<', '>']) {
        Some(end) if inside.as_bytes().get(end) == Some(&b'>') => end + 2,
        _ => 0,
    }
}

/// Whether a tag parts words.
fn breaks(tag: &str) -> bool {
    let name = tag.get(1..).unwrap_or_default();
    let name = name.strip_prefix('/').unwrap_or(name);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let name = name.get(..end).unwrap_or_default().to_ascii_lowercase();
    matches!(name.as_str(), "br" | "p" | "div" | "li" | "h1" | "h2" | "h3" | "h4" | "td" | "tr")
}

/// Character references decoded once, as HTML has them.
fn references(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    // RCDATA (HTML section 13.2.5.2): references count, tags do not, so no tag of any size is ever built.
    let options = TokenizerOpts { initial_state: Some(State::RawData(RawKind::Rcdata)), ..TokenizerOpts::default() };
    let tokenizer = Tokenizer::new(Collect::default(), options);
    let queue = BufferQueue::default();
    queue.push_back(StrTendril::from_slice(text));
    let _ = tokenizer.feed(&queue);
    tokenizer.end();
    Cow::Owned(tokenizer.sink.0.take())
}

#[derive(Default)]
struct Collect(RefCell<String>);

impl TokenSink for Collect {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::CharacterTokens(text) = token {
            self.0.borrow_mut().push_str(&text);
        }
        TokenSinkResult::Continue
    }
}

/// Plain text as HTML that shows the same.
pub(super) fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 16);
    for c in text.trim().chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '\n' => html.push_str("<br>\n"),
            c => html.push(c),
        }
    }
    html
}

/// An address that people may be sent to: absolute, trimmed, of a harmless scheme.
pub(super) fn url(text: &str, base: Option<&Url>) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_URL_BYTES {
        return None;
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(_) => base?.join(text).ok()?,
    };
    SCHEMES.contains(&url.scheme()).then(|| String::from(url))
}

/// A guid that is an address by itself.
pub(super) fn guid_url(guid: Option<&str>) -> Option<String> {
    let guid = guid?;
    let scheme = guid.get(..8.min(guid.len())).unwrap_or_default().to_ascii_lowercase();
    (scheme.starts_with("http://") || scheme.starts_with("https://")).then(|| url(guid, None)).flatten()
}

/// Files, each once: what one mention leaves out, another may say.
pub(super) fn once_each(files: impl Iterator<Item = Enclosure>) -> Vec<Enclosure> {
    let mut kept: Vec<Enclosure> = Vec::new();
    for file in files.take(MAX_LIST) {
        match kept.iter_mut().find(|known| known.url == file.url) {
            Some(known) => {
                known.mime_type = known.mime_type.take().or(file.mime_type);
                known.length_bytes = known.length_bytes.or(file.length_bytes);
                known.duration_s = known.duration_s.or(file.duration_s);
                known.title = known.title.take().or(file.title);
            }
            None => kept.push(file),
        }
    }
    // Ten thousand entries keep theirs for as long as the document is read.
    kept.shrink_to_fit();
    kept
}
