//! The text of HTML: what a reader would see, a line feed between blocks. On the way of every item, so it is a scan.

use super::refs;
use super::scan::{Scanner, Tag, Token};

/// The text of `html`: a line feed ends a block, white space is collapsed, references are decoded. The contents of scripts,
/// styles, templates and titles go; an alternative text is a block of its own. At most as long as `html` and half of it.
#[must_use]
pub fn text(html: &str) -> String {
    let mut out = Writer { text: String::with_capacity(html.len()), gap: Gap::None, broke: false };
    if !html.contains('<') {
        out.push(html, false);
        return out.text;
    }
    let mut hidden = Hidden::default();
    for token in Scanner::new(html) {
        match token {
            Token::Open(tag) if hidden.is_open() => hidden.open(&tag),
            Token::Close(name) if hidden.is_open() => hidden.close(name),
            Token::Text(_) | Token::Raw(_) if hidden.is_open() => {}
            Token::Text(text) => out.push(text, false),
            Token::Raw(text) => out.raw(text),
            Token::Open(tag) => {
                hidden.open(&tag);
                open(&tag, &mut out);
            }
            Token::Close(name) => {
                if kind(name) == Kind::Block {
                    out.end_block();
                }
            }
        }
    }
    out.text
}

fn open(tag: &Tag<'_>, out: &mut Writer) {
    match kind(tag.name) {
        Kind::Block => out.end_block(),
        Kind::Break => out.line_break(),
        Kind::Image => {
            if let Some(alt) = tag.attribute("alt").filter(|alt| !alt.is_empty()) {
                out.end_block();
                out.push(alt, true);
                out.end_block();
            }
        }
        Kind::Inline | Kind::Hidden => {}
    }
}

/// What an element is to the text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Inline,
    Block,
    Break,
    Image,
    Hidden,
}

fn kind(name: &str) -> Kind {
    let mut lower = [0_u8; 12];
    let Some(slot) = lower.get_mut(..name.len()) else { return Kind::Inline };
    slot.copy_from_slice(name.as_bytes());
    slot.make_ascii_lowercase();
    match &*slot {
        b"a" | b"b" | b"i" | b"em" | b"span" | b"strong" => Kind::Inline,
        b"br" => Kind::Break,
        b"img" | b"area" => Kind::Image,
        b"p" | b"div" | b"li" | b"ul" | b"ol" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"hr" | b"td"
        | b"th" | b"tr" | b"table" | b"tbody" | b"thead" | b"tfoot" | b"caption" | b"blockquote" | b"pre"
        | b"section" | b"article" | b"aside" | b"header" | b"footer" | b"main" | b"nav" | b"figure" | b"figcaption"
        | b"address" | b"center" | b"dl" | b"dt" | b"dd" | b"details" | b"summary" | b"fieldset" | b"legend"
        | b"form" | b"option" | b"optgroup" | b"select" | b"hgroup" | b"dir" | b"menu" | b"xmp" | b"listing"
        | b"video" | b"audio" | b"object" | b"body" | b"html" | b"search" => Kind::Block,
        b"script" | b"style" | b"title" | b"iframe" | b"noembed" | b"noframes" | b"noscript" | b"textarea"
        | b"template" | b"svg" => Kind::Hidden,
        _ => Kind::Inline,
    }
}

/// The element whose content is left out, and how many of its name are open inside of it.
#[derive(Default)]
struct Hidden<'a> {
    name: &'a str,
    depth: usize,
}

impl<'a> Hidden<'a> {
    fn is_open(&self) -> bool {
        self.depth > 0
    }

    fn open(&mut self, tag: &Tag<'a>) {
        if self.is_open() {
            self.depth += usize::from(tag.name.eq_ignore_ascii_case(self.name));
        } else if kind(tag.name) == Kind::Hidden {
            let empty = tag.self_closing() && tag.name.eq_ignore_ascii_case("svg");
            *self = Hidden { name: tag.name, depth: usize::from(!empty) };
        }
    }

