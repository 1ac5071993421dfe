//! The rules' data: names that track, redirectors, twins of hosts. Ours is compiled in; an operator's file in the same
//! format is laid on top.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, LazyLock};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::clearurls::Provider;
use super::params::{LONGEST_NAME, Names, Quick};

/// The version of the code that makes keys. Whoever changes what a rule does raises it, so that stored keys are made anew.
pub(super) const CODE: u64 = 3;

/// The tables that are compiled in.
pub(super) const OURS: &[(&str, &str)] = &[
    ("tracking.toml", include_str!("table/tracking.toml")),
    ("hosts.toml", include_str!("table/hosts.toml")),
    ("redirectors.toml", include_str!("table/redirectors.toml")),
    ("twins.toml", include_str!("table/twins.toml")),
];

/// Built when the first key is asked for: a poll that finds nothing new never needs it.
static BUILTIN: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table::default();
    for (_, text) in OURS {
        // A test reads each of them: a mistake in our own table does not get as far as here.
        let _ = table.add(text);
    }
    table
});

/// What a name holds for: hosts by suffix, and families of hosts (`amazon.*`).
#[derive(Clone, Debug)]
pub(super) struct Hosts<T> {
    below: ByHost<Vec<T>>,
    families: ByHost<Vec<T>>,
}

type ByHost<T> = HashMap<Box<str>, T, BuildHasherDefault<Quick>>;

impl<T> Default for Hosts<T> {
    fn default() -> Self {
        Self { below: HashMap::default(), families: HashMap::default() }
    }
}

impl<T> Hosts<T> {
    /// All that holds for the host, the most exact first.
    pub(super) fn of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a T> {
        let end = registry(host);
        suffixes(host).flat_map(move |suffix| {
            let family = family(suffix, end).and_then(|name| self.families.get(name));
            self.below.get(suffix).into_iter().chain(family).flatten()
        })
    }

    /// What holds for this very host, and not for those below it.
    pub(super) fn exactly(&self, host: &str) -> Option<&T> {
        let found = self.below.get(host).or_else(|| self.families.get(family(host, registry(host))?));
        found.and_then(|found| found.first())
    }

    /// All that holds for this very host.
    pub(super) fn all_exactly<'a>(&'a self, host: &str) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let family = || self.families.get(family(host, registry(host))?);
        self.below.get(host).or_else(family).into_iter().flatten()
    }

    pub(super) fn add(&mut self, host: &str, what: T) {
        let (map, host) = match host.strip_suffix(".*") {
            Some(family) => (&mut self.families, family),
            None => (&mut self.below, host),
        };
        map.entry(host.into()).or_default().push(what);
    }
}

/// The host itself, then what is left behind each of its dots.
fn suffixes(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(host), |host| host.split_once('.').map(|(_, rest)| rest))
}

/// The ending under which one company has its country's site: `com`, `de`, `co.uk`, `com.au`. Empty: there is none.
fn registry(host: &str) -> &str {
    let after = |dots: usize| host.rmatch_indices('.').nth(dots).and_then(|(at, _)| host.get(at + 1..));
    let is_country = |end: &str| end.len() == 2 && end.bytes().all(|byte| byte.is_ascii_lowercase());
    let two =
        after(1).filter(|end| ["com.", "co."].iter().any(|second| end.strip_prefix(second).is_some_and(is_country)));
    two.or_else(|| after(0).filter(|end| *end == "com" || is_country(end))).unwrap_or_default()
}

/// What stands before that ending: `amazon`, `market.yandex`.
fn family<'a>(host: &'a str, end: &str) -> Option<&'a str> {
    host.strip_suffix(end).filter(|_| !end.is_empty())?.strip_suffix('.')
}

/// Where on a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Everywhere.
    Anywhere,
    /// At this path and below it.
    Below(Box<str>),
    /// Where the path contains it.
    Containing(Box<str>),
}

impl Place {
    /// Of what stands behind the host: `/path`, `/*part`, or nothing.
    fn of(path: &str) -> Self {
        match path.strip_prefix("/*") {
            _ if path.trim_end_matches('/').is_empty() => Self::Anywhere,
            Some(part) => Self::Containing(part.into()),
            None => Self::Below(path.trim_end_matches('/').into()),
        }
    }

