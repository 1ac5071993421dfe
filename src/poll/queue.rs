//! Which feed is next: due ones wait with their host, hosts take turns, none has more requests at a time
//! than it should. Pure: the present moment is an argument.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::sites::{Sites, site};
use crate::domain::address::Address;
use crate::domain::feed::{ByFeed, FeedId, FeedSet};
use crate::domain::time::Timestamp;

/// Feeds are rows in a heap, not sleeping tasks.
#[derive(Default)]
pub(super) struct Queue {
    per_host: usize,
    feeds: ByFeed<Slot>,
    /// Those that were due and are not polled yet, the longest due first; stale entries as in the heap.
    owing: VecDeque<(Timestamp, FeedId)>,
    /// By due time. An entry that no longer agrees with its slot is stale and dropped when it comes up.
    heap: BinaryHeap<Reverse<(Timestamp, FeedId)>>,
    /// By their names, which come from the configuration: a hash need not resist anyone.
    hosts: foldhash::HashMap<Arc<str>, Host>,
    /// Hosts with feeds that wait and a free place, in turn.
    turn: VecDeque<Arc<str>>,
    /// Sites that asked for fewer requests.
    sites: Sites,
    /// Hosts that had their turn too early, and when it comes.
    parked: BinaryHeap<Reverse<(Timestamp, Arc<str>)>>,
}

struct Slot {
    /// Shared with the plan.
    url: Address,
    due: Option<Timestamp>,
    state: State,
}

impl Slot {
    /// Whether it was due then and its poll has not ended.
    fn owes(&self, due: Timestamp) -> bool {
        self.state != State::Sleeping && self.due == Some(due)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Sleeping,
    Waiting,
    Running,
}

#[derive(Default)]
struct Host {
    name: Arc<str>,
    running: usize,
    waiting: VecDeque<FeedId>,
    in_turn: bool,
}

impl Queue {
    pub(super) fn new(per_host: usize) -> Self {
        Self { per_host: per_host.max(1), ..Self::default() }
    }

    /// Takes the feeds of a new plan: those that stay and run keep running, those that left are forgotten.
    pub(super) fn replace(&mut self, per_host: usize, feeds: Vec<(FeedId, Address, Option<Timestamp>)>) {
        self.per_host = per_host.max(1);
        let kept: FeedSet = feeds.iter().map(|(feed, ..)| *feed).collect();
        self.feeds.retain(|feed, slot| kept.contains(feed) || slot.state == State::Running);
        for host in self.hosts.values_mut() {
            host.waiting.retain(|feed| kept.contains(feed));
        }
        // All that sleep are put in again. What grows by doubling leaves its halves behind.
        self.heap.clear();
        self.owing.retain(|(_, feed)| kept.contains(feed));
        self.feeds.reserve(feeds.len().saturating_sub(self.feeds.len()));
        self.heap.reserve(feeds.len());
        for (feed, url, due) in feeds {
            let slot = Slot { url: url.clone(), due: None, state: State::Sleeping };
            let slot = self.feeds.entry(feed).or_insert(slot);
            if slot.state == State::Sleeping {
                slot.url = url;
            }
            self.wake_at(feed, due);
        }
        self.offer_all();
    }

    /// Sets when a sleeping feed is due. False: it does not sleep.
    pub(super) fn wake_at(&mut self, feed: FeedId, due: Option<Timestamp>) -> bool {
        let slot = self.feeds.get_mut(&feed).filter(|slot| slot.state == State::Sleeping);
        let Some(slot) = slot else { return false };
        slot.due = due;
        if let Some(due) = due {
            self.heap.push(Reverse((due, feed)));
        }
        true
    }

    /// Makes a feed due now, by hand.
    pub(super) fn force(&mut self, feed: FeedId, now: Timestamp) {
        self.wake_at(feed, Some(now));
    }

    /// Whether a feed is known.
    pub(super) fn contains(&self, feed: FeedId) -> bool {
        self.feeds.contains_key(&feed)
    }

    /// Takes up to `most` feeds that are due.
    pub(super) fn take(&mut self, now: Timestamp, most: usize) -> Vec<FeedId> {
        self.collect_due(now);
        let mut out = Vec::new();
        while out.len() < most {
            let Some(name) = self.turn.pop_front() else { break };
            let Some(host) = self.hosts.get_mut(&name) else { continue };
            host.in_turn = false;
            if host.running >= self.per_host {
                continue;
            }
            if let Some(at) = self.sites.not_before(&name, now).filter(|_| !host.waiting.is_empty()) {
                host.in_turn = true;
                self.parked.push(Reverse((at, name)));
                continue;
            }
            if let Some(feed) = host.waiting.pop_front() {
                host.running += 1;
                self.sites.begun(&name);
                if let Some(slot) = self.feeds.get_mut(&feed) {
                    slot.state = State::Running;
                }
                out.push(feed);
            }
            self.offer(&name);
        }
        out
    }