    fn close(&mut self, name: &str) {
        self.depth -= usize::from(name.eq_ignore_ascii_case(self.name));
    }
}

/// What stands between the last word and the next.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Gap {
    None,
    Space,
    Block,
}

struct Writer {
    text: String,
    gap: Gap,
    /// A line break was the last thing that was seen.
    broke: bool,
}

/// What a byte is to the writer: part of a word, a plain space, other white space or control, a reference, or the first of
/// a character that may be white space.
const CLASSES: [u8; 256] = classes();
const WORD: u8 = 0;
const SPACE: u8 = 1;
const WHITE: u8 = 2;
const REFERENCE: u8 = 3;
const PERHAPS: u8 = 4;

#[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled: an index beyond the table does not build")]
const fn classes() -> [u8; 256] {
    let mut table = [WORD; 256];
    let mut at = 0;
    while at < 0x20 {
        table[at] = WHITE;
        at += 1;
    }
    table[b' ' as usize] = SPACE;
    table[0x7F] = WHITE;
    table[b'&' as usize] = REFERENCE;
    // The lead bytes of C1 controls, U+00A0, U+1680, U+2000 to U+205F and U+3000; of U+FEFF and U+FFFE too.
    table[0xC2] = PERHAPS;
    table[0xE1] = PERHAPS;
    table[0xE2] = PERHAPS;
    table[0xE3] = PERHAPS;
    table[0xEF] = PERHAPS;
    table
}

impl Writer {
    fn end_block(&mut self) {
        self.widen(Gap::Block);
        self.broke = false;
    }

    /// A single line break parts words, two part blocks.
    fn line_break(&mut self) {
        self.widen(if self.broke { Gap::Block } else { Gap::Space });
        self.broke = true;
    }

    fn widen(&mut self, gap: Gap) {
        if self.gap < gap && !self.text.is_empty() {
            self.gap = gap;
        }
    }

    /// Text with its references.
    fn push(&mut self, text: &str, attribute: bool) {
        self.write(text, Some(attribute));
    }

    /// Text without references.
    fn raw(&mut self, text: &str) {
        self.write(text, None);
    }

    fn write(&mut self, text: &str, references: Option<bool>) {
        let bytes = text.as_bytes();
        let (mut from, mut at) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            match CLASSES.get(usize::from(*byte)).copied().unwrap_or(WORD) {
                WORD => at += 1,
                // One space between words, the usual case, is copied along with them.
                SPACE
                    if at > from
                        && bytes.get(at + 1).is_some_and(|next| CLASSES.get(usize::from(*next)) == Some(&WORD)) =>
                {
                    at += 2;
                }
                REFERENCE => match references.and_then(|attribute| refs::read(text.get(at..)?, attribute)) {
                    Some(reference) => {
                        self.word(text.get(from..at).unwrap_or_default());
                        self.character(reference.first);
                        reference.second.into_iter().for_each(|second| self.character(second));
                        at += reference.length;
                        from = at;
                    }
                    None => at += 1,
                },
                PERHAPS => {
                    let c = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
                    if unseen(c) {
                        self.word(text.get(from..at).unwrap_or_default());
                        self.character(c);
                        from = at + c.len_utf8();
                    }
                    at += c.len_utf8();
                }
                _ => {
                    self.word(text.get(from..at).unwrap_or_default());
                    self.widen(Gap::Space);
                    at += 1;
                    from = at;
                }
            }
        }
        self.word(text.get(from..).unwrap_or_default());
    }

    fn character(&mut self, c: char) {
        if unseen(c) { self.widen(Gap::Space) } else { self.word(c.encode_utf8(&mut [0; 4])) }
    }

    fn word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        match self.gap {
            Gap::None => {}
            Gap::Space => self.text.push(' '),
            Gap::Block => self.text.push('\n'),
        }
        self.gap = Gap::None;
        self.broke = false;
        self.text.push_str(word);
    }
}