    pub(super) fn is_at(&self, path: &str) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Containing(part) => path.contains(&**part),
            Self::Below(_) => self.rest(path).is_some(),
        }
    }

    /// What follows in the path. Letter case means nothing: `/L0/`, `/l0/`.
    pub(super) fn rest<'a>(&self, path: &'a str) -> Option<&'a str> {
        let Self::Below(known) = self else { return Some(path) };
        let (start, rest) = path.split_at_checked(known.len())?;
        (start.eq_ignore_ascii_case(known) && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
    }
}

/// Names that track at a place.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) place: Place,
    /// One set for all the places of a line.
    pub(super) names: Arc<Names>,
}

/// Where a redirector keeps its target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// In a parameter, by its folded name.
    Param(Box<str>),
    /// It is the query.
    Query,
    /// It follows in the path.
    Path,
    /// It follows this text in a segment of the path.
    Segment(Box<str>),
    /// It stands between `__` and `__;`.
    Underscores,
    /// It stands between `___` and `___.`.
    LongUnderscores,
    /// In a parameter, in the writing of Proofpoint's second version: `-3A` for `%3A`, `_` for `/`.
    Dashes(Box<str>),
}

/// A host that is another one, at a place.
#[derive(Clone, Debug)]
pub(super) struct Same {
    pub(super) place: Place,
    pub(super) to: Box<str>,
}

/// An address that leads on.
#[derive(Clone, Debug)]
pub(super) struct Redirector {
    pub(super) place: Place,
    pub(super) targets: Vec<Target>,
}

/// All of it.
#[derive(Clone, Default, Debug)]
pub(super) struct Table {
    pub(super) tracking: Names,
    pub(super) hosts: Hosts<Bound>,
    pub(super) redirectors: Hosts<Redirector>,
    pub(super) mobile: Hosts<()>,
    pub(super) amp: Hosts<()>,
    /// The part of a path by which a site marks its AMP pages, with its slashes.
    pub(super) amp_sections: Hosts<Box<str>>,
    pub(super) same: Hosts<Same>,
    /// `*.m.wikipedia.org` and where it leads.
    pub(super) editions: Vec<(Box<str>, Box<str>)>,
    pub(super) providers: Vec<Provider>,
    /// Rules that a file switches off, as written.
    pub(super) off: Vec<String>,
}

/// What is wrong with a file: where (in bytes), and the sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wrong(pub(super) usize, pub(super) String);