    /// Up to `most` feeds that wait for their host: they are likely the next ones. First of those that have their turn,
    /// of each as many as of any other.
    pub(super) fn ahead(&self, most: usize) -> impl Iterator<Item = FeedId> {
        let share = most.div_ceil(self.hosts.len().max(1));
        let in_turn = self.turn.iter().filter_map(|name| self.hosts.get(name));
        let others = self.hosts.values().filter(|host| !host.in_turn);
        in_turn.chain(others).flat_map(move |host| host.waiting.iter().copied().take(share)).take(most)
    }

    /// The server of a feed, whose poll is still on, complained of too many requests.
    pub(super) fn throttled(&mut self, feed: FeedId, again: Option<Timestamp>, now: Timestamp) {
        let Some(slot) = self.feeds.get(&feed) else { return };
        let of_site = self.hosts.iter().filter(|(name, _)| site(name) == site(slot.url.host()));
        let running = of_site.map(|(_, host)| host.running).sum();
        self.sites.throttled(slot.url.host(), again, now, running);
    }

    /// The clock was put back, and with it the times at which sites may be asked again.
    pub(super) fn put_back(&mut self, by: Duration) {
        self.sites.put_back(by);
        let parked = std::mem::take(&mut self.parked);
        self.parked = parked.into_iter().map(|Reverse((at, host))| Reverse((at.minus(by), host))).collect();
    }

    /// Takes those of `asked` that wait for a host which wants to be left alone for long, and until when.
    pub(super) fn held(&mut self, asked: impl Iterator<Item = FeedId>, now: Timestamp) -> Vec<(FeedId, Timestamp)> {
        let mut out = Vec::new();
        // Asked at each tick, and there is hardly ever one.
        if self.sites.is_empty() {
            return out;
        }
        for feed in asked {
            let Some(slot) = self.feeds.get_mut(&feed).filter(|slot| slot.state == State::Waiting) else { continue };
            let Some(until) = self.sites.held(slot.url.host(), now) else { continue };
            slot.state = State::Sleeping;
            if let Some(host) = self.hosts.get_mut(slot.url.host()) {
                host.waiting.retain(|waiting| *waiting != feed);
            }
            out.push((feed, until));
        }
        out
    }

    /// A poll ended; the feed sleeps until it is due again.
    pub(super) fn finished(&mut self, feed: FeedId, due: Option<Timestamp>, now: Timestamp) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        let was = std::mem::replace(&mut slot.state, State::Sleeping);
        let url = slot.url.clone();
        let name = url.host();
        // One that its site held back never had a place.
        if was == State::Running {
            self.sites.ended(name, now);
            if let Some(host) = self.hosts.get_mut(name) {
                host.running = host.running.saturating_sub(1);
            }
        }
        self.wake_at(feed, due);
        self.offer(name);
    }

    /// When there is something to do next: a sleeping feed is due, or a host has its turn.
    pub(super) fn earliest(&mut self) -> Option<Timestamp> {
        let parked = self.parked.peek().map(|Reverse((at, _))| *at);
        self.earliest_due().into_iter().chain(parked).min()
    }

    /// When the next feed is due, or since when the most overdue one is: its poll may be on.
    pub(super) fn oldest(&mut self) -> Option<Timestamp> {
        while let Some((due, feed)) = self.owing.front().copied() {
            if self.feeds.get(&feed).is_some_and(|slot| slot.owes(due)) {
                return Some(due);
            }
            self.owing.pop_front();
        }
        self.earliest_due()
    }

    /// Stale entries behind one that its site holds back for days go before they are more than all feeds.
    fn owe(&mut self, due: Timestamp, feed: FeedId) {
        if self.owing.len() > 2 * self.feeds.len() {
            let feeds = &self.feeds;
            self.owing.retain(|(due, feed)| feeds.get(feed).is_some_and(|slot| slot.owes(*due)));
        }
        self.owing.push_back((due, feed));
    }

