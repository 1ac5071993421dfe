//! `<skipHours>` and `<skipDays>` of RSS 2.0: when a publisher does not want to be asked. Both are in GMT.

use crate::domain::feed::Cadence;
use crate::domain::time::Timestamp;

const HOUR: i64 = 3600;
const ALL_HOURS: u32 = (1 << 24) - 1;
const ALL_DAYS: u8 = (1 << 7) - 1;
/// Six days and 23 hours are the longest that can be skipped.
const LONGEST: i64 = 7 * 24;

/// If `at` is within skipped hours: when they end, and which element says so. A list of all hours or all days would silence
/// the feed for ever, and counts as none.
pub(super) fn end(cadence: &Cadence, at: Timestamp) -> Option<(Timestamp, &'static str)> {
    let partial = |set: u32, all: u32| if set & all == all { 0 } else { set };
    let hours = partial(cadence.skip_hours, ALL_HOURS);
    let days = partial(cadence.skip_days.into(), ALL_DAYS.into());
    if hours == 0 && days == 0 {
        return None;
    }
    let begin = at.as_secs().div_euclid(HOUR);
    let mut by = (false, false);
    for hour in begin..=begin + LONGEST {
        // The epoch was a Thursday.
        let weekday = (hour.div_euclid(24) + 3).rem_euclid(7);
        let (by_hour, by_day) = (hours >> hour.rem_euclid(24) & 1 == 1, days >> weekday & 1 == 1);
        if !by_hour && !by_day {
            let name = match by {
                (false, false) => return None,
                (true, false) => "skipHours of the feed",
                (false, true) => "skipDays of the feed",
                (true, true) => "skipHours and skipDays of the feed",
            };
            return Some((Timestamp::from_secs(hour * HOUR), name));
        }
        by = (by.0 || by_hour, by.1 || by_day);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_stretch_ends_at_the_first_hour_that_is_on_no_list() {
        let (monday, saturday, sunday) = (1, 1 << 5, 1 << 6);
        let hours = |from: u32, to: u32| (from..=to).fold(0, |set, hour| set | 1 << hour);
        for (case, skip_hours, skip_days, at, end_at) in [
            // 2026-03-02 is a Monday.
            ("nothing is skipped", 0, 0, "02T05:30", None),
            ("an hour that is not", hours(0, 4), 0, "02T05:00", None),
            ("its last second but one", hours(0, 5), 0, "02T05:59", Some("02T06:00")),
            ("past midnight", hours(22, 23) | hours(0, 5), 0, "02T22:10", Some("03T06:00")),
            ("a day", 0, monday, "02T00:00", Some("03T00:00")),
            ("another day", 0, monday, "03T00:00", None),
            ("a week-end", 0, saturday | sunday, "07T13:00", Some("09T00:00")),
            ("a week-end and the night after it", hours(0, 6), saturday | sunday, "07T13:00", Some("09T07:00")),
            ("all hours but one, all days but one", hours(1, 23), 0x7e, "02T00:30", None),
            ("the same, an hour later", hours(1, 23), 0x7e, "02T01:00", Some("09T00:00")),
            ("all hours", hours(0, 23), 0, "02T01:00", None),
            ("all days", 0, 0x7f, "02T01:00", None),
            ("all hours, and Mondays", hours(0, 23), monday, "02T01:00", Some("03T00:00")),
            ("bits beyond", u32::MAX, u8::MAX, "02T01:00", None),
        ] {
            let time = |text: &str| Timestamp::parse_rfc3339(&format!("2026-03-{text}:00Z")).unwrap();
            let cadence = Cadence { skip_hours, skip_days, ..Cadence::default() };
            assert_eq!(end(&cadence, time(at)).map(|(end, _)| end), end_at.map(time), "{case}");
        }
    }

    #[test]
    fn the_element_that_says_so_is_named() {
        let at = Timestamp::parse_rfc3339("2026-03-02T05:30:00Z").unwrap();
        for (skip_hours, skip_days, name) in [
            (1 << 5, 0, "skipHours of the feed"),
            (0, 1, "skipDays of the feed"),
            (1, 1, "skipHours and skipDays of the feed"),
        ] {
            let cadence = Cadence { skip_hours, skip_days, ..Cadence::default() };
            assert_eq!(end(&cadence, at).map(|(_, name)| name), Some(name));
        }
    }
}
