//! The canonical key of a link. It never fetches, and never drops what no rule names.
//!
//! A key is an absolute `https://` URL, but for one case: a port that is given and not the scheme's own keeps the scheme
//! it came with. `http://h:8080/` and `https://h:8080/` are two servers, and so are `http://h:443/` and `https://h/`;
//! so such a key begins with `http://`, which parses as itself, where an invented https form would be a URL that
//! could be someone's.
//! Invariant: a key is its own key.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::hash::Hasher as _;
use std::sync::{Arc, LazyLock};

use siphasher::sip::SipHasher13;
use url::Url;

use super::clearurls;
use super::names::SHOWN_AS_GIVEN;
use super::params::Names;
use super::parts::Parts;
use super::rules::{self, Context, RULES, Switches, Tier};
use super::table::{self, Table, Wrong};

/// In bytes. A longer URL is kept by the safe rules only, each of which runs once: time stays linear.
const LONGEST: usize = 8 * 1024;

/// The rules that keys are made by: ours, an operator's files on top, and what he or a feed switches off.
#[derive(Clone, Default)]
pub struct Rules {
    /// `None`: ours as they are.
    own: Option<Arc<Own>>,
    /// `None`: the feed has no switches of its own.
    feed: Option<Arc<Switches>>,
}

/// What a configuration makes of the rules.
struct Own {
    table: Table,
    /// Rules that are off everywhere, a bit each.
    off: u64,
    /// Rules that are off on a host and below it.
    off_at: Vec<(String, u64)>,
    version: i64,
}

/// A file of rules as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleFile {
    /// What the operator calls it: its path.
    pub name: String,
    /// Its text: our TOML, or the `data.min.json` of ClearURLs.
    pub text: String,
}

/// What is wrong with a file of rules, or with a switch.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RulesError {
    /// A file cannot be used.
    #[error("{file}, line {line}: {message}")]
    File {
        /// Its name.
        file: String,
        /// From 1.
        line: usize,
        /// A sentence.
        message: String,
    },
    /// A switch is none.
    #[error("{0}")]
    Switch(String),
}

/// Whether a text can be the name of a parameter, or a beginning of names with `*` behind it.
///
/// # Errors
/// A sentence that says why not.
pub fn check_name(name: &str) -> Result<(), String> {
    table::named(0, &name.to_ascii_lowercase()).map(|_| ()).map_err(|_| {
        let quoted: String = name.chars().take(40).collect();
        format!("`{quoted}` is no name of a parameter: ASCII, decoded, without & and =, `*` at its end only.")
    })
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The table is long, and the same for all: who prints a plan does not want to read it.
        out.debug_struct("Rules").field("version", &self.version()).field("feed", &self.feed).finish()
    }
}

impl Rules {
    /// Our rules with files laid on top, in order, and with `off` switched off: a rule by its name, or `rule@host` for a
    /// host and those below it. The safe rules cannot be switched off.
    ///
    /// # Errors
    /// A file that cannot be read as rules, a switch that names no rule, or a safe one.
    pub fn new(extra: &[RuleFile], off: &[String]) -> Result<Self, RulesError> {
        if extra.is_empty() && off.is_empty() {
            return Ok(Self::default());
        }
        let mut own = Own { table: Table::builtin().clone(), off: 0, off_at: Vec::new(), version: 0 };
        let mut hasher = SipHasher13::new();
        hasher.write_u64(builtin_version());
        for file in extra {
            hasher.write(file.text.as_bytes());
            let known = own.table.off.len();
            let is_json = clearurls::is_one(&file.text);
            let added = if is_json { clearurls::add(&mut own.table, &file.text) } else { own.table.add(&file.text) };
            added.map_err(|wrong| in_file(file, wrong))?;
            for switch in own.table.off.split_off(known) {
                own.switch_off(&switch)
                    .map_err(|message| in_file(file, Wrong(found_at(&file.text, &switch), message)))?;
            }
        }
        for switch in off {
            own.switch_off(switch).map_err(RulesError::Switch)?;
        }
        hasher.write_u64(own.off);
        own.off_at.sort();
        for (host, bits) in &own.off_at {
            hasher.write(host.as_bytes());
            hasher.write_u64(*bits);
        }
        own.version = hasher.finish().cast_signed();
        Ok(Self { own: Some(Arc::new(own)), feed: None })
    }

