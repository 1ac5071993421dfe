//! The operator's own copy of ClearURLs' `data.min.json`, read into our table: what is literal becomes a name on a host,
//! the rest stays a regular expression (linear in the URL, bounded in size).
//!
//! Left out: `referralMarketing` and `completeProvider`, which are about what a person clicks, and what its rules for
//! every host say of names of up to three letters (`utm`, `mc`, `spm`): on some site those mean something.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use super::params::{Folded, LONGEST_NAME, Names};
use super::parts::Parts;
use super::table::{Bound, Place, Table, Wrong};

/// Compiled, in bytes, for one expression.
const LARGEST: usize = 1 << 20;
/// A name that a rule for every host may take is longer than this, in bytes.
const TOO_BROAD: usize = 3;

#[derive(Deserialize)]
struct File {
    providers: BTreeMap<String, Given>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    url_pattern: String,
    #[serde(default)]
    rules: Vec<String>,
    #[serde(default)]
    raw_rules: Vec<String>,
    #[serde(default)]
    exceptions: Vec<String>,
    #[serde(default)]
    redirections: Vec<String>,
}

/// What could not become a name on a host.
#[derive(Clone, Debug)]
pub(super) struct Provider {
    /// `None`: every host.
    host: Option<String>,
    /// On top of the host. `None`: all of its URLs.
    url: Option<Regex>,
    names: Option<Regex>,
    raw: Vec<Regex>,
    exceptions: Vec<Regex>,
    redirections: Vec<Regex>,
}

/// True if the text is such a file, and not one of ours.
pub(super) fn is_one(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Lays the file on the table.
pub(super) fn add(table: &mut Table, text: &str) -> Result<(), Wrong> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        let before = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        Wrong(before, format!("This is no data.min.json of ClearURLs: {error}."))
    })?;
    for given in file.providers.values() {
        table.add_provider(given);
    }
    Ok(())
}

impl Table {
    fn add_provider(&mut self, given: &Given) {
        // Without one of its exceptions a provider would act where it must not.
        let Some(exceptions) = given.exceptions.iter().map(|text| expression(text)).collect::<Option<Vec<_>>>() else {
            return;
        };
        let pattern = given.url_pattern.as_str();
        let (host, url) = match (pattern, host_of(pattern)) {
            (".*", _) => (None, None),
            (_, Some((host, true))) => (Some(host), None),
            (_, found) => match expression(pattern) {
                Some(url) => (found.map(|(host, _)| host), Some(url)),
                None => return,
            },
        };
        let mut literal = Names::default();
        let mut rest = Vec::new();
        for rule in &given.rules {
            match (&host, literal_name(rule)) {
                (Some(_), Some(name)) if url.is_none() && exceptions.is_empty() => literal.add(&name),
                _ => rest.push(format!("(?:{rule})")),
            }
        }
        if let Some(host) = host.as_deref().filter(|_| !literal.is_empty()) {
            self.hosts.add(host, Bound { place: Place::Anywhere, names: Arc::new(literal) });
        }
        // One that is too large, or asks for what is not linear, is left out: it would only have taken more away.
        let names = (!rest.is_empty()).then(|| expression(&format!("^(?:{})$", rest.join("|")))).flatten();
        let all = |texts: &[String]| texts.iter().filter_map(|text| expression(text)).collect::<Vec<_>>();
        let provider = Provider {
            host,
            url,
            names,
            raw: all(&given.raw_rules),
            exceptions,
            redirections: all(&given.redirections),
        };
        if provider.names.is_some() || !provider.raw.is_empty() || !provider.redirections.is_empty() {
            self.providers.push(provider);
        }
    }
}

impl Provider {
    /// True if it acts on this URL.
    pub(super) fn is_for(&self, host: &str, url: &str) -> bool {
        self.host.as_deref().is_none_or(|known| is_below(host, known))
            && self.url.as_ref().is_none_or(|pattern| pattern.is_match(url))
            && !self.exceptions.iter().any(|exception| exception.is_match(url))
    }

