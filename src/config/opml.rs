//! Subscriptions of another reader: OPML 1 and 2. Folders become tags, `category` too.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::domain::name::Name;

/// Folders within folders, and outlines: more is no list of subscriptions.
const MAX_DEPTH: usize = 64;
const MAX_OUTLINES: usize = 200_000;

/// One subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Outline {
    pub(super) url: String,
    pub(super) title: Option<String>,
    pub(super) tags: Vec<String>,
}

/// Reads a list. The error says why it is none.
pub(super) fn read(text: &str) -> Result<Vec<Outline>, String> {
    let mut reader = Reader::from_str(text);
    let (mut outlines, mut folders, mut root) = (Vec::new(), Vec::<Option<String>>::new(), false);
    loop {
        let event =
            reader.read_event().map_err(|e| format!("it is no XML: {e} at byte {}", reader.error_position()))?;
        match event {
            Event::Start(tag) if is(&tag, "opml") => root = true,
            Event::Start(tag) if is(&tag, "outline") => {
                let folder = outline(&tag, &folders, &mut outlines)?;
                folders.push(folder);
                if folders.len() > MAX_DEPTH {
                    return Err(format!("its folders are nested deeper than {MAX_DEPTH}"));
                }
            }
            Event::Empty(tag) if is(&tag, "outline") => {
                outline(&tag, &folders, &mut outlines)?;
            }
            Event::End(tag) if tag.name().as_ref().eq_ignore_ascii_case("outline") => {
                folders.pop();
            }
            Event::Eof => break,
            _ => {}
        }
        if outlines.len() > MAX_OUTLINES {
            return Err(format!("it has more than {MAX_OUTLINES} subscriptions"));
        }
    }
    if root { Ok(outlines) } else { Err("it is no OPML".to_owned()) }
}

fn is(tag: &BytesStart<'_>, name: &str) -> bool {
    tag.name().as_ref().eq_ignore_ascii_case(name)
}

/// Adds a subscription; gives the folder's tag for one that is a folder.
fn outline(
    tag: &BytesStart<'_>,
    folders: &[Option<String>],
    outlines: &mut Vec<Outline>,
) -> Result<Option<String>, String> {
    let (mut url, mut title, mut text, mut category) = (None, None, None, None);
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|e| format!("an outline is broken: {e}"))?;
        let name = attribute.key.as_ref().to_ascii_lowercase();
        // A bare `&` is common in addresses; it means itself.
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).unwrap_or_else(|_| attribute.value.clone());
        let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        match name.as_str() {
            "xmlurl" => url = value,
            "title" => title = value,
            "text" => text = value,
            "category" => category = value,
            _ => {}
        }
    }
    let title = title.or(text);
    let Some(url) = url else { return Ok(title.map(|title| Name::slug(&title).to_string())) };
    let mut tags: Vec<String> = folders.iter().flatten().cloned().collect();
    let named = category.iter().flat_map(|list| list.split([',', '/'])).map(str::trim).filter(|word| !word.is_empty());
    for tag in named.map(|word| Name::slug(word).to_string()) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    outlines.push(Outline { url, title, tags });
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_categories_become_tags() {
        let text = r#"<?xml version="1.0"?><opml version="2.0"><head><title>x</title></head><body>
            <outline text="World News"><outline type="rss" text="A &amp; B" xmlUrl="https://a.example/rss"/>
              <outline text="Press"><outline title="C" xmlUrl=" https://c.example/rss "/></outline></outline>
            <outline text="D" xmlUrl="https://d.example/rss?a=1&b=2" category="/Tech,ops"/><outline text="empty"/></body></opml>"#;
        let all = read(text).unwrap();
        let tags: Vec<_> = all.iter().map(|outline| outline.tags.join(" ")).collect();
        assert_eq!(tags, ["world-news", "world-news press", "tech ops"]);
        assert_eq!(all[2].url, "https://d.example/rss?a=1&b=2");
        assert_eq!((all[0].title.as_deref(), all[1].url.as_str()), (Some("A & B"), "https://c.example/rss"));
    }

    #[test]
    fn what_is_no_opml_is_refused() {
        for bad in ["", "<html/>", "<opml><body><outline xmlUrl=", "no xml", &"<outline>".repeat(100)] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