    /// The rules for one feed: parameters that no rule may drop, and those that are no part of its keys. Each is a
    /// name, or a beginning with `*` behind it. Cheap: all else is shared.
    #[must_use]
    pub fn for_feed(&self, keep: &[String], drop: &[String]) -> Self {
        let switches = Switches { keep: Names::of(keep), drop: Names::of(drop) };
        let none = keep.is_empty() && drop.is_empty();
        Self { own: self.own.clone(), feed: (!none).then(|| Arc::new(switches)) }
    }

    /// A number for all that keys hang on, but for a feed's own switches: the code, the tables, the files, what is off.
    /// The same on every machine; where it has changed, stored keys are made anew.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.own.as_ref().map_or_else(|| builtin_version().cast_signed(), |own| own.version)
    }

    /// The canonical key of a link: an absolute https URL (http where a port is given). `None`: it is no http(s) URL.
    #[must_use]
    pub fn key(&self, url: &str) -> Option<String> {
        self.walk(url, &mut ())
    }

    /// The link that is shown: names that track everywhere are removed, nothing else, for a link has to work. A link
    /// without any is given back as it is.
    #[must_use]
    pub fn shown(&self, url: &str) -> String {
        self.without_tracking(url).unwrap_or_else(|| url.to_owned())
    }

    /// The key, and each rule that acted. `None`: it is no http(s) URL.
    #[must_use]
    pub fn explain(&self, url: &str) -> Option<(String, Vec<Step>)> {
        let mut steps = Vec::new();
        let key = self.walk(url, &mut steps)?;
        Some((key, steps))
    }

    fn context(&self) -> Context<'_> {
        let table = self.own.as_ref().map_or_else(|| Table::builtin(), |own| &own.table);
        Context { table, feed: self.feed.as_deref() }
    }

    /// The rules that are off on this host, a bit each.
    fn off(&self, host: &str) -> u64 {
        let Some(own) = &self.own else { return 0 };
        let below = |known: &str| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        own.off_at.iter().filter(|(known, _)| below(known)).fold(own.off, |off, (_, bits)| off | bits)
    }
}

impl Own {
    fn switch_off(&mut self, written: &str) -> Result<(), String> {
        let (name, host) = written.split_once('@').map_or((written, None), |(name, host)| (name, Some(host)));
        match rules::bit(name) {
            None => {
                let known = RULES.iter().filter(|rule| rule.tier == Tier::Likely).map(|rule| rule.name);
                let known = known.collect::<Vec<_>>().join(", ");
                return Err(format!("There is no rule `{name}` that could be switched off; there are {known}."));
            }
            Some((_, Tier::Safe)) => {
                return Err(format!("The rule `{name}` is always on: what it makes equal is equal by a standard."));
            }
            Some((bit, Tier::Likely)) => match host {
                None => self.off |= bit,
                Some(host) => {
                    let host = host.trim_start_matches("*.").trim_start_matches("www.").to_ascii_lowercase();
                    if host.is_empty()
                        || !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
                    {
                        return Err(format!("`{written}` names no host; write it as in `www@example.org`."));
                    }
                    self.off_at.push((host, bit));
                }
            },
        }
        Ok(())
    }
}

/// Of our own tables and code. It is stamped on every item, so it is made once.
fn builtin_version() -> u64 {
    *BUILTIN_VERSION
}

static BUILTIN_VERSION: LazyLock<u64> = LazyLock::new(|| {
    let mut hasher = SipHasher13::new();
    hasher.write_u64(table::CODE);
    for (_, text) in table::OURS {
        hasher.write(text.as_bytes());
    }
    hasher.finish()
});

fn in_file(file: &RuleFile, Wrong(at, message): Wrong) -> RulesError {
    let line = file.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    RulesError::File { file: file.name.clone(), line, message }
}

fn found_at(text: &str, word: &str) -> usize {
    text.find(word).unwrap_or(0)
}

/// One step on the way to a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The rule's name.
    pub rule: &'static str,
    /// The URL after it.
    pub url: String,
}

