//! HTML to tags and text without a tree: the tokenizer of HTML section 13.2.5, as far as text and tags need it.
//!
//! Builds nothing and copies nothing, so no document makes it slow: html5ever's compares each attribute of a tag with all before.

/// A piece of HTML.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// Text with its references.
    Text(&'a str),
    /// Text without references, of an element that holds nothing else; it follows the element's start tag.
    Raw(&'a str),
    /// A start tag.
    Open(Tag<'a>),
    /// An end tag, by its name.
    Close(&'a str),
}

/// A start tag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tag<'a> {
    /// Its name as written.
    pub(super) name: &'a str,
    /// What follows the name, without the `>`.
    pub(super) inside: &'a str,
}

impl<'a> Tag<'a> {
    /// The attributes, values as written.
    pub(super) fn attributes(&self) -> Attributes<'a> {
        Attributes { text: self.inside, at: 0 }
    }

    /// The value of the first attribute of that name, as written.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether the tag closes itself, which counts for foreign elements only.
    pub(super) fn self_closing(&self) -> bool {
        self.inside.ends_with('/')
    }
}

/// Elements whose content is text only, up to their end tag (section 13.2.6.4.4 and after; scripting off).
const RAW: [&str; 8] = ["script", "style", "xmp", "iframe", "noembed", "noframes", "title", "textarea"];

/// Reads pieces off the front of a text.
pub(super) struct Scanner<'a> {
    rest: &'a str,
    /// The raw element that was just opened.
    raw: Option<&'a str>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(html: &'a str) -> Self {
        Self { rest: html, raw: None }
    }

    /// How many bytes are not read yet.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (piece, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        piece
    }

    /// Everything up to the end tag of `name`.
    fn raw_text(&mut self, name: &str) -> &'a str {
        let mut at = 0;
        while let Some(found) = self.rest.get(at..).and_then(|rest| rest.find("</")) {
            at += found;
            let here = self.rest.as_bytes().get(at + 2..).unwrap_or_default();
            let same = here.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
            if same && here.get(name.len()).is_some_and(|byte| is_space(*byte) || matches!(byte, b'/' | b'>')) {
                return self.take(at);
            }
            at += 2;
        }
        self.take(self.rest.len())
    }

    /// The tag at the front: none if the text ends inside of it, which drops it.
    fn tag(&mut self, mark: usize) -> Option<Tag<'a>> {
        let bytes = self.rest.as_bytes();
        let named = bytes.iter().skip(mark).position(|byte| is_space(*byte) || matches!(byte, b'/' | b'>'));
        let name_end = named.map_or(bytes.len(), |length| mark + length);
        let mut attributes = Attributes { text: self.rest, at: name_end };
        let end = attributes.end()?;
        let name = self.rest.get(mark..name_end).unwrap_or_default();
        let inside = self.rest.get(name_end..end).unwrap_or_default();
        self.take(end + 1);
        Some(Tag { name, inside })
    }

    fn skip_past(&mut self, end: &str) {
        let length = self.rest.find(end).map_or(self.rest.len(), |at| at + end.len());
        self.take(length);
    }

    /// A comment ends at `-->` or `--!>`; `<!-->` and `<!--->` are whole ones (section 13.2.5.42 and after).
    fn skip_comment(&mut self) {
        self.take("<!--".len());
        if self.rest.starts_with('>') || self.rest.starts_with("->") {
            return self.skip_past(">");
        }
        while let Some(at) = self.rest.find("--") {
            self.take(at + 1);
            if self.rest.starts_with("->") || self.rest.starts_with("-!>") {
                return self.skip_past(">");
            }
        }
        self.rest = "";
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(name) = self.raw.take() {
            let text = self.raw_text(name);
            if !text.is_empty() {
                let references = name.eq_ignore_ascii_case("title") || name.eq_ignore_ascii_case("textarea");
                return Some(if references { Token::Text(text) } else { Token::Raw(text) });
            }
        }
        while !self.rest.is_empty() {
            if !self.rest.starts_with('<') {
                let length = self.rest.find('<').unwrap_or(self.rest.len());
                return Some(Token::Text(self.take(length)));
            }
            let bytes = self.rest.as_bytes();
            match (bytes.get(1), bytes.get(2)) {
                (Some(byte), _) if byte.is_ascii_alphabetic() => {
                    let Some(tag) = self.tag(1) else { break };
                    self.raw = RAW.iter().any(|raw| raw.eq_ignore_ascii_case(tag.name)).then_some(tag.name);
                    return Some(Token::Open(tag));
                }
                (Some(b'/'), Some(byte)) if byte.is_ascii_alphabetic() => {
                    let Some(tag) = self.tag(2) else { break };
                    return Some(Token::Close(tag.name));
                }
                (Some(b'/'), Some(_)) | (Some(b'?'), _) => self.skip_past(">"),
                (Some(b'!'), _) if self.rest.starts_with("<!--") => self.skip_comment(),
                (Some(b'!'), _) => self.skip_past(">"),
                (Some(b'/'), None) => return Some(Token::Text(self.take(2))),
                _ => return Some(Token::Text(self.take(1))),
            }
        }
        self.rest = "";
        None
    }
}

/// The attributes of a tag (section 13.2.5.32 to 13.2.5.39): quotes count only behind an `=`.
pub(super) struct Attributes<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Attributes<'a> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Moves on to where `ends` first holds, or to the end.
    fn until(&mut self, ends: impl Fn(u8) -> bool) -> &'a str {
        let from = self.at;
        let rest = self.text.as_bytes().get(from..).unwrap_or_default();
        self.at = from + rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len());
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// Offset of the `>` that ends the tag.
    fn end(&mut self) -> Option<usize> {
        while self.next().is_some() {}
        (self.byte() == Some(b'>')).then_some(self.at)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.until(|byte| !is_space(byte) && byte != b'/');
        let first = self.byte().filter(|byte| *byte != b'>')?;
        let from = self.at;
        // An `=` in front is part of the name.
        self.at += usize::from(first == b'=');
        self.until(|byte| is_space(byte) || matches!(byte, b'/' | b'>' | b'='));
        let name = self.text.get(from..self.at).unwrap_or_default();
        self.until(|byte| !is_space(byte));
        if self.byte() != Some(b'=') {
            return Some((name, ""));
        }
        self.at += 1;
        self.until(|byte| !is_space(byte));
        let value = match self.byte() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                let value = self.until(|byte| byte == quote);
                self.at += 1;
                value
            }
            _ => self.until(|byte| is_space(byte) || byte == b'>'),
        };
        Some((name, value))
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0C')
}
