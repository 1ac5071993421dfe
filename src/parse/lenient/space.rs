//! Namespaces by family: publishers misspell them, so they are compared without scheme, case and closing marks, and a prefix
//! that was never declared means what it usually means.

use memchr::memmem;

use super::scan::{Attributes, Tag, prefix};
use crate::parse::limits::MAX_NAMESPACES;

/// What an element belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::parse) enum Family {
    /// RSS 0.90 to 2.0, and CDF.
    Rss,
    /// Atom 0.3 and 1.0.
    Atom,
    /// RDF itself.
    Rdf,
    /// Dublin Core, elements and terms.
    Dc,
    /// `content:encoded`.
    Content,
    /// Media RSS.
    Media,
    /// Apple's podcasts.
    Itunes,
    /// XHTML.
    Xhtml,
    /// `FeedBurner` and Pheedo.
    Burner,
    /// Podcasting 2.0.
    Podcast,
    /// Comments of the well-formed web.
    Wfw,
    /// Places: `GeoRSS`.
    Georss,
    /// The geography in it.
    Gml,
    /// The W3C's latitude and longitude.
    Geo,
    /// Creative Commons, of RSS and of RDF.
    License,
    /// Something else, that means nothing here.
    Other,
}

impl Family {
    /// The prefix under which elements of it are kept and published ([`VOCABULARIES`]); none for those that mean something else.
    ///
    /// [`VOCABULARIES`]: crate::domain::element::VOCABULARIES
    pub(super) fn vocabulary(self) -> Option<&'static str> {
        match self {
            Self::Media => Some("media"),
            Self::Itunes => Some("itunes"),
            Self::Podcast => Some("podcast"),
            Self::Georss => Some("georss"),
            Self::Gml => Some("gml"),
            Self::Geo => Some("geo"),
            _ => None,
        }
    }
}

/// Addresses without scheme, `www.`, case and closing `/` or `#`.
const FAMILIES: [(&str, Family); 40] = [
    ("w3.org/2005/atom", Family::Atom),
    ("purl.org/atom/ns", Family::Atom),
    ("purl.org/atom", Family::Atom),
    ("example.com/newformat", Family::Atom),
    ("example.com/necho", Family::Atom),
    ("purl.org/echo", Family::Atom),
    ("purl.org/pie", Family::Atom),
    ("uri/of/echo/namespace", Family::Atom),
    ("purl.org/rss/1.0", Family::Rss),
    ("purl.org/net/rss1.1", Family::Rss),
    ("my.netscape.com/rdf/simple/0.9", Family::Rss),
    ("channel.netscape.com/rdf/simple/0.9", Family::Rss),
    ("my.netscape.com/publish/formats/rss-0.91.dtd", Family::Rss),
    ("backend.userland.com/rss", Family::Rss),
    ("blogs.law.harvard.edu/tech/rss", Family::Rss),
    ("w3.org/1999/02/22-rdf-syntax-ns", Family::Rdf),
    ("purl.org/dc/elements/1.1", Family::Dc),
    ("purl.org/dc/elements/1.0", Family::Dc),
    ("purl.org/dc/terms", Family::Dc),
    ("purl.org/rss/1.0/modules/dcterms", Family::Dc),
    ("purl.org/rss/1.0/modules/content", Family::Content),
    ("search.yahoo.com/mrss", Family::Media),
    ("search.yahoo.com/rss", Family::Media),
    ("video.search.yahoo.com/mrss", Family::Media),
    ("tools.search.yahoo.com/mrss", Family::Media),
    ("itunes.com/dtds/podcast-1.0.dtd", Family::Itunes),
    ("itunes.com/dtds/podcast-1.0", Family::Itunes),
    ("itunes.com/dtds/podcast", Family::Itunes),
    ("example.com/dtds/podcast-1.0.dtd", Family::Itunes),
    ("w3.org/1999/xhtml", Family::Xhtml),
    ("podcastindex.org/namespace/1.0", Family::Podcast),
    ("github.com/podcastindex-org/podcast-namespace/blob/main/docs/1.0.md", Family::Podcast),
    ("wellformedweb.org/commentapi", Family::Wfw),
    ("georss.org/georss", Family::Georss),
    ("georss.org/georss/10", Family::Georss),
    ("opengis.net/gml", Family::Gml),
    ("w3.org/2003/01/geo/wgs84_pos", Family::Geo),
    ("backend.userland.com/creativecommonsrssmodule", Family::License),
    ("cyber.law.harvard.edu/rss/creativecommonsrssmodule.html", Family::License),
    ("web.resource.org/cc", Family::License),
];