impl Table {
    /// Ours.
    pub(super) fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Lays a file in our format on top.
    pub(super) fn add(&mut self, text: &str) -> Result<(), Wrong> {
        let file = DeTable::parse(text).map_err(|error| {
            let message = error.message().trim().trim_end_matches('.').replace('\n', "; ");
            Wrong(error.span().map_or(0, |span| span.start), format!("This is no TOML: {message}."))
        })?;
        for (key, value) in file.get_ref() {
            match key.get_ref().as_ref() {
                "tracking" => words(value)?.try_for_each(|(at, word)| self.add_tracking(at, word))?,
                "mobile" => add_hosts(&mut self.mobile, value)?,
                "amp" => add_hosts(&mut self.amp, value)?,
                "off" => self.off.extend(words(value)?.map(|(_, word)| word.to_owned())),
                "hosts" => self.add_lines(value)?,
                "redirectors" => entries(value, |at, place, value| self.add_redirector(at, place, value))?,
                "same" => entries(value, |at, host, value| self.add_same(at, host, value))?,
                "amp-sections" => entries(value, |at, host, value| self.add_amp_section(at, host, value))?,
                other => {
                    let known = "tracking, mobile, amp, off, [hosts], [redirectors], [same], [amp-sections]";
                    return Err(Wrong(
                        key.span().start,
                        format!("There is no `{other}` in a file of rules; known: {known}."),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Each host with each of its names, where the name tracks on the whole host.
    #[cfg(test)]
    pub(super) fn everywhere(&self) -> impl Iterator<Item = (String, &str)> {
        let below = self.hosts.below.iter().map(|(host, bounds)| (host.to_string(), bounds));
        let families = self.hosts.families.iter().map(|(host, bounds)| (format!("{host}.com"), bounds));
        below.chain(families).flat_map(|(host, bounds)| {
            let whole = bounds.iter().filter(|bound| bound.place == Place::Anywhere);
            whole.flat_map(move |bound| {
                let host = host.clone();
                bound.names.iter().map(move |name| (host.clone(), name))
            })
        })
    }

    fn add_tracking(&mut self, at: usize, name: &str) -> Result<(), Wrong> {
        self.tracking.add(named(at, name)?);
        Ok(())
    }

    /// Each line of `[hosts]`: places, and the names that track there.
    fn add_lines(&mut self, value: &Spanned<DeValue<'_>>) -> Result<(), Wrong> {
        for (key, value) in lines(value)? {
            let mut names = Names::default();
            for (at, name) in words(value)? {
                names.add(named(at, name)?);
            }
            let names = Arc::new(names);
            for written in key.get_ref().split_whitespace() {
                let (host, place) = placed(key.span().start, written)?;
                self.hosts.add(host, Bound { place, names: Arc::clone(&names) });
            }
        }
        Ok(())
    }

    fn add_redirector(&mut self, at: usize, written: &str, value: &Spanned<DeValue<'_>>) -> Result<(), Wrong> {
        let (host, place) = placed(at, written)?;
        let target = |(at, word): (usize, &str)| {
            Ok(match word.strip_prefix('/') {
                None if word == "?" => Target::Query,
                None if word.starts_with('-') => Target::Dashes(named(at, word.trim_start_matches('-'))?.into()),
                None => Target::Param(named(at, word)?.into()),
                Some("") => Target::Path,
                Some("__") => Target::Underscores,
                Some("___") => Target::LongUnderscores,
                Some(marker) => Target::Segment(marker.into()),
            })
        };
        let targets = words(value)?.map(target).collect::<Result<_, Wrong>>()?;
        self.redirectors.add(host, Redirector { place, targets });
        Ok(())
    }

    fn add_same(&mut self, at: usize, host: &str, value: &Spanned<DeValue<'_>>) -> Result<(), Wrong> {
        let Some((to_at, to)) = words(value)?.next() else {
            return Err(Wrong(value.span().start, format!("`{host}` is the same as which host?")));
        };
        match (host.strip_prefix('*'), to.strip_prefix('*')) {
            (Some(from), Some(to)) if from.starts_with('.') && to.starts_with('.') => {
                self.editions.push((checked(at, from)?.into(), checked(to_at, to)?.into()));
            }
            _ => {
                let (host, place) = placed(at, host)?;
                self.same.add(host, Same { place, to: checked(to_at, to)?.into() });
            }
        }
        Ok(())
    }

    fn add_amp_section(&mut self, at: usize, host: &str, value: &Spanned<DeValue<'_>>) -> Result<(), Wrong> {
        let host = checked(at, host)?;
        for (at, section) in words(value)? {
            if section.len() < 3 || !section.starts_with('/') || !section.ends_with('/') {
                return Err(Wrong(at, format!("`{section}` is no part of a path: write it as in `/amp/`.")));
            }
            self.amp_sections.add(host, section.into());
        }
        Ok(())
    }
}

fn add_hosts(to: &mut Hosts<()>, value: &Spanned<DeValue<'_>>) -> Result<(), Wrong> {
    for (at, host) in words(value)? {
        to.add(checked(at, host)?, ());
    }
    Ok(())
}

/// Each host (or place) of a table with its value; a key may name several, with spaces between.
fn entries<'a>(
    value: &'a Spanned<DeValue<'a>>,
    mut each: impl FnMut(usize, &'a str, &'a Spanned<DeValue<'a>>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    for (key, value) in lines(value)? {
        for place in key.get_ref().split_whitespace() {
            each(key.span().start, place, value)?;
        }
    }
    Ok(())
}

fn lines<'a>(value: &'a Spanned<DeValue<'a>>) -> Result<&'a DeTable<'a>, Wrong> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        _ => Err(Wrong(value.span().start, "This has to be a table: host = \"names\".".to_owned())),
    }
}

/// The words of a text, or of a list of texts, with their place.
fn words<'a>(value: &'a Spanned<DeValue<'a>>) -> Result<impl Iterator<Item = (usize, &'a str)>, Wrong> {
    let wrong = |value: &Spanned<DeValue<'_>>| {
        Wrong(value.span().start, "This has to be a text of words, or a list of texts.".to_owned())
    };
    let items = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    };
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        let DeValue::String(text) = item.get_ref() else { return Err(wrong(item)) };
        texts.push((item.span().start, text.as_ref()));
    }
    Ok(texts.into_iter().flat_map(|(at, text)| text.split_whitespace().map(move |word| (at, word))))
}

