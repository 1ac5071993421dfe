//! Who may be called how often at a time. Pure bookkeeping.
//!
//! Each target has a share of its own and there is one cap on all of them together; but a target with nothing
//! under way always gets one slot, so however many dead endpoints hold the cap, they delay nobody else. At
//! most `cap + targets` deliveries are under way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::target::Target;
use crate::domain::webhook::{DeliveryId, WebhookId};
use crate::store::Want;

#[derive(Debug)]
pub(super) struct Slots {
    cap: usize,
    busy: HashMap<WebhookId, usize>,
    flights: HashMap<DeliveryId, u64>,
    turn: usize,
}

/// What may be leased now.
#[derive(Debug, Default)]
pub(super) struct Wants {
    pub(super) list: Vec<Want>,
    /// Targets that have more room than the cap leaves them in this round.
    short: HashSet<WebhookId>,
}

impl Slots {
    pub(super) fn new(cap: usize) -> Self {
        Self { cap: cap.max(1), busy: HashMap::new(), flights: HashMap::new(), turn: 0 }
    }

    /// How many deliveries are under way.
    pub(super) fn busy(&self) -> usize {
        self.flights.len()
    }

    /// The free slots of each target; another one is first in each round.
    pub(super) fn wants(&mut self, targets: &[Arc<Target>]) -> Wants {
        let mut wants = Wants::default();
        let mut left = self.cap.saturating_sub(self.busy());
        self.turn = self.turn.wrapping_add(1) % targets.len().max(1);
        for target in targets.iter().cycle().skip(self.turn).take(targets.len()) {
            let busy = self.busy.get(&target.id).copied().unwrap_or(0);
            let room = target.concurrency.max(1).saturating_sub(busy);
            let most = room.min(left.max(usize::from(busy == 0)));
            left = left.saturating_sub(most);
            if most < room {
                wants.short.insert(target.id);
            }
            if let Some(most) = u32::try_from(most).ok().filter(|most| *most > 0) {
                wants.list.push(Want { webhook: target.id, most, strict: false });
            }
        }
        wants
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn targets(concurrency: &[usize]) -> Vec<Arc<Target>> {
        let target = |(n, concurrency): (i64, &usize)| {
            let url = Url::parse("https://example.org/").unwrap();
            Target { concurrency: *concurrency, ..Target::to(WebhookId(n), &n.to_string(), url) }
        };
        (0..).zip(concurrency).map(target).map(Arc::new).collect()
    }

    fn most(slots: &mut Slots, targets: &[Arc<Target>]) -> Vec<(i64, u32)> {
        let mut list: Vec<_> = slots.wants(targets).list.iter().map(|w| (w.webhook.0, w.most)).collect();
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
    fn the_first_place_goes_round() {
        let targets = targets(&[4, 4]);
        let mut slots = Slots::new(4);
        assert_ne!(most(&mut slots, &targets), most(&mut slots, &targets));
    }

    #[test]
    fn a_round_is_repeated_only_if_the_cap_held_somebody_back_who_had_more() {
        let targets = targets(&[4, 4]);
        let mut slots = Slots::new(4);
        let wants = slots.wants(&targets);
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
        assert!(Slots::new(0).wants(&[]).list.is_empty());
    }
}