    /// True if the parameter tracks here.
    pub(super) fn names(&self, param: &str) -> bool {
        let Some(names) = &self.names else { return false };
        let folded = Folded::of(param);
        let Ok(name) = std::str::from_utf8(folded.bytes()) else { return false };
        let broad = self.host.is_none() && self.url.is_none() && name.len() <= TOO_BROAD;
        !broad && name.len() < LONGEST_NAME && names.is_match(name)
    }

    /// The path without what tracks in it.
    pub(super) fn shorter_path(&self, parts: &Parts<'_>) -> Option<String> {
        let mut path = parts.path.clone().into_owned();
        for raw in &self.raw {
            path = raw.replace_all(&path, "").into_owned();
        }
        (path.len() < parts.path.len()).then(|| if path.starts_with('/') { path } else { format!("/{path}") })
    }

    /// The encoded target of a redirector.
    pub(super) fn target<'a>(&self, url: &'a str) -> Option<&'a str> {
        self.redirections.iter().find_map(|pattern| Some(pattern.captures(url)?.get(1)?.as_str()))
    }
}

fn expression(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).case_insensitive(true).size_limit(LARGEST).build().ok()
}

fn is_below(host: &str, known: &str) -> bool {
    let end = |known: &str| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    match known.strip_suffix(".*") {
        None => end(known),
        // `amazon.*`: what stands behind the name is one or two labels.
        Some(family) => {
            let labels: Vec<&str> = host.split('.').collect();
            labels.iter().rev().skip(1).take(2).any(|label| *label == family)
        }
    }
}

/// The host of a pattern as they are written there, and whether the host says it all.
fn host_of(pattern: &str) -> Option<(String, bool)> {
    let rest = pattern.strip_prefix("^https?:")?;
    let rest = rest.strip_prefix("\\/\\/").or_else(|| rest.strip_prefix("//"))?;
    let (below, mut rest) = match rest.strip_prefix("(?:[a-z0-9-]+\\.)*?") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let mut host = String::new();
    while let Some(first) = rest.chars().next() {
        let (letter, length) = match first {
            '\\' if rest.starts_with("\\.") => ('.', 2),
            '\\' if rest.starts_with("\\-") => ('-', 2),
            'a'..='z' | '0'..='9' | '-' | '.' => (first, 1),
            _ => break,
        };
        host.push(letter);
        rest = rest.get(length..).unwrap_or_default();
    }
    if let Some(after) = rest.strip_prefix("(?:\\.[a-z]{2,}){1,}") {
        host.push_str(".*");
        rest = after;
    }
    // A quantifier or a group would belong to the last letter.
    let whole = rest.is_empty();
    (host.contains('.') && (whole || rest.starts_with("\\/"))).then_some((host, whole && below))
}

/// The name that a rule means, if it means one.
fn literal_name(rule: &str) -> Option<String> {
    let is_name =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':'));
    (!rule.is_empty() && rule.len() <= LONGEST_NAME && is_name(rule)).then(|| rule.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_gives_its_host() {
        for (pattern, host) in [
            (r"^https?:\/\/(?:[a-z0-9-]+\.)*?e-x\.org", Some(("e-x.org", true))),
            (r"^https?:\/\/(?:[a-z0-9-]+\.)*?shop(?:\.[a-z]{2,}){1,}", Some(("shop.*", true))),
            (r"^https?:\/\/(?:[a-z0-9-]+\.)*?e\.org\/search\?", Some(("e.org", false))),
            (r"^https?:\/\/e\.org", Some(("e.org", false))),
            (r"^https?:\/\/(?:[a-z0-9-]+\.)*?e\.co(?:m|\.jp)", None),
            (r"https?:\/\/e\.org", None),
            (r".*", None),
        ] {
            assert_eq!(host_of(pattern), host.map(|(host, whole)| (host.to_owned(), whole)), "{pattern}");
        }
    }
}
