//! The tokens of a document that may be broken anywhere: tags, text and CDATA as slices of it. Every byte is looked at a
//! bounded number of times, whatever is missing.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};

/// A piece of a document, as it is written.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Token<'a> {
    /// Text with its references.
    Text(&'a str),
    /// The inside of a CDATA section.
    CData(&'a str),
    /// A start tag.
    Open(Tag<'a>),
    /// The name in an end tag.
    Close(&'a str),
    /// A comment, processing instruction or declaration.
    Other,
}

/// A start tag.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Tag<'a> {
    /// With its prefix.
    pub(super) name: &'a str,
    /// All between the name and the end, as written.
    pub(super) inside: &'a str,
    /// Whether it closes itself.
    pub(super) closed: bool,
    /// Whether its `>` is missing.
    pub(super) broken: bool,
}

impl<'a> Tag<'a> {
    /// The first value of an attribute, references not decoded. The prefix counts; case does not.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        if self.inside.is_empty() {
            return None;
        }
        Attributes(self.inside).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The name without its prefix.
    pub(super) fn local(&self) -> &'a str {
        local(self.name)
    }
}

/// A name without its prefix.
pub(super) fn local(name: &str) -> &str {
    colon(name).and_then(|at| name.get(at + 1..)).unwrap_or(name)
}

/// A name's prefix, or nothing.
pub(super) fn prefix(name: &str) -> &str {
    colon(name).and_then(|at| name.get(..at)).unwrap_or_default()
}

fn colon(name: &str) -> Option<usize> {
    name.bytes().rposition(|byte| byte == b':')
}

/// The next place of something, remembered: asked again from between, it need not be looked for again.
#[derive(Debug)]
struct Finder {
    needle: &'static str,
    from: usize,
    found: Option<usize>,
    known: bool,
}

impl Finder {
    fn new(needle: &'static str) -> Self {
        Self { needle, from: 0, found: None, known: false }
    }

    fn find(&mut self, text: &str, from: usize) -> Option<usize> {
        if !self.known || from < self.from || self.found.is_some_and(|found| found < from) {
            let rest = text.as_bytes().get(from..).unwrap_or_default();
            self.found = memmem::find(rest, self.needle.as_bytes()).map(|at| from + at);
            (self.from, self.known) = (from, true);
        }
        self.found
    }
}