/// The family of a namespace's address.
pub(in crate::parse) fn family(uri: &str) -> Family {
    let mut folded = uri.trim().to_ascii_lowercase();
    folded.truncate(folded.trim_end_matches(['/', '#', '.']).len());
    let bare = folded.strip_prefix("http://").or_else(|| folded.strip_prefix("https://")).unwrap_or(&folded);
    let bare = bare.strip_prefix("www.").unwrap_or(bare);
    if let Some((_, family)) = FAMILIES.iter().find(|(key, _)| *key == bare) {
        return *family;
    }
    if bare.contains("feedburner") || bare.contains("pheedo") {
        return Family::Burner;
    }
    if bare.starts_with("backend.userland.com/rss") {
        return Family::Rss;
    }
    Family::Other
}

/// What a prefix usually stands for.
fn usual(prefix: &str) -> Family {
    const PREFIXES: [(&str, Family); 19] = [
        ("atom", Family::Atom),
        ("a10", Family::Atom),
        ("rss", Family::Rss),
        ("rdf", Family::Rdf),
        ("dc", Family::Dc),
        ("dcterms", Family::Dc),
        ("content", Family::Content),
        ("media", Family::Media),
        ("itunes", Family::Itunes),
        ("xhtml", Family::Xhtml),
        ("podcast", Family::Podcast),
        ("wfw", Family::Wfw),
        ("georss", Family::Georss),
        ("gml", Family::Gml),
        ("geo", Family::Geo),
        ("creativecommons", Family::License),
        ("cc", Family::License),
        ("feedburner", Family::Burner),
        ("pheedo", Family::Burner),
    ];
    PREFIXES.iter().find(|(known, _)| known.eq_ignore_ascii_case(prefix)).map_or(Family::Other, |(_, family)| *family)
}

/// The declarations that are in force.
#[derive(Debug)]
pub(super) struct Spaces<'a> {
    list: Vec<(usize, &'a str, Family)>,
    root: Family,
}

impl<'a> Spaces<'a> {
    /// Of a document whose unprefixed elements are of `root` by the name of its root.
    pub(super) fn new(root: Family) -> Self {
        Self { list: Vec::new(), root }
    }

    /// Takes the declarations of a tag at `depth`. The root element's own namespace is known by its name, whatever it declares.
    pub(super) fn enter(&mut self, tag: &Tag<'a>, depth: usize) {
        if memmem::find(tag.inside.as_bytes(), b"xmlns").is_none() {
            return;
        }
        for (key, uri) in Attributes(tag.inside) {
            let bound = match key.split_once(':') {
                Some((space, prefix)) if space.eq_ignore_ascii_case("xmlns") => prefix,
                None if key.eq_ignore_ascii_case("xmlns") => "",
                _ => continue,
            };
            let family = match family(uri) {
                Family::Other if bound.is_empty() && depth <= 1 => self.root,
                family if bound.is_empty() && self.root == Family::Rss && depth <= 1 && family != Family::Rdf => {
                    Family::Rss
                }
                Family::Other if uri.trim().is_empty() => self.root,
                family => family,
            };
            if self.list.len() < MAX_NAMESPACES {
                self.list.push((depth, bound, family));
            }
        }
    }

    /// Forgets what was declared deeper than `depth`.
    pub(super) fn leave(&mut self, depth: usize) {
        while self.list.last().is_some_and(|(declared, ..)| *declared > depth) {
            self.list.pop();
        }
    }

    /// The family of a name, and whether that is a guess: its prefix was never declared, and is taken for what it usually means.
    pub(super) fn of(&self, name: &str) -> (Family, bool) {
        let prefix = prefix(name);
        let declared = self.list.iter().rev().find(|(_, bound, _)| *bound == prefix).map(|(.., family)| *family);
        match declared {
            Some(family) => (family, false),
            None if prefix.is_empty() => (self.root, false),
            None => (usual(prefix), true),
        }
    }
}