/// Who hears of each rule that acted. `()` hears nothing, at no cost.
trait Recorder {
    fn acted(&mut self, rule: &'static str, url: &dyn Fn() -> String);
}

impl Recorder for () {
    fn acted(&mut self, _rule: &'static str, _url: &dyn Fn() -> String) {}
}

impl Recorder for Vec<Step> {
    fn acted(&mut self, rule: &'static str, url: &dyn Fn() -> String) {
        self.push(Step { rule, url: url() });
    }
}

impl Rules {
    fn walk(&self, given: &str, recorder: &mut impl Recorder) -> Option<String> {
        let url = Url::parse(given).ok()?;
        let mut parts = Parts::of(&url)?;
        if url.as_str() != given {
            recorder.acted("parse", &|| url.as_str().to_owned());
        }
        let mut changed = self.round(&mut parts, Some(Tier::Safe), recorder);
        if parts.length() <= LONGEST {
            // One rule may make room for another (a slash hides an index file). Each takes something away or puts it in
            // its final place, so this ends.
            while self.round(&mut parts, None, recorder) {
                changed = true;
            }
        }
        if !changed {
            return Some(url.into());
        }
        let mut key = String::with_capacity(parts.length());
        write!(key, "{parts}").ok()?;
        Some(key)
    }

    /// Runs every rule of the tier (`None`: of each tier) once. True if one acted.
    fn round(&self, parts: &mut Parts<'_>, tier: Option<Tier>, recorder: &mut impl Recorder) -> bool {
        let context = self.context();
        let mut off = self.off(&parts.host);
        let mut changed = false;
        for (place, rule) in RULES.iter().enumerate() {
            if (off >> place) & 1 == 1 || tier.is_some_and(|tier| tier != rule.tier) {
                continue;
            }
            if (rule.act)(parts, &context) {
                changed = true;
                recorder.acted(rule.name, &|| parts.to_string());
                // The rule may have led to another host.
                off = self.off(&parts.host);
            }
        }
        changed
    }

    /// The text without its tracking names, or `None` if it has none (or must keep them).
    fn without_tracking(&self, url: &str) -> Option<String> {
        let (scheme, after) = url.trim_start().split_once("://")?;
        if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let authority = after.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
        if SHOWN_AS_GIVEN.iter().any(|kept| host.eq_ignore_ascii_case(kept)) || self.is_off(rules::TRACKING, host) {
            return None;
        }
        let context = self.context();
        let (before, fragment) = url.split_once('#').map_or((url, None), |(before, rest)| (before, Some(rest)));
        let (page, query) = before.split_once('?').map_or((before, None), |(page, query)| (page, Some(query)));
        let kept_query = query.map(|query| kept_query(query, &context));
        let kept_fragment = fragment.filter(|fragment| !context.is_tracking_fragment(fragment.trim_end()));
        if kept_fragment == fragment && kept_query.as_deref() == query {
            return None;
        }
        let mut out = page.to_owned();
        // A query that was empty before stays: nothing but tracking is removed.
        for (mark, part) in
            [('?', kept_query.as_deref().filter(|kept| !kept.is_empty() || query == Some(""))), ('#', kept_fragment)]
        {
            if let Some(part) = part {
                out.push(mark);
                out.push_str(part);
            }
        }
        Some(out)
    }

