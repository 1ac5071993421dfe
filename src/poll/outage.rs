//! Whether it is our own network that is down. Pure: the present moment is an argument.
//!
//! When at least nine in ten of the last minute's polls, on several hosts, fail before a byte, the failures say nothing about
//! the feeds: none is counted, one probe a minute is made, and the first answer ends it. Where a minute has few polls,
//! the last few are looked at however old they are. Feeds that were in trouble before anything last worked are no sign.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::domain::feed::{ErrorKind, FeedState, PollError};
use crate::domain::time::Timestamp;

/// What is looked at, and how far probes are apart.
const MINUTE: Duration = Duration::from_secs(60);
/// Polls that end at one moment may be told of in another order.
const TOGETHER: Duration = Duration::from_secs(1);
/// Polls that are looked at, at least.
const FEWEST: usize = 3;
/// And at most: a minute's polls of a large house.
const MOST: usize = 10_000;
/// Failures in a row that a feed may have to be a sign: in an outage no more are counted before it is noticed.
const YOUNG: u32 = 2;
/// Hosts that must be silent: one alone is in trouble itself.
const HOSTS: usize = 2;

/// What a poll says about our network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sign {
    /// Bytes came.
    Answered,
    /// None did.
    Silent,
    /// Nothing: it was refused by our own guard, or spoilt on the way.
    Nothing,
}

impl Sign {
    /// Of a poll that ended with this error, or without one.
    pub(super) fn of(error: Option<&PollError>) -> Self {
        match error.map(|error| error.kind) {
            Some(ErrorKind::Dns | ErrorKind::Connect | ErrorKind::Timeout) => {
                if error.is_some_and(|error| error.http_status.is_some()) { Self::Answered } else { Self::Silent }
            }
            Some(ErrorKind::Tls | ErrorKind::Refused) => Self::Nothing,
            _ => Self::Answered,
        }
    }
}

/// What follows from a poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// It counts as it is.
    Counts,
    /// It does not count: our network went down with it.
    Began,
    /// It does not count: our network is down.
    Lasts,
    /// It counts, and our network is back after so long, in which so many polls were put off.
    Over(Duration, u64),
}

struct Seen {
    at: Timestamp,
    host: String,
    silent: bool,
}

struct Down {
    since: Timestamp,
    probe_at: Timestamp,
    put_off: u64,
}

/// The last polls, and what they mean.
#[derive(Default)]
pub(super) struct Outage {
    recent: VecDeque<Seen>,
    /// When anything last worked.
    worked_at: Option<Timestamp>,
    down: Option<Down>,
}

impl Outage {
    /// A poll of a feed on `host` ended; `before` is what was remembered of the feed before it.
    pub(super) fn ended(&mut self, host: &str, sign: Sign, before: &FeedState, now: Timestamp) -> Turn {
        self.worked_at = self.worked_at.max(before.last_ok).map(|at| at.min(now));
        match sign {
            Sign::Nothing => Turn::Counts,
            Sign::Answered => {
                self.worked_at = Some(now);
                self.note(host, false, now);
                match self.down.take() {
                    Some(down) => {
                        self.recent.clear();
                        Turn::Over(now.since(down.since), down.put_off)
                    }
                    None => Turn::Counts,
                }
            }
            Sign::Silent => self.silent(host, before, now),
        }
    }

    fn silent(&mut self, host: &str, before: &FeedState, now: Timestamp) -> Turn {
        if let Some(down) = &mut self.down {
            down.put_off += 1;
            return Turn::Lasts;
        }
        let old_trouble = before.errors > YOUNG || (before.errors > 0 && before.failing_since < self.worked_at);
        if old_trouble {
            return Turn::Counts;
        }
        self.note(host, true, now);
        let silent = self.recent.iter().filter(|seen| seen.silent);
        let hosts: HashSet<&str> = silent.clone().map(|seen| seen.host.as_str()).collect();
        let count = silent.count();
        if count < FEWEST || hosts.len() < HOSTS || count * 10 < self.recent.len() * 9 {
            return Turn::Counts;
        }
        self.recent.clear();
        self.down = Some(Down { since: now, probe_at: now.plus(MINUTE), put_off: 1 });
        Turn::Began
    }

    fn note(&mut self, host: &str, silent: bool, now: Timestamp) {
        // What lies ahead was seen before the clock was put back; polls that end together may tell of it in any order.
        if self.recent.back().is_some_and(|last| last.at > now.plus(TOGETHER)) {
            self.recent.retain(|seen| seen.at <= now);
        }
        self.recent.push_back(Seen { at: now, host: host.to_owned(), silent });
        let old = |seen: &Seen| now.since(seen.at) > MINUTE;
        while self.recent.len() > MOST || (self.recent.len() > FEWEST && self.recent.front().is_some_and(old)) {
            self.recent.pop_front();
        }
    }

    /// If our network is down: when the next probe may be made.
    pub(super) fn probe_at(&self, now: Timestamp) -> Option<Timestamp> {
        // Never further off than it was set, whatever became of the clock.
        self.down.as_ref().map(|down| down.probe_at.min(now.plus(MINUTE)))
    }

