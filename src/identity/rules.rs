//! The rules of the key, as data: each has a name, a tier and what it does. Order matters only for speed, but for one
//! thing: a redirector is unwrapped before its parameters are touched. The rules are run until none acts any more.

use std::borrow::Cow;

use url::Url;

use super::markers;
use super::names::{AMP_VIEWER, INDEX_FILES, UI_FRAGMENTS};
use super::params::{Folded, Names};
use super::parts::{Parts, cut, name};
use super::percent;
use super::site;
use super::table::Table;
use super::unwrap;

/// How sure a rule is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tier {
    /// Equal by a standard: always on.
    Safe,
    /// Holds on almost every site: on unless switched off.
    Likely,
}

/// A feed's own switches.
#[derive(Clone, Default, Debug)]
pub(super) struct Switches {
    /// Names that no rule drops.
    pub(super) keep: Names,
    /// Names that are always dropped.
    pub(super) drop: Names,
}

/// What the rules work with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// What is known.
    pub(super) table: &'a Table,
    /// `None`: the feed has none.
    pub(super) feed: Option<&'a Switches>,
}

impl Context<'_> {
    /// Drops the parameters that `drop` names, but for those that the feed keeps. True if it dropped any.
    pub(super) fn drop_params(&self, parts: &mut Parts<'_>, drop: impl Fn(&str) -> bool) -> bool {
        match self.feed.filter(|switches| !switches.keep.is_empty()) {
            None => parts.drop_params(drop),
            Some(switches) => parts.drop_params(|param| drop(param) && !switches.keep.hold(&Folded::of(param))),
        }
    }

    /// True if the parameter's name tracks on every host, in any letter case, with any encoding.
    pub(super) fn is_tracking(&self, param: &str) -> bool {
        let folded = Folded::of(param);
        self.table.tracking.hold(&folded)
            && self.feed.is_none_or(|switches| switches.keep.is_empty() || !switches.keep.hold(&folded))
    }

    /// True if the fragment is nothing but tracking (`#utm_source=rss&utm_medium=feed`, `#xtor=RSS-1`).
    pub(super) fn is_tracking_fragment(&self, fragment: &str) -> bool {
        fragment.split('&').all(|param| {
            let param = param.strip_prefix("amp;").unwrap_or(param);
            param.contains('=') && self.is_tracking(param)
        })
    }
}

/// What a rule does. True if it changed the parts.
type Act = fn(&mut Parts<'_>, &Context<'_>) -> bool;

/// One rule.
pub(super) struct Rule {
    /// What a person calls it.
    pub(super) name: &'static str,
    /// How sure it is.
    pub(super) tier: Tier,
    /// What it does.
    pub(super) act: Act,
}

const fn safe(name: &'static str, act: Act) -> Rule {
    Rule { name, tier: Tier::Safe, act }
}

const fn likely(name: &'static str, act: Act) -> Rule {
    Rule { name, tier: Tier::Likely, act }
}

/// The rule that drops what tracks on every host: of the shown link too.
pub(super) const TRACKING: &str = "tracking";

/// All rules. At most 64: which of them are off is a set of bits.
pub(super) const RULES: &[Rule] = &[
    safe("percent", percent_triplets),
    safe("text-directive", text_directive),
    safe("empty-fragment", empty_fragment),
    likely("redirector", unwrap::redirector),
    likely("clearurls", site::clearurls),
    likely("https", https),
    likely("host-dot", host_dot),
    likely("www", www),
    likely("amp-cache", amp_cache),
    likely("amp-host", amp_host),
    likely("mobile-host", site::mobile_host),
    likely("same-host", site::same_host),
    likely("youtube", site::youtube),
    likely("google-news", site::google_news),
    likely("blog-address", site::blog_address),
    likely("amp-entity", amp_entity),
    likely("query-space", query_space),
    likely(TRACKING, tracking),
    likely("host-tracking", site::host_tracking),
    likely("feed-drop", site::feed_drop),
    likely("session", markers::session_param),
    likely("session-path", markers::session_path),
    likely("feed-mark", markers::feed_mark),
    likely("ref-host", markers::ref_host),
    likely("reply", markers::reply),
    likely("second-question", second_question),
    likely("amp-parameter", amp_parameter),
    likely("empty-parameter", empty_parameter),
    likely("sort", sort),
    likely("tracking-fragment", tracking_fragment),
    likely("feed-mark-fragment", markers::feed_mark_fragment),
    likely("ui-fragment", ui_fragment),
    likely("duplicate-slash", duplicate_slash),
    likely("index-file", index_file),
    likely("amp-path", amp_path),
    likely("path-ref", site::path_ref),
    likely("trailing-slash", trailing_slash),
];