    fn is_off(&self, rule: &str, host: &str) -> bool {
        self.own.is_some() && rules::bit(rule).is_some_and(|(bit, _)| self.off(&host.to_ascii_lowercase()) & bit != 0)
    }
}

fn kept_query<'a>(query: &'a str, context: &Context<'_>) -> Cow<'a, str> {
    // `&amp;` left over from HTML belongs to the separator.
    let bare = |param: &'_ str| -> usize { if param.starts_with("amp;") { 4 } else { 0 } };
    let tracks = |param: &str| context.is_tracking(param.get(bare(param)..).unwrap_or_default());
    if !query.split('&').any(tracks) {
        return Cow::Borrowed(query);
    }
    let kept: Vec<&str> = query.split('&').filter(|param| !tracks(param)).collect();
    let kept = kept.join("&");
    Cow::Owned(kept.strip_prefix("amp;").map(str::to_owned).unwrap_or(kept))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(url: &str) -> Option<String> {
        Rules::default().key(url)
    }

    fn shown(url: &str) -> String {
        Rules::default().shown(url)
    }

    fn explain(url: &str) -> Option<(String, Vec<Step>)> {
        Rules::default().explain(url)
    }

    #[test]
    fn each_rule_gives_the_key_it_should() {
        for (given, wanted) in [
            (" HTTP://WWW.Example.COM:80/a/../b/ ", "https://example.com/b"),
            ("https://example.com", "https://example.com/"),
            ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
            ("https://e.org/%7euser/%c3%a9%2f", "https://e.org/~user/%C3%A9%2F"),
            ("https://e.org./a?", "https://e.org/a"),
            ("https://e.org/a?x=a%20b", "https://e.org/a?x=a+b"),
            ("https://e.org/a%20b+c", "https://e.org/a%20b+c"),
            ("https://e.org/a?b=1&amp;a=2&&", "https://e.org/a?a=2&b=1"),
            ("https://e.org/a?b=1&#038;a=2#c-3", "https://e.org/a?a=2&b=1#c-3"),
            ("https://e.org/a?b=2&a=9&b=1", "https://e.org/a?a=9&b=2&b=1"),
            ("https://e.org/a?UTM_Source=x&utm%5Fmedium=y&id=1&fbclid", "https://e.org/a?id=1"),
            ("https://e.org/a?id=1?utm_source=x", "https://e.org/a?id=1"),
            ("https://e.org/a#utm_source=x&utm_medium=y", "https://e.org/a"),
            ("https://e.org/a#part:~:text=some%20words", "https://e.org/a#part"),
            ("https://e.org/a#more-17", "https://e.org/a"),
            ("https://e.org//a//b/index.html?utm_source=x", "https://e.org/a/b"),
            ("https://e.org/2024/a/amp/", "https://e.org/2024/a"),
            ("https://e.org/some-long-title.amp.html", "https://e.org/some-long-title.html"),
            ("https://e.org/some-long-title?outputType=amp", "https://e.org/some-long-title"),
            ("https://e-org.cdn.ampproject.org/v/s/www.e.org/a-b-c/amp?amp_js_v=0.1", "https://e.org/a-b-c"),
            ("https://www.google.co.uk/amp/s/www.e.org/a", "https://e.org/a"),
            ("https://amp.theguardian.com/a", "https://theguardian.com/a"),
        ] {
            assert_eq!(key(given).as_deref(), Some(wanted), "{given}");
        }
    }

    #[test]
    fn what_no_rule_names_is_kept() {
        for kept in [
            "http://e.org:443/",
            "http://e.org:8080/",
            "https://e.org:8080/",
            "https://u:p@e.org/a",
            "https://www2.e.org/",
            "https://www.com/",
            "https://e.org/A?B=C",
            "https://e.org/a%2Fb",
            "https://e.org/a?x=a%2Bb",
            "https://e.org/a?source=x",
            "https://e.org/a?amp=0",
            "https://e.org/a#comment-123",
            "https://e.org/#!/a",
            "https://e.org/#gid=1",
            "https://e.org/index.xml",
            "https://e.org/index.php/a",
            "https://e.org/index.php?id=1",
            "https://e.org/guitars/amp",
            "https://amp.dev/a",
            "https://web.archive.org/web/2024/http://a.example//b",
            "https://web.archive.org/web/2024/http://",
            "https://evil.example/c/s/e.org/a",
            "https://e.org/..b/.well-known/...",
        ] {
            assert_eq!(key(kept).as_deref(), Some(kept));
            assert_eq!(explain(kept), Some((kept.to_owned(), Vec::new())));
        }
    }

    #[test]
    fn only_http_has_a_key() {
        for other in ["ftp://e.org/a", "mailto:a@e.org", "/a", "", "https://", "urn:x:1", "javascript:1"] {
            assert_eq!(key(other), None, "{other}");
        }
    }

    #[test]
    fn explain_names_each_rule_and_ends_at_the_key() {
        let (key, steps) = explain("http://www.e.org/a/?utm_source=x").unwrap();
        let steps: Vec<_> = steps.iter().map(|step| (step.rule, step.url.as_str())).collect();
        assert_eq!(key, "https://e.org/a");
        assert_eq!(
            steps,
            [
                ("https", "https://www.e.org/a/?utm_source=x"),
                ("www", "https://e.org/a/?utm_source=x"),
                ("tracking", "https://e.org/a/"),
                ("trailing-slash", "https://e.org/a"),
            ]
        );
    }

    #[test]
    fn the_shown_link_loses_tracking_and_nothing_else() {
        for (given, wanted) in [
            ("http://www.E.org/a/?utm_source=x&b=1&a=%7e&&", "http://www.E.org/a/?b=1&a=%7e&&"),
            ("https://e.org/?utm_source=x&amp;b=1", "https://e.org/?b=1"),
            ("https://e.org/a?fbclid=1#part", "https://e.org/a#part"),
            ("https://e.org/a#xtor=RSS-1", "https://e.org/a"),
            ("https://e.org/a?#utm_source=x", "https://e.org/a?"),
            ("https://e.org/a?B=1&&#", "https://e.org/a?B=1&&#"),
            ("https://e.org/a#", "https://e.org/a#"),
            ("https://e.org/é?é=1&ütm=2", "https://e.org/é?é=1&ütm=2"),
            ("https://urldefense.com/v3/?utm_source=x", "https://urldefense.com/v3/?utm_source=x"),
            ("ftp://e.org/?utm_source=x", "ftp://e.org/?utm_source=x"),
            ("not a link", "not a link"),
        ] {
            assert_eq!(shown(given), wanted, "{given}");
        }
    }

    #[test]
    fn a_very_long_link_is_kept_by_the_safe_rules() {
        let long = format!("http://www.e.org/{}", "index.html/".repeat(90_000));
        assert_eq!(key(&long), Some(long));
        let short = format!("http://www.e.org/{}", "amp/index.html/1/".repeat(400));
        let once = key(&short).unwrap();
        assert_eq!(key(&once), Some(once));
    }

    fn extra(text: &str) -> Result<Rules, RulesError> {
        Rules::new(&[RuleFile { name: "extra.toml".to_owned(), text: text.to_owned() }], &[])
    }

    #[test]
    fn an_operators_file_is_laid_on_top_of_ours() {
        let rules = extra(
            r#"
            tracking = ["acme_*"]
            mobile = "e.example"
            amp = ["e.example"]
            off = ["index-file", "trailing-slash@e.example"]
            [hosts]
            "e.example shop.*" = ["from", "trk_*"]
            "e.example/deep" = "x"
            [redirectors]
            "go.example/out" = "to"
            "all.example" = "?"
            [same]
            "old.example" = "e.example"
            "#,
        )
        .unwrap();
        for (given, wanted) in [
            ("https://a.example/p?acme_id=1&utm_source=x", "https://a.example/p"),
            ("https://m.e.example/p", "https://e.example/p"),
            ("https://amp.e.example/p", "https://e.example/p"),
            ("https://e.example/p/?from=1&trk_a=2", "https://e.example/p/"),
            ("https://www.shop.co.uk/p/?from=1", "https://shop.co.uk/p"),
            ("https://a.example/p?from=1", "https://a.example/p?from=1"),
            ("https://e.example/deep/p?x=1", "https://e.example/deep/p"),
            ("https://e.example/deeper?x=1", "https://e.example/deeper?x=1"),
            ("https://go.example/out?to=https%3A%2F%2Fa.example%2Fp&y=1", "https://a.example/p"),
            ("https://all.example/?https://a.example/p?y=1&z=2", "https://a.example/p?y=1&z=2"),
            ("https://old.example/p", "https://e.example/p"),
            ("https://a.example/index.html", "https://a.example/index.html"),
        ] {
            assert_eq!(rules.key(given).as_deref(), Some(wanted), "{given}");
        }
    }

    #[test]
    fn clearurls_own_file_is_read_and_what_is_too_broad_in_it_is_left_out() {
        let rules = extra(
            r#"{"providers": {
              "a": {"urlPattern": "^https?:\\/\\/(?:[a-z0-9-]+\\.)*?a\\.example", "completeProvider": true,
                    "rules": ["plain", "x_[a-z]{2}"], "referralMarketing": ["tag"], "rawRules": ["\\/ref=[^/?]*"],
                    "exceptions": ["^https?:\\/\\/a\\.example\\/keep"], "redirections": []},
              "b": {"urlPattern": "^https?:\\/\\/(?:[a-z0-9-]+\\.)*?b(?:\\.[a-z]{2,}){1,}", "rules": ["lit"],
                    "redirections": ["^https?:\\/\\/(?:[a-z0-9-]+\\.)*?b(?:\\.[a-z]{2,}){1,}\\/go\\?.*?u=([^&]*)"]},
              "globalRules": {"urlPattern": ".*", "rules": ["(?:%3F)?[a-z]?mc", "spm", "(?:%3F)?utm(?:_[a-z_]*)?", "glob_[a-z]+"]},
              "looks ahead": {"urlPattern": "^https?:\\/\\/c\\.example", "rules": ["x(?=y)"], "exceptions": ["(?!a)"]}
            }}"#,
        )
        .unwrap();
        for (given, wanted) in [
            ("https://a.example/p?plain=1&x_ab=2&x_abc=3&tag=4", "https://a.example/p?tag=4&x_abc=3"),
            ("https://a.example/keep?plain=1", "https://a.example/keep?plain=1"),
            ("https://a.example/p/ref=q_1", "https://a.example/p"),
            ("https://b.co.uk/p?lit=1", "https://b.co.uk/p"),
            ("https://z.b.de/go?a=1&u=https%3A%2F%2Fe.example%2Fp", "https://e.example/p"),
            ("https://e.example/p?mc=1&amc=2&spm=3&utm=4&glob_x=5", "https://e.example/p?amc=2&mc=1&spm=3&utm=4"),
            ("https://c.example/p?x=1", "https://c.example/p?x=1"),
        ] {
            let key = rules.key(given);
            assert_eq!(key.as_deref(), Some(wanted), "{given}");
            assert_eq!(rules.key(wanted), key);
        }
    }