    fn earliest_due(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((due, feed))) = self.heap.peek().copied() {
            let slot = self.feeds.get(&feed);
            if slot.is_some_and(|slot| slot.state == State::Sleeping && slot.due == Some(due)) {
                return Some(due);
            }
            self.heap.pop();
        }
        None
    }

    fn collect_due(&mut self, now: Timestamp) {
        while self.parked.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((_, name))) = self.parked.pop() else { break };
            if let Some(host) = self.hosts.get_mut(&name) {
                host.in_turn = false;
            }
            self.offer(&name);
        }
        while let Some(due) = self.earliest_due().filter(|due| *due <= now) {
            let Some(Reverse((_, feed))) = self.heap.pop() else { break };
            let Some(slot) = self.feeds.get_mut(&feed).filter(|slot| slot.due == Some(due)) else { continue };
            slot.state = State::Waiting;
            let url = slot.url.clone();
            let name = url.host();
            self.owe(due, feed);
            match self.hosts.get_mut(name) {
                Some(host) => host.waiting.push_back(feed),
                None => {
                    let name = Arc::<str>::from(name);
                    let host = Host { name: Arc::clone(&name), waiting: VecDeque::from([feed]), ..Host::default() };
                    self.hosts.insert(name, host);
                }
            }
            self.offer(name);
        }
    }

    /// Gives a host its turn, if it has a feed that waits and a free place.
    fn offer(&mut self, name: &str) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        if host.waiting.is_empty() && host.running == 0 {
            self.hosts.remove(name);
        } else if !host.in_turn && host.running < self.per_host && !host.waiting.is_empty() {
            host.in_turn = true;
            self.turn.push_back(Arc::clone(&host.name));
        }
    }

    fn offer_all(&mut self) {
        let names: Vec<Arc<str>> = self.hosts.keys().cloned().collect();
        for name in names {
            self.offer(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn address(host: &str) -> Address {
        url::Url::parse(&format!("http://{host}/rss")).unwrap().into()
    }

    fn queue(per_host: usize, feeds: &[(i64, &str, i64)]) -> Queue {
        let mut queue = Queue::new(per_host);
        let feeds = feeds.iter().map(|(id, host, due)| (FeedId(*id), address(host), Some(at(*due)))).collect();
        queue.replace(per_host, feeds);
        queue
    }

    #[test]
    fn hosts_take_turns_and_none_has_more_than_its_share() {
        let mut q = queue(1, &[(1, "a", 1), (2, "a", 2), (3, "a", 3), (4, "b", 4)]);
        assert_eq!(q.take(at(10), 9), [FeedId(1), FeedId(4)]);
        assert_eq!(q.take(at(10), 9), []);
        q.finished(FeedId(1), None, at(0));
        assert_eq!(q.take(at(10), 9), [FeedId(2)]);
    }

    #[test]
    fn nothing_is_taken_before_it_is_due() {
        let mut q = queue(2, &[(1, "a", 5), (2, "a", 7)]);
        assert_eq!(q.take(at(4), 9), []);
        assert_eq!(q.earliest(), Some(at(5)));
        assert_eq!(q.take(at(5), 9), [FeedId(1)]);
        q.finished(FeedId(1), Some(at(6)), at(0));
        assert_eq!(q.earliest(), Some(at(6)));
        assert_eq!(q.take(at(8), 9), [FeedId(1), FeedId(2)]);
    }

    #[test]
    fn the_most_overdue_feed_counts_until_its_poll_has_ended() {
        let mut q = queue(1, &[(1, "a", 5), (2, "a", 6), (3, "b", 90)]);
        assert_eq!(q.oldest(), Some(at(5)));
        assert_eq!(q.take(at(10), 9), [FeedId(1)]);
        assert_eq!(q.oldest(), Some(at(5)), "it is being polled");
        q.finished(FeedId(1), Some(at(100)), at(11));
        assert_eq!(q.oldest(), Some(at(6)), "it waits for its host");
        q.replace(1, vec![(FeedId(1), address("a"), Some(at(100))), (FeedId(3), address("b"), Some(at(90)))]);
        assert_eq!(q.oldest(), Some(at(90)));
    }

    #[test]
    fn a_feed_that_is_held_back_for_long_does_not_gather_what_others_did_meanwhile() {
        let mut q = queue(1, &[(1, "a", 1), (2, "a", 2), (3, "b", 3)]);
        assert_eq!(q.take(at(2), 1), [FeedId(1)], "the second waits for the first");
        for n in 3..1000 {
            assert_eq!(q.take(at(n), 9), [FeedId(3)]);
            q.finished(FeedId(3), Some(at(n + 1)), at(n));
            assert!(q.owing.len() <= 8, "{}", q.owing.len());
        }
        assert_eq!(q.oldest(), Some(at(1)));
    }

    #[test]
    fn the_next_ones_are_those_of_hosts_that_have_their_turn_as_many_of_each() {
        let mut q = queue(1, &[(1, "a", 1), (2, "a", 1), (3, "a", 1), (4, "b", 1), (5, "b", 1), (6, "c", 9)]);
        assert_eq!(q.take(at(1), 1), [FeedId(1)], "its host has no place now");
        assert_eq!(q.ahead(1).collect::<Vec<_>>(), [FeedId(4)]);
        assert_eq!(q.ahead(3).collect::<Vec<_>>(), [FeedId(4), FeedId(5), FeedId(2)]);
        assert_eq!(q.ahead(9).count(), 4, "one sleeps");
    }

    #[test]
    fn a_feed_that_left_the_plan_is_not_polled_again() {
        let mut q = queue(1, &[(1, "a", 1), (2, "a", 1), (3, "a", 1)]);
        assert_eq!(q.take(at(1), 9), [FeedId(1)]);
        q.replace(1, vec![(FeedId(3), address("a"), Some(at(1)))]);
        q.finished(FeedId(1), None, at(0));
        assert_eq!(q.take(at(2), 9), [FeedId(3)]);
        q.finished(FeedId(3), None, at(0));
        assert_eq!(q.take(at(9), 9), []);
        assert_eq!(q.earliest(), None);
    }

    #[test]
    fn a_feed_that_sleeps_costs_little_and_no_string_of_its_own() {
        assert!(size_of::<Slot>() <= 32, "{}", size_of::<Slot>());
    }

    #[test]
    fn a_feed_with_another_address_waits_with_its_new_host() {
        let mut q = queue(1, &[(1, "a", 5), (2, "b", 5)]);
        q.replace(1, vec![(FeedId(1), address("b"), Some(at(5))), (FeedId(2), address("b"), Some(at(5)))]);
        assert_eq!(q.take(at(5), 9), [FeedId(1)]);
    }

    #[test]
    fn what_sleeps_is_not_looked_at_by_a_tick() {
        let names: Vec<String> = (0..10_000).map(|n| format!("h{n}.example")).collect();
        let feeds: Vec<(i64, &str, i64)> =
            (0_i64..).zip(&names).map(|(n, name)| (n, name.as_str(), 1_000 + n)).collect();
        let mut q = queue(2, &feeds);
        let asleep = q.heap.len();
        assert_eq!(q.take(at(1_004), 99).len(), 5);
        assert_eq!(q.earliest(), Some(at(1_005)));
        // Only the five left the heap, and only their hosts are known.
        assert_eq!((asleep - q.heap.len(), q.hosts.len(), q.turn.len()), (5, 5, 0));
    }

    #[test]
    fn a_poll_by_hand_comes_before_its_time_and_only_once() {
        let mut q = queue(1, &[(1, "a", 100)]);
        q.force(FeedId(1), at(1));
        assert_eq!(q.take(at(1), 9), [FeedId(1)]);
        q.force(FeedId(1), at(1));
        q.finished(FeedId(1), Some(at(100)), at(0));
        assert_eq!(q.take(at(99), 9), []);
    }

    #[test]
    fn a_site_that_complains_is_left_alone_and_then_asked_one_at_a_time() {
        let mut q = queue(2, &[(1, "a.s.org", 1), (2, "b.s.org", 1), (3, "a.s.org", 1), (4, "o.org", 2)]);
        assert_eq!(q.take(at(1), 1), [FeedId(1)]);
        q.throttled(FeedId(1), Some(at(100)), at(1));
        q.finished(FeedId(1), None, at(1));
        assert_eq!(q.take(at(2), 9), [FeedId(4)]);
        q.finished(FeedId(4), None, at(2));
        assert_eq!(q.earliest(), Some(at(100)));
        assert_eq!(q.held([FeedId(2), FeedId(4)].into_iter(), at(2)), [(FeedId(2), at(100))]);
        q.finished(FeedId(2), None, at(2));
        q.force(FeedId(2), at(3));
        assert_eq!(q.take(at(100), 9).len(), 1, "one at a time, though a host may have two");
        assert_eq!(q.take(at(101), 9), []);
        assert_eq!(q.earliest(), Some(at(102)));
        for feed in [2, 3] {
            q.finished(FeedId(feed), None, at(101));
        }
        assert_eq!(q.take(at(102), 9), []);
        assert_eq!(q.take(at(103), 9).len(), 1);
    }
}
