//! What all bodies in flight may take together.
//!
//! A body asks for more as it grows and keeps what it has until the last reader drops it, so a pool alone could
//! end with every body holding a part and waiting for the rest. Hence the lane: while the pool is empty, one body
//! at a time may go on without it. That one ends (whole, at `max_body`, or at its deadline) and frees what it
//! held; nobody waits for a body that waits. All together stay below `memory` and one `max_body` more.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits are counted in these.
const BLOCK_BYTES: usize = 1024;

/// The pool and the lane.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pool: Arc<Semaphore>,
    lane: Arc<Semaphore>,
}

impl Memory {
    /// A pool of `bytes`.
    pub(super) fn new(bytes: u64) -> Self {
        let blocks = usize::try_from(bytes).unwrap_or(usize::MAX) / BLOCK_BYTES;
        let pool = Semaphore::new(blocks.min(Semaphore::MAX_PERMITS));
        Self { pool: Arc::new(pool), lane: Arc::new(Semaphore::new(1)) }
    }

    /// What a new body holds: nothing.
    pub(super) fn grant(&self) -> Grant {
        Grant { memory: self.clone(), held: None, lane: None }
    }
}

/// What one body holds; given back when dropped.
#[derive(Debug)]
pub(super) struct Grant {
    memory: Memory,
    held: Option<OwnedSemaphorePermit>,
    lane: Option<OwnedSemaphorePermit>,
}

impl Grant {
    /// Takes `bytes` more, and waits if there is no room.
    pub(super) async fn grow(&mut self, bytes: usize) {
        if self.lane.is_some() {
            return;
        }
        let blocks = u32::try_from(bytes.div_ceil(BLOCK_BYTES)).unwrap_or(u32::MAX);
        let pool = Arc::clone(&self.memory.pool);
        let lane = Arc::clone(&self.memory.lane);
        // Neither is ever closed: an error cannot come, and would mean that nothing is counted.
        tokio::select! {
            biased;
            more = pool.acquire_many_owned(blocks) => self.take(more.ok()),
            free = lane.acquire_owned() => self.lane = free.ok(),
        }
    }

    /// Gives back what is more than `bytes`.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let Some(held) = self.held.as_mut() else { return };
        let more = held.num_permits().saturating_sub(bytes.div_ceil(BLOCK_BYTES));
        drop(held.split(more));
    }

    fn take(&mut self, more: Option<OwnedSemaphorePermit>) {
        match (&mut self.held, more) {
            (Some(held), Some(more)) => held.merge(more),
            (held, more) => *held = more,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn bodies_that_each_hold_a_part_and_want_the_rest_all_end_one_after_another() {
        let memory = Memory::new(4096);
        let mut first = memory.grant();
        let mut second = memory.grant();
        assert!(poll_once(first.grow(2048)).is_ready());
        assert!(poll_once(second.grow(2048)).is_ready());
        assert!(poll_once(first.grow(9000)).is_ready(), "the lane is free");
        assert!(poll_once(second.grow(2048)).is_pending(), "the lane is taken");
        assert!(poll_once(first.grow(1 << 30)).is_ready(), "who has the lane waits for nothing");
        drop(first);
        assert!(poll_once(second.grow(2048)).is_ready());
        assert_eq!(memory.pool.available_permits(), 0);
        assert_eq!(memory.lane.available_permits(), 1);
        drop(second);
        assert_eq!(memory.pool.available_permits(), 4);
    }

    #[test]
    fn what_a_body_did_not_need_is_given_back() {
        let memory = Memory::new(64 * 1024);
        let mut grant = memory.grant();
        assert!(poll_once(grant.grow(16 * 1024)).is_ready());
        assert!(poll_once(grant.grow(16 * 1024)).is_ready());
        grant.shrink(1025);
        assert_eq!(memory.pool.available_permits(), 62);
    }

    #[tokio::test]
    async fn what_a_connection_takes_is_counted_until_the_body_is_whole() {
        let memory = Memory::new(2 << 20);
        let mut held = super::super::held::Held::new(memory.grant());
        let mut body = &[b'x'; 300_000][..];
        while held.more(&mut body, 1 << 20).await.unwrap() > 0 {}
        assert!(memory.pool.available_permits() < 1024);
        held.finish();
        assert_eq!(memory.pool.available_permits(), 2048 - 293);
        drop(held);
        assert_eq!(memory.pool.available_permits(), 2048);
    }

    #[test]
    fn a_body_larger_than_the_pool_passes_alone() {
        let memory = Memory::new(0);
        let mut grant = memory.grant();
        assert!(poll_once(grant.grow(1)).is_ready());
        assert!(poll_once(memory.grant().grow(1)).is_pending());
    }
}