/// The bit of a rule by its name. `None`: there is no such rule.
pub(super) fn bit(name: &str) -> Option<(u64, Tier)> {
    let place = RULES.iter().position(|rule| rule.name == name)?;
    Some((1 << place, RULES.get(place)?.tier))
}

/// RFC 3986 6.2.2.1, 6.2.2.2.
fn percent_triplets(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    let mut changed = false;
    let Parts { user, path, query, fragment, .. } = parts;
    for part in [Some(user), Some(path), query.as_mut(), fragment.as_mut()].into_iter().flatten() {
        if let Some(normal) = percent::normal(part) {
            *part = Cow::Owned(normal);
            changed = true;
        }
    }
    changed
}

/// The text directive tells a browser what to highlight; it is never part of a document's address.
fn text_directive(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    let Some(fragment) = &mut parts.fragment else { return false };
    let Some(at) = fragment.find(":~:text=") else { return false };
    cut(fragment, at);
    true
}

fn empty_fragment(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    parts.fragment.take_if(|fragment| fragment.is_empty()).is_some()
}

fn https(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    // A port that is given belongs to one scheme: see the head of `canonical`.
    let acts = !parts.secure && parts.port.is_none();
    parts.secure |= acts;
    acts
}

fn host_dot(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    let Some(bare) = parts.host.strip_suffix('.') else { return false };
    if bare.is_empty() || bare.ends_with('.') {
        return false;
    }
    let length = bare.len();
    cut(&mut parts.host, length);
    true
}

fn www(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    let Some(bare) = parts.host.strip_prefix("www.") else { return false };
    // `www.com` is itself a site; `www.www.…` is nothing anyone means.
    if !bare.trim_end_matches('.').contains('.') || bare.starts_with("www.") || bare.starts_with('.') {
        return false;
    }
    parts.host = Cow::Owned(bare.to_owned());
    true
}

/// An AMP cache keeps the page's address in its path: `/c/s/host/path` for https, `/c/host/path` for http.
fn amp_cache(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    let kinds: &[&str] = if parts.host == "cdn.ampproject.org" || parts.host.ends_with(".cdn.ampproject.org") {
        &["/c/", "/v/"]
    } else if is_google(&parts.host) {
        &["/amp/"]
    } else {
        return false;
    };
    let Some(rest) = kinds.iter().find_map(|kind| parts.path.strip_prefix(kind)) else { return false };
    let (scheme, rest) = rest.strip_prefix("s/").map_or(("http", rest), |rest| ("https", rest));
    let host = rest.split('/').next().unwrap_or_default();
    let is_host = host.contains('.')
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'_'));
    if !is_host || parts.port.is_some() || !parts.user.is_empty() {
        return false;
    }
    let Ok(url) = Url::parse(&format!("{scheme}://{rest}")) else { return false };
    let Some(page) = Parts::of(&url).map(Parts::owned) else { return false };
    let query = parts.query.take();
    let is_viewer = |param: &str| AMP_VIEWER.contains(&name(param));
    let fragment = parts.fragment.take().filter(|fragment| !fragment.split('&').all(is_viewer));
    *parts = Parts { query, fragment, ..page };
    parts.drop_params(is_viewer);
    true
}

/// `google.com`, `google.de`, `google.co.uk`, `google.com.au`.
fn is_google(host: &str) -> bool {
    host.strip_prefix("www.").unwrap_or(host).strip_prefix("google.").is_some_and(|end| {
        let country = end.strip_prefix("com.").or_else(|| end.strip_prefix("co.")).unwrap_or(end);
        end == "com" || (country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_lowercase()))
    })
}

fn amp_host(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    let Some(bare) = parts.host.strip_prefix("amp.") else { return false };
    if context.table.amp.exactly(bare).is_none() {
        return false;
    }
    parts.host = Cow::Owned(bare.to_owned());
    true
}

