//! One delivery on its way: it holds a lease and a slot, is sent, and is settled or given back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::outbox::Outbox;
use super::retry::{self, Ending};
use super::send::Sent;
use super::target::Target;
use crate::domain::webhook::{Attempt, DeliveryId, Settlement};

/// A delivery that is ours and has a slot, which it gives back however it ends.
pub(super) struct Flight {
    pub(super) outbox: Arc<Outbox>,
    pub(super) target: Arc<Target>,
    pub(super) delivery: DeliveryId,
    pub(super) message_id: String,
    pub(super) attempts: u32,
    pub(super) tries: u32,
    /// When the lease ends, by the clock that does not step.
    pub(super) ends: Instant,
}

impl Flight {
    /// Makes the attempt and settles it.
    pub(super) async fn fly(self, body: Bytes, stop: CancellationToken) {
        let outbox = &self.outbox;
        // Too late to end within the lease: another may have it by then.
        let late = later(self.target.timeout) > self.ends;
        if late || stop.is_cancelled() || outbox.give_up.is_cancelled() {
            return self.release().await;
        }
        let sending = outbox.sender.send(&self.target, &self.message_id, body, outbox.clock.now());
        let sent = tokio::select! {
            biased;
            sent = sending => sent,
            () = outbox.give_up.cancelled() => return self.release().await,
        };
        self.settle(sent).await;
    }

    /// Counts an attempt that could not be begun: it is tried again, and given up in the end.
    pub(super) async fn unrendered(self, cause: &str) {
        let error = Some(format!("the body of the call could not be made: {cause}"));
        let attempt = Attempt { at: self.outbox.clock.now(), error, ..Attempt::default() };
        self.settle(Sent { attempt, ending: Ending::default() }).await;
    }

    /// Writes down what was done. While the store fails, it is tried again until the lease ends: a call that
    /// was answered is not to be made again for want of patience.
    async fn settle(self, sent: Sent) {
        let outbox = &self.outbox;
        let overload = retry::overload(sent.ending);
        loop {
            let Some(token) = outbox.state().slots.token(self.delivery) else { return };
            let ended = outbox.clock.now();
            let verdict = retry::verdict(sent.ending, &self.message_id, self.tries, &self.target.retry, ended);
            let settlement = Settlement {
                delivery: self.delivery,
                token,
                attempt: sent.attempt.clone(),
                ended,
                verdict,
                overload,
                pause_after: self.target.pause_after,
                alerts: Arc::clone(&self.target.alerts),
            };
            let id = &self.message_id;
            let error = match outbox.store.settle_delivery(settlement).await {
                Ok(Some(settled)) => {
                    outbox.report(&self, &sent.attempt, &settled);
                    return outbox.store_works();
                }
                Ok(None) => {
                    tracing::info!(delivery.id = %id, "the lease was lost before the attempt was written down");
                    return;
                }
                Err(error) => error,
            };
            let pause = outbox.store_failed(&error);
            if outbox.give_up.is_cancelled() || later(pause) > self.ends {
                tracing::error!(delivery.id = %id, error = %error, "an attempt was not written down and will be made again");
                return;
            }
            tokio::select! {
                () = outbox.give_up.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Gives the lease back: no attempt was made, or none that ended. If that fails, the lease runs out.
    pub(super) async fn release(&self) {
        let Some(token) = self.outbox.state().slots.token(self.delivery) else { return };
        if let Err(error) = self.outbox.store.release_delivery(self.delivery, token).await {
            tracing::warn!(delivery.id = %self.message_id, error = %error, "a call cannot be given back; its lease runs out");
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.outbox.state().slots.end(self.target.id, self.delivery);
        self.outbox.changed.notify_one();
    }
}

pub(super) fn later(span: Duration) -> Instant {
    let now = Instant::now();
    // A time-out that no clock can hold is as good as a year.
    now.checked_add(span).unwrap_or_else(|| now + Duration::from_hours(24 * 365))
}
