//! Who waits without a request, in the order of their waiting: those make room first when places run out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The connections that wait, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    tokens: BTreeMap<u64, CancellationToken>,
}

impl Waiting {
    /// Cuts the one that has waited longest; nothing if all are at work.
    pub(crate) fn cut_oldest(&self) {
        if let Some((_, token)) = self.queue().tokens.pop_first() {
            token.cancel();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, token: &CancellationToken) -> u64 {
        let mut queue = self.queue();
        queue.next += 1;
        let number = queue.next;
        queue.tokens.insert(number, token.clone());
        number
    }

    fn leave(&self, number: u64) {
        self.queue().tokens.remove(&number);
    }
}

/// A connection's seat among those that wait, or its absence from them while it is at work.
#[derive(Debug)]
pub(crate) struct Seat {
    waiting: Arc<Waiting>,
    token: CancellationToken,
    number: Mutex<Option<u64>>,
    begun: Notify,
}

impl Seat {
    /// Sits down, waiting.
    pub(crate) fn take(waiting: &Arc<Waiting>) -> Self {
        let token = CancellationToken::new();
        let number = Mutex::new(Some(waiting.enter(&token)));
        Self { waiting: Arc::clone(waiting), token, number, begun: Notify::new() }
    }

    /// A whole head of a request came: it is not cut until [`Self::idle`].
    pub(crate) fn busy(&self) {
        if let Some(number) = self.number().take() {
            self.waiting.leave(number);
        }
        self.begun.notify_waiters();
    }

    /// The answer is made: it waits again, behind all others.
    pub(crate) fn idle(&self) {
        let mut number = self.number();
        if number.is_none() {
            *number = Some(self.waiting.enter(&self.token));
        }
    }

    /// Ends when it is at work, at once if it is.
    pub(crate) async fn at_work(&self) {
        let begun = self.begun.notified();
        let waits = self.number().is_some();
        if waits {
            begun.await;
        }
    }

    /// Ends when it was cut.
    pub(crate) async fn cut(&self) {
        self.token.cancelled().await;
    }

    fn number(&self) -> MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(number) = self.number().take() {
            self.waiting.leave(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_waited_longest_is_cut_and_one_at_work_never() {
        let waiting = Arc::new(Waiting::default());
        let seats: Vec<Seat> = (0..3).map(|_| Seat::take(&waiting)).collect();
        let cut = |seat: &Seat| seat.token.is_cancelled();
        seats[0].busy();
        waiting.cut_oldest();
        assert_eq!((cut(&seats[0]), cut(&seats[1]), cut(&seats[2])), (false, true, false));
        seats[0].idle();
        waiting.cut_oldest();
        assert_eq!((cut(&seats[0]), cut(&seats[2])), (false, true), "it queues behind the others again");
        seats[0].busy();
        waiting.cut_oldest();
        assert!(!cut(&seats[0]));
        drop(seats);
        assert!(waiting.queue().tokens.is_empty());
    }
}
