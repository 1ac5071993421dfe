//! What happens, step by step: it follows from a seed, and any part of it can be left out.

use super::world::FEEDS;

/// Numbers that follow from a seed (`SplitMix64`).
#[derive(Clone)]
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// What happens at a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Publish,
    Series,
    /// Two stories that say the same, on the same day.
    Twins,
    Backlog,
    Drop,
    Title,
    Text,
    Rewrite,
    Space,
    Slug,
    Guid,
    Move,
    Migrate,
    Guids,
    Links,
    Dates,
    Texts,
    Titles,
    Shuffle,
    Carry,
    Load,
    Reload,
    Old,
    Empty,
    Doubled,
    Keep,
    Rekey,
    Learn,
    Part,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub(super) what: What,
    pub(super) feed: usize,
    pub(super) seed: u64,
}

/// What a world with all sorts of bad feeds does, by weight; and one of good feeds that edit and move.
pub(super) const WILD: &[(What, usize)] = &[
    (What::Publish, 14),
    (What::Series, 3),
    (What::Twins, 2),
    (What::Backlog, 1),
    (What::Drop, 6),
    (What::Title, 3),
    (What::Text, 3),
    (What::Rewrite, 1),
    (What::Space, 2),
    (What::Slug, 3),
    (What::Guid, 2),
    (What::Move, 2),
    (What::Migrate, 2),
    (What::Guids, 3),
    (What::Links, 3),
    (What::Dates, 2),
    (What::Texts, 1),
    (What::Titles, 1),
    (What::Shuffle, 2),
    (What::Carry, 6),
    (What::Load, 34),
    (What::Reload, 4),
    (What::Old, 3),
    (What::Empty, 1),
    (What::Doubled, 2),
    (What::Keep, 1),
    (What::Rekey, 1),
    (What::Learn, 2),
    (What::Part, 1),
];
pub(super) const CALM: &[(What, usize)] = &[
    (What::Publish, 14),
    (What::Series, 2),
    (What::Twins, 1),
    (What::Drop, 6),
    (What::Title, 5),
    (What::Text, 5),
    (What::Space, 3),
    (What::Slug, 5),
    (What::Guid, 4),
    (What::Move, 4),
    (What::Migrate, 1),
    (What::Shuffle, 3),
    (What::Carry, 7),
    (What::Load, 36),
    (What::Reload, 4),
    (What::Old, 3),
    (What::Empty, 2),
    (What::Doubled, 2),
    (What::Keep, 1),
    (What::Learn, 2),
];

/// Steps that follow from a seed.
pub(super) fn script(rng: &mut Rng, weights: &[(What, usize)], steps: usize) -> Vec<Op> {
    // Each seed has its own mixture: what is left out lets the rest meet more often.
    let keep = |what: What| matches!(what, What::Load | What::Publish);
    let weights: Vec<(What, usize)> = weights
        .iter()
        .map(|(what, weight)| (*what, if keep(*what) || rng.chance(60) { weight * (1 + rng.below(3)) } else { 0 }))
        .collect();
    let sum: usize = weights.iter().map(|(_, weight)| weight).sum();
    let mut one = || {
        let mut at = rng.below(sum);
        let found = weights.iter().find(|(_, weight)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        Op { what: found.unwrap().0, feed: rng.below(FEEDS), seed: rng.next() }
    };
    (0..steps).map(|_| one()).collect()
}
