//! What a tree of some HTML would cost, bounded before one is built.
//!
//! html5ever's tree takes time and memory that are quadratic in the worst input: each block looks through the open
//! elements, and each unclosed `<b>` is made anew in every block that follows (HTML section 13.2.4.3). The bound here is never
//! too low; sloppy HTML makes it too high, by what is closed out of order.

use super::scan::{Scanner, Tag, Token};

/// Open elements at once.
const MAX_OPEN: usize = 256;
/// Elements that the tree may come to have.
const MAX_ELEMENTS: usize = 400_000;
/// Attributes of one tag: html5ever compares each with all before it.
const MAX_ATTRIBUTES: usize = 64;
/// `<` in raw text after a foreign element, in which `<style>` and the like are no raw text.
const MAX_FOREIGN_TAGS: usize = 100;

/// Elements that are never open.
const VOID: [&str; 18] = [
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link",
    "meta", "param", "source", "track", "wbr",
];

/// Elements that close one another, so that they nest only with others between them, which are counted.
const CLOSED_BY_OTHERS: [&str; 21] = [
    "body", "caption", "colgroup", "dd", "dt", "head", "html", "li", "optgroup", "option", "p", "rb", "rp", "rt",
    "rtc", "tbody", "td", "tfoot", "th", "thead", "tr",
];

/// Elements that are made anew where they were not closed (section 13.2.4.3).
const FORMATTING: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];

fn is_in(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a tree of `html` stays within the bounds.
pub(super) fn is_bounded(html: &str) -> bool {
    let mut open = Open::default();
    let (mut elements, mut foreign_tags, mut foreign) = (0_usize, 0_usize, false);
    for token in Scanner::new(html) {
        match token {
            Token::Open(tag) => {
                foreign |= is_in(&["svg", "math"], tag.name);
                elements += 1 + open.formatting();
                open.open(&tag);
                if tag.attributes().nth(MAX_ATTRIBUTES).is_some() {
                    return false;
                }
            }
            Token::Close(name) => {
                elements += 1 + open.formatting();
                open.close(name);
            }
            Token::Raw(text) | Token::Text(text) if foreign => {
                foreign_tags += text.bytes().filter(|byte| *byte == b'<').count();
            }
            Token::Raw(_) | Token::Text(_) => {}
        }
        if open.stack.len() + open.leaked > MAX_OPEN || elements > MAX_ELEMENTS || foreign_tags > MAX_FOREIGN_TAGS {
            return false;
        }
    }
    true
}

/// The elements that are open at most.
#[derive(Default)]
struct Open<'a> {
    /// Name, and whether it is formatting.
    stack: Vec<(&'a str, bool)>,
    /// Formatting elements in `stack`.
    held: usize,
    /// Formatting elements whose parent was closed before them: they come back in each block.
    leaked: usize,
}

impl<'a> Open<'a> {
    fn formatting(&self) -> usize {
        self.held + self.leaked
    }

    fn open(&mut self, tag: &Tag<'a>) {
        if is_in(&VOID, tag.name) || is_in(&CLOSED_BY_OTHERS, tag.name) {
            return;
        }
        // A link in a link closes the outer one (section 13.2.6.4.7).
        if tag.name.eq_ignore_ascii_case("a") {
            self.close(tag.name);
        }
        let formatting = is_in(&FORMATTING, tag.name);
        self.held += usize::from(formatting);
        self.stack.push((tag.name, formatting));
    }

    /// Closes an element only where it is certain that the tree does: nothing but formatting is open inside of it.
    fn close(&mut self, name: &str) {
        let top = self.stack.iter().rev().take_while(|(_, formatting)| *formatting).count();
        let certain = self.stack.len().saturating_sub(top + 1);
        let Some(at) = self.stack.iter().rposition(|(open, _)| open.eq_ignore_ascii_case(name)) else { return };
        if at < certain {
            return;
        }
        if self.stack.get(at).is_some_and(|(_, formatting)| *formatting) {
            self.stack.remove(at);
            self.held -= 1;
        } else {
            self.stack.truncate(at);
            self.held -= top;
            self.leaked += top;
        }
    }
}