    #[test]
    fn a_broken_file_or_switch_is_a_sentence_with_its_place() {
        for (text, said) in [
            ("tracking = [\n1]", "extra.toml, line 2: This has to be a text of words"),
            ("\n[hosts]\nE = \"a\"", "extra.toml, line 3: `E` is no host"),
            ("off = [\"percent\"]", "extra.toml, line 1: The rule `percent` is always on"),
            ("off = \"wwww\"", "extra.toml, line 1: There is no rule `wwww`"),
            ("{\"providers\": 1}", "extra.toml, line 1: This is no data.min.json"),
            ("x = ", "extra.toml, line 1: This is no TOML"),
        ] {
            let error = extra(text).unwrap_err().to_string();
            assert!(error.starts_with(said), "{text}: {error}");
        }
        let error = Rules::new(&[], &["www@".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("names no host"), "{error}");
    }

    #[test]
    fn a_rule_is_switched_off_everywhere_or_on_one_host() {
        let rules = Rules::new(
            &[],
            &["trailing-slash".to_owned(), "www@e.example".to_owned(), "tracking@f.example".to_owned()],
        );
        let rules = rules.unwrap();
        for (given, wanted) in [
            ("https://www.a.example/p/", "https://a.example/p/"),
            ("https://www.e.example/p", "https://www.e.example/p"),
            ("https://www.sub.e.example/p", "https://www.sub.e.example/p"),
            ("https://www.note.example/p", "https://note.example/p"),
            ("https://f.example/p?utm_source=x", "https://f.example/p?utm_source=x"),
        ] {
            assert_eq!(rules.key(given).as_deref(), Some(wanted), "{given}");
        }
        assert_eq!(rules.shown("https://f.example/?utm_source=x"), "https://f.example/?utm_source=x");
        assert_eq!(rules.shown("https://a.example/?utm_source=x"), "https://a.example/");
    }

    #[test]
    fn a_feed_keeps_and_drops_names_of_its_own() {
        let rules =
            Rules::default().for_feed(&["ref".to_owned(), "UTM_*".to_owned()], &["x".to_owned(), "y_*".to_owned()]);
        for (given, wanted) in [
            ("https://e.example/p?ref=rss&x=1&y_a=2&z=3", "https://e.example/p?ref=rss&z=3"),
            ("https://e.example/p?utm_id=5&fbclid=1", "https://e.example/p?utm_id=5"),
            ("https://www.reddit.com/r/a/?ref=share&share_id=1", "https://reddit.com/r/a?ref=share"),
        ] {
            assert_eq!(rules.key(given).as_deref(), Some(wanted), "{given}");
        }
        assert_eq!(rules.shown("https://e.example/p?utm_id=5&x=1&fbclid=1"), "https://e.example/p?utm_id=5&x=1");
    }

    #[test]
    fn the_version_changes_with_all_that_keys_hang_on_and_with_nothing_else() {
        let off = |list: &[&str]| {
            Rules::new(&[], &list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap().version()
        };
        let plain = Rules::default().version();
        let versions = [
            plain,
            off(&["www"]),
            off(&["sort"]),
            off(&["www@a.example"]),
            extra("tracking = \"a\"").unwrap().version(),
        ];
        assert_eq!(versions.iter().collect::<std::collections::HashSet<_>>().len(), versions.len());
        assert_eq!(plain, Rules::new(&[], &[]).unwrap().version());
        assert_eq!(plain, Rules::default().for_feed(&["a".to_owned()], &[]).version());
        assert_eq!(off(&["www", "sort"]), off(&["sort", "www"]));
        assert_eq!(off(&["www@a.example", "www@b.example"]), off(&["www@b.example", "www@a.example"]));
    }

    #[test]
    fn each_name_of_the_table_changes_nothing_where_it_tracks() {
        let general = Table::builtin().tracking.iter().map(|name| ("e.example".to_owned(), name));
        let mut pairs = 0;
        for (host, name) in general.chain(Table::builtin().everywhere()) {
            let page = format!("https://{host}/zz/p?xq=1");
            assert_eq!(key(&format!("{page}&{name}=Ab1")), key(&page), "{name} on {host}");
            assert_eq!(
                key(&format!("https://{host}/zz/p?{}=Ab1&xq=1", name.to_uppercase())),
                key(&page),
                "{name} on {host}"
            );
            pairs += 1;
        }
        assert!(pairs > 2_500, "{pairs}");
    }

    #[test]
    fn redirectors_are_unwrapped_five_deep_and_then_left_alone() {
        let wrap = |url: &str| {
            format!(
                "https://l.facebook.com/l.php?u={}",
                percent_encoding::utf8_percent_encode(url, percent_encoding::NON_ALPHANUMERIC)
            )
        };
        let mut url = "https://e.example/p".to_owned();
        for depth in 1..=7 {
            url = wrap(&url);
            let once = key(&url).unwrap();
            assert_eq!(once == "https://e.example/p", depth <= 5, "{depth}: {once}");
            assert_eq!(key(&once), Some(once));
        }
    }

    #[test]
    fn a_megabyte_is_a_key_like_any_other() {
        for unit in
            ["utm_source=x&", "a=1&", "%41", "/", "/..", "://", "&amp;", "?", ";jsessionid=", "__;", "https%3A%2F%2F"]
        {
            let url = format!("https://www.google.com/url?q={}", unit.repeat((1 << 20) / unit.len()));
            let once = key(&url).unwrap();
            assert!(once.len() <= url.len());
            assert!(!shown(&url).is_empty());
        }
    }

    /// Hosts that rules know, with paths that they know.
    fn known_host() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "www.amazon.de/dp/B01",
            "m.youtube.com/watch",
            "youtu.be/abcdEFGH_-1",
            "old.reddit.com/r/a",
            "twitter.com/a/status/1",
            "www.google.com/url",
            "l.facebook.com/l.php",
            "href.li/",
            "de.m.wikipedia.org/wiki/A",
            "amp.dw.com/a-b-c/amp",
            "news.google.com/rss/articles/CB",
            "www.ebay.co.uk/itm/1",
            "medium.com/r/",
            "urldefense.com/v3/__https:",
            "disq.us/url",
            "outgoing.prod.mozaws.net/v1/a/https:",
            "r.search.yahoo.com/RU=https:",
            "www.bbc.com/news/1",
            "pixiv.net/jump.php",
        ])
        .prop_map(|place| format!("https://{place}"))
    }

    fn page() -> impl Strategy<Value = String> {
        "(https?://)(www\\.|amp\\.)?[a-z]{1,5}\\.(org|com)\\.?(:80|:443)?(/[a-z0-9%.~-]{0,6}|/amp|/index\\.html|//){0,4}"
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(url in page(), tail in "([?&#;/=+%'a-z0-9_:~.]|%2[0-9a-f]|&amp;|&#038;|utm_a=1|:~:text=|amp=1){0,12}") {
            let url = format!("{url}{tail}");
            if let Some(once) = key(&url) {
                prop_assert_eq!(key(&once), Some(once.clone()), "{} gave {}", url, once);
                prop_assert_eq!(explain(&url).map(|(key, _)| key), Some(once));
            }
        }

        #[test]
        fn any_cached_page_has_a_key_that_is_its_own(rest in "[a-z0-9.:/%?#&;=@-]{0,30}") {
            for cache in ["https://cdn.ampproject.org/c/s/", "https://google.com/amp/", "http://www.google.de/amp/s/"] {
                if let Some(once) = key(&format!("{cache}{rest}")) {
                    prop_assert_eq!(key(&once), Some(once.clone()));
                }
            }
        }

        #[test]
        fn the_order_of_parameters_with_different_names_means_nothing(
            page in page(),
            params in proptest::collection::btree_map("[a-z]{1,3}", "[a-z0-9%+]{0,4}", 1..5)
                .prop_map(|params| params.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>())
                .prop_flat_map(|params| (Just(params.clone()), Just(params).prop_shuffle())),
        ) {
            let one = format!("{page}?{}", params.0.join("&"));
            let other = format!("{page}?{}", params.1.join("&"));
            prop_assert_eq!(key(&one), key(&other));
        }

        #[test]
        fn a_tracking_name_changes_nothing(
            page in page(),
            name in prop::sample::select(vec!["utm_source", "UTM_x", "fbclid", "gclid", "mc%5Feid", "_hsenc", "mtm_kwd"]),
            query in "[a-z]=[0-9]{1,3}",
        ) {
            prop_assert_eq!(key(&format!("{page}?{name}=Ab1")), key(&page));
            prop_assert_eq!(key(&format!("{page}?{name}=Ab1&{query}")), key(&format!("{page}?{query}")));
            prop_assert_eq!(key(&format!("{page}?{query}&{name}")), key(&format!("{page}?{query}")));
            prop_assert_eq!(shown(&format!("{page}?{query}&{name}=1")), format!("{page}?{query}"));
        }

        #[test]
        fn an_unknown_parameter_changes_the_key(page in page(), name in "zz[a-z_]{1,8}", value in "[a-z0-9]{0,5}") {
            if let Some(without) = key(&page) {
                prop_assert_ne!(key(&format!("{page}?{name}={value}")), Some(without));
            }
        }

        #[test]
        fn any_text_is_survived(text in ".{0,60}") {
            let _ = (key(&text), explain(&text), shown(&text), key(&format!("http://e.org/{text}")), shown(&format!("http://e.org/{text}")));
        }

        #[test]
        fn what_is_built_around_known_hosts_has_keys_of_their_own(
            start in known_host(),
            tail in "([?&#;/=+%'a-z0-9_:~.]|%2[0-9a-fF]|%3A|%25|url=|u=|q=|to=|https?%3A%2F%2F|https?://|www\\.google\\.de/url|t\\.me/iv|e\\.org|ref=rss|sid=0123456789abcdef01234567|__;|v=){0,14}",
        ) {
            let url = format!("{start}{tail}");
            if let Some(once) = key(&url) {
                prop_assert_eq!(key(&once), Some(once.clone()), "{} gave {}", url, once);
                prop_assert_eq!(explain(&url).map(|(key, _)| key), Some(once));
            }
        }

        #[test]
        fn redirectors_in_redirectors_lead_to_the_end(
            wrappers in proptest::collection::vec(prop::sample::select(vec![
                "https://www.google.de/url?sa=t&url=", "https://l.facebook.com/l.php?h=1&u=", "https://out.reddit.com/t3_1?url=",
                "https://t.umblr.com/redirect?z=", "https://www.youtube.com/redirect?q=", "https://slack-redir.net/link?url=",
            ]), 0..=5),
            page in "https://[a-z]{3,6}\\.example/[a-z0-9]{1,8}(\\?[xyz]=[0-9]{1,3})?",
        ) {
            let wrap = |url: String, wrapper: &&str| {
                format!("{wrapper}{}", percent_encoding::utf8_percent_encode(&url, percent_encoding::NON_ALPHANUMERIC))
            };
            let url = wrappers.iter().fold(page.clone(), wrap);
            prop_assert_eq!(key(&url), key(&page), "{}", url);
        }

        #[test]
        fn an_unknown_parameter_changes_the_key_on_known_hosts_too(start in known_host(), name in "zz[a-z]{1,6}", value in "[a-z0-9]{1,5}") {
            let mark = if start.contains('?') { '&' } else { '?' };
            let (one, other) = (format!("{start}{mark}{name}={value}"), format!("{start}{mark}{name}={value}0"));
            prop_assert_ne!(key(&one), key(&other));
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80), start in known_host()) {
            let text = String::from_utf8_lossy(&bytes);
            let _ = (key(&text), shown(&text), key(&format!("{start}{text}")), shown(&format!("{start}?{text}")));
        }
    }
}