    /// A probe is being made.
    pub(super) fn probing(&mut self, now: Timestamp) {
        if let Some(down) = &mut self.down {
            down.probe_at = now.plus(MINUTE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    fn fine() -> FeedState {
        FeedState { last_ok: Some(at(-7200)), ..FeedState::default() }
    }

    /// A feed that fails since then.
    fn failing(since: i64) -> FeedState {
        FeedState { errors: 1, failing_since: Some(at(since)), last_ok: Some(at(since - 3600)), ..FeedState::default() }
    }

    /// Runs through `second host sign`, each letter of a sign a poll: `.` answered, `x` silent, `-` neither, `o` silent
    /// and in old trouble, `y` the same and not many times yet. Gives the second at which our network was taken to be down.
    fn down_at(polls: &[(i64, &str, &str)]) -> Option<i64> {
        let mut outage = Outage::default();
        for (secs, host, signs) in polls {
            for sign in signs.chars() {
                let (sign, state) = match sign {
                    '.' => (Sign::Answered, fine()),
                    'x' => (Sign::Silent, fine()),
                    'o' => (Sign::Silent, FeedState { errors: 9, ..failing(-100_000) }),
                    'y' => (Sign::Silent, failing(-100_000)),
                    _ => (Sign::Nothing, fine()),
                };
                if outage.ended(host, sign, &state, at(*secs)) == Turn::Began {
                    return Some(*secs);
                }
            }
        }
        None
    }

    #[test]
    fn nine_in_ten_of_a_minutes_polls_on_several_hosts_are_our_own_network() {
        for (case, polls, down) in [
            ("all answer", &[(0, "a", "..."), (1, "b", "...")][..], None),
            ("one host", &[(0, "a", "xxxxxxxxxxxx")], None),
            ("two polls", &[(0, "a", "x"), (1, "b", "x")], None),
            ("three on two hosts", &[(0, "a", "xx"), (1, "b", "x")], Some(1)),
            ("three on three", &[(0, "a", "x"), (1, "b", "x"), (2, "c", "x")], Some(2)),
            ("eight in nine", &[(0, "c", "."), (1, "a", "xxxx"), (2, "b", "xxxx")], None),
            ("nine in ten", &[(0, "c", "."), (1, "a", "xxxx"), (2, "b", "xxxxx")], Some(2)),
            ("the answer is more than a minute old", &[(0, "c", "."), (61, "a", "xx"), (62, "b", "x")], Some(62)),
            (
                "few polls, an hour each",
                &[(0, "c", "."), (3600, "a", "x"), (7200, "b", "x"), (10800, "c", "x")],
                Some(10800),
            ),
            ("one of them answers", &[(0, "a", "x"), (3600, "b", "x"), (7200, "c", "."), (10800, "a", "x")], None),
            ("those in old trouble are no sign", &[(0, "a", "ooo"), (1, "b", "ooo"), (2, "c", "x")], None),
            ("nor where others worked since then", &[(0, "d", "."), (1, "a", "yyy"), (2, "b", "yyy")], None),
            ("nor those that never went out", &[(0, "a", "---"), (1, "b", "---"), (2, "c", "x")], None),
            ("they do not hide one either", &[(0, "a", "o-o-x"), (1, "b", "oo-x"), (2, "c", "x")], Some(2)),
        ] {
            assert_eq!(down_at(polls), down, "{case}");
        }
    }

    #[test]
    fn nothing_counts_until_something_answers() {
        let mut outage = Outage::default();
        let mut end = |host: &str, sign, state: &FeedState, secs| outage.ended(host, sign, state, at(secs));
        assert_eq!(end("a", Sign::Silent, &fine(), 0), Turn::Counts);
        assert_eq!(end("b", Sign::Silent, &fine(), 1), Turn::Counts);
        // The same feed again: its trouble is younger than the last success, so it is a sign like any other.
        assert_eq!(end("a", Sign::Silent, &failing(0), 900), Turn::Began);
        assert_eq!(end("b", Sign::Silent, &failing(1), 901), Turn::Lasts);
        assert_eq!(end("b", Sign::Nothing, &fine(), 902), Turn::Counts);
        assert_eq!(end("c", Sign::Answered, &fine(), 172_900), Turn::Over(Duration::from_secs(172_000), 2));
        assert_eq!(end("b", Sign::Silent, &fine(), 172_901), Turn::Counts);
        assert_eq!(end("a", Sign::Silent, &fine(), 172_902), Turn::Counts);
    }

    #[test]
    fn probes_are_a_minute_apart_whatever_the_clock_does() {
        let mut outage = Outage::default();
        assert_eq!(outage.probe_at(at(0)), None);
        for host in ["a", "b", "c"] {
            outage.ended(host, Sign::Silent, &fine(), at(0));
        }
        assert_eq!(outage.probe_at(at(0)), Some(at(60)));
        outage.probing(at(60));
        assert_eq!(outage.probe_at(at(61)), Some(at(120)));
        assert_eq!(outage.probe_at(at(-100_000)), Some(at(-99_940)));
    }

    #[test]
    fn what_fails_before_a_byte_is_told_from_what_does_not() {
        for (kind, status, sign) in [
            (ErrorKind::Dns, None, Sign::Silent),
            (ErrorKind::Connect, None, Sign::Silent),
            (ErrorKind::Timeout, None, Sign::Silent),
            (ErrorKind::Timeout, Some(200), Sign::Answered),
            (ErrorKind::Tls, None, Sign::Nothing),
            (ErrorKind::Refused, None, Sign::Nothing),
            (ErrorKind::Http, Some(503), Sign::Answered),
            (ErrorKind::Body, Some(200), Sign::Answered),
            (ErrorKind::Parse, None, Sign::Answered),
        ] {
            let error = PollError { kind, http_status: status, message: String::new() };
            assert_eq!(Sign::of(Some(&error)), sign, "{kind:?}");
        }
        assert_eq!(Sign::of(None), Sign::Answered);
    }
}