/// White space, controls, and the two that XML forbids: a gap. Joiners and the soft hyphen are part of a word.
fn unseen(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use html5ever::tendril::StrTendril;
    use html5ever::tokenizer::states::RawKind;
    use html5ever::tokenizer::{
        BufferQueue, TagKind, Token as Html, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
    };
    use proptest::strategy::Strategy;

    use super::*;

    #[test]
    fn the_text_of_html_is_what_a_reader_sees() {
        let cases = [
            ("", ""),
            ("  plain \n text ", "plain text"),
            ("AT&amp;T &lt;3 &#8217;&hellip;", "AT&T <3 \u{2019}\u{2026}"),
            ("a & b &unknown; &#; &", "a & b &unknown; &#; &"),
            ("&copy 2026 &notit; &amp;amp;", "\u{A9} 2026 \u{AC}it; &amp;"),
            ("x&nbsp;&nbsp;y\u{A0}\u{3000}z", "x y z"),
            ("&#128;&#0;&#xD800;&#x110000;", "\u{20AC}\u{FFFD}\u{FFFD}\u{FFFD}"),
            ("<p>one</p><p>two</p>", "one\ntwo"),
            ("<p>one <b>bo</b>ld</p>\n\n<ul><li>a<li>b</ul>", "one bold\na\nb"),
            ("a<br>b<br/><br />c<br> <br>d", "a b\nc\nd"),
            ("a<hr>b<td>c<blockquote>d</blockquote>e", "a\nb\nc\nd\ne"),
            ("<script>no < </p></script>a<style>no</style><title>no</title><STYLE>no</Style>b", "ab"),
            ("<template><p>no</p><template>no</template>no</template>yes", "yes"),
            ("<noscript><img alt=no></noscript><svg><text>no</text></svg>yes<svg/>still", "yesstill"),
            ("before<img src=x alt='a &amp; b'>after", "before\na & b\nafter"),
            ("before<img src=x alt=''>after<img>", "beforeafter"),
            ("<a title='x > y' href=z>t</a>", "t"),
            ("1 < 2 <3 a<b", "1 < 2 <3 a"),
            ("a<!-- no > no -->b<!-->c<!--->d<!-- no --!>e<!x>f<?x>g</>h</ x>i", "abcdefghi"),
            ("a<![CDATA[b]]>c", "ac"),
            ("a</", "a</"),
            ("<div", ""),
            ("word<wbr>break so\u{AD}ft", "wordbreak so\u{AD}ft"),
            ("\u{1}a\u{2}b&#3;c", "a b c"),
            ("<textarea>no</textarea><iframe><p>no</iframe>yes", "yes"),
        ];
        for (html, expected) in cases {
            assert_eq!(text(html), expected, "{html}");
        }
    }

    #[test]
    fn the_text_never_grows_beyond_half_of_the_html_more() {
        for html in ["&nGt;", "&#8217;", "&NotEqualTilde;", "<li>x", "&ngE;&ngE;", "&lt", "&acE;"] {
            let html = html.repeat(100);
            assert!(text(&html).len() <= html.len() + html.len() / 2, "{html}");
        }
    }

    /// The same text by html5ever's tokenizer: slow, but by the book.
    #[derive(Default)]
    struct Sink {
        out: RefCell<Option<Writer>>,
        hidden: RefCell<(String, usize)>,
        after_raw: Cell<bool>,
    }

    impl Sink {
        fn tag(&self, name: &str, start: bool, self_closing: bool, alt: Option<&str>) -> TokenSinkResult<()> {
            let mut hidden = self.hidden.borrow_mut();
            let mut out = self.out.borrow_mut();
            let out = out.as_mut().unwrap();
            if hidden.1 > 0 {
                if name == hidden.0 {
                    hidden.1 = if start { hidden.1 + 1 } else { hidden.1 - 1 };
                }
            } else if start && kind(name) == Kind::Hidden {
                *hidden = (name.to_owned(), usize::from(!(self_closing && name == "svg")));
            } else if kind(name) == Kind::Block {
                out.end_block();
            } else if start && kind(name) == Kind::Break {
                out.line_break();
            } else if let (true, Kind::Image, Some(alt)) = (start, kind(name), alt.filter(|alt| !alt.is_empty())) {
                out.end_block();
                out.raw(alt);
                out.end_block();
            }
            let raw = match name {
                _ if !start => return TokenSinkResult::Continue,
                "title" | "textarea" => RawKind::Rcdata,
                "script" | "style" | "xmp" | "iframe" | "noembed" | "noframes" => RawKind::Rawtext,
                _ => return TokenSinkResult::Continue,
            };
            self.after_raw.set(true);
            TokenSinkResult::RawData(raw)
        }
    }

    impl TokenSink for Sink {
        type Handle = ();

        fn process_token(&self, token: Html, _line: u64) -> TokenSinkResult<()> {
            match token {
                Html::TagToken(tag) => {
                    let alt =
                        tag.attrs.iter().find(|attr| &*attr.name.local == "alt").map(|attr| attr.value.to_string());
                    return self.tag(&tag.name, tag.kind == TagKind::StartTag, tag.self_closing, alt.as_deref());
                }
                Html::CharacterTokens(text) if self.hidden.borrow().1 == 0 => {
                    self.out.borrow_mut().as_mut().unwrap().raw(&text);
                }
                _ => {}
            }
            TokenSinkResult::Continue
        }
    }

    fn by_the_book(html: &str) -> String {
        let sink = Sink::default();
        sink.out.replace(Some(Writer { text: String::new(), gap: Gap::None, broke: false }));
        let tokenizer = Tokenizer::new(sink, TokenizerOpts { discard_bom: false, ..TokenizerOpts::default() });
        let queue = BufferQueue::default();
        queue.push_back(StrTendril::from_slice(html));
        let _ = tokenizer.feed(&queue);
        tokenizer.end();
        tokenizer.sink.out.take().unwrap().text
    }

    const PIECES: [&str; 73] = [
        "<",
        ">",
        "/",
        "\"",
        "'",
        "=",
        "&",
        ";",
        "#",
        "x",
        " ",
        "\n",
        "\t",
        "\r",
        "-",
        "!",
        "?",
        "a",
        "b1",
        "<p>",
        "</p>",
        "<br>",
        "<br/>",
        "<img alt=",
        "<img alt='",
        "<IMG ALT=\"",
        "<a b=c>",
        "<a =d>",
        "<a b\"c>",
        "<li",
        "<b/c>",
        "<!--",
        "-->",
        "--!>",
        "<!",
        "<!DOCTYPE html>",
        "<?",
        "</",
        "</ a>",
        "&amp;",
        "&lt;",
        "&#60;",
        "&#x3C",
        "&copy",
        "&copyx",
        "&not",
        "&notin;",
        "&NotEqualTilde;",
        "&acE;",
        "&nbsp;",
        "&#128;",
        "&#xD800;",
        "<script>",
        "</script>",
        "<title>",
        "</title>",
        "<style>",
        "</style >",
        "<template>",
        "</template>",
        "<svg>",
        "<svg/>",
        "</svg>",
        "<noscript>",
        "</noscript>",
        "<xmp>",
        "</xmp>",
        "\u{E9}",
        "\u{A0}",
        "\u{3000}",
        "\u{2026}",
        "\u{FEFF}",
        "\u{1F600}",
    ];

    fn pieces() -> impl Strategy<Value = String> {
        proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(4000))]
        #[test]
        fn the_scan_reads_as_html5ever_does(html in pieces()) {
            proptest::prop_assert_eq!(text(&html), by_the_book(&html));
        }

        #[test]
        fn no_text_makes_it_panic(html in "\\PC{0,60}") {
            proptest::prop_assert_eq!(text(&html), by_the_book(&html));
        }
    }
}
