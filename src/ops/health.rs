//! Whether the daemon lives and works: the time of the last progress of each of its parts, for the systemd
//! watchdog, and the verdict of `/readyz`.
//!
//! Time here is the monotonic one, handed in: a step of the wall clock must neither kill the daemon nor hide
//! that it hangs, and a machine that slept must not wake up to a restart.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::time::Timestamp;

/// A part of the daemon that must keep moving.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The loop that leases feeds and deliveries that are due. It ticks even when nothing is.
    Scheduler,
    /// The store's writer.
    Writer,
    /// The HTTP server: a request was answered, the daemon's own probe included.
    Http,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scheduler, Self::Writer, Self::Http];

    /// The word that is logged.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Writer => "writer",
            Self::Http => "http",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When the next feed is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum NextDue {
    /// The loop has not said.
    #[default]
    Unknown,
    /// No feed waits for a poll.
    Never,
    /// Then, or it is overdue since.
    At(Timestamp),
}

impl NextDue {
    /// The time, if there is one.
    #[must_use]
    pub fn at(self) -> Option<Timestamp> {
        if let Self::At(at) = self { Some(at) } else { None }
    }
}

/// When each part last got something done.
#[derive(Debug)]
pub struct Progress {
    start: Instant,
    scheduler: AtomicU64,
    writer: AtomicU64,
    http: AtomicU64,
    /// The end of a poll. It is no part that must move: where nothing is due, none ends.
    polled: AtomicU64,
    next_due: Mutex<NextDue>,
}

impl Progress {
    /// Begins at `start`; until its first mark a part counts from there.
    #[must_use]
    pub fn new(start: Instant) -> Self {
        let zero = || AtomicU64::new(0);
        Self { start, scheduler: zero(), writer: zero(), http: zero(), polled: zero(), next_due: Mutex::default() }
    }

    /// A part got something done at `at`.
    pub fn mark(&self, part: Part, at: Instant) {
        self.cell(part).fetch_max(self.ms(at), Ordering::Relaxed);
    }

    /// A poll ended at `at`, well or not.
    pub fn polled(&self, at: Instant) {
        self.polled.fetch_max(self.ms(at), Ordering::Relaxed);
    }

    /// When the next feed is due, as the loop says; `None`: none is.
    pub fn due(&self, next: Option<Timestamp>) {
        *self.next_due.lock().unwrap_or_else(PoisonError::into_inner) = next.map_or(NextDue::Never, NextDue::At);
    }

    /// When the next feed is due, or since when the most overdue one is.
    #[must_use]
    pub fn next_due(&self) -> NextDue {
        *self.next_due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it is, at `now`, since a part got something done.
    #[must_use]
    pub fn quiet_for(&self, part: Part, now: Instant) -> Duration {
        let last = self.cell(part).load(Ordering::Relaxed);
        Duration::from_millis(self.ms(now).saturating_sub(last))
    }

    /// The parts that got nothing done for longer than `limit`: the watchdog is pinged only if there are none.
    #[must_use]
    pub fn stuck(&self, now: Instant, limit: Duration) -> Vec<Part> {
        Part::ALL.into_iter().filter(|part| self.quiet_for(*part, now) > limit).collect()
    }

    fn cell(&self, part: Part) -> &AtomicU64 {
        match part {
            Part::Scheduler => &self.scheduler,
            Part::Writer => &self.writer,
            Part::Http => &self.http,
        }
    }

    fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

/// The verdict of `/readyz`: the database answers, and polling is not behind. The age of what is owed to webhooks
/// is a metric and not readiness: one dead receiver must not take the feeds out of a load balancer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Readiness {
    /// What keeps it from being ready, a sentence each; empty: it is ready.
    pub reasons: Vec<String>,
}

impl Readiness {
    /// How long the scheduler may go without a tick before polling counts as behind.
    pub const BEHIND_AFTER: Duration = Duration::from_secs(120);

    /// How long a feed may be overdue before it counts that no poll ends. By itself it says little: many feeds of one
    /// host wait for one another.
    pub const OVERDUE_AFTER: Duration = Duration::from_secs(600);

    /// Judges, from whether the database answered or why it did not, from how long the most overdue feed is overdue, from the
    /// scheduler's last tick and from the last poll that ended.
    #[must_use]
    pub fn judge(database: Result<(), String>, overdue: Duration, progress: &Progress, now: Instant) -> Self {
        let mut reasons = Vec::new();
        if let Err(cause) = database {
            reasons.push(format!("The database does not answer: {cause}."));
        }
        let quiet = progress.quiet_for(Part::Scheduler, now);
        if quiet > Self::BEHIND_AFTER {
            reasons.push(format!("Polling is behind: its loop last ticked {} s ago.", quiet.as_secs()));
        }
        let still = Duration::from_millis(progress.ms(now).saturating_sub(progress.polled.load(Ordering::Relaxed)));
        if overdue > Self::OVERDUE_AFTER && still > Self::BEHIND_AFTER {
            let (overdue, still) = (overdue.as_secs(), still.as_secs());
            reasons.push(format!(
                "Polling is behind: a feed is overdue for {overdue} s, and for {still} s no poll ended."
            ));
        }
        Self { reasons }
    }

    /// Whether it is ready.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.reasons.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(start: Instant, secs: u64) -> Instant {
        start + Duration::from_secs(secs)
    }

    #[test]
    fn only_the_parts_that_made_no_progress_are_stuck() {
        let start = Instant::now();
        let progress = Progress::new(start);
        progress.mark(Part::Scheduler, later(start, 50));
        progress.mark(Part::Http, later(start, 45));
        let limit = Duration::from_secs(10);
        assert_eq!(progress.stuck(later(start, 10), limit), []);
        assert_eq!(progress.stuck(later(start, 55), limit), [Part::Writer]);
        assert_eq!(progress.stuck(later(start, 70), limit), Part::ALL);
    }

    #[test]
    fn a_mark_that_comes_late_does_not_take_progress_back() {
        let start = Instant::now();
        let progress = Progress::new(start);
        progress.mark(Part::Writer, later(start, 9));
        progress.mark(Part::Writer, later(start, 3));
        assert_eq!(progress.quiet_for(Part::Writer, later(start, 10)), Duration::from_secs(1));
    }

    #[test]
    fn ready_means_that_the_database_answers_and_the_scheduler_ticks() {
        let start = Instant::now();
        let progress = Progress::new(start);
        let judge = |database, secs| Readiness::judge(database, Duration::ZERO, &progress, later(start, secs));
        assert!(judge(Ok(()), 5).ready());
        assert_eq!(judge(Err("closed".to_owned()), 5).reasons, ["The database does not answer: closed."]);
        assert_eq!(judge(Ok(()), 300).reasons, ["Polling is behind: its loop last ticked 300 s ago."]);
        assert_eq!(judge(Err("closed".to_owned()), 300).reasons.len(), 2);
    }

    #[test]
    fn an_overdue_feed_counts_only_if_no_poll_ends() {
        let start = Instant::now();
        let progress = Progress::new(start);
        progress.mark(Part::Scheduler, later(start, 1000));
        let judge =
            |overdue, secs| Readiness::judge(Ok(()), Duration::from_secs(overdue), &progress, later(start, secs));
        assert!(judge(5000, 100).ready(), "it has only just begun");
        assert_eq!(
            judge(5000, 1000).reasons,
            ["Polling is behind: a feed is overdue for 5000 s, and for 1000 s no poll ended."]
        );
        assert!(judge(300, 1000).ready());
        progress.polled(later(start, 950));
        assert!(judge(5000, 1000).ready(), "the others wait for their turn");
    }
}
