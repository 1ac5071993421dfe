//! Elements that are passed on: their texts cleaned where they have markup, their attributes without what could do harm.

use url::Url;

use super::clean::clean;
use crate::domain::element::Element;

/// Schemes that no attribute that is passed on may have: what they name runs, or is read from somebody's disk.
const HARMFUL: [&str; 6] = ["javascript", "vbscript", "data", "file", "blob", "about"];

/// Makes elements fit to be published. Links in their HTML become absolute against `base`.
pub fn media(elements: &mut [Element], base: Option<&Url>) {
    for element in elements {
        // A text without markup is the same as HTML and as plain text, but for the references in it: those stay as they are.
        if element.text.contains('<') {
            element.text = clean(&element.text, base);
        }
        element.attributes.retain(|(_, value)| !is_harmful(value));
        media(&mut element.children, base);
    }
}

/// Whether a reader that takes the value for an address would be harmed. URLs may have blanks and control characters in front
/// and within the scheme (WHATWG URL 4.4).
fn is_harmful(value: &str) -> bool {
    let Some((scheme, _)) = value.split_once(':') else { return false };
    let bare: String = scheme.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    HARMFUL.iter().any(|name| bare.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_lose_scripts_and_harmful_addresses_and_nothing_else() {
        let leaf = |attributes: &[(&str, &str)], text: &str| Element {
            name: "media:description".to_owned(),
            attributes: attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            text: text.to_owned(),
            children: Vec::new(),
        };
        let mut elements = vec![
            leaf(&[("url", "https://a.example/1"), ("role", "author")], "AT&T & more"),
            leaf(&[("href", " java\tscript:alert(1)"), ("type", "html")], "<b onclick=x()>A</b><script>y()</script>"),
        ];
        elements[0].children.push(leaf(&[("x", "data:text/html,x"), ("t", "12:30")], "<i>in</i>"));
        media(&mut elements, None);
        assert_eq!(elements[0].text, "AT&T & more");
        assert_eq!(elements[0].attributes.len(), 2);
        assert_eq!(elements[1].attributes, [("type".to_owned(), "html".to_owned())]);
        assert_eq!(elements[1].text, "<b>A</b>");
        let child = &elements[0].children[0];
        assert_eq!((child.text.as_str(), child.attributes.len()), ("<i>in</i>", 1));
    }
}
