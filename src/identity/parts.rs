//! A parsed http(s) URL in parts that rules can change one by one. What no rule touches is borrowed, never copied.

use std::borrow::Cow;
use std::fmt;

use url::{Position, Url};

/// The parts of a URL. All text is ASCII: the parser has encoded the rest.
#[derive(Clone)]
pub(super) struct Parts<'a> {
    /// `https`, else `http`.
    pub(super) secure: bool,
    /// Empty, or what stands before the host, with its `@`.
    pub(super) user: Cow<'a, str>,
    /// The host; an IPv6 address in brackets.
    pub(super) host: Cow<'a, str>,
    /// Only a port that is not the scheme's own.
    pub(super) port: Option<u16>,
    /// Never empty: it begins with a slash.
    pub(super) path: Cow<'a, str>,
    /// Without its `?`.
    pub(super) query: Option<Cow<'a, str>>,
    /// Without its `#`.
    pub(super) fragment: Option<Cow<'a, str>>,
}

impl<'a> Parts<'a> {
    /// `None` unless it is http(s).
    pub(super) fn of(url: &'a Url) -> Option<Self> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self {
            secure,
            user: Cow::Borrowed(&url[Position::BeforeUsername..Position::BeforeHost]),
            host: Cow::Borrowed(url.host_str()?),
            port: url.port(),
            path: Cow::Borrowed(url.path()),
            query: url.query().map(Cow::Borrowed),
            fragment: url.fragment().map(Cow::Borrowed),
        })
    }

    /// The same parts, borrowed from nothing.
    pub(super) fn owned<'b>(self) -> Parts<'b> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Parts {
            secure: self.secure,
            user: own(self.user),
            host: own(self.host),
            port: self.port,
            path: own(self.path),
            query: self.query.map(own),
            fragment: self.fragment.map(own),
        }
    }

    /// About the length of the URL, in bytes.
    pub(super) fn length(&self) -> usize {
        let part = |text: &Option<Cow<'_, str>>| text.as_ref().map_or(0, |text| text.len() + 1);
        16 + self.user.len() + self.host.len() + self.path.len() + part(&self.query) + part(&self.fragment)
    }

    /// The parameters of the query, as they stand.
    pub(super) fn params(&self) -> impl Iterator<Item = &str> {
        self.query.iter().flat_map(|query| query.split('&'))
    }

    /// Drops the parameters that `drop` names, and a query of which nothing is left. True if it dropped any.
    pub(super) fn drop_params(&mut self, drop: impl Fn(&str) -> bool) -> bool {
        let Some(first) = self.params().position(&drop) else { return false };
        let goes = |place: usize, param: &str| place == first || (place > first && drop(param));
        let kept = self.params().enumerate().filter(|(place, param)| !goes(*place, param));
        let kept: Vec<&str> = kept.map(|(_, param)| param).collect();
        self.query = (!kept.is_empty()).then(|| Cow::Owned(kept.join("&")));
        true
    }

    /// Cuts the path after its first `length` bytes. A path is never empty: `/` is the least.
    pub(super) fn cut_path(&mut self, length: usize) -> bool {
        cut(&mut self.path, length.max(1));
        true
    }
}

/// Cuts a text after its first `length` bytes, without a copy.
pub(super) fn cut(text: &mut Cow<'_, str>, length: usize) {
    match text {
        Cow::Borrowed(text) => *text = text.get(..length).unwrap_or(text),
        Cow::Owned(text) => text.truncate(length),
    }
}

/// The name of a parameter.
pub(super) fn name(param: &str) -> &str {
    param.split_once('=').map_or(param, |(name, _)| name)
}

impl fmt::Display for Parts<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.secure { "https://" } else { "http://" })?;
        out.write_str(&self.user)?;
        out.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(out, ":{port}")?;
        }
        out.write_str(&self.path)?;
        for (mark, part) in [("?", &self.query), ("#", &self.fragment)] {
            if let Some(part) = part {
                out.write_str(mark)?;
                out.write_str(part)?;
            }
        }
        Ok(())
    }
}