/// An ampersand that kept its HTML form. `&#038;` has made a fragment of the rest of the query.
fn amp_entity(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    let mut changed = false;
    if let (Some(query), Some(fragment)) = (&parts.query, &parts.fragment)
        && query.ends_with('&')
        && let Some(rest) = ["038;", "38;", "x26;"].iter().find_map(|form| fragment.strip_prefix(form))
    {
        let (rest, fragment) = rest.split_once('#').map_or((rest, None), |(rest, fragment)| (rest, Some(fragment)));
        // A query encodes the apostrophe, a fragment does not (WHATWG URL 1.3).
        let (query, fragment) = (format!("{query}{}", rest.replace('\'', "%27")), fragment.map(str::to_owned));
        parts.query = Some(Cow::Owned(query));
        parts.fragment = fragment.map(Cow::Owned);
        changed = true;
    }
    if !parts.params().any(|param| param.starts_with("amp;")) {
        return changed;
    }
    let params: Vec<&str> = parts.params().map(|param| param.trim_start_matches("amp;")).collect();
    parts.query = Some(Cow::Owned(params.join("&")));
    true
}

/// In a query (not in a path) a plus is a space: HTML form encoding.
fn query_space(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    let Some(query) = parts.query.as_mut().filter(|query| query.contains("%20")) else { return false };
    *query = Cow::Owned(query.replace("%20", "+"));
    true
}

fn tracking(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    parts.drop_params(|param| context.is_tracking(param))
}

/// `?id=1?utm_source=x`: tracking appended to a link that had a query already.
fn second_question(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    let start = |param: &str| {
        let mut places = param.match_indices('?').map(|(at, _)| at);
        places.find(|at| param.get(at + 1..).is_some_and(|rest| context.is_tracking(rest)))
    };
    if !parts.query.as_ref().is_some_and(|query| query.contains('?')) || parts.params().all(|p| start(p).is_none()) {
        return false;
    }
    let kept = |param| start(param).and_then(|at| param.get(..at)).unwrap_or(param);
    let params: Vec<&str> = parts.params().map(kept).collect();
    parts.query = Some(Cow::Owned(params.join("&")));
    true
}

fn amp_parameter(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    fn is_amp(param: &str) -> bool {
        matches!(param, "amp" | "amp=" | "amp=1" | "amp=true" | "amp=yes" | "_amp=true" | "amp_markup=1")
            || param.eq_ignore_ascii_case("outputType=amp")
    }
    parts.params().any(is_amp) && looks_like_article(&parts.path) && context.drop_params(parts, is_amp)
}

/// `?`, `?&a=1`, `?a=1&`.
fn empty_parameter(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    parts.drop_params(str::is_empty)
}

/// By name, and stable: the order of the values of one name may mean something.
fn sort(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    if parts.params().is_sorted_by_key(name) {
        return false;
    }
    let mut params: Vec<&str> = parts.params().collect();
    params.sort_by_key(|param| name(param));
    parts.query = Some(Cow::Owned(params.join("&")));
    true
}

fn tracking_fragment(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    parts.fragment.take_if(|fragment| context.is_tracking_fragment(fragment)).is_some()
}

fn ui_fragment(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    fn is_ui(fragment: &str) -> bool {
        // WordPress puts `#more-N` where the summary ends; N is the id of the same post.
        let more = fragment.strip_prefix("more-");
        more.is_some_and(|id| !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit()))
            || UI_FRAGMENTS.iter().any(|known| fragment.eq_ignore_ascii_case(known))
            || is_addthis(fragment)
            || is_share(fragment)
    }
    /// `AddThis`: `.` and a token of eleven, perhaps `.` and the service that was shared to. Not `.NETFramework`.
    fn is_addthis(fragment: &str) -> bool {
        let Some(token) = fragment.strip_prefix('.') else { return false };
        let (token, service) = token.split_once('.').unwrap_or((token, ""));
        let has = |is: fn(&u8) -> bool| token.bytes().any(|byte| is(&byte));
        token.len() == 11
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && has(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
            && !token.starts_with("NET")
            && service.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    }
    /// `ShareThis`: `sthash.` and eight characters, and where it was shared to in four. IDG: `tk.rss_all`.
    fn is_share(fragment: &str) -> bool {
        let token = fragment.strip_prefix("sthash.").and_then(|rest| rest.split_once('.'));
        token.is_some_and(|(hash, to)| hash.len() == 8 && to.len() == 4)
            || fragment.strip_prefix("tk.rss").is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
            || (fragment.starts_with("__scoop_post=") && fragment.contains("&__scoop_topic="))
    }
    parts.fragment.take_if(|fragment| is_ui(fragment)).is_some()
}

