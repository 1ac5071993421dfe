//! What an item came with beside the words of the formats: media, podcasts and places pass through.

use super::xml::{Attribute, Xml};
use super::{View, text};
use crate::domain::element::{Element, VOCABULARIES};

/// The namespaces of what the items came with; that of Media RSS always, which our own elements are of.
pub(super) fn spaces(views: &[View]) -> Vec<Attribute<'static>> {
    const NAMES: [&str; 6] = ["xmlns:media", "xmlns:itunes", "xmlns:podcast", "xmlns:georss", "xmlns:gml", "xmlns:geo"];
    let mut used = VOCABULARIES.map(|(prefix, _)| prefix == "media");
    for element in views.iter().flat_map(|view| &view.item.extras.media) {
        element.each(&mut |part| {
            let prefix = part.parts().0;
            for (used, (known, _)) in used.iter_mut().zip(VOCABULARIES) {
                *used |= known == prefix;
            }
        });
    }
    let all = NAMES.into_iter().zip(VOCABULARIES).zip(used);
    all.filter(|(_, used)| *used).map(|((name, (_, space)), _)| (name, Some(space))).collect()
}

/// Writes them, and the item's picture where none of them is it.
pub(super) fn write(xml: &mut Xml, view: &View) {
    if let Some(image) = view.item.image.as_deref().filter(|image| !names(view, image)).and_then(text::web_link) {
        xml.empty("media:thumbnail", &[("url", Some(&image))]);
    }
    view.item.extras.media.iter().for_each(|element| xml.element(element));
}

/// Whether one of them names an address as that of a file or picture.
pub(super) fn names(view: &View, address: &str) -> bool {
    let mut found = false;
    let mut look = |part: &Element| {
        let file = matches!(&*part.name, "media:content" | "media:thumbnail" | "itunes:image");
        found |= file && ["url", "href"].iter().any(|name| part.attribute(name) == Some(address));
    };
    view.item.extras.media.iter().for_each(|element| element.each(&mut look));
    found
}
