//! Who may be called how often at a time. Pure bookkeeping.
//!
//! Each target has a share of its own and there is one cap on all of them together; but a target with nothing
//! under way always gets one slot, so however many dead endpoints hold the cap, they delay nobody else. At
//! most `cap + targets` deliveries are under way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::target::Target;
use crate::domain::webhook::{DeliveryId, Rate, WebhookId};
use crate::store::Want;

#[derive(Debug)]
pub(super) struct Slots {
    cap: usize,
    busy: HashMap<WebhookId, usize>,
    flights: HashMap<DeliveryId, u64>,
    turn: usize,
    /// By target with a rate: when the next call would be due, were they evenly spread (ITU-T I.371's virtual scheduling).
    paced: HashMap<WebhookId, Instant>,
}

/// What may be leased now.
#[derive(Debug, Default)]
pub(super) struct Wants {
    pub(super) list: Vec<Want>,
    /// Targets that have more room than the cap leaves them in this round.
    short: HashSet<WebhookId>,
    /// Targets that their rate holds back: what they may have now, and when one more.
    paced: Vec<(WebhookId, u32, Instant)>,
}

impl Slots {
    pub(super) fn new(cap: usize) -> Self {
        Self { cap: cap.max(1), busy: HashMap::new(), flights: HashMap::new(), turn: 0, paced: HashMap::new() }
    }

    /// How many deliveries are under way.
    pub(super) fn busy(&self) -> usize {
        self.flights.len()
    }

    /// The free slots of each target; another one is first in each round.
    pub(super) fn wants(&mut self, targets: &[Arc<Target>], now: Instant) -> Wants {
        let mut wants = Wants::default();
        let mut left = self.cap.saturating_sub(self.busy());
        self.turn = self.turn.wrapping_add(1) % targets.len().max(1);
        for target in targets.iter().cycle().skip(self.turn).take(targets.len()) {
            let busy = self.busy.get(&target.id).copied().unwrap_or(0);
            let share = if target.strict { 1 } else { target.concurrency.max(1) };
            let mut room = share.saturating_sub(busy);
            if let Some((may, next)) = target.max_rate.map(|rate| self.pace(target.id, rate, room, now))
                && may < room
            {
                wants.paced.push((target.id, u32::try_from(may).unwrap_or(u32::MAX), next));
                room = may;
            }
            let most = room.min(left.max(usize::from(busy == 0)));
            left = left.saturating_sub(most);
            if most < room {
                wants.short.insert(target.id);
            }
            if let Some(most) = u32::try_from(most).ok().filter(|most| *most > 0) {
                wants.list.push(Want { webhook: target.id, most, strict: target.strict });
            }
        }
        wants
    }

    /// How many of `room` calls the rate allows now, and when one more.
    fn pace(&self, target: WebhookId, rate: Rate, room: usize, now: Instant) -> (usize, Instant) {
        let (gap, slack) = (rate.gap(), rate.slack());
        let due = self.paced.get(&target).copied().map_or(now, |due| due.max(now));
        let begun = |n: usize| due + gap.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
        let may = (0..room).take_while(|n| begun(n + 1) <= now + slack).count();
        (may, begun(may + 1).checked_sub(slack).unwrap_or(now))
    }

    /// Counts a call against its target's rate.
    pub(super) fn spend(&mut self, target: &Target, now: Instant) {
        if let Some(rate) = target.max_rate {
            let due = self.paced.get(&target.id).copied().map_or(now, |due| due.max(now));
            self.paced.insert(target.id, due + rate.gap());
        }
    }

    /// Takes a slot. False: this delivery is under way already, for its lease ran out by the wall clock (which
    /// may step) while the attempt was still being made. It goes on under the new token.
    pub(super) fn begin(&mut self, webhook: WebhookId, delivery: DeliveryId, token: u64) -> bool {
        let fresh = self.flights.insert(delivery, token).is_none();
        if fresh {
            *self.busy.entry(webhook).or_default() += 1;
        }
        fresh
    }

    /// The token that the delivery is leased under now.
    pub(super) fn token(&self, delivery: DeliveryId) -> Option<u64> {
        self.flights.get(&delivery).copied()
    }

    /// Gives the slot back.
    pub(super) fn end(&mut self, webhook: WebhookId, delivery: DeliveryId) {
        if self.flights.remove(&delivery).is_none() {
            return;
        }
        if let Some(busy) = self.busy.get_mut(&webhook) {
            *busy = busy.saturating_sub(1);
            if *busy == 0 {
                self.busy.remove(&webhook);
            }
        }
    }
}

impl Wants {
    /// Whether more could be leased at once: a target got all that it asked for, and would have asked for more.
    pub(super) fn cut_short(&self, leased: &HashMap<WebhookId, u32>) -> bool {
        let filled = |want: &&Want| leased.get(&want.webhook).is_some_and(|n| *n >= want.most);
        self.list.iter().filter(filled).any(|want| self.short.contains(&want.webhook))
    }