/// True if a URL stands in the path (`/web/2024/http://…`): its slashes and its file names are not this site's.
fn holds_url(path: &str) -> bool {
    path.contains(":/") || path.contains("%3A/")
}

fn duplicate_slash(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    if !parts.path.contains("//") || holds_url(&parts.path) {
        return false;
    }
    let mut path = String::with_capacity(parts.path.len());
    for character in parts.path.chars() {
        if character != '/' || !path.ends_with('/') {
            path.push(character);
        }
    }
    parts.path = Cow::Owned(path);
    true
}

fn index_file(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    if parts.query.is_some() {
        return false;
    }
    let Some((directory, file)) = parts.path.rsplit_once('/') else { return false };
    if !INDEX_FILES.contains(&file) || holds_url(directory) {
        return false;
    }
    let length = directory.len() + 1;
    parts.cut_path(length)
}

fn amp_path(parts: &mut Parts<'_>, context: &Context<'_>) -> bool {
    // Almost no path has it.
    if !parts.path.contains("amp") {
        return false;
    }
    let shorter = shorter_amp(&parts.path).map(Cow::into_owned);
    let Some(path) = shorter.or_else(|| site::amp_section(parts, context)) else { return false };
    parts.path = Cow::Owned(path);
    true
}

/// `/page/amp`, `/page.amp`, `/page.amp.html`.
fn shorter_amp(path: &str) -> Option<Cow<'_, str>> {
    if let Some(page) = path.strip_suffix(".amp.html") {
        return (!page.ends_with('/') && looks_like_article(page)).then(|| Cow::Owned(format!("{page}.html")));
    }
    let page = path.strip_suffix("/amp").or_else(|| path.strip_suffix(".amp").filter(|page| !page.ends_with('/')))?;
    (!page.ends_with("/amp") && looks_like_article(page)).then_some(Cow::Borrowed(page))
}

/// A number, three digits in a word (an id), or a slug with two hyphens: `/2024/a-b`, `/news/some-long-title`. Not
/// `/guitars`, nor `/shop/fender-65`.
pub(super) fn looks_like_article(path: &str) -> bool {
    fn is_sign(segment: &str) -> bool {
        segment.bytes().filter(|byte| *byte == b'-').count() >= 2
            || (!segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit()))
            || segment.bytes().filter(u8::is_ascii_digit).count() >= 3
    }
    !holds_url(path) && path.split('/').any(is_sign)
}

fn trailing_slash(parts: &mut Parts<'_>, _: &Context<'_>) -> bool {
    match parts.path.strip_suffix('/') {
        // The slashes after the scheme of a URL in the path are not the end of a directory.
        None | Some("") => false,
        Some(page) if page.ends_with(['/', ':']) || page.ends_with("%3A") => false,
        Some(page) => {
            let length = page.len();
            parts.cut_path(length)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_that_only_look_like_tracking_are_not() {
        let context = Context { table: Table::builtin(), feed: None };
        for known in Table::builtin().tracking.iter() {
            assert!(context.is_tracking(&format!("{}=1", known.to_uppercase())), "{known}");
        }
        for name in
            ["utm", "utmost=1", "source=1", "gclid2=1", "xfbclid=1", "s=1", "id=1", "mc=1", "ref=1", "", "=", "?"]
        {
            assert!(!context.is_tracking(name), "{name}");
        }
        assert!(!context.is_tracking(&format!("fbclid{}", "x".repeat(100))));
    }

    #[test]
    fn each_rule_has_a_name_of_its_own() {
        assert_eq!(RULES.iter().map(|rule| rule.name).collect::<HashSet<_>>().len(), RULES.len());
        assert!(RULES.len() <= 64);
    }
}
