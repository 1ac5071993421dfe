//! How many follow a stream: whoever asked for its feed within a day, each pair of address and User-Agent once; an
//! aggregator, which asks once for many, as many as it says ("16 subscribers").
//!
//! No address is kept, only hashes with a key that dies with the process, and no more of them than `MOST`: beyond
//! that nobody new is counted, so that the number is never too high.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::cache::Format;
use super::visitor::household;
use crate::domain::time::Timestamp;

/// How long somebody counts after a request.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Readers that are known, of all streams: some 2 MB.
const MOST: usize = 50_000;
/// What one aggregator may claim.
const CLAIM: u64 = 1_000_000;

/// Who follows what.
#[derive(Debug, Default)]
pub struct Readers {
    key: RandomState,
    seen: Mutex<HashMap<String, HashMap<u64, Seen>>>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Timestamp,
    count: u64,
}

impl Readers {
    /// Notes a request for a stream's feed that was answered.
    pub(crate) fn note(&self, (stream, format): (&str, Format), client: Option<IpAddr>, agent: &str, now: Timestamp) {
        let (who, count) = match claim(agent) {
            // It asks from many addresses, and says of each format how many follow that.
            Some((name, count)) => (self.hash(&(name, format)), count),
            None if is_no_reader(agent) => return,
            None => (self.hash(&(client.map(household), agent)), 1),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.get(stream).is_some_and(|readers| readers.contains_key(&who));
        if !known && seen.values().map(HashMap::len).sum::<usize>() >= MOST {
            for readers in seen.values_mut() {
                readers.retain(|_, seen| now.since(seen.at) < DAY);
            }
            seen.retain(|_, readers| !readers.is_empty());
            if seen.values().map(HashMap::len).sum::<usize>() >= MOST {
                return;
            }
        }
        seen.entry(stream.to_owned()).or_default().insert(who, Seen { at: now, count });
    }

    /// How many followed a stream within the last day.
    #[must_use]
    pub fn of(&self, stream: &str, now: Timestamp) -> u64 {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let readers = seen.get(stream).into_iter().flat_map(HashMap::values);
        readers.filter(|seen| now.since(seen.at) < DAY).map(|seen| seen.count).fold(0, u64::saturating_add)
    }

    fn hash(&self, who: &impl Hash) -> u64 {
        self.key.hash_one(who)
    }
}

/// The number of subscribers that an aggregator names, and its name without it.
fn claim(agent: &str) -> Option<(String, u64)> {
    let words = |word: &str| word.starts_with("subscriber") || word.starts_with("reader");
    let mut pieces: Vec<&str> = agent.split(' ').collect();
    let at = pieces
        .windows(2)
        .position(|pair| matches!(pair, [number, word] if words(word) && !digits(number).is_empty()))?;
    let count = digits(pieces.get(at)?).parse::<u64>().unwrap_or(CLAIM).min(CLAIM);
    pieces.remove(at);
    Some((pieces.join(" "), count))
}

/// The number that a word is, whatever bracket stands before it.
fn digits(word: &str) -> &str {
    let number = word.trim_start_matches(['(', '[', ';', ',']);
    if number.bytes().all(|b| b.is_ascii_digit()) { number } else { "" }
}

/// Who reads for nobody: crawlers, and whoever does not say what they are.
fn is_no_reader(agent: &str) -> bool {
    let agent = agent.to_ascii_lowercase();
    agent.trim().is_empty() || ["bot", "crawl", "spider", "monitor"].iter().any(|word| agent.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn each_reader_counts_once_a_day_and_an_aggregator_as_many_as_it_says() {
        let (readers, start) = (Readers::default(), Timestamp::from_secs(1_764_000_000));
        let feed = |format| ("all", format);
        for _ in 0..3 {
            readers.note(feed(Format::Atom), ip("192.0.2.1"), "newsboat/2.37", start);
        }
        readers.note(feed(Format::Rss), ip("192.0.2.1"), "newsboat/2.37", start);
        assert_eq!(readers.of("all", start), 1, "one reader, whatever the format");
        readers.note(feed(Format::Atom), ip("192.0.2.1"), "NetNewsWire/6", start);
        readers.note(feed(Format::Atom), ip("192.0.2.2"), "newsboat/2.37", start);
        assert_eq!(readers.of("all", start), 3);
        let feedly =
            |n| format!("Feedly/1.0 (+http://www.feedly.com/fetcher.html; {n} subscribers; like FeedFetcher-Google)");
        readers.note(feed(Format::Atom), ip("192.0.2.7"), &feedly(16), start);
        readers.note(feed(Format::Atom), ip("192.0.2.8"), &feedly(17), start);
        assert_eq!(readers.of("all", start), 20, "its last number, whichever machine asked");
        readers.note(feed(Format::Rss), ip("192.0.2.8"), &feedly(2), start);
        assert_eq!(readers.of("all", start), 22, "those are others");
        assert_eq!(readers.of("other", start), 0);
        let next_day = start.plus(DAY);
        readers.note(feed(Format::Atom), ip("192.0.2.1"), "newsboat/2.37", next_day);
        assert_eq!(readers.of("all", next_day), 1);
    }

    #[test]
    fn what_aggregators_write_is_read_and_nothing_is_made_up() {
        for (agent, count) in [
            ("NewsBlur Feed Fetcher - 5 subscribers - http://www.newsblur.com/site/1 (Mac)", Some(5)),
            ("Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 3 subscribers; )", Some(3)),
            ("Feedbin feed-id:12 - 1 subscribers", Some(1)),
            ("The Old Reader/1.0 (+https://theoldreader.com; 42 subscribers; feed-id=7)", Some(42)),
            ("Netvibes (http://www.netvibes.com; 9 readers; )", Some(9)),
            ("Feedmill/0.1.0 (+https://x.example; 12 subscribers)", Some(12)),
            ("Feedmill/0.1.0 (12 subscribers)", Some(12)),
            ("X (99999999999999999999 subscribers)", Some(CLAIM)),
            ("X (some subscribers)", None),
            ("X subscribers", None),
            ("newsboat/2.37 (Linux x86_64)", None),
            ("", None),
        ] {
            assert_eq!(claim(agent).map(|(_, count)| count), count, "{agent}");
        }
        let readers = Readers::default();
        let now = Timestamp::from_secs(1);
        for agent in ["", "  ", "Googlebot/2.1", "SomeCrawler", "UptimeMonitor/1"] {
            readers.note(("all", Format::Atom), ip("192.0.2.1"), agent, now);
        }
        assert_eq!(readers.of("all", now), 0);
    }

    #[test]
    fn a_flood_of_readers_is_bounded_and_a_day_later_there_is_room_again() {
        let (readers, now) = (Readers::default(), Timestamp::from_secs(1_764_000_000));
        for n in 0..60_000_u32 {
            readers.note(("all", Format::Atom), Some(IpAddr::from(n.to_be_bytes())), "x/1", now);
        }
        assert_eq!(readers.of("all", now), MOST as u64);
        let later = now.plus(DAY);
        readers.note(("all", Format::Atom), ip("203.0.113.1"), "x/1", later);
        assert_eq!(readers.of("all", later), 1);
    }
}