/// `host/path`, taken apart.
fn placed(at: usize, written: &str) -> Result<(&str, Place), Wrong> {
    let (host, path) = written.split_at(written.find('/').unwrap_or(written.len()));
    Ok((checked(at, host)?, Place::of(path)))
}

/// A host as the URL parser writes it, or a family of hosts. Without `www.`: keys have none where this is asked.
fn checked(at: usize, host: &str) -> Result<&str, Wrong> {
    let host = host.strip_prefix("www.").unwrap_or(host);
    let name = host.strip_suffix(".*").unwrap_or(host);
    let is_host = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_'));
    if is_host && (name.contains('.') || host.ends_with(".*")) {
        return Ok(host);
    }
    Err(Wrong(at, format!("`{host}` is no host: write it in lower case, like example.org or example.*.")))
}

/// A name, or a beginning with its `*`, as names are compared.
pub(super) fn named(at: usize, name: &str) -> Result<&str, Wrong> {
    let bare = name.strip_suffix('*').unwrap_or(name);
    let fits = (1..=LONGEST_NAME).contains(&bare.len()) && bare.is_ascii() && !bare.contains(['*', '%', '&', '=']);
    if fits && !bare.bytes().any(|byte| byte.is_ascii_uppercase()) && (bare.len() > 1 || bare == name) {
        return Ok(name);
    }
    Err(Wrong(at, format!("`{name}` is no name of a parameter: lower case, decoded, `*` at its end only.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_tables_are_read_to_the_end() {
        let mut table = Table::default();
        for (file, text) in OURS {
            assert_eq!(table.add(text), Ok(()), "{file}");
        }
        assert!(table.hosts.below.len() + table.hosts.families.len() >= 400);
        assert!(table.hosts.families.len() >= 20);
    }

    #[test]
    fn each_host_has_names() {
        let table = Table::builtin();
        for (host, bounds) in table.hosts.below.iter().chain(&table.hosts.families) {
            for bound in bounds {
                assert!(!bound.names.is_empty(), "{host}");
            }
        }
    }

    #[test]
    fn families_are_countries_and_nothing_else() {
        let table = Table::builtin();
        let has = |host: &str| table.hosts.of(host).any(|bound| bound.names.has(b"qid"));
        for host in ["amazon.com", "www.amazon.de", "smile.amazon.co.uk", "amazon.com.au", "amazon.co.jp"] {
            assert!(has(host), "{host}");
        }
        assert!(table.hosts.of("market.yandex.ru").any(|bound| bound.names.has(b"mclid")));
        assert!(!table.hosts.of("yandex.ru").any(|bound| bound.names.has(b"mclid")));
        for host in ["amazon.example.org", "amazon.evil.com", "notamazon.com", "amazon", "amazon.blog", "com.amazon"] {
            assert!(!has(host), "{host}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, at, part) in [
            ("tracking = 1", 11, "text of words"),
            ("tracking = [\"a\", 1]", 17, "text of words"),
            ("hosts = \"x\"", 8, "has to be a table"),
            ("[hosts]\nEXAMPLE = \"a\"", 8, "no host"),
            ("[hosts]\n\"a.example\" = \"A\"", 22, "no name"),
            ("[hosts]\n\"a.example\" = \"*\"", 22, "no name"),
            ("[hosts]\n\"a.example\" = \"a*b\"", 22, "no name"),
            ("[same]\n\"a.example\" = \"\"", 21, "which host"),
            ("traking = \"a\"", 0, "no `traking`"),
            ("tracking = ", 11, "no TOML"),
        ] {
            let Wrong(place, message) = Table::default().add(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
            assert_eq!(place, at, "{text}: {message}");
        }
    }
}
