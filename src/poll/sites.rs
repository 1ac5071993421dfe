//! Sites that said "too many requests": none of their feeds is asked for a while, then one at a time with a pause between, over
//! all hosts of one registrable domain. Pure: the present moment is an argument.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::time::Timestamp;

/// How long a site that gave no time is left alone; a longer `Retry-After` holds for its feed alone beyond [`LONGEST`].
const USUAL: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);
/// Between two requests to a slow site; doubles with each further 429.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A site is slow for so long after its last 429.
const CALM: Duration = Duration::from_secs(86_400);

struct Slow {
    not_before: Timestamp,
    pause: Duration,
    until: Timestamp,
    running: usize,
}

/// The sites that are slow; few, most of the time none.
#[derive(Default)]
pub(super) struct Sites(HashMap<String, Slow>);

impl Sites {
    /// A feed on `host` was told that there are too many requests, and perhaps when to come again. `running`: polls of the site
    /// that go on.
    pub(super) fn throttled(&mut self, host: &str, again: Option<Timestamp>, now: Timestamp, running: usize) {
        self.0.retain(|_, slow| slow.until > now || slow.running > 0);
        let hold = again.map_or(USUAL, |at| at.since(now)).min(LONGEST);
        let slow = self.0.entry(site(host).to_owned()).or_insert(Slow {
            not_before: now,
            pause: PAUSE / 2,
            until: now,
            running,
        });
        slow.not_before = slow.not_before.max(now.plus(hold));
        slow.pause = (slow.pause * 2).min(LONGEST_PAUSE);
        slow.until = now.plus(hold + CALM);
    }

    /// When the site of `host` may be asked; none: at any time.
    pub(super) fn not_before(&self, host: &str, now: Timestamp) -> Option<Timestamp> {
        let slow = self.of(host).filter(|slow| slow.until > now)?;
        // While one goes on, it is looked at again after a pause.
        let at = if slow.running > 0 { slow.not_before.max(now.plus(slow.pause)) } else { slow.not_before };
        (at > now).then_some(at)
    }

    /// Until when it wants to be left alone, pauses apart.
    pub(super) fn held(&self, host: &str, now: Timestamp) -> Option<Timestamp> {
        self.of(host)
            .filter(|slow| slow.until > now && slow.not_before.since(now) > LONGEST_PAUSE)
            .map(|slow| slow.not_before)
    }

    pub(super) fn begun(&mut self, host: &str) {
        if let Some(slow) = self.0.get_mut(site(host)) {
            slow.running += 1;
        }
    }

    pub(super) fn ended(&mut self, host: &str, now: Timestamp) {
        if let Some(slow) = self.0.get_mut(site(host)) {
            slow.running = slow.running.saturating_sub(1);
            slow.not_before = slow.not_before.max(now.plus(slow.pause));
        }
    }

    /// The clock was put back: whoever is to be left alone for a while is so for that while, and not until the old time.
    pub(super) fn put_back(&mut self, by: Duration) {
        for slow in self.0.values_mut() {
            slow.not_before = slow.not_before.minus(by);
            slow.until = slow.until.minus(by);
        }
    }

    /// Whether none has complained.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, host: &str) -> Option<&Slow> {
        // Asked for each poll: without a slow site it costs nothing.
        if self.is_empty() { None } else { self.0.get(site(host)) }
    }
}

/// The registrable domain of a host, by its form: two labels, or three where the last but one is one of the words under which
/// countries register. Hosts of one platform (`a.blog.example`) are one here on purpose: one server answers for them.
pub(super) fn site(host: &str) -> &str {
    const UNDER: [&str; 10] = ["co", "com", "org", "net", "ac", "gov", "edu", "ne", "or", "go"];
    if host.ends_with(|c: char| c.is_ascii_digit() || c == ']') {
        return host;
    }
    let mut dots = memchr::memrchr_iter(b'.', host.as_bytes());
    let Some(last) = dots.next() else { return host };
    let Some(second) = dots.next() else { return host };
    let word = host.get(second + 1..last).unwrap_or_default();
    let country = host.len() - last == 3;
    let cut = if country && UNDER.contains(&word) { dots.next() } else { Some(second) };
    cut.and_then(|at| host.get(at + 1..)).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_site_is_the_registrable_domain() {
        for (host, expected) in [
            ("example.org", "example.org"),
            ("feeds.a.example.org", "example.org"),
            ("www.bbc.co.uk", "bbc.co.uk"),
            ("co.uk", "co.uk"),
            ("example.co.uk", "example.co.uk"),
            ("a.b.com.au", "b.com.au"),
            ("x.com.de.example", "de.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("[2001:db8::1]", "[2001:db8::1]"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(site(host), expected, "{host}");
        }
    }

    #[test]
    fn a_429_holds_every_host_of_its_site_and_then_slows_it() {
        let mut sites = Sites::default();
        assert_eq!(sites.not_before("a.example.org", at(0)), None);
        sites.throttled("a.example.org", Some(at(600)), at(0), 0);
        assert_eq!(sites.not_before("b.example.org", at(0)), Some(at(600)));
        assert_eq!(sites.held("b.example.org", at(0)), Some(at(600)));
        assert_eq!(sites.not_before("other.org", at(0)), None);
        assert_eq!(sites.not_before("b.example.org", at(600)), None);
        sites.begun("b.example.org");
        assert_eq!(sites.not_before("a.example.org", at(600)), Some(at(602)));
        sites.ended("b.example.org", at(601));
        assert_eq!(sites.not_before("a.example.org", at(601)), Some(at(603)));
        assert_eq!(sites.held("a.example.org", at(601)), None);
        // Again: twice the pause, and a minute where it gave no time.
        sites.throttled("a.example.org", None, at(603), 0);
        assert_eq!(sites.not_before("a.example.org", at(603)), Some(at(663)));
        sites.ended("a.example.org", at(663));
        assert_eq!(sites.not_before("a.example.org", at(663)), Some(at(667)));
        // A day later it is forgotten.
        assert_eq!(sites.not_before("a.example.org", at(603 + 60 + 86_400)), None);
    }

    #[test]
    fn a_clock_that_is_put_back_holds_a_site_for_no_longer() {
        let mut sites = Sites::default();
        sites.throttled("example.org", Some(at(86_400 + 600)), at(86_400), 0);
        sites.put_back(Duration::from_secs(86_400));
        assert_eq!(sites.not_before("example.org", at(0)), Some(at(600)));
        assert_eq!(sites.not_before("example.org", at(600)), None);
        sites.begun("example.org");
        sites.ended("example.org", at(700));
        assert_eq!(sites.not_before("example.org", at(700)), Some(at(702)), "it is slow as long as it would have been");
        assert_eq!(sites.not_before("example.org", at(601 + 86_400)), None);
    }

    #[test]
    fn a_retry_after_of_a_week_holds_the_feed_and_not_the_site() {
        let mut sites = Sites::default();
        sites.throttled("example.org", Some(at(7 * 86_400)), at(0), 0);
        assert_eq!(sites.not_before("example.org", at(0)), Some(at(3600)));
    }
}
