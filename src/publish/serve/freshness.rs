//! `max-age`: the time to the next poll.

use crate::domain::time::Timestamp;
use crate::ops::health::NextDue;

/// Longest `max-age`, in seconds.
const LONGEST: u32 = 3600;
/// Where nobody knows when the next poll is, in seconds.
const UNKNOWN: u32 = 60;

/// How long what is served now stays fresh, in seconds.
pub(crate) fn max_age(next: NextDue, now: Timestamp) -> u32 {
    match next {
        NextDue::Unknown => UNKNOWN,
        NextDue::Never => LONGEST,
        NextDue::At(due) => u32::try_from(due.since(now).as_secs()).unwrap_or(LONGEST).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_time_to_the_next_poll_but_never_more_than_an_hour() {
        let now = Timestamp::from_secs(1000);
        for (due, age) in [(1000, 0), (900, 0), (1090, 90), (9_999_999, 3600)] {
            assert_eq!(max_age(NextDue::At(Timestamp::from_secs(due)), now), age, "{due}");
        }
        assert_eq!((max_age(NextDue::Unknown, now), max_age(NextDue::Never, now)), (60, 3600));
    }
}