    /// When a target that its rate holds back may have one more, if it is known or may be that it has one.
    pub(super) fn paced_until(&self, leased: &HashMap<WebhookId, u32>) -> Option<Instant> {
        let waiting =
            |(target, may, _): &&(WebhookId, u32, Instant)| *may == 0 || leased.get(target).is_some_and(|n| n >= may);
        self.paced.iter().filter(waiting).map(|(_, _, next)| *next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use url::Url;

    fn targets(concurrency: &[usize]) -> Vec<Arc<Target>> {
        let target = |(n, concurrency): (i64, &usize)| {
            let url = Url::parse("https://example.org/").unwrap();
            Target { concurrency: *concurrency, ..Target::to(WebhookId(n), &n.to_string(), url) }
        };
        (0..).zip(concurrency).map(target).map(Arc::new).collect()
    }

    fn most(slots: &mut Slots, targets: &[Arc<Target>]) -> Vec<(i64, u32)> {
        let mut list: Vec<_> =
            slots.wants(targets, Instant::now()).list.iter().map(|w| (w.webhook.0, w.most)).collect();
        list.sort_unstable();
        list
    }

    #[test]
    fn a_target_never_has_more_under_way_than_its_share() {
        let targets = targets(&[2, 0]);
        let mut slots = Slots::new(10);
        assert_eq!(most(&mut slots, &targets), [(0, 2), (1, 1)]);
        assert!(slots.begin(WebhookId(0), DeliveryId(1), 7));
        assert_eq!(most(&mut slots, &targets), [(0, 1), (1, 1)]);
        assert!(slots.begin(WebhookId(0), DeliveryId(2), 8));
        assert_eq!(most(&mut slots, &targets), [(1, 1)]);
        slots.end(WebhookId(0), DeliveryId(1));
        slots.end(WebhookId(0), DeliveryId(1));
        assert_eq!(most(&mut slots, &targets), [(0, 1), (1, 1)]);
    }

    #[test]
    fn targets_that_hold_the_whole_cap_leave_one_slot_to_each_other_one() {
        let targets = targets(&[8, 8, 8]);
        let mut slots = Slots::new(8);
        for n in 0..8 {
            slots.begin(WebhookId(0), DeliveryId(n), 1);
        }
        assert_eq!(most(&mut slots, &targets), [(1, 1), (2, 1)]);
        slots.begin(WebhookId(1), DeliveryId(9), 1);
        assert_eq!(most(&mut slots, &targets), [(2, 1)]);
    }

    #[test]
    fn a_strict_target_has_one_under_way_and_asks_for_the_oldest() {
        let targets = vec![Arc::new(Target { strict: true, ..Target::clone(&targets(&[8])[0]) })];
        let mut slots = Slots::new(10);
        let wants = slots.wants(&targets, Instant::now());
        assert_eq!(wants.list, [Want { webhook: WebhookId(0), most: 1, strict: true }]);
        slots.begin(WebhookId(0), DeliveryId(1), 7);
        assert!(slots.wants(&targets, Instant::now()).list.is_empty());
    }

    #[test]
    fn a_rate_spreads_calls_evenly_and_says_when_the_next_may_go() {
        let rate = |count, seconds| Some(Rate { count, per: Duration::from_secs(seconds) });
        for (max_rate, per_second) in [(rate(2, 1), 2), (rate(100, 1), 100), (rate(600, 60), 10), (rate(5000, 1), 5000)]
        {
            let target = Arc::new(Target { max_rate, ..Target::clone(&targets(&[1000])[0]) });
            let (mut slots, start) = (Slots::new(100_000), Instant::now());
            let (mut now, mut sent) = (start, 0_u32);
            while now < start + Duration::from_secs(10) {
                let wants = slots.wants(std::slice::from_ref(&target), now);
                let most = wants.list.first().map_or(0, |want| want.most);
                for _ in 0..most {
                    slots.spend(&target, now);
                }
                sent += most;
                let next = wants.paced_until(&HashMap::from([(WebhookId(0), most)])).unwrap();
                assert!(next > now, "it would spin");
                now = next;
            }
            // A tenth of a second's worth may go at once.
            let (least, greatest) = (per_second * 10, per_second * 10 + per_second / 10 + 1);
            assert!((least..=greatest).contains(&sent), "{max_rate:?}: {sent}");
        }
    }

    #[test]
    fn what_a_rate_saved_while_nothing_was_due_is_not_spent_at_once() {
        let max_rate = Some(Rate { count: 10, per: Duration::from_secs(1) });
        let target = Arc::new(Target { max_rate, ..Target::clone(&targets(&[1000])[0]) });
        let (mut slots, start) = (Slots::new(100_000), Instant::now());
        slots.spend(&target, start);
        let wants = slots.wants(&[target], start + Duration::from_hours(1));
        assert_eq!(wants.list.first().map(|want| want.most), Some(1));
    }

    #[test]
    fn the_first_place_goes_round() {
        let targets = targets(&[4, 4]);
        let mut slots = Slots::new(4);
        assert_ne!(most(&mut slots, &targets), most(&mut slots, &targets));
    }

    #[test]
    fn a_round_is_repeated_only_if_the_cap_held_somebody_back_who_had_more() {
        let targets = targets(&[4, 4]);
        let mut slots = Slots::new(4);
        let wants = slots.wants(&targets, Instant::now());
        let held_back = *wants.short.iter().next().unwrap();
        assert!(wants.cut_short(&HashMap::from([(held_back, 1)])));
        assert!(!wants.cut_short(&HashMap::new()));
        let other = WebhookId(1 - held_back.0);
        assert!(!wants.cut_short(&HashMap::from([(other, 4)])));
    }

    #[test]
    fn a_delivery_that_is_leased_again_while_under_way_is_not_begun_twice() {
        let mut slots = Slots::new(4);
        assert!(slots.begin(WebhookId(0), DeliveryId(1), 7));
        assert!(!slots.begin(WebhookId(0), DeliveryId(1), 8));
        assert_eq!(slots.token(DeliveryId(1)), Some(8));
        assert_eq!(slots.busy(), 1);
        slots.end(WebhookId(0), DeliveryId(1));
        assert_eq!((slots.busy(), slots.token(DeliveryId(1))), (0, None));
    }

    #[test]
    fn without_targets_nothing_is_wanted() {
        assert!(Slots::new(0).wants(&[], Instant::now()).list.is_empty());
    }
}