/// Reads along a document.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// Where it is, in bytes.
    pub(super) at: usize,
    cdata: Finder,
    cdata_end: Finder,
    comment_end: Finder,
    instruction_end: Finder,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        let [cdata, cdata_end, comment_end, instruction_end] = ["<![CDATA[", "]]>", "-->", "?>"].map(Finder::new);
        Self { text, at, cdata, cdata_end, comment_end, instruction_end }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// The next token. `field` is the name of the element that is open, if it holds text: a CDATA section that is not closed ends
    /// with it. A tag that the end of the document cuts off is none.
    pub(super) fn next(&mut self, field: Option<&str>) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        if rest.first() != Some(&b'<') {
            self.at = memchr(b'<', rest).map_or(self.text.len(), |at| start + at);
            return Some(Token::Text(self.slice(start, self.at)));
        }
        match rest.get(1) {
            Some(b'/') => Some(self.close(start)),
            Some(b'!') => Some(self.declaration(start, field)),
            Some(b'?') => {
                let close = memchr(b'>', rest).map_or(self.text.len(), |at| start + at + 1);
                let next = memchr(b'<', rest.get(1..)?).map_or(self.text.len(), |at| start + at + 1);
                let end = self.instruction_end.find(self.text, start).filter(|end| *end < next);
                self.at = end.map_or(close, |end| end + 2);
                Some(Token::Other)
            }
            Some(byte) if starts_name(*byte) => self.open(start),
            _ => Some(self.literal(start)),
        }
    }

    /// A `<` that begins nothing, with the text behind it.
    fn literal(&mut self, start: usize) -> Token<'a> {
        let rest = self.text.as_bytes().get(start + 1..).unwrap_or_default();
        self.at = memchr(b'<', rest).map_or(self.text.len(), |at| start + 1 + at);
        Token::Text(self.slice(start, self.at))
    }

    fn close(&mut self, start: usize) -> Token<'a> {
        let rest = self.text.as_bytes().get(start + 2..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let name = rest.get(blank..).unwrap_or_default();
        if !name.first().is_some_and(|byte| starts_name(*byte)) {
            return self.literal(start);
        }
        let length = name.iter().position(|byte| ends_name(*byte)).unwrap_or(name.len());
        let from = start + 2 + blank;
        let after = self.text.as_bytes().get(from + length..).unwrap_or_default();
        self.at = match memchr2(b'<', b'>', after) {
            Some(at) => from + length + at + usize::from(after.get(at) == Some(&b'>')),
            None => self.text.len(),
        };
        Token::Close(self.slice(from, from + length))
    }

    fn declaration(&mut self, start: usize, field: Option<&str>) -> Token<'a> {
        let here = self.text.as_bytes().get(start..).unwrap_or_default();
        let end_tag = || memchr(b'>', here).map_or(self.text.len(), |at| start + at + 1);
        if here.starts_with(b"<!--") {
            let end = self.comment_end.find(self.text, start + 2).map(|end| end + 3);
            self.at = end.unwrap_or_else(end_tag);
            return Token::Other;
        }
        if here.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"<![CDATA[")) {
            return self.cdata(start, field);
        }
        if here.get(2).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'[') {
            self.at = end_tag();
            return Token::Other;
        }
        self.literal(start)
    }

    /// A section ends with `]]>`. One that is not closed ends with the field that it stands in; it is not closed too where that
    /// field ends and another section begins before the next `]]>`.
    fn cdata(&mut self, start: usize, field: Option<&str>) -> Token<'a> {
        let from = start + 9;
        let end = self.cdata_end.find(self.text, from);
        let limit = self.cdata.find(self.text, from).unwrap_or(self.text.len());
        if end.is_none_or(|end| limit < end) {
            let before = self.slice(from, limit);
            if let Some(close) = field.and_then(|field| find_close(before, field)) {
                self.at = from + close;
                return Token::CData(self.slice(from, self.at));
            }
        }
        self.at = end.map_or(self.text.len(), |end| end + 3);
        Token::CData(self.slice(from, end.unwrap_or(self.text.len())))
    }

    fn open(&mut self, start: usize) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes();
        let from = start + 1;
        let length = bytes.get(from..)?.iter().position(|byte| ends_name(*byte))?;
        let (end, next) = tag_end(bytes, from + length)?;
        self.at = next;
        let inside = self.slice(from + length, end);
        let closed = inside.ends_with('/');
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        let name = self.slice(from, from + length);
        Some(Token::Open(Tag { name, inside, closed, broken: end == next }))
    }
}

/// Offset of the first `</name` in `text`, in any case.
pub(super) fn find_close(text: &str, name: &str) -> Option<usize> {
    memmem::find_iter(text.as_bytes(), b"</").find(|at| {
        let here = text.as_bytes().get(at + 2..).unwrap_or_default();
        here.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
            && here.get(name.len()).is_none_or(|byte| ends_name(*byte))
    })
}

fn starts_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/' | b'<' | b'=' | b'"' | b'\'')
}

/// Where the inside of a start tag ends, and where the next token begins. A `>` in quotes does not end it, unless another tag
/// follows within the same quotes: then the closing quote is missing. A tag without `>` ends where the next begins.
fn tag_end(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    let mut equals = false;
    loop {
        match *bytes.get(at)? {
            b'>' => return Some((at, at + 1)),
            b'<' if bytes.get(at + 1).is_some_and(|byte| starts_name(*byte) || matches!(byte, b'/' | b'!' | b'?')) => {
                return Some((at, at));
            }
            quote @ (b'"' | b'\'') if equals => {
                let rest = bytes.get(at + 1..)?;
                let length = memchr(quote, rest);
                let value = rest.get(..length.unwrap_or(rest.len()))?;
                if let Some(close) = memchr(b'>', value)
                    && (length.is_none() || memchr(b'<', value.get(close..)?).is_some())
                {
                    let close = at + 1 + close;
                    return Some((close, close + 1));
                }
                at += 1 + length?;
                equals = false;
            }
            b'=' => equals = true,
            byte if byte.is_ascii_whitespace() => {}
            _ => equals = false,
        }
        at += 1;
    }
}

