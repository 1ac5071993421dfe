//! Elements of the vocabularies that stand beside RSS and Atom: kept as they came, to be published again.

use serde::{Deserialize, Serialize};

/// The vocabularies that are kept: the prefix under which each is known and published, and its namespace.
pub const VOCABULARIES: [(&str, &str); 6] = [
    ("media", "http://search.yahoo.com/mrss/"),
    ("itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
    ("podcast", "https://podcastindex.org/namespace/1.0"),
    ("georss", "http://www.georss.org/georss"),
    ("gml", "http://www.opengis.net/gml"),
    ("geo", "http://www.w3.org/2003/01/geo/wgs84_pos#"),
];

/// One of their elements, with all in it: `media:content`, `itunes:duration`, `podcast:transcript`, `georss:point`. It holds
/// elements or a text, never both.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Element {
    /// Prefix of [`VOCABULARIES`] and local name.
    pub name: String,
    /// Attributes in their order; addresses among them are absolute.
    #[serde(with = "attributes", default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
    /// Its text, references decoded: HTML source where it says so, or has markup.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub text: String,
    /// The elements in it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub children: Vec<Self>,
}

impl Element {
    /// Prefix and local name.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        self.name.split_once(':').unwrap_or(("", &self.name))
    }

    /// An attribute's value; names are compared without case, as publishers spell them.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// It and all in it, in document order.
    pub fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        for child in &self.children {
            child.each(visit);
        }
    }
}

/// Attributes as a map in JSON.
mod attributes {
    use serde::de::{MapAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(list: &[(String, String)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(list.iter().map(|(key, value)| (key, value)))
    }

    struct Pairs;

    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;

        fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            to.write_str("a map of texts")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut list = Vec::new();
            while let Some(pair) = map.next_entry()? {
                list.push(pair);
            }
            Ok(list)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, String)>, D::Error> {
        from.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_comes_back_from_json_with_its_attributes_in_order() {
        let leaf = |name: &str, text: &str| Element { name: name.into(), text: text.into(), ..Element::default() };
        let element = Element {
            name: "media:group".into(),
            attributes: vec![("z".into(), "1".into()), ("a".into(), "2".into())],
            children: vec![leaf("media:credit", "Ann"), leaf("media:title", "")],
            ..Element::default()
        };
        let json = serde_json::to_string(&element).unwrap();
        let written = r#"{"name":"media:group","attributes":{"z":"1","a":"2"},"children":[{"name":"media:credit","text":"Ann"},{"name":"media:title"}]}"#;
        assert_eq!(json, written);
        assert_eq!(serde_json::from_str::<Element>(&json).unwrap(), element);
        let mut seen = Vec::new();
        element.each(&mut |element| seen.push(element.parts()));
        assert_eq!(seen, [("media", "group"), ("media", "credit"), ("media", "title")]);
    }
}
