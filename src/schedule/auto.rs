//! `schedule = "auto"`: a feed's pace by its own history.

use std::time::Duration;

use super::words::span;
use crate::domain::feed::Cadence;
use crate::domain::time::Timestamp;

/// Items that are looked at, the newest ones.
const ITEMS: usize = 20;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// What lies behind the newest item counts as this part of a gap: a site that fell silent is asked less and less.
const SILENCE: u32 = 10;

/// The usual gap between items, in seconds, and the date of the newest. The longest gap is left out, for it may be a holiday
/// or a page of old; dates in the future say nothing, nor do dates that are all the same.
#[must_use]
pub fn usual_gap(dates: impl Iterator<Item = Timestamp>, now: Timestamp) -> (Option<u64>, Option<Timestamp>) {
    let mut dates: Vec<Timestamp> = dates.filter(|date| *date <= now).collect();
    dates.sort_unstable_by(|a, b| b.cmp(a));
    dates.truncate(ITEMS);
    let newest = dates.first().copied();
    let mut gaps: Vec<u64> =
        dates.iter().zip(dates.iter().skip(1)).map(|(later, earlier)| later.since(*earlier).as_secs()).collect();
    gaps.sort_unstable();
    if gaps.len() > 2 {
        gaps.pop();
    }
    let count = u64::try_from(gaps.len()).unwrap_or(u64::MAX);
    let usual = gaps.iter().sum::<u64>().checked_div(count).filter(|gap| *gap > 0);
    (usual, newest)
}

/// How long after the last poll the next one is due, and why: half of the usual gap, but a day at the most. The floor is
/// `min_interval`, like that of any schedule.
pub(super) fn interval(cadence: &Cadence, last: Timestamp) -> (Duration, String) {
    let Some(gap) = cadence.usual_gap_s.map(Duration::from_secs) else {
        return (HOUR, "an hour, as its usual gap between items is not known yet".to_owned());
    };
    let silence = cadence.newest.map_or(Duration::ZERO, |newest| last.since(newest)) / SILENCE;
    let half = gap.max(silence) / 2;
    if half >= DAY {
        return (DAY, "a day, the longest that an automatic schedule waits".to_owned());
    }
    let what = if silence > gap {
        "a twentieth of the time since its newest item"
    } else {
        "half of its usual gap between items"
    };
    (half, format!("{what} ({})", span(half)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_secs(1_767_225_600 + hours * 3600)
    }

    #[test]
    fn the_usual_gap_is_the_mean_without_the_longest() {
        for (case, hours, gap, newest) in [
            ("no item", &[][..], None, None),
            ("one item", &[0], None, Some(0)),
            ("two items", &[0, -6], Some(6), Some(0)),
            ("in any order", &[-12, 0, -6], Some(6), Some(0)),
            ("a page of old", &[0, -6, -12, -18, -90_000], Some(6), Some(0)),
            ("a burst a day", &[0, 0, -24, -24, -48, -48], Some(6), Some(0)),
            ("a date in the future", &[50, -4, -8, -12], Some(4), Some(-4)),
            ("all at once", &[-1, -1, -1, -1], None, Some(-1)),
        ] {
            let (found, last) = usual_gap(hours.iter().map(|hour| at(*hour)), at(1));
            assert_eq!((found, last), (gap.map(|gap| gap * 3600), newest.map(at)), "{case}");
        }
        let many = (0..5_000).map(|n| at(-n));
        assert_eq!(usual_gap(many, at(0)).0, Some(3600));
    }

    #[test]
    fn the_pace_is_half_of_the_gap_and_slows_down_when_a_feed_falls_silent() {
        for (gap_h, silent_h, minutes, words) in [
            (None, 0, 60, "an hour, as its usual gap between items is not known yet"),
            (Some(6), 1, 180, "half of its usual gap between items (3 h)"),
            (Some(6), 60, 180, "half of its usual gap between items (3 h)"),
            (Some(6), 100, 300, "a twentieth of the time since its newest item (5 h)"),
            (Some(48), 0, 1440, "a day, the longest that an automatic schedule waits"),
            (Some(9_000), 0, 1440, "a day, the longest that an automatic schedule waits"),
            (Some(1), 90_000, 1440, "a day, the longest that an automatic schedule waits"),
        ] {
            let cadence = Cadence {
                usual_gap_s: gap_h.map(|h: u64| h * 3600),
                newest: Some(at(-silent_h)),
                ..Cadence::default()
            };
            let (pace, why) = interval(&cadence, at(0));
            assert_eq!((pace, why.as_str()), (Duration::from_secs(minutes * 60), words));
        }
    }
}