/// The attributes of a tag's inside, values as written: quoted, unquoted or missing.
pub(super) struct Attributes<'a>(pub(super) &'a str);

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let skipped = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '"' | '\'' | '=');
        let rest = self.0.trim_start_matches(skipped);
        if rest.is_empty() {
            return None;
        }
        let length = rest.bytes().position(|byte| byte.is_ascii_whitespace() || byte == b'=').unwrap_or(rest.len());
        let (key, rest) = rest.split_at_checked(length)?;
        let Some(value) = rest.trim_ascii_start().strip_prefix('=') else {
            self.0 = rest;
            return Some((key, ""));
        };
        let value = value.trim_ascii_start();
        let quote = value.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''));
        let (value, rest) = match quote {
            Some(quote) => {
                let value = value.get(1..)?;
                let length = memchr(quote, value.as_bytes()).unwrap_or(value.len());
                (value.get(..length)?, value.get(length + 1..).unwrap_or_default())
            }
            None => {
                let length = value.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(value.len());
                value.split_at_checked(length)?
            }
        };
        self.0 = rest;
        Some((key, value))
    }
}

/// Longest name that is looked up; longer ones mean nothing.
const NAME_BYTES: usize = 32;

/// A name in lower case, or nothing if it is longer than any that means something.
pub(super) fn lower(name: &str) -> Cow<'_, str> {
    if name.len() > NAME_BYTES {
        return Cow::Borrowed("");
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    Cow::Borrowed(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(document: &str) -> Vec<String> {
        let mut scanner = Scanner::new(document, 0);
        let mut seen = Vec::new();
        while let Some(token) = scanner.next(Some("t")) {
            seen.push(match token {
                Token::Text(text) => text.to_owned(),
                Token::CData(text) => format!("[{text}]"),
                Token::Open(tag) => {
                    let list: Vec<String> =
                        Attributes(tag.inside).map(|(key, value)| format!("{key}={value}")).collect();
                    format!("<{}{}{}>", tag.name, if tag.closed { "/" } else { "" }, list.join(";"))
                }
                Token::Close(name) => format!("</{name}>"),
                Token::Other => "-".to_owned(),
            });
        }
        seen
    }

    #[test]
    fn broken_markup_is_cut_where_a_reader_would_cut_it() {
        let cases: [(&str, &[&str]); 16] = [
            ("a<b>c</b>", &["a", "<b>", "c", "</b>"]),
            ("1 < 2 <3 <= x", &["1 ", "< 2 ", "<3 ", "<= x"]),
            ("<a b='1'c=\"2\" d=3 e f = '4'/>", &["<a/b=1;c=2;d=3;e=;f=4>"]),
            ("<a b='x > y'>c", &["<ab=x > y>", "c"]),
            ("<a b=\"x>c<d e=\"f\">", &["<ab=x>", "c", "<de=f>"]),
            ("<a b<c>", &["<ab=>", "<c>"]),
            ("</a<b>", &["</a>", "<b>"]),
            ("</ a >x", &["</a>", "x"]),
            ("x<a b='cut", &["x"]),
            ("<!-- a -- > b -->c", &["-", "c"]),
            ("<!-- open >c", &["-", "c"]),
            ("<?php > ?>c", &["-", "c"]),
            ("<![CDATA[a]]>b]]>", &["[a]", "b]]>"]),
            ("<![CDATA[a</t>b", &["[a]", "</t>", "b"]),
            ("<![CDATA[a</t><t><![CDATA[b]]>", &["[a]", "</t>", "<t>", "[b]"]),
            ("<![cdata[a</T>b]]>", &["[a</T>b]"]),
        ];
        for (document, expected) in cases {
            assert_eq!(shown(document), expected, "{document}");
        }
    }
}
